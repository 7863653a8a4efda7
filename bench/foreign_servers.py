"""Installs servers of npm and PyPI into a folder and lists their tools through the bridge: what bench/scan.py looks at.

Install scripts do not run. A server gets placeholders for its secrets, so it can list its tools but reach nothing that
needs a key.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from cli.services.sources.details import npm_details, python_details
from infra.services.contract import contract_text
from infra.services.foreign_catalog import load
from infra.services.scan import Package, read_sources
from infra.services.source import Source

REPOSITORY = Path(__file__).resolve().parents[1]
SERVERS = REPOSITORY / "mcp-servers"
_START_SECONDS = 60


@dataclass(frozen=True)
class Server:
    """A server to install, and the variables and secrets that it gets."""

    name: str
    source: Source
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


class ListingFailed(Exception):
    """A server could not be installed or did not list its tools."""


def reviewed_servers() -> list[Server]:
    """Return the servers of the catalogue."""
    entries = load(SERVERS).values()
    return [Server(entry.name, entry.source, entry.environment, entry.secrets) for entry in entries]


def install(server: Server, folder: Path) -> tuple[list[str], Package]:
    """Install a server into `folder`; return its command line, and what is known of its package.

    What is there from an earlier run is used again. Raises ListingFailed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command, package = _npm(server, folder) if server.source.kind == "npm" else _pypi(server, folder)
    return [*command, *(_local(argument, folder) for argument in server.source.resolved_arguments)], package


def _npm(server: Server, folder: Path) -> tuple[list[str], Package]:
    root = folder / "node_modules" / server.source.package
    if not root.is_dir():
        (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
        options = ["--ignore-scripts", "--save-exact", "--no-audit", "--no-fund"]
        _run(["npm", "install", *options, server.source.reference], folder)
    about = json.loads((root / "package.json").read_text(encoding="utf-8"))
    programs = about["bin"] if isinstance(about["bin"], dict) else {server.source.command: about["bin"]}
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    names = {path.rpartition("node_modules/")[2]: part for path, part in lock.items() if path}
    package = Package(
        "npm",
        server.source.package,
        server.source.version,
        install_scripts=[name for name, part in names.items() if part.get("hasInstallScript")],
        requirements=tuple(names),
        sources=read_sources(root),
        **npm_details(about),
    )
    return ["node", str(root / programs[server.source.command])], package


def _pypi(server: Server, folder: Path) -> tuple[list[str], Package]:
    environment = folder / "venv"
    program = environment / "bin" / server.source.command
    if not program.exists():
        _run([sys.executable, "-m", "venv", "--without-pip", str(environment)], folder)
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--python"]
        python = str(environment / "bin" / "python")
        _run([*uv, python, server.source.reference, *server.source.requirements], folder)
    site = next((environment / "lib").glob("python3*")) / "site-packages"
    described = {_distribution(info): info for info in sorted(site.glob("*.dist-info"))}
    info = described[_plain(server.source.package)]
    metadata = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    package = Package(
        "pypi",
        server.source.package,
        server.source.version,
        requirements=[name.replace("_", "-") for name in described],
        sources=_sources(site, info),
        **python_details(metadata),
    )
    return [str(program)], package


def _sources(site: Path, info: Path) -> dict[str, str]:
    listed = (info / "RECORD").read_text(encoding="utf-8").splitlines()
    modules = sorted({line.partition("/")[0] for line in listed} - {info.name, "..", "bin"})
    folders = [site / module for module in modules if (site / module).is_dir()]
    return {f"{folder.name}/{path}": text for folder in folders for path, text in read_sources(folder).items()}


def _distribution(info: Path) -> str:
    return _plain(info.name.removesuffix(".dist-info").rpartition("-")[0])


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ListingFailed(done.stderr.strip()[-600:])


def _local(argument: str, folder: Path) -> str:
    """Return an argument with a folder of this machine in place of the container's /data and /tmp."""
    for place in ("/data", "/tmp"):
        if argument == place or argument.startswith(f"{place}/"):
            local = folder / place.strip("/") / argument.removeprefix(place).strip("/")
            (local if argument.endswith("/") else local.parent).mkdir(parents=True, exist_ok=True)
            return str(local)
    return argument


def contract(server: Server, command: Sequence[str], folder: Path, *options: str) -> str:
    """Start a server through the bridge and return what `dyber_kit.bridge.contract` prints. Raises ListingFailed."""
    source = server.source
    mapped = {*source.environment.values()}
    settings: dict[str, Any] = {
        "service": server.name,
        "title": server.name,
        "command": list(command),
        "era": source.era,
        "startup_seconds": _START_SECONDS,
        "environment": source.environment,
        "passed": sorted({*server.environment, *server.secrets} - mapped),
        "secrets": dict(server.secrets),
    }
    file = folder / "bridge.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    environment = {**os.environ, "DYBER_BRIDGE_FILE": str(file), **server.environment}
    done = subprocess.run(
        [sys.executable, "-m", "dyber_kit.bridge.contract", *options],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ListingFailed((done.stderr or done.stdout).strip()[-600:])
    return contract_text(done.stdout)
