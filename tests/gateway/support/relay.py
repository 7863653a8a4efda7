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
        listen {listening};
        proxy_pass {address};
    }}
}}
"""


def relay(
    gateway: GatewayUnderTest, service: str, port: int, listening: int = 9000, aliases: tuple[str, ...] = ()
) -> None:
    """Start the relay, from the image of the front, which does not change the bytes.

    `aliases`: its names in the gateway's network, by default those of the service.
    """
    names = aliases or (f"{service}-mcp", f"{service}-mcp-1")
    host = docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", gateway.network)
    name = unique("relay")
    configuration = "load_module /usr/lib/nginx/modules/ngx_stream_module.so;" + RELAY.format(
        listening=listening, address=f"{host}:{port}"
    )
    docker(
        "create", "--name", name, "--label", LABEL, "--network", gateway.network, *(f"--network-alias={alias}" for alias in names), *CONFINED, build_front(), "nginx", "-e", "stderr", "-c",
        "/relay/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    gateway.others.append(name)
    docker("cp", "-", f"{name}:/", stdin=archive({"relay/nginx.conf": configuration}))
    docker("start", name)
