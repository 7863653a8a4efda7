"""Reads the locks of a source, which are beside its service.yaml and say exactly what an image is built from.

| source | lock |
|---|---|
| npm | package.json, package-lock.json |
| pypi | requirements.in, requirements.txt |
| go | go.mod, go.sum |
| oci | image.lock.json |
| url | none |

cli.services.sources writes them.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from packaging.utils import canonicalize_name
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from infra.schema.problems import ConfigurationError, Problem
from infra.services.source import Source, SourceKind

#: By kind, the names of its lock files.
LOCK_FILES: Mapping[SourceKind, tuple[str, ...]] = {
    "npm": ("package.json", "package-lock.json"),
    "pypi": ("requirements.in", "requirements.txt"),
    "go": ("go.mod", "go.sum"),
    "oci": ("image.lock.json",),
    "url": (),
}
#: Images have this Python, which is that of their Debian suite.
IMAGE_PYTHON = "3.13"
#: Where an image has the program, and Node.
PROGRAM_FOLDER, NODE = "/opt/server", "/opt/node/bin/node"
GO_PROGRAM = f"{PROGRAM_FOLDER}/server"
#: The module of a go.mod that only locks a program.
GO_MODULE = "dyber.local/server"


@dataclass(frozen=True)
class LockedProgram:
    """A program as its locks describe it.

    `command` is what starts it in its image, without the arguments of the source; it is empty for a remote server.
    `variables` are the names of the variables that a foreign image sets for its program, and `folder` is where it
    starts its program; '' for others.
    """

    command: tuple[str, ...]
    variables: tuple[str, ...] = ()
    folder: str = ""


class ImageLock(BaseModel):
    """The content of an image.lock.json: what a foreign image says of itself, as the image built on it replaces that.

    `reference` is that of the source. `architectures` are those that the image can be had for, such as `amd64`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str
    architectures: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    variables: tuple[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], ...] = ()
    user: str = ""
    working_dir: str = ""
    ports: tuple[str, ...] = ()


def load_program(folder: Path, source: Source) -> LockedProgram:
    """Return the program that the locks in a service's `folder` describe.

    Raises ConfigurationError if a lock is missing, cannot be read, or locks something else than `source`.
    """
    file = f"mcp-servers/{folder.name}"
    missing = [name for name in LOCK_FILES[source.kind] if not (folder / name).is_file()]
    if missing:
        parameters = {"service": folder.name}
        raise ConfigurationError(
            *(Problem("source_lock_missing", f"{file}/{name}", (), parameters=parameters) for name in missing)
        )
    try:
        return _READERS[source.kind](folder, source)
    except _Unusable as error:
        parameters = {"service": folder.name, **error.parameters}
        raise ConfigurationError(Problem(error.message, f"{file}/{error.file}", parameters=parameters)) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        names = ", ".join(LOCK_FILES[source.kind])
        parameters = {"reason": str(error), "service": folder.name}
        raise ConfigurationError(Problem("source_lock_unreadable", f"{file}/{names}", parameters=parameters)) from error


class _Unusable(Exception):
    """A lock file cannot be used; `message` and `parameters` are those of a Problem."""

    def __init__(self, message: str, file: str, **parameters: Any) -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.parameters = parameters


def _npm(folder: Path, source: Source) -> LockedProgram:
    wanted = json.loads((folder / "package.json").read_text(encoding="utf-8"))["dependencies"]
    if wanted != {source.package: source.version}:
        locked = ", ".join(f"{name}@{version}" for name, version in wanted.items())
        raise _Unusable("source_lock_differs", "package.json", locked=locked, wanted=source.reference)
    packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for path, package in packages.items():
        if path:
            _check_npm_package(path, package)
    server = packages.get(f"node_modules/{source.package}", {})
    if server.get("version") != source.version:
        locked = f"{source.package}@{server.get('version', '-')}"
        raise _Unusable("source_lock_differs", "package-lock.json", locked=locked, wanted=source.reference)
    programs = server.get("bin", {})
    if source.command not in programs:
        known = ", ".join(programs) or "-"
        raise _Unusable("source_lock_command", "package-lock.json", command=source.command, known=known)
    file = str(programs[source.command]).removeprefix("./")
    return LockedProgram((NODE, f"{PROGRAM_FOLDER}/node_modules/{source.package}/{file}"))


def _check_npm_package(path: str, package: Mapping[str, Any]) -> None:
    """Refuse a package without a hash, or with an address, which would bind the lock to a registry."""
    if package.get("inBundle"):
        return
    if not re.match(r"sha(512|384|256)-", str(package.get("integrity", ""))):
        raise _Unusable("source_lock_no_hash", "package-lock.json", package=path)
    if "resolved" in package:
        raise _Unusable("source_lock_address", "package-lock.json", package=path)


def _pypi(folder: Path, source: Source) -> LockedProgram:
    lines = (folder / "requirements.in").read_text(encoding="utf-8").splitlines()
    given = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    wanted = requirement_lines(source)
    if given != wanted:
        raise _Unusable("source_lock_differs", "requirements.in", locked=", ".join(given), wanted=", ".join(wanted))
    locked = (folder / "requirements.txt").read_text(encoding="utf-8")
    pinned = {
        canonicalize_name(match[1]): match[2]
        for match in re.finditer(r"(?m)^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", locked)
    }
    version = pinned.get(canonicalize_name(source.package))
    if version != source.version:
        raise _Unusable(
            "source_lock_differs", "requirements.txt", locked=f"{source.package}=={version or '-'}", wanted=source.pypi
        )
    for requirement in re.split(r"(?m)^(?=[A-Za-z0-9])", locked):
        if "==" in requirement and "--hash=sha256:" not in requirement:
            raise _Unusable("source_lock_no_hash", "requirements.txt", package=requirement.split()[0])
    if module := python_module(source.command):
        return LockedProgram((f"{PROGRAM_FOLDER}/bin/python", "-m", module))
    return LockedProgram((f"{PROGRAM_FOLDER}/bin/{source.command}",))


def requirement_lines(source: Source) -> list[str]:
    """Return the lines of requirements.in that lock a pypi source."""
    return [source.reference, *source.requirements]


def python_module(command: str) -> str:
    """Return the module of a command like `-m module`; '' for the name of a console script."""
    match = re.fullmatch(r"-m\s+([A-Za-z_][A-Za-z0-9_.]*)", command)
    return match[1] if match else ""


def _go(folder: Path, source: Source) -> LockedProgram:
    content = (folder / "go.mod").read_text(encoding="utf-8")
    tools = re.findall(r"(?m)^tool (\S+)$", content)
    if tools != [source.package]:
        raise _Unusable("source_lock_differs", "go.mod", locked=", ".join(tools) or "-", wanted=source.package)
    modules = dict(re.findall(r"(?m)^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) (v\S+)", content))
    holding = max((name for name in modules if f"{source.package}/".startswith(f"{name}/")), key=len, default="")
    if modules.get(holding) != source.version:
        locked = f"{holding or source.package}@{modules.get(holding, '-')}"
        raise _Unusable("source_lock_differs", "go.mod", locked=locked, wanted=source.reference)
    return LockedProgram((GO_PROGRAM,))


def _oci(folder: Path, source: Source) -> LockedProgram:
    try:
        lock = ImageLock.model_validate_json((folder / "image.lock.json").read_text(encoding="utf-8"))
    except ValidationError as error:
        raise ValueError(error.errors()[0]["msg"]) from error
    if lock.reference != source.reference:
        raise _Unusable("source_lock_differs", "image.lock.json", locked=lock.reference, wanted=source.reference)
    command = (source.command,) if source.command else lock.entrypoint
    # As the engine does: arguments, or another entrypoint, replace the image's own arguments.
    arguments = () if source.command or source.arguments else lock.cmd
    if not command and not arguments and not source.arguments:
        raise _Unusable("source_lock_no_program", "image.lock.json")
    # As the engine does: an image without a working folder, or with a relative one, starts at the root.
    return LockedProgram((*command, *arguments), lock.variables, posixpath.join("/", lock.working_dir))


def _url(folder: Path, source: Source) -> LockedProgram:
    return LockedProgram(())


_READERS: Mapping[SourceKind, Callable[[Path, Source], LockedProgram]] = {
    "npm": _npm,
    "pypi": _pypi,
    "go": _go,
    "oci": _oci,
    "url": _url,
}
