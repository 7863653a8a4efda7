"""Connects a gateway to a server that runs in this process."""

from __future__ import annotations

from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique
from tests.gateway.support.front_under_test import build_front
from tests.gateway.support.gateway_under_test import GatewayUnderTest

#: A container in place of the service's, which passes connections to the service in this process.
RELAY = """
pid /tmp/nginx.pid;
error_log stderr crit;
events {{ }}
stream {{
    server {{
        listen 9000;
        proxy_pass {address};
    }}
}}
"""


def relay(gateway: GatewayUnderTest, service: str, port: int) -> None:
    """Start the relay, from the image of the front, which does not change the bytes."""
    host = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", gateway.network)
    name = unique("relay")
    configuration = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" + RELAY.format(address=f"{host}:{port}")
    docker(
        "create", "--name", name, "--label", LABEL, "--network", gateway.network, "--network-alias", f"{service}-mcp",
        "--network-alias", f"{service}-mcp-1", *CONFINED, build_front(), "nginx", "-e", "stderr", "-c",
        "/relay/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    gateway.others.append(name)
    docker("cp", "-", f"{name}:/", stdin=archive({"relay/nginx.conf": configuration}))
    docker("start", name)
