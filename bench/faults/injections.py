"""Injects the faults. Each hits the stack under load and ends with the repair that an operator would make."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults import clock
from bench.faults.calls import Window
from bench.faults.engine import Engine
from bench.faults.load import Load
from bench.faults.stack import Say, Stack, wait_for

DEATH_SECONDS = 10
DOWN_SECONDS = 5
RECOVERY_SECONDS = 120
HOUR = 3600
#: After this time every program has read the clock again.
CLOCK_SECONDS = 4
#: Entries added to Redis before NOISE is written into the middle of its log of changes.
ENTRIES = 1000
#: Redis writes its log to disk every second.
SAVED_SECONDS = 2
NOISE = b"\x00\xffnot of Redis\r\n" * 8


@dataclass
class Scene:
    """The stack that a fault hits, and what the fault does to it.

    `seconds`: how long the fault lasts. `killed` and `notes` go into its row. `slowest`: of a fault with several parts,
    the recovery time of the slowest part, None if it did not recover, and its name.
    """

    stack: Stack
    engine: Engine
    load: Load
    seconds: float
    say: Say
    killed: list[Window] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    slowest: tuple[float | None, str] | None = None

    def kill(self, container: str, name: str) -> None:
        """Kill a container's first process, as the kernel does if memory is short, and wait until the engine notices."""
        state = "{{.State.Pid}} {{.State.StartedAt}}"
        pid, started = self.engine.docker("inspect", "--format", state, container).stdout.split()
        with self.killing(name):
            subprocess.run(["kill", "-KILL", pid], check=True)
            wait_for(
                lambda: self.engine.docker("inspect", "--format", state, container).stdout.split() != [pid, started],
                DEATH_SECONDS, f"{name} is not dead",
            )  # fmt: skip

    @contextmanager
    def killing(self, name: str) -> Iterator[None]:
        """Record that the block kills containers; `name` says which."""
        begun = time.monotonic()
        yield
        self.killed.append(Window(begun, time.monotonic(), name))


@dataclass(frozen=True)
class Fault:
    """A fault. `inject` returns when it is over. `deploying_mends`: a `./deploy.sh` repairs it and may have changes."""

    name: str
    about: str
    inject: Callable[[Scene], None]
    deploying_mends: bool = False


def nothing(scene: Scene) -> None:
    """Do nothing, to see the load without any fault."""
    time.sleep(scene.seconds)


def containers_killed(scene: Scene) -> None:
    """Kill each container in turn, the next one after the stack has recovered."""
    names = {
        container["Id"]: f"{container['Config']['Labels']['dyber.service']} {container['Name'][1:]}"
        for container in scene.stack.containers()
    }
    for identity, name in sorted(names.items(), key=lambda item: item[1]):
        scene.say(f"  killing {name}")
        scene.kill(identity, name)
        begun = scene.killed[-1].begun
        seconds, _ = scene.load.seconds_until_recovered(begun, RECOVERY_SECONDS)
        scene.say(f"  {'not recovered' if seconds is None else f'recovered after {seconds:.1f} s'}")
        service = name.split()[0]
        if scene.slowest is None or seconds is None or (scene.slowest[0] is not None and seconds > scene.slowest[0]):
            scene.slowest = (seconds, service)
    scene.notes.append(f"{len(names)} containers")


def engine_killed(scene: Scene) -> None:
    """Kill the daemon and, as systemd would, start a new one, which takes over the containers."""
    with scene.killing("the engine"):
        scene.engine.kill()
    time.sleep(DOWN_SECONDS)
    # The new daemon kills all running containers before it starts them again.
    with scene.killing("all containers"):
        scene.engine.start()


def power_lost(scene: Scene) -> None:
    """Kill every process of the engine and of all containers at once."""
    with scene.killing("all"):
        scene.engine.power_off()
    time.sleep(DOWN_SECONDS)
    scene.engine.start()


def network_cut(scene: Scene) -> None:
    """Silently drop all traffic of the network of template for a while."""
    with cut(scene, "template"):
        time.sleep(scene.seconds)


@contextmanager
def cut(scene: Scene, service: str) -> Iterator[None]:
    """Drop all traffic of a service's network during the block."""
    (network,) = networks(scene, service)
    bridge = "br-" + network[:12]
    subprocess.run(["ip", "link", "set", bridge, "down"], check=True)
    try:
        yield
    finally:
        subprocess.run(["ip", "link", "set", bridge, "up"], check=True)


def network_disconnected(scene: Scene) -> None:
    """Disconnect the ledger's containers from their network; a deployment connects them again."""
    (network,) = networks(scene, "ledger")
    for container in scene.stack.containers("ledger"):
        scene.engine.docker("network", "disconnect", "--force", network, container["Id"])
    time.sleep(scene.seconds)
    scene.stack.deploy_sh("deploy", check=True)


def networks(scene: Scene, service: str) -> list[str]:
    """Return the ids of a service's networks."""
    label = f"label=dyber.service={service}"
    return scene.engine.docker("network", "ls", "--quiet", "--no-trunc", "--filter", label).stdout.split()


def clock_ahead(scene: Scene) -> None:
    """Set the clocks of the containers with libfaketime an hour ahead, and back at the end."""
    try:
        set_clocks(scene, HOUR)
        time.sleep(scene.seconds / 2)
        # A breaker that opens now must not stay open until the real clock has caught up.
        with cut(scene, "template"):
            time.sleep(scene.seconds / 2)
            set_clocks(scene, 0)
    except BaseException:
        set_clocks(scene, 0)
        raise


def set_clocks(scene: Scene, ahead: int) -> None:
    """Set the clocks of the containers with libfaketime `ahead` seconds ahead."""
    for container in scene.stack.containers():
        if container["Config"]["Labels"]["dyber.service"] in clock.REAL_CLOCK:
            continue
        scene.engine.docker("exec", container["Id"], "sh", "-c", f"echo +{ahead} > {clock.FILE}")
    time.sleep(CLOCK_SECONDS)


def disk_full(scene: Scene) -> None:
    """Fill the disk where the engine keeps volumes, logs and its own state."""
    ballast = scene.engine.disk / "ballast"
    try:
        deadline = time.monotonic() + scene.seconds
        with ballast.open("wb") as file:
            while time.monotonic() < deadline:
                fill(file.fileno())
                time.sleep(0.5)
    finally:
        ballast.unlink(missing_ok=True)


def fill(file: int) -> None:
    """Make a file take all the space that its file system has left, without writing to it."""
    step = 2**30
    while step >= 4096:
        size = Path(f"/proc/self/fd/{file}").stat().st_size
        result = subprocess.run(
            ["fallocate", "--offset", str(size), "--length", str(step), f"/proc/self/fd/{file}"],
            pass_fds=[file], capture_output=True, check=False,
        )  # fmt: skip
        if result.returncode:
            step //= 2


def redis_corrupted(scene: Scene) -> None:
    """Overwrite bytes in the middle of Redis' log and kill Redis before it can write a new log."""
    (cache,) = scene.stack.containers("cache")
    fill_cache(scene.stack.cache_address, scene.stack.cache_password())
    time.sleep(SAVED_SECONDS)
    logs = scene.stack.volume("cache").glob("appendonlydir/*.incr.aof")
    log = max(logs, key=lambda file: file.stat().st_mtime)
    with log.open("r+b") as file:
        file.seek(log.stat().st_size // 2)
        file.write(NOISE)
    scene.kill(cache["Id"], "cache")
    time.sleep(scene.seconds)


def fill_cache(address: tuple[str, int], password: str) -> None:
    """Write ENTRIES entries to Redis. Raises RuntimeError with its answer if it refuses one."""
    commands = [f"AUTH {password}", *(f"SET chaos-{number} {number:064d}" for number in range(ENTRIES))]
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as replies:
        connection.sendall("".join(f"{command}\r\n" for command in commands).encode())
        for _ in commands:
            if (reply := replies.readline()) != b"+OK\r\n":
                raise RuntimeError(f"Redis: {reply.decode().strip() or 'no answer'}")


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("nothing", "the load alone", nothing),
        Fault("containers", "each container killed in turn", containers_killed),
        Fault("engine", "the engine killed, and started again after 5 s", engine_killed),
        Fault("power", "engine and all containers killed at once, and started again after 5 s", power_lost),
        Fault("network", "all traffic of the network of template dropped", network_cut),
        Fault("disconnected", "ledger disconnected from its network, then ./deploy.sh", network_disconnected, True),
        Fault("clock", "clocks set an hour ahead, then back while a breaker is open", clock_ahead),
        Fault("disk", "the disk of the engine and its volumes full", disk_full),
        Fault("redis", "Redis' log damaged and Redis killed", redis_corrupted),
    )
}
