"""Decides the parts of the hub: its network, its replicas and their limits, and the file of its token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from infra.parts.containers import (
    SPANS_VARIABLES,
    Confinement,
    Membership,
    Mount,
    Network,
    Server,
    Stop,
    TemporaryFolder,
)
from infra.parts.service import DRAIN_MARGIN_SECONDS, PROBE, SECRETS_FOLDER, START_SECONDS
from infra.services.catalog import ServiceSpec
from infra.services.ports import HUB_PORT, RELAY_PORT
from infra.settings.stack import StackSettings
from infra.settings.subnets import Subnets

HUB = "hub"
HUB_UID = 20070
#: How many processes and threads all containers of the hub together may have.
MAX_PROCESSES = 512
#: The names of the network and of the volume with the hub's files within the stack.
NETWORK, SECRETS_VOLUME = f"{HUB}-network", f"{HUB}-secrets"
#: The names of the hub and of the gateway on that network.
ALIAS, GATEWAY_ALIAS = HUB, "gateway"
#: The name of the hub's catalogue among its files, and the environment variable with its path.
CATALOGUE, CATALOGUE_VARIABLE = "hub.json", "DYBER_HUB_FILE"
#: The same for the identity providers that are trusted, in stacks with logins.
LOGINS, LOGINS_VARIABLE = "oauth.json", "DYBER_OAUTH_FILE"
#: The name of the file with the token among the hub's secrets; `<name>_FILE` has its path.
TOKEN_SECRET = "DYBER_HUB_TOKEN"
#: The folder of the image whose owner and mode the volume with the token takes over.
OWNED_FOLDER = "/data"
TMP_MIB = 16


@dataclass(frozen=True)
class Hub:
    """The hub: only its replicas (`servers`) and the gateway are in `network`."""

    network: Network
    servers: tuple[Server, ...]


def hub(settings: StackSettings, specs: Sequence[ServiceSpec], subnets: Subnets) -> Hub:
    """Return the parts of the hub for the services `specs`. It reaches the internet only for identity providers."""
    internet = settings.gateway.oauth is not None
    network = Network(NETWORK, HUB, internet_access=internet, subnet=subnets.part(HUB, internal=not internet))
    environment = {
        **(SPANS_VARIABLES if settings.sends_traces else {}),
        "DYBER_GATEWAY_URL": f"http://{GATEWAY_ALIAS}:{RELAY_PORT}",
        "DYBER_SERVICE": HUB,
        "HOST": "0.0.0.0",
        "LOG_LEVEL": settings.log_level,
        "PORT": str(HUB_PORT),
    }
    servers = [
        Server(
            f"{HUB}-server" if replica == 1 else f"{HUB}-server-{replica}",
            HUB,
            Confinement(HUB_UID, settings.hub.memory_mib, 1.0, MAX_PROCESSES),
            (Membership(NETWORK, (ALIAS, f"{ALIAS}-{replica}")),),
            PROBE,
            # Calls that go through the hub take as long as those of the services.
            Stop(max(spec.max_call_seconds for spec in specs) + DRAIN_MARGIN_SECONDS),
            replaced="new first",
            wait_seconds=START_SECONDS,
            environment=tuple(environment.items()),
            mounts=(Mount(SECRETS_VOLUME, SECRETS_FOLDER, read_only=True),),
            temporary=(TemporaryFolder("/tmp", TMP_MIB),),
        )
        for replica in range(1, settings.hub.replicas + 1)
    ]
    return Hub(network, tuple(servers))
