"""Lists the packages in the locks of a source, so that two locks can be compared."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.services.scan.locked_packages import python_packages
from infra.services.source import SourceKind


@dataclass(frozen=True)
class PackageChanges:
    """How the packages of two locks differ, by name."""

    added: Mapping[str, str]
    removed: Mapping[str, str]
    changed: Mapping[str, tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def packages(folder: Path, kind: SourceKind) -> dict[str, str]:
    """Return name and version of each package in the locks in a service's folder; an image has none that are known.

    A package that npm has in several versions is listed with all of them.
    """
    reader = {"npm": _npm, "pypi": python_packages, "go": _go}.get(kind)
    return reader(folder) if reader else {}


def install_scripts(folder: Path, kind: SourceKind) -> tuple[str, ...]:
    """Return the packages of npm with scripts that would run when they are installed, but never do here."""
    if kind != "npm":
        return ()
    return tuple(
        sorted(
            {name for name, entry in _npm_entries(folder) if isinstance(entry, dict) and entry.get("hasInstallScript")}
        )
    )


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> PackageChanges:
    """Return how the packages of two locks differ."""
    return PackageChanges(
        {name: version for name, version in after.items() if name not in before},
        {name: version for name, version in before.items() if name not in after},
        {name: (before[name], version) for name, version in after.items() if before.get(name, version) != version},
    )


def _npm_entries(folder: Path) -> list[tuple[str, dict[str, object]]]:
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))
    return [(path.rpartition("node_modules/")[2], entry) for path, entry in lock.get("packages", {}).items() if path]


def _npm(folder: Path) -> dict[str, str]:
    versions: dict[str, set[str]] = {}
    for name, entry in _npm_entries(folder):
        versions.setdefault(name, set()).add(str(entry.get("version", "")))
    return {name: ", ".join(sorted(found)) for name, found in sorted(versions.items())}


def _go(folder: Path) -> dict[str, str]:
    text = (folder / "go.mod").read_text(encoding="utf-8")
    return dict(re.findall(r"(?m)^(?:\t|require )(\S+\.\S+) (v\S+)", text))
