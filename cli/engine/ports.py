"""Checks before a deployment whether the ports that the gateway publishes are free and allowed."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cli.engine import engine
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from infra.schema.problems import ConfigurationError
from infra.services.ports import HTTP_PORT, HTTPS_PORT
from infra.settings.addresses import IPV4_LOOPBACK, engine_is_here
from infra.settings.names import stack_file
from messages import tr
from toolchain.engine.installation import find_engine
from toolchain.engine.low_ports import SETTING, lowest_port
from toolchain.prerequisites import Finding

#: Windows' command that lists the ranges of ports which it reserves.
RESERVED_RANGES = "netsh interface ipv4 show excludedportrange protocol=tcp"
#: `taken`: a program listens there; `reserved`: Windows keeps it for others; `absent`: this machine has no such address.
Obstacle = Literal["taken", "reserved", "absent"]


@dataclass(frozen=True)
class PortInUse:
    """A host port that is not available; `owner` is the name of the container that holds it, or None."""

    address: str
    port: int
    owner: str | None
    obstacle: Obstacle = "taken"

    @property
    def shown(self) -> str:
        """Return the address and port, and who holds it."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}" + (f" ({tr('container')} {self.owner})" if self.owner else "")


def ports_in_use(required: Iterable[tuple[str, int]], deployments: Collection[str]) -> list[PortInUse]:
    """Return those of the `required` (address, port) pairs that are not available.

    Ports that containers of these `deployments` hold count as available.
    """
    held_by_deployments: set[tuple[str, int]] = set()
    owners: dict[tuple[str, int], str] = {}
    for container in engine.containers(all_states=False):
        labels = container.get("Config", {}).get("Labels") or {}
        for published in engine.published(container):
            if labels.get("dyber.deployment") in deployments:
                held_by_deployments.add(published)
            else:
                owners[published] = container["Name"].lstrip("/")
    unavailable = []
    for address, port in required:
        owner = next((name for other, name in owners.items() if overlap((address, port), other)), None)
        if owner:
            unavailable.append(PortInUse(address, port, owner))
        elif not any(overlap((address, port), other) for other in held_by_deployments) and engine_is_here():
            obstacle = _obstacle(address, port)
            if obstacle and (obstacle != "absent" or _engine_is_of_this_system()):
                unavailable.append(PortInUse(address, port, None, obstacle))
    return unavailable


def _engine_is_of_this_system() -> bool:
    """Tell whether the engine runs in this system itself, not in a virtual machine, which has other addresses."""
    running = find_engine()
    return bool(running and running.data_folder and running.data_folder.exists())


def overlap(first: tuple[str, int], second: tuple[str, int]) -> bool:
    """Tell whether two (address, port) pairs exclude each other.

    The engine reports '' for a port that is published on every address of both families, and `::` for IPv6 alone.
    """
    if first[1] != second[1]:
        return False
    if "" in (first[0], second[0]):
        return True
    address, other = ipaddress.ip_address(first[0]), ipaddress.ip_address(second[0])
    return address == other or (address.version == other.version and (address.is_unspecified or other.is_unspecified))


def unavailable_error(stack: str, ports: list[PortInUse]) -> StackError:
    """Return the error for ports that are not available, with the reason."""
    move = f"./deploy.sh config set gateway.portOffset 10000 -s {stack}"
    by_obstacle = {item.obstacle: [port.shown for port in ports if port.obstacle == item.obstacle] for item in ports}
    if absent := by_obstacle.get("absent"):
        shown = ", ".join(absent)
        return StackError(
            tr("this machine has no such address: {shown}", shown=shown),
            tr("correct gateway.bind: ./deploy.sh config set gateway.bind 127.0.0.1 -s {stack}", stack=stack),
        )
    if taken := by_obstacle.get("taken"):
        shown = ", ".join(taken)
        return StackError(
            tr("ports are taken: {shown}", shown=shown),
            tr("stop their owner; or move all ports: {move}", move=move),
        )
    shown = ", ".join(by_obstacle["reserved"])
    return StackError(
        tr("Windows reserves these ports, though nobody listens: {shown}", shown=shown),
        tr(
            "list the reserved ranges: {reserved_ranges}; move all ports: {move}",
            reserved_ranges=RESERVED_RANGES,
            move=move,
        ),
    )


def refuse_low_ports(stack: str, required: list[tuple[str, int]]) -> None:
    """Raise StackError where the engine may not publish all of the `required` (address, port) pairs."""
    ports, lowest = too_low(required)
    if ports:
        shown = ", ".join(map(str, ports))
        raise StackError(
            tr(
                "ports below {lowest} are not allowed here: the engine runs as an ordinary user (rootless) and "
                "cannot publish {shown}",
                lowest=lowest,
                shown=shown,
            ),
            low_ports_advice(lowest, stack),
        )


def refuse_low_ports_of_file(root: Path, stack: str) -> None:
    """Do what `refuse_low_ports` does before the machine is set up, which may take minutes.

    Of the settings, only the port offset in the stack's file is known then. Raises StackError.
    """
    file = root / stack_file(stack)
    if file.is_file():
        ports = (HTTP_PORT, HTTPS_PORT)
        refuse_low_ports(stack, [(IPV4_LOOPBACK, port + _offset(file)) for port in ports])


def too_low(required: Iterable[tuple[str, int]]) -> tuple[list[int], int]:
    """Return those of the `required` ports that the engine may not publish, and the lowest port that it may."""
    running = find_engine()
    lowest = lowest_port(running) if running else 1
    return sorted({port for _, port in required if port < lowest}), lowest


def findings(root: Path) -> list[Finding]:
    """Return what `doctor` reports about an engine that may not publish low ports: the stacks that need such ports."""
    running = find_engine()
    lowest = lowest_port(running) if running else 1
    if not running or lowest <= HTTP_PORT:
        return []
    files = sorted(root.glob("Pulumi.*.yaml"))
    stacks = [file.name.split(".")[1] for file in files if HTTP_PORT + _offset(file) < lowest]
    advice = low_ports_advice(lowest, stacks[0]) if stacks else ""
    version = tr("{lowest} and up", lowest=lowest) + (f" ({', '.join(stacks)}: {HTTP_PORT})" if stacks else "")
    return [Finding("ports", tr("Ports that can be published"), not stacks, version, running.host, advice)]


def low_ports_advice(lowest: int, stack: str) -> str:
    """Return what to do about ports that are too low."""
    return tr(
        "move all ports: ./deploy.sh config set gateway.portOffset 10000 -s {stack}; or allow low ports "
        "(below {lowest}): sudo sysctl {setting}=80 (in /etc/sysctl.d/ to keep it)",
        stack=stack,
        lowest=lowest,
        setting=SETTING,
    )


def _offset(file: Path) -> int:
    try:
        gateway: Any = StackFile(file).get("gateway") or {}
        return int(gateway.get("portOffset", 0))
    except (OSError, ConfigurationError, ValueError, TypeError, AttributeError):
        return 0


def _obstacle(address: str, port: int) -> Obstacle | None:
    """Return why nothing can listen on a port of this machine; None if something can, or if the reason is unknown."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            if sys.platform == "win32":
                # On Windows, SO_REUSEADDR would take the port away from the program that has it.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind((address, port))
    except OSError as error:
        return obstacle(error, sys.platform)
    return None


def obstacle(error: OSError, platform: str) -> Obstacle | None:
    """Return the obstacle that a refused `bind` means on a platform, or None if it means none.

    On platforms other than Windows, a missing right to low ports is no obstacle: the engine may have the right.
    """
    if error.errno == errno.EADDRINUSE:
        return "taken"
    if error.errno == errno.EADDRNOTAVAIL:
        return "absent"
    return "reserved" if platform == "win32" and error.errno == errno.EACCES else None
