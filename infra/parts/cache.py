"""Decides the parts of the profile `cache`: Redis, its users and their permissions, and its exporter for Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from infra.parts.containers import CACHE_HOST, CACHE_PORT, Confinement, Membership, Mount, Network, Probe, Server, Stop
from infra.parts.data_volumes import DATA_FOLDER
from infra.rendering.monitoring import EXPORTER_HOST, EXPORTER_PORT
from infra.settings.profiles import CACHE, CacheSettings
from infra.settings.subnets import Subnets

CACHE_UID, EXPORTER_UID = 26379, 29121
#: The name of the network within the stack.
EDGE = f"{CACHE}-edge"
#: The names of the volumes within the stack: for the data, and for the password of the user `metrics`.
DATA_VOLUME, PASSWORD_VOLUME = f"{CACHE}-data", f"{CACHE}-metrics"
PASSWORD_FOLDER = "/run/dyber-cache"
#: The environment variable with the path of the file that holds the password of the user `metrics`.
PASSWORD_FILE_VARIABLE = "CACHE_PASSWORD_FILE"
MAX_PROCESSES = 128
STOP_SECONDS = 10
EXPORTER_MEMORY_MIB = 64
#: What people may do through the published port: everything with data, but no administration of the server.
DATA_USER = ("~*", "&*", "+@all", "-@admin", "-@dangerous", "+info")
#: What the exporter and the health check may do: ask for the state of Redis.
METRICS_USER = ("+@connection", "+info", "+slowlog|len", "+slowlog|get", "+latency|latest", "+latency|histogram")
#: What a service may do with its own keys. Commands that list keys or channels of other services, or affect their data,
#: are left out; so are scripts, because a script that does not end blocks Redis for all services. The limits that
#: replicas share (dyber_kit.upstream.shared_limits) need no more than these.
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
    """Return the network for the published port of Redis and for the exporter; it has no access to the internet."""
    return Network(EDGE, CACHE, internet_access=False, subnet=subnets.part(CACHE))


def redis(settings: CacheSettings, networks: Sequence[str]) -> Server:
    """Return Redis, which is in `edge` and in each of the `networks` of the services that use it, so that the services
    do not share a network.

    The caller sets redis_command as its command, which contains hashes of passwords that are not known yet. It is
    replaced old first, because two containers cannot share the data.
    """
    return Server(
        f"{CACHE}-redis",
        CACHE,
        Confinement(CACHE_UID, settings.memory_mib, 1.0, MAX_PROCESSES),
        tuple(Membership(network, (CACHE_HOST,)) for network in (EDGE, *networks)),
        Probe(("/usr/local/bin/cache-healthcheck",), start_seconds=30),
        Stop(STOP_SECONDS),
        replaced="old first",
        # Services work without Redis, so a deployment does not wait for it.
        wait_seconds=None,
        mounts=(Mount(DATA_VOLUME, DATA_FOLDER), _PASSWORD),
    )


def exporter(monitoring_network: str) -> Server:
    """Return the exporter, which serves metrics of Redis to Prometheus and cannot read any key."""
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
