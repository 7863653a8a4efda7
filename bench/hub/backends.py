"""Runs the backends of the benchmark, and a gateway with the hub in front of them, in containers of one network."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from bench.gateway_overhead import newest
from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayHub, GatewayService
from infra.settings.gateway import GatewaySettings, LimitSettings
from tests.gateway.conftest import NGINX_FOLDER
from tests.gateway.support.docker_cli import (
    CONFINED,
    LABEL,
    READ_ONLY,
    archive,
    build_image,
    docker,
    unique,
    wait_until,
)
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.support.service_packages import make_importable

make_importable()

from dyber_kit.contract import tools_contract  # noqa: E402
from dyber_kit.settings import Settings  # noqa: E402

from bench.hub.backend import build_app  # noqa: E402

#: 100 tools in all.
TOOLS = {"docs": 14, "mail": 14, "maps": 14, "news": 14, "notes": 14, "shop": 15, "travel": 15}
TOKEN, HUB_TOKEN = "0f" * 32, "4b" * 32
#: Each backend has a port of its own, which is also that of its direct address at the gateway.
FIRST_PORT = 9000
FAST = 1_000_000
#: The folder of the hub's container with its catalogue and its token.
HUB_FOLDER = "/etc/dyber-hub"


@dataclass(frozen=True)
class Backend:
    """A running backend: its name, its container, its MCP address for programs on this machine, and its tools."""

    name: str
    container: str
    mcp: str
    tools: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Stack:
    """The gateway with the hub: its base URL for programs on this machine, and both containers."""

    base: str
    gateway: str
    hub: str


def address(container: str) -> str:
    """Return the address of a container in its network, which programs on this machine reach without a proxy."""
    return docker("inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", container)


def contract(service: str) -> dict[str, dict[str, Any]]:
    """Return the tools of a backend by name, as its lock file would have them, without hashes."""
    tools = tools_contract(build_app(service, TOOLS[service], Settings()))["tools"]
    return {name: {key: value for key, value in tool.items() if key != "sha256"} for name, tool in tools.items()}


@contextlib.contextmanager
def network() -> Iterator[GatewayUnderTest]:
    """Start a gateway that has no configuration yet; at the end, it and all containers in its network are removed."""
    gateway = GatewayUnderTest(build_image(NGINX_FOLDER))
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.stop()


def start_backends(gateway: GatewayUnderTest) -> list[Backend]:
    """Start all backends in the gateway's network and wait until they are ready."""
    image = newest("dyber-template")
    backends = []
    for port, (name, number) in enumerate(TOOLS.items(), FIRST_PORT):
        container = unique(name)
        docker(
            "run", "--detach", "--name", container, "--label", LABEL, "--network", gateway.network,
            "--network-alias", f"{name}-mcp", "--network-alias", f"{name}-mcp-1", *CONFINED, *READ_ONLY,
            "--volume", f"{Path(__file__).with_name('backend.py')}:/bench/backend.py:ro", "--no-healthcheck",
            "--env", f"DYBER_SERVICE={name}", "--env", f"BENCH_TOOLS={number}", "--env", f"PORT={port}",
            "--env", "HOST=0.0.0.0", image, "python", "/bench/backend.py",
        )  # fmt: skip
        gateway.others.append(container)
        backends.append(Backend(name, container, f"http://{address(container)}:{port}/mcp", contract(name)))
    for backend in backends:
        wait_until(lambda url=backend.mcp: _answers(url.removesuffix("/mcp") + "/ready"), f"{backend.name} is ready")
    return backends


def start_hub(gateway: GatewayUnderTest, backends: list[Backend]) -> Stack:
    """Start the hub, and give the gateway the configuration that leads to it and to the backends."""
    catalogue = {
        "services": [
            {
                "name": backend.name,
                "title": f"Benchmark {backend.name}",
                "description": "A service of the benchmark",
                "instructions": None,
                "max_call_seconds": 60,
                "tools": [{"name": name, **tool} for name, tool in backend.tools.items()],
            }
            for backend in backends
        ],
        "groups": [],
        "search": False,
    }
    hub = unique("hub")
    docker(
        "create", "--name", hub, "--label", LABEL, "--network", gateway.network, "--network-alias", "hub",
        "--network-alias", "hub-1", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--memory=160m",
        "--no-healthcheck", "--env", f"DYBER_HUB_FILE={HUB_FOLDER}/hub.json",
        "--env", f"DYBER_HUB_TOKEN_FILE={HUB_FOLDER}/token", "--env", f"DYBER_GATEWAY_URL=http://{gateway.name}:10070",
        "--env", "HOST=0.0.0.0", "--env", "PORT=8070", "--env", "DYBER_SERVICE=hub", newest("dyber-hub"),
    )  # fmt: skip
    gateway.others.append(hub)
    files = {"hub.json": json.dumps(catalogue), "token": HUB_TOKEN}
    docker("cp", "-", f"{hub}:/", stdin=archive({f"{HUB_FOLDER[1:]}/{name}": text for name, text in files.items()}))
    docker("start", hub)
    loaded = gateway.load(_configuration(backends))
    if loaded.exit_code:
        raise SystemExit(loaded.stderr)
    wait_until(lambda: _answers(f"http://{address(hub)}:8070/ready"), "the hub is ready")
    base = f"http://{address(gateway.name)}"
    wait_until(lambda: _is_up(base, backends), "the gateway sees all backends")
    return Stack(base, gateway.name, hub)


def _configuration(backends: list[Backend]) -> dict[str, str]:
    services = [
        GatewayService(
            backend.name, FIRST_PORT + number, backend.name, 60, read_tools=tuple(backend.tools), requests_per_second=FAST,
            enforces_scopes=True,
        )
        for number, backend in enumerate(backends)
    ]  # fmt: skip
    hub = GatewayHub(
        hashlib.sha256(HUB_TOKEN.encode()).hexdigest(),
        tools={backend.name: tuple(backend.tools) for backend in backends},
        requests_per_second=FAST,
    )
    client = GatewayClient("bench", (hashlib.sha256(TOKEN.encode()).hexdigest(),))
    settings = GatewaySettings(bind="0.0.0.0", limits=LimitSettings(burst=100_000))
    return render(settings, services, [client], hub=hub)


def _is_up(base: str, backends: list[Backend]) -> bool:
    try:
        services = httpx2.get(f"{base}/api/status").json()["details"]
    except (httpx2.HTTPError, ValueError, KeyError):
        return False
    return all(services[backend.name]["state"] == "up" for backend in backends)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(url).status_code == 200
    except httpx2.HTTPError:
        return False
