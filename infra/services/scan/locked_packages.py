"""Reads what the scan has to know of a service's package from the locks beside its service.yaml, without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from infra.services.catalog import ServiceSpec
from infra.services.scan.rules.packages import Package

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==", re.MULTILINE)


def locked_package(spec: ServiceSpec) -> Package | None:
    """Return what the locks say of the package of a service; None for a service of this repository's own code.

    A lock that is missing or cannot be read counts as empty: building the image says what is wrong with it.
    """
    if spec.source is None:
        return None
    kind, name, version = spec.source.kind, spec.source.package, spec.source.version
    if kind == "npm":
        packages = _npm_packages(spec.folder / "package-lock.json")
        names = {path.rpartition("node_modules/")[2]: part for path, part in packages.items() if path}
        scripts = [package for package, part in names.items() if part.get("hasInstallScript")]
        return Package(kind, name, version, install_scripts=scripts, requirements=tuple(names))
    if kind == "pypi":
        names_in_lock = _REQUIREMENT.findall(_text(spec.folder / "requirements.txt"))
        return Package(kind, name, version, requirements=tuple(names_in_lock))
    return Package(kind, name, version)


def _npm_packages(file: Path) -> dict[str, dict[str, Any]]:
    try:
        packages = json.loads(_text(file) or "{}").get("packages", {})
        return {str(path): dict(part) for path, part in packages.items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
