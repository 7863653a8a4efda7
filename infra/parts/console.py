"""Decides the parts of the console: its network, its container with its limits, and the loader of its files."""

from __future__ import annotations

from dataclasses import dataclass

from infra.parts.containers import STAGING, Confinement, Membership, Mount, Network, Server, Stop, Task
from infra.parts.data_volumes import DATA_FOLDER
from infra.parts.service import PROBE, SECRETS_FOLDER
from infra.rendering.gateway.configuration import LOG_SOCKET
from infra.services.ports import CONSOLE_GATEWAY_PORT, CONSOLE_PORT, CONSOLE_SPANS_PORT, METRICS_PORT
from infra.settings.names import CONSOLE_CLIENT
from infra.settings.stack import StackSettings
from infra.settings.subnets import Subnets

#: The console's name beside those of services, and as a client of the gateway.
CONSOLE = CONSOLE_CLIENT
CONSOLE_UID = 20071
MAX_PROCESSES = 256
#: The names of the network and the volumes within the stack.
NETWORK = f"{CONSOLE}-network"
DATA_VOLUME, FILES_VOLUME, LOG_VOLUME, SECRETS_VOLUME = (
    f"{CONSOLE}-{name}" for name in ("data", "files", "log", "secrets")
)
#: The names of the console and of the gateway on that network.
ALIAS, GATEWAY_ALIAS = CONSOLE, "gateway"
#: The folders with the files of deployments, and with the socket on which the console takes the gateway's log.
FILES_FOLDER, LOG_FOLDER = "/files", LOG_SOCKET.rpartition("/")[0]
#: The files among the console's secrets; the variable `<name>_FILE` has the path of each.
TOKEN_SECRET, PASSWORD_SECRET, EXPORT_SECRET = "DYBER_TOKEN", "DYBER_PASSWORD_HASH", "DYBER_EXPORT_HEADERS"
STOP_SECONDS = 10
#: Writes the files of a deployment; the rest of the volume stays as it is.
LOADER = Task(
    f"{CONSOLE}-loader",
    f"{CONSOLE}-loader",
    Confinement(CONSOLE_UID, 32, 1.0, MAX_PROCESSES),
    ("/bin/sh", f"{STAGING}/store-console-files", f"{STAGING}/files", FILES_FOLDER),
    mounts=(Mount(FILES_VOLUME, FILES_FOLDER, read_only=False),),
)
#: How the gateway mounts the folder of the socket: to send, it only has to find the socket.
GATEWAY_MOUNT = Mount(LOG_VOLUME, LOG_FOLDER, read_only=True)


@dataclass(frozen=True)
class Console:
    """The console: only its container (`server`) and the gateway are in `network`."""

    network: Network
    server: Server


def console(settings: StackSettings, subnets: Subnets) -> Console:
    """Return the parts of the console. It is replaced old first: two cannot write the same records.

    Calls do not need it, so a deployment does not wait for it.
    """
    export = settings.console.export
    internet = export is not None
    network = Network(NETWORK, CONSOLE, internet_access=internet, subnet=subnets.part(CONSOLE, internal=not internet))
    gateway = f"http://{GATEWAY_ALIAS}"
    environment = {
        # The gateway, through which every request comes, refuses host names that are not the stack's.
        "ALLOWED_HOSTS": "*",
        "DYBER_DATA": DATA_FOLDER,
        "DYBER_FILES": FILES_FOLDER,
        "DYBER_GATEWAY_URL": f"{gateway}:{CONSOLE_GATEWAY_PORT}",
        "DYBER_METRICS_URL": f"{gateway}:{METRICS_PORT}",
        "DYBER_OTLP_PORT": str(CONSOLE_SPANS_PORT),
        "DYBER_STACK": settings.stack,
        "DYBER_STORE_MIB": str(settings.console.store_mib),
        "DYBER_SYSLOG_SOCKET": LOG_SOCKET,
        "HOST": "0.0.0.0",
        "PORT": str(CONSOLE_PORT),
    }
    if export is not None:
        environment["DYBER_EXPORT_ENDPOINT"] = export.endpoint
    server = Server(
        f"{CONSOLE}-server",
        CONSOLE,
        Confinement(CONSOLE_UID, settings.console.memory_mib, 1.0, MAX_PROCESSES),
        (Membership(NETWORK, (ALIAS,)),),
        PROBE,
        Stop(STOP_SECONDS),
        replaced="old first",
        wait_seconds=None,
        environment=tuple(environment.items()),
        mounts=(
            Mount(DATA_VOLUME, DATA_FOLDER),
            Mount(FILES_VOLUME, FILES_FOLDER, read_only=True),
            Mount(LOG_VOLUME, LOG_FOLDER, read_only=False),
            Mount(SECRETS_VOLUME, SECRETS_FOLDER, read_only=True),
        ),
    )
    return Console(network, server)
