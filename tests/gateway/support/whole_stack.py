"""Runs the real gateway, the real hub and real services together; the hub and the services are in this process."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dyber_hub.app import build_app
from dyber_hub.refresh import Timings
from dyber_hub.settings import HubSettings
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService, Scope
from infra.services.ports import HUB_PORT
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest
from tests.gateway.support.hub_under_test import HUB_TOKEN, PATIENT, RELAY_PORT
from tests.gateway.support.relay import relay
from tests.stand_in.hub import services as hub_services
from tests.stand_in.running import free_port, running

#: The hub looks at its services often.
TIMINGS = Timings(shortest=0.8, longest=1.2, again=0.3, answer=5.0, states=0.2)
SCOPES: dict[str, Mapping[str, Scope] | None] = {
    "everything": None,
    "reader": {"alpha": "read", "gamma": "all"},
    "writer": {"alpha": ("alpha_write", "alpha_echo"), "beta": ("beta_clear",)},
    "nobody": {},
}


def token(client: str) -> str:
    return f"{client:x<40}"


def authorization(client: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(client)}"}


@dataclass
class WholeStack:
    """The gateway in front of the hub and its services, and by service its entry in the hub's catalogue."""

    gateway: GatewayUnderTest
    entries: dict[str, dict]
    scopes: Mapping[str, Mapping[str, Scope] | None] = field(default_factory=lambda: SCOPES)

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port(80)}"

    def tools(self, *, reading: bool) -> dict[str, tuple[str, ...]]:
        """Return by service the tools that only read, or those that write."""
        return {
            name: tuple(
                tool["name"]
                for tool in entry["tools"]
                if bool(tool.get("annotations", {}).get("readOnlyHint")) is reading
            )
            for name, entry in self.entries.items()
        }

    def services(self) -> tuple[GatewayService, ...]:
        reading, writing = self.tools(reading=True), self.tools(reading=False)
        return tuple(
            GatewayService(
                name, 9000 + number, name, 20, read_tools=reading[name], write_tools=writing[name],
                requests_per_second=10_000, enforces_scopes=True,
            )
            for number, name in enumerate(self.entries)
        )  # fmt: skip

    def hub(self) -> GatewayHub:
        group = hub_services.PET
        return GatewayHub(
            hashlib.sha256(HUB_TOKEN.encode()).hexdigest(),
            tools={name: tuple(tool["name"] for tool in entry["tools"]) for name, entry in self.entries.items()},
            prompts={"alpha": ("alpha_greet",)},
            resource_schemes={"alpha": ("alpha",)},
            readable=frozenset({"alpha"}),
            groups=(
                GatewayGroup(
                    group["name"],
                    {tool["exposed"]: (tool["service"], tool["tool"]) for tool in group["tools"]},
                    tuple(group["services"]),
                ),
            ),
            requests_per_second=10_000,
        )

    def configure(
        self, scopes: Mapping[str, Mapping[str, Scope] | None] = SCOPES, others: tuple[GatewayService, ...] = ()
    ) -> None:
        """Configure the clients; `others` are services that do not run."""
        clients = tuple(
            GatewayClient(name, (hashlib.sha256(token(name).encode()).hexdigest(),), scope)
            for name, scope in scopes.items()
        )
        self.scopes = scopes
        self.gateway.configure(PATIENT, (*self.services(), *others), clients, hub=self.hub())


@contextmanager
def whole_stack(gateway: GatewayUnderTest) -> Iterator[WholeStack]:
    """Run the services and the hub behind a gateway that has started."""
    with ExitStack() as stack:
        entries = {}
        for number, (name, build) in enumerate(hub_services.SERVICES.items()):
            app = build(
                Settings(
                    host="0.0.0.0", port=free_port(), read_only=False, require_scope=True, max_answer_chars=1_000_000
                )
            )
            entries[name] = hub_services.entry(app)
            stack.enter_context(running(build_server(app)))
            relay(gateway, name, app.settings.port, 9000 + number)
        hub_app = build_app(
            Settings(host="0.0.0.0", port=free_port(), max_body_bytes=4 * 2**20),
            HubSettings(Path("hub.json"), f"http://127.0.0.1:{gateway.port(RELAY_PORT)}", HUB_TOKEN),
            hub_services.catalogue(*entries.values()),
            TIMINGS,
        )
        whole = WholeStack(gateway, entries)
        whole.configure()
        stack.enter_context(running(build_server(hub_app)))
        relay(gateway, "hub", hub_app.settings.port, HUB_PORT, ("hub", "hub-1"))
        wait_until(lambda: _ready(gateway), "the hub and the services are ready", 60)
        yield whole


def _ready(gateway: GatewayUnderTest) -> bool:
    status = gateway.request("/api/status").json()
    states = [detail["state"] for detail in (*status["details"].values(), status["hub"])]
    # Nginx itself looks names up every second.
    time.sleep(1)
    return set(states) == {"up"}
