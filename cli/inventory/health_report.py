"""Reports the health of each service of a stack, from the gateway's status and from its containers."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from cli.engine import engine
from cli.engine.usage import Usage, measure
from cli.inventory import gateway_status
from cli.inventory.members import GONE, PAUSED, Member
from infra.settings.stack import StackSettings
from messages import either

LOG_LINES = 300
#: Seconds between the two measurements of CPU time.
MEASURING_SECONDS = 0.5


@dataclass(frozen=True)
class ServiceHealth:
    """The health of one service.

    `state` is that of /api/status (up, degraded, down, unknown), or paused, stopped or gone. CPU (percent of one core) and
    memory (MiB) are sums of all its containers; `uptime_seconds` is that of its youngest container.
    """

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
    """Report on every service, the gateway, the cache and monitoring; `everything` are the stack's members.

    Raises EngineError.
    """
    reported = [member for member in everything if member.kind != "front"]
    running = [member for member in reported if member.running]
    started = time.monotonic()
    processes = {member.id: member.process for member in running}
    before = measure(processes)
    status = gateway_status.fetch(settings)
    errors = {member.id: last_error(engine.log_tail(member.id, LOG_LINES)) for member in running}
    # Over a shorter time, the CPU of a container that does little would be measured too inexactly.
    time.sleep(max(0.0, started + MEASURING_SECONDS - time.monotonic()))
    used = usage(before, measure(processes))
    return report(reported, list(services), status, used, errors, datetime.now(UTC))


def report(
    reported: list[Member],
    services: list[str],
    status: Mapping[str, Any] | None,
    used: Mapping[str, tuple[float, float]],
    errors: Mapping[str, str | None],
    now: datetime,
) -> list[ServiceHealth]:
    """Report on `services` in their order, then on the other members.

    `status` is the document of /api/status, `used` are CPU percent and bytes of memory by container.
    """
    details = gateway_status.details(status)
    others = dict.fromkeys(member.service for member in reported if member.service not in services)
    return [
        _service_health(
            name, [member for member in reported if member.service == name], details.get(name), used, errors, now
        )
        for name in (*services, *others)
    ]


def _service_health(
    name: str,
    containers: list[Member],
    status: Mapping[str, Any] | None,
    used: Mapping[str, tuple[float, float]],
    errors: Mapping[str, str | None],
    now: datetime,
) -> ServiceHealth:
    running = [member for member in containers if member.running]
    well = sum(member.well for member in containers)
    if status is not None:
        state, ready, replicas = status["state"], status["replicas"]["ready"], status["replicas"]["total"]
    else:
        ready, replicas = well, len(containers)
        # Only the gateway knows whether an MCP service works. For other containers their own health is enough.
        is_server = bool(containers) and containers[0].kind == "server"
        is_up = bool(containers) and well == len(containers)
        state = "unknown" if is_server else "up" if is_up else "degraded" if well else "down"
    if not running:
        state, ready = _state_at_rest(containers), 0
    measured = [used[member.id] for member in running if member.id in used]
    started = [member.started_at for member in running if member.started_at]
    status = status or {}
    return ServiceHealth(
        name=name,
        state=state,
        ready=ready,
        replicas=replicas,
        version=status.get("version"),
        tools=status.get("tools"),
        code=status.get("code"),
        latency_ms=status.get("latency_ms"),
        cpu_percent=sum(cpu for cpu, _ in measured) if measured else None,
        memory_mib=sum(size for _, size in measured) / 2**20 if measured else None,
        memory_limit_mib=sum(member.memory_bytes for member in containers) / 2**20,
        uptime_seconds=(now - max(started)).total_seconds() if started else None,
        restarts=sum(member.restarts for member in containers),
        last_error=next((text for member in containers if (text := errors.get(member.id))), None),
    )


def _state_at_rest(containers: list[Member]) -> str:
    """Return the state of a service of whose containers none is running."""
    if any(member.state == PAUSED for member in containers):
        return PAUSED
    return GONE if all(member.state == GONE for member in containers) else "stopped"


def as_json(health: ServiceHealth) -> dict[str, Any]:
    """Return the health of a service as `status --json` prints it."""
    rounded = {key: round(value, 1) if isinstance(value, float) else value for key, value in asdict(health).items()}
    rounded["replicas"] = {"ready": rounded.pop("ready"), "total": health.replicas}
    return rounded


def usage(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, tuple[float, float]]:
    """Return CPU percent of one core and bytes of memory, by the id of a container that was measured twice."""
    return {
        identity: (now.percent_since(before[identity]), float(now.memory_bytes))
        for identity, now in after.items()
        if identity in before
    }


def last_error(log: str) -> str | None:
    """Return time and text of the newest error in `log`; None if it has no error."""
    for line in reversed(log.splitlines()):
        try:
            entry = json.loads(line)
        except ValueError:
            if match := re.match(r"(\S+ \S+) \[(?:error|crit|alert|emerg)\] (.+)", line):
                return f"{match[1]} {match[2]}"
            continue
        if isinstance(entry, dict) and entry.get("level") in ("ERROR", "CRITICAL"):
            message = entry.get("message") or either(str(entry.get("zh", "")), str(entry.get("en", "")))
            return f"{str(entry.get('time', ''))[:19]} {message}".strip()
    return None
