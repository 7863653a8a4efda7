"""Addresses that the commands print work as printed: over HTTPS, and in containers on the same machine."""

from __future__ import annotations

import json
import ssl

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.deploy.checkout import OFFSET, TEST_LABEL, Checkout, docker, inspect

#: Run in a container: asks for a service's readiness at each of the addresses.
ASK = """
import json, ssl, sys, urllib.request
trusted = ssl.create_default_context(cadata=sys.argv[2])
trusted.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
for url in sys.argv[3:]:
    call = urllib.request.Request(url, headers={'Authorization': f'Bearer {sys.argv[1]}'})
    print(urllib.request.urlopen(call, context=trusted, timeout=10).status)
"""


#: Run in a container: the default route, which is this machine.
ROUTE = """
import socket
route = next(line.split() for line in open('/proc/net/route') if line.split()[1] == '00000000')
print(socket.inet_ntoa(bytes.fromhex(route[2])[::-1]))
"""


def in_a_container(program: str, *arguments: str) -> str:
    """Run a Python program in a container on the engine's default network; return its output."""
    return docker(
        "run", "--rm", "--label", TEST_LABEL, "--add-host", "host.docker.internal:host-gateway",
        "--no-healthcheck", "--entrypoint", "/opt/venv/bin/python", inspect("template")["Image"],
        "-c", program, *arguments,
    )  # fmt: skip


def of_strict_clients(pem: str) -> ssl.SSLContext:
    """Return the certificates for clients that, like Node, trust an authority only."""
    trusted = ssl.create_default_context(cadata=pem)
    trusted.verify_flags &= ~ssl.VERIFY_X509_PARTIAL_CHAIN
    return trusted


@pytest.fixture
def bridge(deployed: Checkout) -> str:
    """Return the address of this machine on the engine's default network."""
    return in_a_container(ROUTE).strip()


def test_a_loopback_address_is_replaced_for_a_container_and_the_setting_is_named(deployed: Checkout) -> None:
    printed = deployed.deploy_sh("clients", "dify", "--per-service", "--from-container")
    urls = [entry["server_url"] for entry in json.loads(printed.stdout)]
    assert f"http://host.docker.internal:{80 + OFFSET}/api/template/mcp" in urls
    assert "gateway.bind" in printed.stderr


async def test_printed_addresses_work_over_https_and_in_containers(restored: Checkout, bridge: str) -> None:
    gateway = restored.configured("gateway")
    restored.configure("gateway", {**gateway, "httpsRedirect": True, "bind": bridge})
    summary = restored.deploy_sh()
    printed = restored.deploy_sh("clients", "claude-code", "--per-service", "--with-token")
    server = json.loads(printed.stdout)["mcpServers"]["template"]
    assert server["url"] == f"https://{bridge}:{443 + OFFSET}/api/template/mcp"
    assert "http://" not in printed.stdout
    assert server["url"] in summary.stdout
    for told in (summary.stdout, printed.stderr):
        assert "./deploy.sh clients --certificate" in told

    pem = restored.deploy_sh("clients", "--certificate").stdout
    trusted = of_strict_clients(pem)
    async with httpx2.AsyncClient(headers=server["headers"], verify=trusted, timeout=60) as http:
        async with Client(streamable_http_client(server["url"], http_client=http)) as client:
            assert (await client.list_tools()).tools

    plain = httpx2.get(f"http://{bridge}:{80 + OFFSET}/api/template/mcp")
    assert plain.status_code == 308
    assert server["url"] in plain.json()["error"]

    pasted = restored.deploy_sh("clients", "n8n", "--per-service", "--from-container")
    nodes = {node["name"]: node["parameters"]["endpointUrl"] for node in json.loads(pasted.stdout)["nodes"]}
    assert nodes["template"] == server["url"]
    assert "--add-host host.docker.internal:host-gateway" in pasted.stderr
    # Both the address and the name for it, from a container on the default network.
    ready = nodes["template"].removesuffix("/mcp") + "/ready"
    answers = in_a_container(ASK, restored.token, pem, ready, ready.replace(bridge, "host.docker.internal"))
    assert answers.split() == ["200", "200"]
