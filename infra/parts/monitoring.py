"""Decides the parts of the profile `monitoring`: Prometheus, its network and its limits."""

from __future__ import annotations

from infra.parts.containers import STAGING, Confinement, Membership, Mount, Network, Probe, Server, Stop, Task
from infra.parts.data_volumes import DATA_FOLDER
from infra.rendering.monitoring import CONFIGURATION_ROOT
from infra.services.ports import MONITORING_PORT
from infra.settings.profiles import MONITORING, MonitoringSettings
from infra.settings.subnets import Subnets

MONITORING_UID = 29090
#: The name of Prometheus on its network (nginx/templates/servers.conf.j2).
ALIAS = "prometheus"
#: The names of the network and the volumes within the stack.
NETWORK, CONFIGURATION_VOLUME, DATA_VOLUME = (f"{MONITORING}-{name}" for name in ("network", "configuration", "data"))
MAX_PROCESSES = 256
STOP_SECONDS = 30
#: The share of the container's memory at which Go collects garbage more often.
GO_MEMORY_SHARE = 0.85
#: Checks a configuration with promtool, switches to it, and makes Prometheus reload.
LOADER = Task(
    f"{MONITORING}-loader",
    f"{MONITORING}-loader",
    Confinement(MONITORING_UID, 128, 1.0, MAX_PROCESSES),
    ("/usr/local/bin/apply-monitoring", STAGING),
    mounts=(Mount(CONFIGURATION_VOLUME, CONFIGURATION_ROOT, read_only=False),),
)


def network(subnets: Subnets) -> Network:
    """Return the network of Prometheus, the gateway and exporters; services are read through the gateway."""
    return Network(NETWORK, MONITORING, internet_access=False, subnet=subnets.part(MONITORING))


def prometheus(settings: MonitoringSettings) -> Server:
    """Return Prometheus, with its configuration read-only. It is replaced old first: two cannot share the samples."""
    return Server(
        f"{MONITORING}-prometheus",
        MONITORING,
        Confinement(MONITORING_UID, settings.memory_mib, 1.0, MAX_PROCESSES),
        (Membership(NETWORK, (ALIAS,)),),
        Probe(("/usr/local/bin/monitoring-healthcheck",), start_seconds=120),
        Stop(STOP_SECONDS),
        replaced="old first",
        # Services work without Prometheus, so a deployment does not wait for it; only its loader does, for a moment.
        wait_seconds=None,
        command=(
            "prometheus",
            f"--config.file={CONFIGURATION_ROOT}/current/prometheus.yml",
            f"--storage.tsdb.path={DATA_FOLDER}",
            f"--storage.tsdb.retention.time={settings.retention}",
            f"--storage.tsdb.retention.size={settings.disk_mib}MB",
            f"--web.listen-address=0.0.0.0:{MONITORING_PORT}",
            # No web origin may read its API.
            "--web.cors.origin=$^",
            # A single query must not take all memory.
            "--query.max-concurrency=4",
            "--query.max-samples=5000000",
        ),
        environment=(("GOMEMLIMIT", f"{int(settings.memory_mib * GO_MEMORY_SHARE)}MiB"),),
        mounts=(Mount(CONFIGURATION_VOLUME, CONFIGURATION_ROOT, read_only=True), Mount(DATA_VOLUME, DATA_FOLDER)),
    )
