"""Finds containers that ended by themselves, and why, as only the engine knows it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from cli.engine import engine
from cli.engine.errors import EngineError

#: Of the ends of a container for the same reason, those within this time after a recorded end are left out.
REPEATED_SECONDS = 600.0
#: How many seconds before and after the end of a container its event may be.
_AROUND_SECONDS = 2


def ended(containers: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return an entry for each container, given by its `docker inspect`, that ended by itself: its last end.

    A container that a person or this program stopped did not end by itself: the engine counts no restart for it.
    `exit_code` is None once the container runs again, as the engine then forgets it.
    """
    entries = []
    for container in containers:
        state, at = container["State"], _time(container["State"].get("FinishedAt", ""))
        if at is None or not (container.get("RestartCount") or state.get("Restarting")):
            continue
        memory = container["HostConfig"].get("Memory") or 0
        entries.append(
            {
                "kind": "ended",
                "at": at.isoformat(timespec="milliseconds"),
                "service": container["Config"]["Labels"].get("dyber.service", ""),
                "container": container["Name"].lstrip("/"),
                "reason": "out_of_memory" if state.get("OOMKilled") else "exit",
                "exit_code": state.get("ExitCode") if state.get("Restarting") else None,
                "memory_mib": memory // 2**20 or None,
            }
        )
    return entries


def unrecorded(entries: Iterable[dict[str, Any]], recorded: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries that were not recorded.

    A container that ends again and again for the same reason is recorded every REPEATED_SECONDS only.
    """
    known: dict[tuple[Any, Any], list[datetime]] = {}
    for entry in recorded:
        with suppress(KeyError, ValueError, TypeError):
            if entry["kind"] == "ended":
                known.setdefault(_kind(entry), []).append(datetime.fromisoformat(entry["at"]))
    return [
        entry
        for entry in entries
        if all(
            (datetime.fromisoformat(entry["at"]) - at).total_seconds() >= REPEATED_SECONDS
            for at in known.get(_kind(entry), ())
        )
    ]


def _kind(entry: Mapping[str, Any]) -> tuple[Any, Any]:
    return entry["container"], entry["reason"]


def with_events(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries with what the engine's last few hundred events still say: exit codes, and lacks of memory.

    The engine may note a lack of memory after the end of the container, and its description then does not have it.
    """
    return [{**entry, **_from_events(entry)} for entry in entries]


def _from_events(entry: Mapping[str, Any]) -> dict[str, Any]:
    at = int(datetime.fromisoformat(entry["at"]).timestamp())
    filters = {"type": ["container"], "event": ["die", "oom"], "container": [entry["container"]]}
    try:
        with engine.asking(10) as client:
            found = list(
                client.events(since=at - _AROUND_SECONDS, until=at + _AROUND_SECONDS, filters=filters, decode=True)
            )
    except EngineError:
        return {}
    told: dict[str, Any] = {}
    for event in found:
        code = event["Actor"]["Attributes"].get("exitCode", "")
        if event["Action"] == "oom":
            told["reason"] = "out_of_memory"
        elif code.isdigit():
            told["exit_code"] = int(code)
    return told


def _time(text: str) -> datetime | None:
    """Read a time of Docker, which has nanoseconds; the year 1 means never."""
    match = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,6})?", text)
    if not match or text.startswith("0001"):
        return None
    return datetime.fromisoformat(match[1] + (match[2] or "")).replace(tzinfo=UTC)
