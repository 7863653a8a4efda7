"""Defines networks, containers and their limits independently of the engine that runs them.

The other modules of this package decide the parts of a stack with these classes; infra.components makes them on an
engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.services.ports import REDIS_PORT, SPANS_PORT

#: The name and the port of Redis on each of its networks, which services are given.
CACHE_HOST, CACHE_PORT = "cache", REDIS_PORT


@dataclass(frozen=True)
class Network:
    """A network of a stack. `name` is unique within the stack; `label` is the service that it belongs to.

    `internet_access`: its containers reach the internet. `subnet` is its address range; with None the engine chooses
    one.
    """

    name: str
    label: str
    internet_access: bool
    subnet: str | None = None


@dataclass(frozen=True)
class Membership:
    """The membership of a container in a network, where it also has the names `aliases`."""

    network: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mount:
    """The mount of a volume in `folder` of a container. `read_only` None leaves it to the engine: writable."""

    volume: str
    folder: str
    read_only: bool | None = None


@dataclass(frozen=True)
class Confinement:
    """The user and the limits of a container: memory, CPU cores, and how many processes and threads its user may have
    on the whole engine. `seccomp` names a profile of system calls; None means the engine's own profile."""

    uid: int
    memory_mib: int
    cpus: float
    processes: int
    seccomp: str | None = None


@dataclass(frozen=True)
class TemporaryFolder:
    """A folder in memory. `programs`: files in it can be executed.

    `owner` is the user that it belongs to; a folder that the image has too keeps the rights it has there.
    """

    path: str
    mib: int
    programs: bool = False
    owner: int | None = None


SMALL_TMP = TemporaryFolder("/tmp", 16)


@dataclass(frozen=True)
class Probe:
    """A command that tells whether a container is healthy.

    Failures in the first `start_seconds` do not count; None means that all count. `steady`: the command runs at the
    same interval before the container is healthy as afterwards. `has_shell`: the image has one; otherwise the command
    itself rests before a check for so many seconds as its last argument says, once it has succeeded.
    """

    command: tuple[str, ...]
    start_seconds: int | None = None
    steady: bool = False
    has_shell: bool = True


@dataclass(frozen=True)
class Stop:
    """How a container is stopped: `signal`, then `seconds` for its running calls; None means the engine's default."""

    seconds: int | None
    signal: str = "SIGTERM"


@dataclass(frozen=True)
class Server:
    """A container that keeps running, with a read-only root file system.

    `name` is unique within the stack; `label` is the service that it belongs to. Without `memberships` it has no
    network. The order of `environment` is kept.
    `replaced`: "new first" starts the successor and waits until it is healthy before the old container is removed;
    "old first" removes the old container first, for containers that cannot run twice; None leaves the order to the
    component that makes it.
    `wait_seconds` is how long a deployment waits until the container is healthy; None means that it does not wait.
    """

    name: str
    label: str
    confinement: Confinement
    memberships: tuple[Membership, ...]
    probe: Probe
    stop: Stop
    replaced: Literal["new first", "old first"] | None
    wait_seconds: int | None
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    temporary: tuple[TemporaryFolder, ...] = (SMALL_TMP,)


@dataclass(frozen=True)
class Task:
    """A one-shot container; a deployment waits for its outcome. It has no network unless it joins that of another
    container.

    `name`, `label`, `environment` and `mounts` are as for Server. With `temporary` its root file system is read-only.
    """

    name: str
    label: str
    confinement: Confinement
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    temporary: tuple[TemporaryFolder, ...] = ()


#: The name under which containers reach the gateway, which takes spans and logs for the console.
SPANS_HOST = "gateway"
SPANS_ADDRESS = f"http://{SPANS_HOST}:{SPANS_PORT}"
#: The variables with the addresses to which a container sends its spans and the lines of its log.
SPANS_VARIABLES = {"OTEL_EXPORTER_OTLP_ENDPOINT": SPANS_ADDRESS, "DYBER_LOGS_ENDPOINT": SPANS_ADDRESS}
#: The folder in which tasks find the files that they are given.
STAGING = "/staging"
