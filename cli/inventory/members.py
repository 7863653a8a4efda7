"""The containers of one deployed stack: which is what, in which order they start and stop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from cli.configuration.selection import FEATURES, GATEWAY, SelectionError
from cli.engine import engine
from messages import tr

Kind = Literal["server", "data", "gateway", "front"]
#: Callers come in through the front, so it starts last and stops first.
START_ORDER: tuple[Kind, ...] = ("data", "server", "gateway", "front")
#: State of a member that is no longer on the engine.
GONE = "gone"


@dataclass(frozen=True)
class Member:
    """A container that is meant to run. `service` is its label; `health` is None where it has no health check;
    times are UTC; `stop_seconds` is what it gets to end its calls."""

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

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        return self.state == "running"

    @property
    def well(self) -> bool:
        """Running, and healthy where that is checked."""
        return self.running and self.health in (None, "healthy")


def members(deployment: str, services: Iterable[str]) -> list[Member]:
    """The deployment's containers in order of their start; those that do one thing and end are left out.

    `services` are the names of the stack's MCP services. Raises EngineError.
    """
    return members_of(engine.containers(engine.deployment_filter(deployment)), services)


def members_of(containers: Iterable[Mapping[str, Any]], services: Iterable[str]) -> list[Member]:
    """Return as `members` does what these containers, all of one deployment, are."""
    known = set(services)
    lasting = [item for item in containers if item["HostConfig"]["RestartPolicy"]["Name"] not in ("", "no")]
    return in_order(member(container, known) for container in lasting)


def in_order(found: Iterable[Member]) -> list[Member]:
    """Return members in the order in which they start."""
    return sorted(found, key=lambda one: (START_ORDER.index(one.kind), one.service, one.replica, one.name))


def member(container: Mapping[str, Any], services: set[str]) -> Member:
    """One container, of its `docker inspect`."""
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
    )


def chosen(all_members: list[Member], word: str | None) -> list[Member]:
    """Those that `word` names: a service with or without `-mcp`, api-gateway, redis-cache, prometheus, the name that
    the first version's container had, or a container; everything without a word.

    Raises SelectionError naming what there is.
    """
    if word is None:
        return all_members
    bare = word.removesuffix("-server").removeprefix("mcp-")
    aliases = {GATEWAY: "gateway", **{name: profile for profile, name in FEATURES.items()}}
    candidates = (word, aliases.get(bare, bare), bare.removesuffix("-mcp"))
    by_service = {one.service for one in all_members}
    service = next((name for name in candidates if name in by_service), None)
    found = [one for one in all_members if one.service == service or one.name == word]
    if not found:
        known = [_shown(one) for one in all_members if one.kind != "front"]
        raise SelectionError(
            tr("no service {word!r} is deployed. known: ", word=word) + ", ".join(dict.fromkeys(known))
        )
    return found


def _shown(one: Member) -> str:
    if one.kind == "server":
        return f"{one.service}-mcp"
    return GATEWAY if one.kind == "gateway" else FEATURES.get(one.service, one.service)


def kind_of(service: str, services: set[str]) -> Kind:
    """Return the kind of the containers with a service's label; `services` are the names of the stack's MCP
    services."""
    if service in services:
        return "server"
    if service == "gateway":
        return "gateway"
    return "front" if service.endswith(("-front", "-direct")) else "data"


def _replica(container: Mapping[str, Any], service: str) -> int:
    networks = container.get("NetworkSettings", {}).get("Networks") or {}
    for network in networks.values():
        for alias in network.get("Aliases") or []:
            if found := re.fullmatch(rf"{re.escape(service)}-mcp-(\d+)", alias):
                return int(found[1])
    return 1


def _time(text: str) -> datetime | None:
    """Docker's time, which has nanoseconds; year 1 is never."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)", text)
    if not found or text.startswith("0001"):
        return None
    return datetime.fromisoformat(found[1]).replace(tzinfo=UTC)
