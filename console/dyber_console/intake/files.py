"""Reads the files that deployments and the command write for the console.

In the folder of DYBER_FILES, all of it optional:

`deployment.json`, written by every deployment, without secrets:

    {"stack": "prod", "version": "1.4.0", "deployed_at": "2026-11-28T11:20:14+08:00", "commit": "31be7a2",
     "addresses": ["https://pet.home.arpa"], "console": "https://pet.home.arpa/console/",
     "images": "built" | "pinned" | "promoted", "contracts": "off" | "warn" | "enforced",
     "policy": "advisory" | "mandatory", "gateway": {"version": "1.4.0", "digest": "sha256:…"},
     "settings": {"gateway.bind": "0.0.0.0", …},
     "services": {"zhihu": {"title": "知乎", "description": "…", "version": "0.4.0", "digest": "sha256:…",
                            "contract": "<sha256 of the contract>", "memory_mib": 256, "cpus": 0.5,
                            "max_call_seconds": 60, "requests_per_second": 50, "burst": 100,
                            "is_foreign": false, "secrets": ["ZHIHU_TOKEN"]}},
     "clients": {"phone": {"services": null | {"zhihu": "all" | "read" | ["tool", …]}, "generation": 2,
                           "old_token_works": false,
                           "snippets": {"cursor": {"title": "Cursor", "file": {"zh": "…", "en": "…"}, "text": "{…}"}}}},
     "profiles": ["cache"]}

`history.jsonl`, to which the command appends one object per line:

    {"kind": "deployment", "at": "…", "seconds": 14, "operations": {"create": 1}, "who": "…", "commit": "…",
     "outcome": "ok" | "failed" | "refused", "reason": "…"}
    {"kind": "drift", "at": "…", "differences": [{"resource": "…", "details": "…", "way_back": "…"}]}
    {"kind": "backup", "at": "…", "bytes": 123}
    {"kind": "promotion", "at": "…", "from": "dev", "to": "test", "parts": ["zhihu"], "who": "…", "commit": "…"}
    {"kind": "ended", "at": "…", "service": "zhihu", "container": "…", "reason": "out_of_memory" | "exit",
     "exit_code": 1 | null, "memory_mib": 256 | null}

A deployment's `at` is its start. `ended` is a container that ended by itself and was started again by the engine;
`service` is also `hub`, `gateway` or another part, and `memory_mib` is the limit that the container had.

`contracts/<service>.json`: the service's `tools.lock.json`.

`contracts/<service>.findings.json`: what the scan of the contract found and nobody accepted, [] for nothing:

    [{"code": "T05", "level": "block" | "warn" | "info", "tool": "maps_geo", "path": ["description"], "excerpt": "…",
      "title": {"en": "…", "zh": "…"}, "explanation": {"en": "…", "zh": "…"}}]

`stacks/<stack>/deployment.json` and `stacks/<stack>/contracts/<service>.json`: the same of the other stacks that this
machine knows, as they were when this stack was deployed. Without secrets, as all of these files.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

from dyber_console.intake.deployment import Deployment, read_deployment, read_object
from dyber_console.intake.findings import Finding, read_findings

_LONGEST_FILE = 4 * 2**20
_MOST_ENTRIES = 500
_MOST_FILES = 500
_MOST_STACKS = 20
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")

Content = TypeVar("Content")


@dataclass(frozen=True)
class Event:
    """Holds one line of the history: a deployment, a search for drift, a backup, a promotion, an ended container."""

    kind: str
    at: float
    content: dict[str, Any]


class _Watched(Generic[Content]):
    """Keeps the content of a file until the file changes; a file that cannot be read has the content `empty`.

    Args:
        lines: Whether the file has lines of which the last suffice, so that the end of a long file is read.
    """

    def __init__(self, path: Path, read: Callable[[str], Content], empty: Content, lines: bool = False) -> None:
        self._path = path
        self._read = read
        self._lines = lines
        self._mark: tuple[float, int] | None = None
        self.content = empty
        self._empty = empty

    def refresh(self) -> bool:
        """Read the file if it changed; return whether it did."""
        try:
            found = self._path.stat()
            mark = (found.st_mtime, found.st_size)
        except OSError:
            mark = None
        if mark == self._mark:
            return False
        self._mark, self.content = mark, self._empty
        if mark is not None and (self._lines or mark[1] <= _LONGEST_FILE):
            try:
                self.content = self._read(self._text())
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                self.content = self._empty
        return True

    def _text(self) -> str:
        """Return the file's text; of a longer one than is read the last whole lines."""
        with self._path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - _LONGEST_FILE)
            file.seek(start)
            if start:
                file.readline()
            return file.read(_LONGEST_FILE).decode("utf-8")


class _Contracts:
    """Holds the content of a folder of contracts, and of the findings in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._contracts: dict[str, _Watched[dict[str, Any]]] = {}
        self._findings: dict[str, _Watched[list[Finding] | None]] = {}

    def refresh(self) -> bool:
        """Read what changed; return whether anything did."""
        for path in sorted(self._folder.glob("*.json"))[:_MOST_FILES]:
            name, _, kind = path.stem.partition(".")
            if _NAME.match(name) and kind == "" and name not in self._contracts:
                self._contracts[name] = _Watched(path, read_object, {})
            elif _NAME.match(name) and kind == "findings" and name not in self._findings:
                self._findings[name] = _Watched(path, read_findings, None)
        watched: list[_Watched[Any]] = [*self._contracts.values(), *self._findings.values()]
        changed = [each.refresh() for each in watched]
        return True in changed

    def contracts(self) -> dict[str, dict[str, Any]]:
        """Return the contracts by name of their service."""
        return {name: watched.content for name, watched in self._contracts.items() if watched.content}

    def findings(self) -> dict[str, list[Finding]]:
        """Return the findings of each service whose contract was scanned, by name."""
        return {name: watched.content for name, watched in self._findings.items() if watched.content is not None}


class _OtherStack:
    """Holds what is known of another stack."""

    def __init__(self, folder: Path) -> None:
        self.deployment: _Watched[Deployment] = _Watched(folder / "deployment.json", read_deployment, Deployment())
        self.contracts = _Contracts(folder / "contracts")

    def refresh(self) -> bool:
        """Read what changed; return whether anything did."""
        return self.deployment.refresh() | self.contracts.refresh()


class Files:
    """Holds the content of the folder; `refresh` reads what changed.

    Args:
        folder: The folder, or None when deployments write none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        root = folder or Path("/nonexistent")
        self._deployment = _Watched(root / "deployment.json", read_deployment, Deployment())
        self._history: _Watched[list[Event]] = _Watched(root / "history.jsonl", read_history, [], lines=True)
        self._contracts = _Contracts(root / "contracts")
        self._stacks: dict[str, _OtherStack] = {}

    def refresh(self) -> bool:
        """Read what changed; return whether anything did."""
        if self._folder is None:
            return False
        for path in sorted(self._folder.glob("stacks/*"))[:_MOST_STACKS]:
            if _NAME.match(path.name) and path.name not in self._stacks:
                self._stacks[path.name] = _OtherStack(path)
        changed = [self._deployment.refresh(), self._history.refresh(), self._contracts.refresh()]
        changed += [stack.refresh() for stack in self._stacks.values()]
        return True in changed

    @property
    def deployment(self) -> Deployment:
        """Return the newest deployment's file; an empty one when there is none."""
        return self._deployment.content

    def stacks(self) -> dict[str, Deployment]:
        """Return the deployments of the other stacks by name."""
        known = {name: stack.deployment.content for name, stack in self._stacks.items()}
        return {name: deployment for name, deployment in known.items() if deployment.stack}

    def contracts_of(self, stack: str) -> dict[str, dict[str, Any]]:
        """Return the contracts of another stack by name of their service; none for a stack that is not known."""
        known = self._stacks.get(stack)
        return known.contracts.contracts() if known else {}

    def findings(self) -> dict[str, list[Finding]]:
        """Return the findings of each service whose contract was scanned, by name."""
        return self._contracts.findings()

    @property
    def history(self) -> list[Event]:
        """Return the last events, the newest first."""
        return self._history.content

    def contracts(self) -> dict[str, dict[str, Any]]:
        """Return the locked contract of each service that has one, by name."""
        return self._contracts.contracts()

    def newest(self, kind: str) -> Event | None:
        """Return the newest event of a kind, or None."""
        return next((event for event in self.history if event.kind == kind), None)

    def ends(self) -> dict[str, Event]:
        """Return the newest end of a container of each service and part that had such, by name."""
        ends: dict[str, Event] = {}
        for event in self.history:
            if event.kind == "ended":
                ends.setdefault(str(event.content.get("service", "")), event)
        return ends


def read_history(text: str) -> list[Event]:
    """Return the events of `history.jsonl`, the newest first; lines that cannot be read are left out."""
    events = []
    for line in text.splitlines()[-_MOST_ENTRIES:]:
        try:
            content = read_object(line)
            at = datetime.fromisoformat(content["at"]).timestamp()
            events.append(Event(str(content["kind"]), at, content))
        except (ValueError, KeyError, TypeError):
            continue
    return sorted(events, key=lambda event: event.at, reverse=True)
