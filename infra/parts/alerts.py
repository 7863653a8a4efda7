"""Decides the parts that send alerts: Alertmanager, the sender, and their limits."""

from __future__ import annotations

from infra.parts.containers import Confinement, Membership, Mount, Network, Probe, Server, Stop
from infra.parts.monitoring import ALIAS as PROMETHEUS_HOST
from infra.parts.monitoring import NETWORK as MONITORING_NETWORK
from infra.parts.service import SECRETS_FOLDER
from infra.rendering.alerts import ALERTMANAGER_HOST, SENDER_HOST
from infra.services.ports import ALERT_SENDER_PORT, ALERTMANAGER_PORT, MONITORING_PORT
from infra.settings.subnets import Subnets

ALERTS = "alerts"
#: The users of both containers, to whom folders of the image belong (monitoring/Dockerfile).
ALERTMANAGER_UID, SENDER_UID = 29093, 29094
#: The names of the sender's network and of the volumes within the stack.
NETWORK, STATE_VOLUME, SECRETS_VOLUME = f"{ALERTS}-network", f"{ALERTS}-state", f"{ALERTS}-secrets"
STATE_FOLDER = "/alertmanager"
#: The folder of the image whose owner and mode the volume with the secrets takes over.
OWNED_FOLDER = "/sender"
#: The name of the file of those who get alerts, and the variables that have its path and Alertmanager's configuration.
RECEIVERS, RECEIVERS_VARIABLE = "receivers", "DYBER_ALERTS_FILE"
CONFIGURATION_VARIABLE = "ALERTMANAGER_CONFIGURATION"
MAX_PROCESSES = 128
ALERTMANAGER_MIB, SENDER_MIB = 64, 48
#: How long silences and what was sent are remembered; longer than the longest `repeat`.
MEMORY = "360h"
_HEALTH_CHECK = "/usr/local/bin/monitoring-healthcheck"


def network(subnets: Subnets) -> Network:
    """Return the network through which the sender, and nobody else, reaches the internet."""
    return Network(NETWORK, ALERTS, internet_access=True, subnet=subnets.part(ALERTS, internal=False))


def alertmanager() -> Server:
    """Return Alertmanager. It is replaced old first: two cannot share what was sent. Prometheus sends again meanwhile."""
    return Server(
        f"{ALERTS}-alertmanager",
        ALERTS,
        Confinement(ALERTMANAGER_UID, ALERTMANAGER_MIB, 1.0, MAX_PROCESSES),
        (Membership(MONITORING_NETWORK, (ALERTMANAGER_HOST,)),),
        Probe((_HEALTH_CHECK, "/-/healthy", str(ALERTMANAGER_PORT)), start_seconds=30),
        Stop(10),
        replaced="old first",
        # Alerts are shown without it, so a deployment does not wait for it.
        wait_seconds=None,
        # Otherwise a killed Alertmanager would forget the silences of the last quarter of an hour.
        command=("alertmanager-run", f"--data.retention={MEMORY}", "--data.maintenance-interval=1m"),
        environment=(("GOMEMLIMIT", f"{int(ALERTMANAGER_MIB * 0.85)}MiB"),),
        mounts=(Mount(STATE_VOLUME, STATE_FOLDER),),
    )


def sender() -> Server:
    """Return the sender, which Alertmanager asks to pass alerts on."""
    return Server(
        f"{ALERTS}-sender",
        ALERTS,
        Confinement(SENDER_UID, SENDER_MIB, 1.0, MAX_PROCESSES),
        (Membership(MONITORING_NETWORK, (SENDER_HOST,)), Membership(NETWORK)),
        Probe((_HEALTH_CHECK, "/health", str(ALERT_SENDER_PORT)), start_seconds=30),
        Stop(15),
        replaced="new first",
        wait_seconds=60,
        command=("python3", "-m", "dyber_alerts"),
        environment=(
            ("PORT", str(ALERT_SENDER_PORT)),
            ("PROMETHEUS_URL", f"http://{PROMETHEUS_HOST}:{MONITORING_PORT}"),
            ("ALERTMANAGER_URL", f"http://{ALERTMANAGER_HOST}:{ALERTMANAGER_PORT}"),
        ),
        mounts=(Mount(SECRETS_VOLUME, SECRETS_FOLDER, read_only=True),),
    )
