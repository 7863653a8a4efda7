"""Lists the containers of one deployed stack by kind, in the order in which they start."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cli.configuration.selection import FEATURES, GATEWAY, SelectionError
from cli.engine import engine
from messages import tr

Kind = Literal["server", "data", "hub", "gateway", "front"]
#: Calls arrive through the fronts, so these start last and stop first.
START_ORDER: tuple[Kind, ...] = ("data", "server", "hub", "gateway", "front")
#: State of a member that is no longer on the engine.
GONE = "gone"
#: State of a member that the engine has paused: it has its memory and its ports, and answers nothing.
PAUSED = "paused"


@dataclass(frozen=True)
class Member:
    """A container that is meant to run.

    `service` is its label. `health` is None if it has no health check. `started_at` is in UTC. `stop_seconds` is the
    time it gets to end its running calls. `process` is the id of its first process on the engine's machine, or 0.
    """

    id: str
    name: str
    service: str
    kind: Kind
    replica: int
    state: str
    health: str | None
    started_at: datetime | None
    restarts: int
    image: str
    memory_bytes: int
    stop_seconds: int
    ports: tuple[str, ...]
    process: int = 0

    @property
    def running(self) -> bool:
        """Tell whether the container is running."""
        return self.state == "running"

    @property
    def well(self) -> bool:
        """Tell whether the container is running, and healthy if it has a health check."""
        return self.running and self.health in (None, "healthy")


def members(deployment: str, services: Iterable[str]) -> list[Member]:
    """Return the deployment's containers in the order in which they start, without one-shot containers.

    `services` are the names of the stack's MCP services. Raises EngineError.
    """
    return members_of(engine.containers(engine.deployment_filter(deployment)), services)


def members_of(containers: Iterable[Mapping[str, Any]], services: Iterable[str]) -> list[Member]:
    """Return these containers of one deployment as members, in the order in which they start."""
    known = set(services)
    lasting = [item for item in containers if item["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")]
    return in_order(as_member(container, known) for container in lasting)


def in_order(unordered: Iterable[Member]) -> list[Member]:
    """Return members in the order in which they start."""
    return sorted(
        unordered,
        key=lambda member: (START_ORDER.index(member.kind), member.service, member.replica, member.name),
    )


def as_member(container: Mapping[str, Any], services: set[str]) -> Member:
    """Return a container, given by its `docker inspect`, as a member."""
    configuration, state, host = container["Config"], container["State"], container["HostConfig"]
    service = configuration["Labels"]["dyber.service"]
    health = state.get("Health")
    return Member(
        id=container["Id"],
        name=container["Name"].lstrip("/"),
        service=service,
        kind=kind_of(service, services),
        replica=_replica(container, service),
        state=state["Status"],
        health=health["Status"] if health else None,
        started_at=_time(state.get("StartedAt", "")),
        restarts=container.get("RestartCount", 0),
        image=configuration["Image"],
        memory_bytes=host.get("Memory") or 0,
        stop_seconds=configuration.get("StopTimeout") or 10,
        ports=tuple(
            f"{item['HostIp']}:{item['HostPort']}"
            for items in (host.get("PortBindings") or {}).values()
            for item in items or []
        ),
        process=state.get("Pid") or 0,
    )


def chosen(all_members: list[Member], word: str | None) -> list[Member]:
    """Return the members that `word` names; all members without a word.

    A word is a service with or without `-mcp`, api-gateway, redis-cache, prometheus, the container name of the first
    version of this program, or a container. Raises SelectionError naming the known words.
    """
    if word is None:
        return all_members
    bare = word.removesuffix("-server").removeprefix("mcp-")
    aliases = {GATEWAY: "gateway", **{name: profile for profile, name in FEATURES.items()}}
    candidates = (word, aliases.get(bare, bare), bare.removesuffix("-mcp"))
    services = {member.service for member in all_members}
    service = next((name for name in candidates if name in services), None)
    named = [member for member in all_members if member.service == service or member.name == word]
    if not named:
        known = [_shown(member) for member in all_members if member.kind != "front"]
        raise SelectionError(
            tr("no service {word!r} is deployed. Known: ", word=word) + ", ".join(dict.fromkeys(known))
        )
    return named


def _shown(member: Member) -> str:
    if member.kind == "server":
        return f"{member.service}-mcp"
    return GATEWAY if member.kind == "gateway" else FEATURES.get(member.service, member.service)


def kind_of(service: str, services: set[str]) -> Kind:
    """Return the kind of the containers with a service's label; `services` are the names of the stack's MCP
    services."""
    if service in services:
        return "server"
    if service in ("gateway", "hub"):
        return "hub" if service == "hub" else "gateway"
    return "front" if service.endswith(("-front", "-direct")) else "data"


def _replica(container: Mapping[str, Any], service: str) -> int:
    networks = container.get("NetworkSettings", {}).get("Networks") or {}
    for network in networks.values():
        for alias in network.get("Aliases") or []:
            if match := re.fullmatch(rf"{re.escape(service)}(?:-mcp)?-(\d+)", alias):
                return int(match[1])
    return 1


def _time(text: str) -> datetime | None:
    """Read a time of Docker, which has nanoseconds; the year 1 means never."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", text)
    if not match or text.startswith("0001"):
        return None
    return datetime.fromisoformat(match[1]).replace(tzinfo=UTC)
