"""Finds out which failures of a service are over, and which still hold."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from dyber_console.records.calls import call_of
from dyber_console.records.model import Call
from dyber_console.records.store import Store

#: Outcomes of calls that say nothing about the service: the caller is to change something.
_OF_CALLERS = frozenset(
    {
        "unauthorized", "forbidden", "insufficient_scope", "foreign_origin", "unknown_host", "rate_limited",
        "bad_request", "too_large", "request_timeout", "method_not_allowed", "not_found", "unknown_tool",
        "protocol_error", "INVALID_ARGUMENT", "NOT_FOUND", "CONFIRMATION_REQUIRED", "READ_ONLY",
    }
)  # fmt: skip
#: Outcomes of calls that the service did not answer; any call that it answers ends them.
UNANSWERED = ("service_down", "circuit_open", "overloaded")
_OF_SERVICES = ("ok", "tool_error", "protocol_error", "unknown_tool")
#: Codes about the platform or its account, which tools share: what ends one of a tool ends those of the others.
_SHARED = frozenset(
    {
        "UPSTREAM_UNREACHABLE", "NOT_CONFIGURED", "LOGIN_REQUIRED", "LOGIN_EXPIRED", "CAPTCHA_REQUIRED",
        "RATE_LIMITED", "QUOTA_EXHAUSTED", "BUSY",
    }
)  # fmt: skip
#: Outcomes that the platform must have answered for, though the call failed, and the codes that they end.
_ANSWERED = ("NOT_FOUND", "ACCESS_RESTRICTED")
_ENDED_BY_ANSWERS = frozenset({"UPSTREAM_UNREACHABLE", "NOT_CONFIGURED", "TIMEOUT"})
_SETTING = re.compile(r"[A-Z][A-Z0-9_]{1,63}")
#: The index that has few rows for a service's failures, as most calls succeed.
_BY_OUTCOME = "INDEXED BY calls_by_outcome"


@dataclass(frozen=True)
class Failure:
    """Holds the newest failure of a kind.

    Attributes:
        call: The newest call that failed.
        count: How often the same outcome came since it was over last.
        since: When it came first since then, in seconds since 1970.
        is_over: Whether a later call showed that it does not hold any more.
        settings: The settings that the service said it lacks.
    """

    call: Call
    count: int
    since: float
    is_over: bool
    settings: tuple[str, ...] = ()


@dataclass
class _Kind:
    """Holds the tools that failed with an outcome, and the id of the newest of these calls."""

    outcome: str
    tools: list[str]
    newest: int


def failures(store: Store, service: str) -> list[Failure]:
    """Return the newest failure of each kind in the last day: first those that still hold, the newest first.

    Only a call that shows the contrary ends a failure. A tool that needs no platform succeeds without one, so the call
    must be of a tool that failed in this way.
    """
    found = [_failure(store, service, kind) for kind in _kinds(store, service)]
    return sorted(found, key=lambda failure: (failure.is_over, -failure.call.id))


def _kinds(store: Store, service: str) -> list[_Kind]:
    """Return the kinds of failures of a service: a code of the platform, or any other outcome of one tool."""
    kinds: dict[tuple[str, str], _Kind] = {}
    # Two ranges, so that the many calls that succeeded are not read.
    part = f"SELECT outcome, tool, MAX(id) FROM calls {_BY_OUTCOME} WHERE service = ? AND is_call = 1 AND outcome "
    text = f"{part} < 'ok' GROUP BY outcome, tool UNION ALL {part} > 'ok' GROUP BY outcome, tool"
    for outcome, tool, newest in store.db.execute(text, (service, service)):
        if outcome == "cancelled" or outcome in _OF_CALLERS or outcome.startswith("http_4"):
            continue
        is_shared = outcome in _SHARED or outcome in UNANSWERED
        kind = kinds.setdefault((outcome, "" if is_shared else tool), _Kind(outcome, [], newest))
        kind.tools.append(tool)
        kind.newest = max(kind.newest, newest)
    return list(kinds.values())


def _failure(store: Store, service: str, kind: _Kind) -> Failure:
    call = call_of(store.db.execute("SELECT * FROM calls WHERE id = ?", (kind.newest,)).fetchone())
    end = _end(store, service, kind)
    if end > kind.newest:
        return Failure(call, 0, call.at, True)
    marks = _marks(kind.tools)
    count, since = store.db.execute(
        f"SELECT COUNT(*), MIN(at) FROM calls {_BY_OUTCOME} WHERE service = ? AND is_call = 1 AND outcome = ? "
        f"AND tool IN ({marks}) AND id > ?",
        (service, kind.outcome, *kind.tools, end),
    ).fetchone()
    settings = _settings(store, call) if kind.outcome == "NOT_CONFIGURED" else ()
    return Failure(call, count, since, False, settings)


def _settings(store: Store, call: Call) -> tuple[str, ...]:
    """Return the names in the call's span; of names that no setting can have, none."""
    row = store.db.execute(
        "SELECT json_extract(details, '$.\"dyber.settings\"') FROM spans WHERE trace_id = ? AND service = ? "
        "AND outcome = ? ORDER BY 1 DESC LIMIT 1",
        (call.trace_id, call.service, call.outcome),
    ).fetchone()
    return tuple(name for name in str(row[0] or "").split() if _SETTING.fullmatch(name)) if row else ()


def _end(store: Store, service: str, kind: _Kind) -> int:
    """Return the id of the newest call that showed that a kind of failure did not hold any more; 0 without one."""
    # A call whose tool is not known may have been of any tool; of the platform's failures, any would say too much.
    if kind.outcome in UNANSWERED or (kind.tools == [""] and kind.outcome not in _SHARED):
        answered = _answered_after(store, service, kind.newest)
        if answered:
            return answered
    ending = ("ok", *_ANSWERED) if kind.outcome in _ENDED_BY_ANSWERS else ("ok",)
    newest = [
        store.db.execute(
            f"SELECT MAX(id) FROM calls {_BY_OUTCOME} WHERE service = ? AND is_call = 1 AND outcome = ? AND tool = ?",
            (service, outcome, tool),
        ).fetchone()[0]
        for outcome in ending
        for tool in kind.tools
        if tool
    ]
    return max((number for number in newest if number is not None), default=0)


def _answered_after(store: Store, service: str, newest: int) -> int:
    """Return the id of a call after the call `newest` that the service itself answered; 0 without one.

    Only later calls are read, of which there are few while a failure lasts.
    """
    # Outcomes of services are codes in capital letters, and a few others.
    row = store.db.execute(
        "SELECT id FROM calls INDEXED BY calls_by_service WHERE service = ? AND is_call = 1 AND tool <> '' "
        f"AND id > ? AND (outcome IN ({_marks(_OF_SERVICES)}) OR outcome GLOB '[A-Z]*') ORDER BY id DESC LIMIT 1",
        (service, newest, *_OF_SERVICES),
    ).fetchone()
    return int(row[0]) if row else 0


def _marks(values: Collection[object]) -> str:
    return ",".join("?" * len(values))
