"""Reads the files that deployments and the command write for the console.

In the folder of DYBER_FILES, all of it optional:

`deployment.json`, written by every deployment, without secrets:

    {"stack": "prod", "version": "1.4.0", "deployed_at": "2026-11-28T11:20:14+08:00",
     "addresses": ["https://pet.home.arpa"],
     "services": {"zhihu": {"title": "知乎", "digest": "sha256:…", "memory_mib": 256, "cpus": 0.5,
                            "max_call_seconds": 60, "requests_per_second": 50, "burst": 100,
                            "is_foreign": false, "secrets": ["ZHIHU_TOKEN"]}},
     "clients": {"phone": {"services": null | {"zhihu": "all" | "read" | ["tool", …]}, "generation": 2,
                           "old_token_works": false,
                           "snippets": {"cursor": {"title": "Cursor", "file": ".cursor/mcp.json", "text": "{…}"}}}},
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
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

_LONGEST_FILE = 4 * 2**20
_MOST_ENTRIES = 500
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,62}$")

Content = TypeVar("Content")


@dataclass(frozen=True)
class DeployedService:
    """Holds what a deployment says about a service; None where it says nothing."""

    title: str
    digest: str | None = None
    memory_mib: int | None = None
    cpus: float | None = None
    max_call_seconds: float | None = None
    requests_per_second: float | None = None
    burst: int | None = None
    is_foreign: bool = False
    secrets: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeployedClient:
    """Holds what a client may call: `services` is None for everything, else per service `all`, `read` or the tools.

    Attributes:
        generation: Number of its token, which grows with each rotation.
        old_token_works: Whether the token before it is still accepted.
        snippets: Configurations by program, without the token.
    """

    services: dict[str, str | tuple[str, ...]] | None = None
    generation: int | None = None
    old_token_works: bool = False
    snippets: dict[str, Snippet] = field(default_factory=dict)


@dataclass(frozen=True)
class Snippet:
    """Holds the configuration of a program: its name, the file it goes into, and the text."""

    title: str
    file: str
    text: str


@dataclass(frozen=True)
class Deployment:
    """Holds the newest deployment's file."""

    stack: str = ""
    version: str = ""
    deployed_at: float | None = None
    addresses: tuple[str, ...] = ()
    services: dict[str, DeployedService] = field(default_factory=dict)
    clients: dict[str, DeployedClient] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Event:
    """Holds one line of the history: a deployment, a search for drift, a backup, a promotion, an ended container."""

    kind: str
    at: float
    content: dict[str, Any]


class _Watched(Generic[Content]):
    """Keeps the content of a file until the file changes; a file that cannot be read has the content `empty`."""

    def __init__(self, path: Path, read: Callable[[str], Content], empty: Content) -> None:
        self._path = path
        self._read = read
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
        if mark is not None and mark[1] <= _LONGEST_FILE:
            try:
                self.content = self._read(self._path.read_text(encoding="utf-8"))
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                self.content = self._empty
        return True


class Files:
    """Holds the content of the folder; `refresh` reads what changed.

    Args:
        folder: The folder, or None when deployments write none.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        root = folder or Path("/nonexistent")
        self._deployment = _Watched(root / "deployment.json", read_deployment, Deployment())
        self._history: _Watched[list[Event]] = _Watched(root / "history.jsonl", read_history, [])
        self._contracts: dict[str, _Watched[dict[str, Any]]] = {}

    def refresh(self) -> bool:
        """Read what changed; return whether anything did."""
        if self._folder is None:
            return False
        changed = self._deployment.refresh() | self._history.refresh()
        for path in sorted(self._folder.glob("contracts/*.json")):
            if _NAME.match(path.stem) and path.stem not in self._contracts:
                self._contracts[path.stem] = _Watched(path, _object, {})
        for watched in self._contracts.values():
            changed |= watched.refresh()
        return changed

    @property
    def deployment(self) -> Deployment:
        """Return the newest deployment's file; an empty one when there is none."""
        return self._deployment.content

    @property
    def history(self) -> list[Event]:
        """Return the last events, the newest first."""
        return self._history.content

    def contracts(self) -> dict[str, dict[str, Any]]:
        """Return the locked contract of each service that has one, by name."""
        return {name: watched.content for name, watched in self._contracts.items() if watched.content}

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


def read_deployment(text: str) -> Deployment:
    """Return the content of `deployment.json`; raise ValueError, TypeError or AttributeError for another document."""
    content = _object(text)
    at = content.get("deployed_at")
    return Deployment(
        stack=str(content.get("stack", "")),
        version=str(content.get("version", "")),
        deployed_at=datetime.fromisoformat(at).timestamp() if at else None,
        addresses=tuple(map(str, content.get("addresses", ()))),
        services={str(name): _service(name, entry) for name, entry in content.get("services", {}).items()},
        clients={str(name): _client(entry) for name, entry in content.get("clients", {}).items()},
        profiles=tuple(map(str, content.get("profiles", ()))),
    )


def read_history(text: str) -> list[Event]:
    """Return the events of `history.jsonl`, the newest first; lines that cannot be read are left out."""
    events = []
    for line in text.splitlines()[-_MOST_ENTRIES:]:
        try:
            content = _object(line)
            at = datetime.fromisoformat(content["at"]).timestamp()
            events.append(Event(str(content["kind"]), at, content))
        except (ValueError, KeyError, TypeError):
            continue
    return sorted(events, key=lambda event: event.at, reverse=True)


def _object(text: str) -> dict[str, Any]:
    content = json.loads(text)
    if not isinstance(content, dict):
        raise TypeError("the document is no object")
    return content


def _service(name: str, entry: dict[str, Any]) -> DeployedService:
    return DeployedService(
        title=str(entry.get("title") or name),
        digest=entry.get("digest"),
        memory_mib=entry.get("memory_mib"),
        cpus=entry.get("cpus"),
        max_call_seconds=entry.get("max_call_seconds"),
        requests_per_second=entry.get("requests_per_second"),
        burst=entry.get("burst"),
        is_foreign=bool(entry.get("is_foreign")),
        secrets=tuple(map(str, entry.get("secrets", ()))),
    )


def _client(entry: dict[str, Any]) -> DeployedClient:
    scopes = entry.get("services")
    services = None
    if scopes is not None:
        services = {
            str(name): scope if isinstance(scope, str) else tuple(map(str, scope)) for name, scope in scopes.items()
        }
    snippets = {
        str(program): Snippet(str(each["title"]), str(each.get("file", "")), str(each["text"]))
        for program, each in entry.get("snippets", {}).items()
    }
    return DeployedClient(services, entry.get("generation"), bool(entry.get("old_token_works")), snippets)
