"""Defines what a part of a stack is made of, whatever engine or orchestrator runs it.

Parts are decided in the modules beside this one; a package of infra.components makes them on one kind of engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from infra.services.ports import REDIS_PORT

#: Name of Redis on every network it is in, and its port there: what services are told.
CACHE_HOST, CACHE_PORT = "cache", REDIS_PORT


@dataclass(frozen=True)
class Network:
    """A network of a stack. `name` tells it from the others of the stack; `label` is the service it is counted to.

    `way_out`: what is in it reaches the internet. `subnet` is its range of addresses; None leaves that to the engine.
    """

    name: str
    label: str
    way_out: bool
    subnet: str | None = None


@dataclass(frozen=True)
class Membership:
    """A container is in a network, where `aliases` are its further names."""

    network: str
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mount:
    """A container has the files of a volume in `folder`. `read_only` None says nothing, so that it can write."""

    volume: str
    folder: str
    read_only: bool | None = None


@dataclass(frozen=True)
class Confinement:
    """What a container may use: its user, memory, processor cores, and the processes and threads of its user on the
    whole engine. `seccomp` names a profile of system calls; None is the engine's own."""

    uid: int
    memory_mib: int
    cpus: float
    processes: int
    seccomp: str | None = None


@dataclass(frozen=True)
class TemporaryFolder:
    """A folder in memory; `programs`: files in it can be run."""

    path: str
    mib: int
    programs: bool = False


SMALL_TMP = TemporaryFolder("/tmp", 16)


@dataclass(frozen=True)
class Probe:
    """A command that tells whether a container is healthy. For `start_seconds` after its start failures do not count;
    None leaves no such time. `steady`: it is as frequent before the container is healthy as after that."""

    command: tuple[str, ...]
    start_seconds: int | None = None
    steady: bool = False


@dataclass(frozen=True)
class Stop:
    """How a container is stopped: this signal, then so much time for its running calls. None is the engine's own."""

    seconds: int | None
    signal: str = "SIGTERM"


@dataclass(frozen=True)
class Server:
    """A container that is meant to run all the time, with a read-only root.

    `name` tells it from the others of the stack; `label` is the service it is counted to. Without `memberships` it has
    no network at all. `environment` is in order.
    `replaced`: its successor is healthy before it goes, or comes when it is gone, as both cannot have what they need;
    None leaves the order to what makes it.
    `wait_seconds` is how long a deployment waits until it is healthy; None: not at all.
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
    """A container that does one thing and ends; a deployment waits for its outcome. It has no network unless it joins
    that of another container.

    `name`, `label`, `environment` and `mounts` are as for Server. With `temporary` its root is read-only.
    """

    name: str
    label: str
    confinement: Confinement
    command: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    temporary: tuple[TemporaryFolder, ...] = ()


#: Where tasks find the files that they are given.
STAGING = "/staging"
