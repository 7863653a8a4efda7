"""Installs servers of npm and PyPI into a folder, starts each and lists its tools: what bench/scan.py looks at.

Install scripts do not run. A server gets placeholders for its secrets, so it can list its tools but reach nothing that
needs a key.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from infra.services.scan import Package, read_sources

PLACEHOLDER = "dyber-placeholder"
#: A server has so many seconds to answer a request; the first one includes its start.
ANSWER_SECONDS = 60
_HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "dyber-scan", "version": "1"},
}


@dataclass(frozen=True)
class Server:
    """A server to install: `package` is its name with the exact version, as npm or pip take it.

    `variables` get the placeholder as their value. `{data}` in an argument is an empty folder.
    """

    name: str
    kind: str
    package: str
    command: str
    arguments: Sequence[str] = ()
    requirements: Sequence[str] = ()
    variables: Sequence[str] = ()


@dataclass(frozen=True)
class Listing:
    """What a server answered: its tools, and prompts and instructions in the form of a lock file."""

    tools: Sequence[Mapping[str, Any]]
    others: Mapping[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> dict[str, Any]:
        """The listing in the form of a lock file."""
        return {"tools": list(self.tools), **self.others}


class ListingFailed(Exception):
    """A server could not be installed or did not list its tools."""


def install(server: Server, folder: Path) -> tuple[list[str], Package]:
    """Install a server into `folder`; return its command line, and what is known of its package."""
    folder.mkdir(parents=True, exist_ok=True)
    return _install_npm(server, folder) if server.kind == "npm" else _install_pypi(server, folder)


def _install_npm(server: Server, folder: Path) -> tuple[list[str], Package]:
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    _run(["npm", "install", "--ignore-scripts", "--save-exact", "--no-audit", "--no-fund", server.package], folder)
    name, _, version = server.package.rpartition("@")
    root = folder / "node_modules" / name
    about = json.loads((root / "package.json").read_text(encoding="utf-8"))
    bins = about["bin"] if isinstance(about["bin"], dict) else {name.rpartition("/")[2]: about["bin"]}
    lock = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    repository = about.get("repository") or ""
    package = Package(
        "npm",
        name,
        version,
        install_scripts=[
            path.rpartition("node_modules/")[2] for path, part in lock.items() if part.get("hasInstallScript")
        ],
        repository=repository.get("url", "") if isinstance(repository, dict) else repository,
        requirements=[path.rpartition("node_modules/")[2] for path in lock if path],
        systems=about.get("os", ()),
        sources=read_sources(root),
    )
    return ["node", str(root / bins[server.command])], package


def _install_pypi(server: Server, folder: Path) -> tuple[list[str], Package]:
    environment = folder / "venv"
    _run([sys.executable, "-m", "venv", "--without-pip", str(environment)], folder)
    python = environment / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "--only-binary", ":all:"]
    _run([*uv, server.package, *server.requirements], folder)
    name, _, version = server.package.partition("==")
    site = next((environment / "lib").glob("python3*")) / "site-packages"
    folders = sorted(site.glob("*.dist-info"))
    mine = next(info for info in folders if _distribution(info) == _plain(name.partition("[")[0]))
    metadata = HeaderParser().parsestr((mine / "METADATA").read_text(encoding="utf-8"))
    urls = [str(url) for url in (metadata.get_all("Project-URL") or ())] + [str(metadata.get("Home-page") or "")]
    modules = {line.partition("/")[0] for line in (mine / "RECORD").read_text(encoding="utf-8").splitlines()}
    sources = {
        f"{module}/{path}": text
        for module in sorted(modules)
        if (site / module).is_dir() and not module.endswith(".dist-info")
        for path, text in read_sources(site / module).items()
    }
    package = Package(
        "pypi",
        name,
        version,
        repository=next((url.partition(", ")[2] or url for url in urls if url), ""),
        requirements=[_distribution(info).replace("_", "-") for info in folders],
        systems=[line for line in metadata.get_all("Classifier") or () if line.startswith("Operating System")],
        sources=sources,
    )
    return [str(environment / "bin" / server.command)], package


def _distribution(info: Path) -> str:
    return _plain(info.name.removesuffix(".dist-info").rpartition("-")[0])


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ListingFailed(done.stderr.strip()[-600:])


def listing(server: Server, command: Sequence[str], folder: Path) -> Listing:
    """Start a server and ask for its tools and prompts. Raises ListingFailed."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    arguments = [argument.replace("{data}", str(data)) for argument in server.arguments]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "HOME": str(data),
        "TMPDIR": str(data),
        "PYTHONUTF8": "1",
        "NO_COLOR": "1",
        **dict.fromkeys(server.variables, PLACEHOLDER),
    }
    errors = folder / "stderr.txt"
    with errors.open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=data,
            env=environment, start_new_session=True,
        )  # fmt: skip
    try:
        return _Conversation(process).listing()
    except (ListingFailed, BrokenPipeError) as error:
        last = errors.read_text(encoding="utf-8", errors="replace").strip()[-400:]
        raise ListingFailed(f"{error}\n{last}") from None
    finally:
        process.kill()
        process.wait()


class _Conversation:
    """Asks a server that speaks on standard input and output; lines that are no message are passed over."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._last = 0
        threading.Thread(target=self._read, daemon=True).start()

    def listing(self) -> Listing:
        about = self._ask("initialize", _HANDSHAKE)
        self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        tools = self._pages("tools/list", "tools")
        prompts = self._pages("prompts/list", "prompts") if "prompts" in about.get("capabilities", {}) else []
        others = {"prompts": prompts, "instructions": about.get("instructions")}
        return Listing(tools, {kind: value for kind, value in others.items() if value})

    def _pages(self, method: str, key: str) -> list[Any]:
        items: list[Any] = []
        cursor = None
        while True:
            answer = self._ask(method, {"cursor": cursor} if cursor else {})
            items += answer.get(key) or []
            cursor = answer.get("nextCursor")
            if not cursor:
                return items

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._last += 1
        self._send({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        while True:
            try:
                message = self._messages.get(timeout=ANSWER_SECONDS)
            except queue.Empty:
                raise ListingFailed(f"no answer to {method} within {ANSWER_SECONDS} s") from None
            if message is None:
                raise ListingFailed(f"it stopped before it answered {method}")
            if message.get("id") == self._last and "method" not in message:
                if "error" in message:
                    raise ListingFailed(f"{method}: {message['error']}")
                return dict(message.get("result") or {})

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                self._messages.put(message)
        self._messages.put(None)
