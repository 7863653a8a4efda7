"""Runs real servers for tests, on a thread of this process or as a separate process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

ROOT = Path(__file__).resolve().parents[2]
SERVERS = ROOT / "mcp-servers"
_START_SECONDS = 60


@dataclass(frozen=True)
class StandIn:
    """Holds a running stand-in: its base URL, and the application whose `state` records the requests."""

    base: str
    app: Starlette


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that is free at present."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def python_path() -> str:
    """Return a PYTHONPATH with the kit, every service, the hub and the test helpers."""
    folders = [SERVERS / "kit", ROOT, ROOT / "hub", *(spec.parent for spec in SERVERS.glob("*/service.yaml"))]
    return os.pathsep.join(map(str, folders))


@contextlib.contextmanager
def running(server: uvicorn.Server) -> Iterator[str]:
    """Run `server` on a thread; yield its base URL once it listens."""
    with running_in(server) as (base, _):
        yield base


@contextlib.contextmanager
def running_in(server: uvicorn.Server) -> Iterator[tuple[str, asyncio.AbstractEventLoop]]:
    """Run `server` on a thread; yield its base URL and its event loop once it listens."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    def run() -> None:
        with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    if not server.started:
        raise RuntimeError("the server did not start; see the log above")
    try:
        yield f"http://127.0.0.1:{server.config.port}", loops[0]
    finally:
        server.should_exit = True
        thread.join(_START_SECONDS)


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, from a thread without an event loop."""
    give_up = time.monotonic() + _START_SECONDS
    while not condition():
        if time.monotonic() > give_up:
            raise RuntimeError("the condition does not hold")
        time.sleep(0.02)


def do_in(loop: asyncio.AbstractEventLoop, change: Callable[[], object]) -> None:
    """Do something in the event loop of another thread, and wait until it is done."""

    async def doing() -> None:
        change()

    asyncio.run_coroutine_threadsafe(doing(), loop).result(_START_SECONDS)


@contextlib.contextmanager
def process(*module: str, **environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a module with its arguments, such as a service's package, as a process.

    Yields the process and its base URL once /health answers.
    """
    port = free_port()
    variables = {**os.environ, "PYTHONPATH": python_path(), "HOST": "127.0.0.1", "PORT": str(port), **environment}
    child = subprocess.Popen(
        [sys.executable, "-m", *module], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    base = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + _START_SECONDS
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                urllib.request.urlopen(f"{base}/health", timeout=5).close()
                break
            if child.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"{' '.join(module)} did not start")
            time.sleep(0.05)
        yield child, base
    finally:
        if child.poll() is None:
            child.kill()
        child.communicate()
