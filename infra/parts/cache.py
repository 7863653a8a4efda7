"""Decides what the profile `cache` is: Redis, its users and what each may do, and its exporter for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.parts.containers import CACHE_HOST, CACHE_PORT, Confinement, Membership, Mount, Network, Probe, Server, Stop
from infra.parts.data_volumes import DATA_FOLDER
from infra.rendering.monitoring import EXPORTER_HOST, EXPORTER_PORT
from infra.settings.profiles import CACHE, CacheSettings
from infra.settings.subnets import Subnets

CACHE_UID, EXPORTER_UID = 26379, 29121
#: The network within the stack.
EDGE = f"{CACHE}-edge"
#: Volumes within the stack: the data, and the password of the user `metrics`.
DATA_VOLUME, PASSWORD_VOLUME = f"{CACHE}-data", f"{CACHE}-metrics"
PASSWORD_FOLDER = "/run/dyber-cache"
#: The variable that tells where the password of the user `metrics` is.
PASSWORD_FILE_VARIABLE = "CACHE_PASSWORD_FILE"
MAX_PROCESSES = 128
STOP_SECONDS = 10
EXPORTER_MEMORY_MIB = 64
#: What people may do with the published port: everything with data, nothing with the server, or through it with others.
DATA_USER = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
#: What the exporter and the health check may do: ask how Redis is.
METRICS_USER = ("+@connection", "+info", "+slowlog|len", "+slowlog|get", "+latency|latest", "+latency|histogram")
#: What a service may do with its own keys. No command tells of the keys or channels of others, or takes their data
#: along; scripts are left out, as one that does not end stops Redis for everybody.
SERVICE_COMMANDS = (
    *("+@read", "+@write", "+@connection", "+@transaction", "+@pubsub"),
    *("-@dangerous", "-@admin", "-@scripting", "-scan", "-randomkey", "-dbsize", "-pubsub"),
)


def service_user(service: str) -> str:
    """Return the name of a service's user in Redis."""
    return f"service-{service}"


def service_rules(service: str) -> tuple[str, ...]:
    """Return what a service's user may do, as Redis ACL rules: only keys and channels that begin with its prefix."""
    return (f"~dyber:{service}:*", f"&dyber:{service}:*", *SERVICE_COMMANDS)


def redis_command(max_data_mib: int, users: Iterable[tuple[str, str, Sequence[str]]]) -> list[str]:
    """Return the command that runs Redis. `users` are names, SHA-256 of passwords, and Redis ACL rules."""
    command = ["redis-server", "/etc/dyber/redis.conf", "--maxmemory", f"{max_data_mib}mb"]
    for user, sha256, rules in users:
        command += ["--user", user, "on", f"#{sha256}", *rules]
    return command


def edge(subnets: Subnets) -> Network:
    """Return the network through which Redis' port is published and the exporter asks; nothing gets out of it."""
    return Network(EDGE, CACHE, way_out=False, subnet=subnets.part(CACHE))


def redis(settings: CacheSettings, networks: Sequence[str]) -> Server:
    """Return Redis, which is in `edge` and in the `networks` of the services that use it, so that those stay apart.

    Its command is redis_command, as it holds hashes of passwords that are not known yet. Two cannot share the data.
    """
    return Server(
        f"{CACHE}-redis",
        CACHE,
        Confinement(CACHE_UID, settings.memory_mib, 1.0, MAX_PROCESSES),
        tuple(Membership(network, (CACHE_HOST,)) for network in (EDGE, *networks)),
        Probe(("/usr/local/bin/cache-healthcheck",), start_seconds=30),
        Stop(STOP_SECONDS),
        replaced="old first",
        # Services do without it, so nothing waits for it.
        wait_seconds=None,
        mounts=(Mount(DATA_VOLUME, DATA_FOLDER), _PASSWORD),
    )


def exporter(monitoring_network: str) -> Server:
    """Return what tells Prometheus how Redis is; it may read no key."""
    return Server(
        f"{CACHE}-exporter",
        f"{CACHE}-exporter",
        Confinement(EXPORTER_UID, EXPORTER_MEMORY_MIB, 0.5, MAX_PROCESSES),
        (Membership(EDGE), Membership(monitoring_network, (EXPORTER_HOST,))),
        Probe(("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{EXPORTER_PORT}")),
        Stop(STOP_SECONDS),
        replaced="new first",
        wait_seconds=60,
        command=("/usr/local/bin/cache-exporter",),
        environment=(("CACHE_ADDRESS", f"redis://{CACHE_HOST}:{CACHE_PORT}"),),
        mounts=(_PASSWORD,),
    )


_PASSWORD = Mount(PASSWORD_VOLUME, PASSWORD_FOLDER, read_only=True)
