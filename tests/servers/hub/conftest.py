"""Runs the hub in front of real services, with a stand-in for the gateway's listener between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dyber_hub.app import HubApp, build_app
from dyber_hub.catalogue import Catalogue
from dyber_hub.refresh import Timings
from dyber_hub.settings import HubSettings
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.hub import services as hub_services
from tests.stand_in.hub.gateway import TOKEN, HubGateway
from tests.stand_in.running import free_port, running

QUICK = Timings(shortest=0.8, longest=1.2, again=0.3, answer=5.0, states=0.2)
#: The services are asked once, at the start.
ONCE = Timings(shortest=600, longest=600, again=600, answer=5.0, states=600)


@dataclass
class Hub:
    """Is a running hub: its base URL, its application, and the gateway that it uses."""

    base: str
    app: HubApp
    gateway: HubGateway


@contextmanager
def serving_hub(
    gateway: HubGateway,
    gateway_url: str,
    catalogue: Catalogue | None = None,
    timings: Timings = QUICK,
    token: str = TOKEN,
    **settings: Any,
) -> Iterator[Hub]:
    """Run a hub that uses the gateway at a URL."""
    app = build_app(
        Settings(port=free_port(), **{"max_body_bytes": 4 * 2**20, **settings}),
        HubSettings(Path("hub.json"), gateway_url, token),
        catalogue or hub_services.catalogue(),
        timings,
    )
    with running(build_server(app)) as base:
        yield Hub(base, app, gateway)


@pytest.fixture(scope="session")
def services() -> Iterator[dict[str, str]]:
    """Return the base URLs of the services by name."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(build_server(build()))) for name, build in hub_services.SERVICES.items()
        }


@pytest.fixture(scope="session")
def _running_gateway(services: dict[str, str]) -> Iterator[tuple[HubGateway, str]]:
    gateway = HubGateway(dict(services))
    with running(gateway.server()) as url:
        yield gateway, url


@pytest.fixture
def gateway(_running_gateway: tuple[HubGateway, str], services: dict[str, str]) -> HubGateway:
    """Return the gateway, with every service reachable and no request so far."""
    gateway, _ = _running_gateway
    gateway.services = dict(services)
    for faults in (gateway.down, gateway.refusals, gateway.lost, gateway.slow, gateway.passed):
        faults.clear()
    hub_services.written.clear()
    hub_services.ended.clear()
    return gateway


@pytest.fixture
def gateway_url(_running_gateway: tuple[HubGateway, str]) -> str:
    """Return the URL of the gateway's listener for the hub."""
    return _running_gateway[1]


@pytest.fixture(scope="session")
def _running_hub(_running_gateway: tuple[HubGateway, str]) -> Iterator[Hub]:
    with serving_hub(*_running_gateway) as hub:
        yield hub


@pytest.fixture
def hub(_running_hub: Hub, gateway: HubGateway) -> Hub:
    """Return a running hub with all services, which looks at them often."""
    return _running_hub
