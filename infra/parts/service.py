"""Decides the parts of a service: its network, its replicas and their limits, and the files of its secrets."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from infra.parts.containers import (
    CACHE_HOST,
    CACHE_PORT,
    SPANS_VARIABLES,
    Confinement,
    Membership,
    Mount,
    Network,
    Probe,
    Server,
    Stop,
    Task,
    TemporaryFolder,
)
from infra.parts.data_volumes import DATA_FOLDER
from infra.services.catalog import ServiceSpec
from infra.settings.subnets import Subnets

#: How many processes and threads all containers of a service together may have. Chromium alone needs about 200.
MAX_PROCESSES = 2048
START_SECONDS = 120
#: The time for a stopping server, beyond the longest call, until callers have moved to another replica.
DRAIN_MARGIN_SECONDS = 10
#: The least memory, and the space for data, of the task that prints a service's tools.
CONTRACT_MEMORY_MIB, CONTRACT_DATA_MIB = 256, 16
#: The Python of the kit in images of sources; a foreign image may have another on its path, and variables for it.
PYTHON = ("/opt/venv/bin/python", "-I")
#: Prints the lock of tools in the image of a source.
PRINT_LOCK = (*PYTHON, "-c", "print(open('/opt/dyber/app/tools.lock.json', encoding='utf-8').read())")
SECRETS_FOLDER = "/run/dyber-secrets"
#: The file with the password of Redis among a service's secrets; names of secrets cannot begin with DYBER_.
CACHE_SECRET = "DYBER_REDIS_PASSWORD"
#: The file with the key with which all replicas of a service encrypt the states of questions to users.
STATE_KEY_SECRET = "DYBER_STATE_KEY"
PROBE = Probe(("/opt/dyber/healthcheck",), start_seconds=30)


@dataclass(frozen=True)
class Service:
    """A service: only its replicas (`servers`) and the gateway are in `network`.

    `environment` is the part of the replicas' environment that may decide which tools exist. `secrets` are the names of
    the files in SECRETS_FOLDER; the variable `<name>_FILE` has the path of each.
    """

    network: Network
    servers: tuple[Server, ...]
    environment: dict[str, str]
    secrets: tuple[str, ...]


def service(
    spec: ServiceSpec,
    *,
    log_level: str,
    subnets: Subnets,
    data: bool,
    secrets: Collection[str],
    cache_user: str | None,
    traces: bool = False,
) -> Service:
    """Return the parts of the service.

    `data`: it has a data volume. `secrets` are the names of the secrets that the stack gives to it. `cache_user` is its
    user in Redis, or None if it does not use Redis. `traces`: it sends spans and its log to the console.
    """
    network = Network(
        network_name(spec.name),
        spec.name,
        internet_access=spec.internet,
        subnet=subnets.service(spec.port, internal=not spec.internet),
    )
    environment = _environment(spec, log_level)
    made = [*([CACHE_SECRET] if cache_user else []), *([STATE_KEY_SECRET] if spec.replicas > 1 else [])]
    names = sorted({*secrets, *made})
    mounts = [Mount(data_volume(spec.name), DATA_FOLDER)] if data else []
    if names:
        mounts.append(Mount(secrets_volume(spec.name), SECRETS_FOLDER, read_only=True))
    servers = [
        Server(
            f"{spec.name}-server" if replica == 1 else f"{spec.name}-server-{replica}",
            spec.name,
            Confinement(spec.uid, spec.memory_mib, spec.cpus, MAX_PROCESSES, spec.seccomp),
            (Membership(network.name, (spec.alias, f"{spec.alias}-{replica}")),),
            replace(PROBE, has_shell=has_shell(spec)),
            Stop(spec.max_call_seconds + DRAIN_MARGIN_SECONDS),
            replaced="new first",
            wait_seconds=START_SECONDS,
            environment=_in_order(environment, cache_user, spec.replicas, traces),
            mounts=tuple(mounts),
            temporary=(temporary_folder(spec),),
        )
        for replica in range(1, spec.replicas + 1)
    ]
    return Service(network, tuple(servers), environment, tuple(names))


def has_shell(spec: ServiceSpec) -> bool:
    """Tell whether the image of a service surely has a shell; a foreign image may have nothing but its program."""
    return spec.source is None or spec.source.kind != "oci"


def contract_command(spec: ServiceSpec) -> tuple[str, ...]:
    """Return the command that prints the tools of a service in a container of its image, without a network.

    The program of a source is started and asked, with placeholders for its secrets. A remote server cannot be asked
    without a network, so its image prints the tools that it serves; the bridge compares them with the server's.
    """
    if spec.source is None:
        return ("/bin/sh", "-c", 'exec python -m dyber_kit.contract "$PACKAGE"')
    if spec.source.kind == "url":
        return PRINT_LOCK
    return (*PYTHON, "-m", "dyber_kit.bridge.contract")


def contract_check(spec: ServiceSpec, environment: dict[str, str]) -> Task:
    """Return the task that prints the tools of the service's image; `environment` is that of Service."""
    temporary = [temporary_folder(spec)]
    if spec.data:
        # Programs of others may write there before they list their tools.
        owner = spec.uid if spec.source else None
        temporary.append(TemporaryFolder(DATA_FOLDER, CONTRACT_DATA_MIB, programs=True, owner=owner))
    return Task(
        f"{spec.name}-contract",
        f"{spec.name}-contract",
        Confinement(spec.uid, max(spec.memory_mib, CONTRACT_MEMORY_MIB), spec.cpus, MAX_PROCESSES),
        contract_command(spec),
        tuple(sorted(environment.items())),
        temporary=tuple(temporary),
    )


def network_name(service: str) -> str:
    """Return the name of a service's network within its stack."""
    return f"{service}-network"


def data_volume(service: str) -> str:
    """Return the name of a service's data volume within its stack."""
    return f"{service}-data"


def secrets_volume(service: str) -> str:
    """Return the name of the volume with a service's secrets within its stack."""
    return f"{service}-secrets"


def temporary_folder(spec: ServiceSpec) -> TemporaryFolder:
    """Return the /tmp of the service's containers."""
    return TemporaryFolder("/tmp", spec.tmp_mib, programs=True)


def _environment(spec: ServiceSpec, log_level: str) -> dict[str, str]:
    return {
        "DYBER_SERVICE": spec.name,
        "HOST": "0.0.0.0",
        "PORT": str(spec.port),
        "LOG_LEVEL": log_level,
        "MAX_CALL_SECONDS": str(spec.max_call_seconds),
        **({"DYBER_DATA": DATA_FOLDER} if spec.data else {}),
        **spec.environment,
        # Not for a stack to change: the gateway lets old clients of some tools pass because of it. The header is not
        # required from the first request on, as a gateway of before does not send it until it is replaced.
        **({"DYBER_EXPECT_SCOPE": "true"} if spec.enforces_scopes else {}),
    }


def _in_order(
    environment: dict[str, str], cache_user: str | None, replicas: int, traces: bool
) -> tuple[tuple[str, str], ...]:
    """Return the environment in a fixed order, because another order would replace the containers."""
    if traces:
        # What a stack writes for the service itself stays.
        environment = {**SPANS_VARIABLES, **environment}
    if not cache_user:
        return tuple(sorted(environment.items()))
    return (
        *sorted(environment.items()),
        # Left out for a single replica, whose containers would be replaced for nothing.
        *([("DYBER_REPLICAS", str(replicas))] if replicas > 1 else []),
        ("DYBER_REDIS_HOST", CACHE_HOST),
        ("DYBER_REDIS_PORT", str(CACHE_PORT)),
        ("DYBER_REDIS_USER", cache_user),
    )
