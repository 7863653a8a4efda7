"""Reads what the scan has to know of a service's package from the locks beside its service.yaml, without a network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from packaging.markers import InvalidMarker, Marker

from infra.services.catalog import ServiceSpec
from infra.services.scan.rules.packages import Package

_REQUIREMENT = re.compile(
    r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\\n]+))?",
    re.MULTILINE,
)
#: Where services run, as markers of requirements ask for it.
_LINUX = {
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
    "platform_machine": "x86_64",
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}


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
        return Package(kind, name, version, requirements=tuple(python_packages(spec.folder)))
    return Package(kind, name, version)


def python_packages(folder: Path) -> dict[str, str]:
    """Return name and version of the packages in a requirements.txt that containers get.

    The lock has those of other systems too, such as pywin32.
    """
    found = _REQUIREMENT.finditer(_text(folder / "requirements.txt"))
    return {match["name"]: match["version"] for match in found if _is_for_linux(match["marker"])}


def _is_for_linux(marker: str | None) -> bool:
    try:
        return not marker or Marker(marker.strip()).evaluate(_LINUX)
    except InvalidMarker:
        return True


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
