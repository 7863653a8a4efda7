"""How each service of a stack is: what the gateway says of it, joined with what the engine says of its containers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cli.engine import engine
from cli.engine.engine import Usage
from cli.inventory import gateway_status
from cli.inventory.members import GONE, Member
from infra.settings.stack import StackSettings
from messages import either

LOG_LINES = 300
#: Seconds between the two measurements from which the use of the processors comes.
MEASURING_SECONDS = 0.5


@dataclass(frozen=True)
class ServiceHealth:
    """One service. `state` is that of /api/status (up, degraded, down, unknown), stopped, or gone. `cpu_percent` is of
    one core, sizes are MiB, of all its containers together; `uptime_seconds` of the youngest."""

    name: str
    state: str
    ready: int
    replicas: int
    version: str | None = None
    tools: int | None = None
    code: str | None = None
    latency_ms: float | None = None
    cpu_percent: float | None = None
    memory_mib: float | None = None
    memory_limit_mib: float = 0.0
    uptime_seconds: float | None = None
    restarts: int = 0
    last_error: str | None = None


def collect(settings: StackSettings, everything: Iterable[Member], services: Iterable[str]) -> list[ServiceHealth]:
    """Report on every service of the stack, on the gateway and on the parts that serve them; `everything` are the
    stack's members.

    Raises EngineError.
    """
    found = [one for one in everything if one.kind != "front"]
    running = [one for one in found if one.running]
    started = time.monotonic()
    before = engine.measure(one.id for one in running)
    status = gateway_status.fetch(settings)
    errors = {one.id: last_error(engine.log_tail(one.id, LOG_LINES)) for one in running}
    # In less time a container that does little would seem to do nothing, or a lot.
    time.sleep(max(0.0, started + MEASURING_SECONDS - time.monotonic()))
    used = usage(before, engine.measure(before))
    return report(found, list(services), status, used, errors, datetime.now(UTC))


def report(
    found: list[Member],
    services: list[str],
    status: Mapping[str, Any] | None,
    used: Mapping[str, tuple[float, float]],
    errors: Mapping[str, str | None],
    now: datetime,
) -> list[ServiceHealth]:
    """Services in the order of `services`, then everything else. `used`: CPU percent and bytes by container."""
    details = (status or {}).get("details", {})
    others = dict.fromkeys(one.service for one in found if one.service not in services)
    return [_one(name, [one for one in found if one.service == name], details.get(name), used, errors, now)
            for name in (*services, *others)]  # fmt: skip


def _one(
    name: str,
    own: list[Member],
    said: Mapping[str, Any] | None,
    used: Mapping[str, tuple[float, float]],
    errors: Mapping[str, str | None],
    now: datetime,
) -> ServiceHealth:
    running = [one for one in own if one.running]
    well = sum(one.well for one in own)
    if said is not None:
        state, ready, replicas = said["state"], said["replicas"]["ready"], said["replicas"]["total"]
    else:
        ready, replicas = well, len(own)
        # A service of which the gateway says nothing: only the gateway's own containers can vouch for themselves.
        is_server = bool(own) and own[0].kind == "server"
        state = "unknown" if is_server else "up" if own and well == len(own) else "degraded" if well else "down"
    if not running:
        state, ready = (GONE if all(one.state == GONE for one in own) else "stopped"), 0
    measured = [used[one.id] for one in running if one.id in used]
    started = [one.started_at for one in running if one.started_at]
    said = said or {}
    return ServiceHealth(
        name=name,
        state=state,
        ready=ready,
        replicas=replicas,
        version=said.get("version"),
        tools=said.get("tools"),
        code=said.get("code"),
        latency_ms=said.get("latency_ms"),
        cpu_percent=sum(cpu for cpu, _ in measured) if measured else None,
        memory_mib=sum(size for _, size in measured) / 2**20 if measured else None,
        memory_limit_mib=sum(one.memory_bytes for one in own) / 2**20,
        uptime_seconds=(now - max(started)).total_seconds() if started else None,
        restarts=sum(one.restarts for one in own),
        last_error=next((text for one in own if (text := errors.get(one.id))), None),
    )


def as_json(one: ServiceHealth) -> dict[str, Any]:
    """What --json prints."""
    rounded = {key: round(value, 1) if isinstance(value, float) else value for key, value in asdict(one).items()}
    rounded["replicas"] = {"ready": rounded.pop("ready"), "total": one.replicas}
    return rounded


def usage(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, tuple[float, float]]:
    """Return CPU percent of one core and bytes of memory, by the id of a container that was measured twice."""
    return {identity: (now.percent_since(before[identity]), float(now.memory_bytes)) for identity, now in after.items()}


def last_error(log: str) -> str | None:
    """The newest line of `log` that is an error: when it was, and what it says."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            if found := re.match(r"(\S+ \S+) \[(?:error|crit|alert|emerg)\] (.+)", line):
                return f"{found[1]} {found[2]}"
            continue
        if isinstance(entry, dict) and entry.get("level") in ("ERROR", "CRITICAL"):
            said = entry.get("message") or either(str(entry.get("zh", "")), str(entry.get("en", "")))
            return f"{str(entry.get('time', ''))[:19]} {said}".strip()
    return None
