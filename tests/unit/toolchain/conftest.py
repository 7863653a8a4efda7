"""Stand-ins for a container engine and for commands on PATH."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from toolchain.engine import installation
from toolchain.pieces import write_executable


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder with a path that is short enough for the address of a socket."""
    with tempfile.TemporaryDirectory(prefix="dyber") as folder:
        yield Path(folder)


@pytest.fixture
def engine_at(socket_folder: Path) -> Iterator[Callable[..., str]]:
    """A function that starts an engine, which only reports its version and information, and returns its address."""
    servers = []

    def start(
        version: str = "27.0.1", api_version: str = "1.46", name: str = "docker.sock", status: int = 200, **info: Any
    ) -> str:
        about = {"DockerRootDir": "/", **info}
        answers = {"/version": {"Version": version, "ApiVersion": api_version}, "/info": about}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(answers[self.path]).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def address_string(self) -> str:
                return "unix"

            def log_message(self, *_) -> None:
                pass

        server = UnixServer(str(socket_folder / name), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        servers.append(server)
        return f"unix://{socket_folder / name}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """A function that puts a shell script into the only folder on PATH."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def put(name: str, script: str) -> Path:
        write_executable(folder / name, f"#!/bin/sh\n{script}\n")
        return folder / name

    return put


@pytest.fixture(autouse=True)
def no_engine_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test looks for its engine anew."""
    monkeypatch.setattr(installation, "_answered", {})
