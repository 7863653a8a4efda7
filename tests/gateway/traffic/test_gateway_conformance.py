"""Tests the real gateway with the official conformance suite of the protocol: a server scores the same behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from infra.rendering.gateway.model import GatewayService
from tests.gateway.conftest import started
from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, TOKEN, GatewayUnderTest, changed
from tests.gateway.support.relay import relay
from tests.servers.conformance.service import build_app
from tests.stand_in.running import free_port, running
from tests.support import node_programs
from tests.support.conformance_suite import REVISIONS, run_suite
from tests.support.node_programs import NodePrograms

#: Adds the token to each request, because the suite cannot send headers of its user's.
AUTHORIZING = """
pid /tmp/nginx.pid;
error_log stderr crit;
events {{ }}
http {{
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {{
        listen 9003;
        location / {{
            proxy_pass http://{gateway};
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header Authorization "Bearer {token}";
        }}
    }}
}}
"""


@pytest.fixture(scope="module")
def programs() -> NodePrograms:
    return node_programs.install()


@pytest.fixture(scope="module")
def addresses(gateway_image: str) -> Iterator[tuple[str, str]]:
    """Return the MCP addresses of the conformance server: directly, and through the gateway."""
    direct = Settings(port=free_port())
    behind = replace(direct, host="0.0.0.0", port=free_port())
    with (
        running(build_server(build_app(direct))) as base,
        running(build_server(build_app(behind))),
        started(gateway_image) as gateway,
    ):
        relay(gateway, "conformance", behind.port)
        service = GatewayService("conformance", 9000, "一致性", 5, requests_per_second=10_000)
        gateway.configure(changed(SETTINGS), (service,))
        wait_until(lambda: gateway.request("/api/conformance/ready").status == 200, "the gateway reaches the server")
        yield f"{base}/mcp", f"http://127.0.0.1:{authorizing(gateway)}/api/conformance/mcp"


def authorizing(gateway: GatewayUnderTest) -> int:
    """Start the container that adds the token; return its port on this machine."""
    name = unique("authorizing")
    docker(
        "create", "--name", name, "--label", LABEL, "--network", gateway.network, "--publish=127.0.0.1::9003",
        *CONFINED, gateway.image, "nginx", "-e", "stderr", "-c", "/authorizing/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    gateway.others.append(name)
    configuration = AUTHORIZING.format(gateway=gateway.name, token=TOKEN)
    docker("cp", "-", f"{name}:/", stdin=archive({"authorizing/nginx.conf": configuration}))
    docker("start", name)
    running_state = "{{.State.Running}}"
    assert docker("inspect", "--format", running_state, name).strip() == "true", docker("logs", name)
    return int(docker("port", name, "9003/tcp").rsplit(":", 1)[1])


@pytest.mark.parametrize("revision", REVISIONS)
def test_the_score_through_the_gateway_equals_the_direct_score(
    programs: NodePrograms, addresses: tuple[str, str], tmp_path: Path, revision: str
) -> None:
    direct, through = addresses
    expected = run_suite(programs, direct, revision, tmp_path / "direct")
    score = run_suite(programs, through, revision, tmp_path / "through")
    assert score.failures == []
    assert score.checks == expected.checks
