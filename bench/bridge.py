"""Measures the bridge in front of a foreign stdio server, beside the bare server and other bridges on the same server.

    .venv/bin/python bench/bridge.py [--calls 1000] [--rounds 3]

The server is npm's reference server, and the call its tool `echo`. The others are installed from npm and PyPI on first
use, in the versions below, and run in the mode that serves several callers with a session each and logs least. All take
turns within a round; the calling Python process shares the processor with them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from bench.servers import resident, used_seconds, wait_for
from tests.support.service_packages import make_importable

make_importable()

from dyber_kit.bridge.contract import foreign_contract  # noqa: E402
from dyber_kit.contract import render  # noqa: E402

from tests.stand_in.bridges import settings_of  # noqa: E402
from tests.stand_in.running import free_port, python_path  # noqa: E402
from tests.support import foreign_programs, node_programs  # noqa: E402
from tests.support.installed_once import install_once  # noqa: E402

NPM = ("supergateway@4.0.0", "mcp-proxy@6.7.19")
PYPI = ("mcp-proxy==0.13.0",)
SERVER = ("@modelcontextprotocol/server-everything", "dist/index.js")
ARGUMENTS = {"name": "echo", "arguments": {"message": "x" * 64}}
VERSION = "2025-06-18"
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CONCURRENCY = (1, 16)

Call = Callable[[], Awaitable[None]]


@dataclass
class Row:
    """Holds what was measured of one way to the server: seconds of each call, calls per second, CPU seconds, by concurrency."""

    name: str
    seconds: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    rates: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    cpu: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    memory: float = 0


class BareServer:
    """Represents the server without anything in front of it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout
        self._input, self._output = process.stdin, process.stdout
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def start(self) -> None:
        await self._request(INITIALIZE)
        self._input.write(json.dumps(INITIALIZED).encode() + b"\n")

    async def call(self) -> None:
        answer = await self._request({"jsonrpc": "2.0", "method": "tools/call", "params": ARGUMENTS})
        if "result" not in answer:
            raise AssertionError(answer)

    async def _request(self, message: dict[str, Any]) -> dict[str, Any]:
        request_id = next(self._ids)
        self._waiting[request_id] = asyncio.get_running_loop().create_future()
        self._input.write(json.dumps({**message, "id": request_id}).encode() + b"\n")
        return await self._waiting[request_id]

    async def _read(self) -> None:
        while line := await self._output.readline():
            message = json.loads(line)
            waiting = self._waiting.pop(message.get("id"), None)
            if waiting is not None:
                waiting.set_result(message)


@contextlib.asynccontextmanager
async def bare_callers(command: Sequence[str], number: int) -> AsyncIterator[list[Call]]:
    """Start the server; yield as many callers of it."""
    quiet = asyncio.subprocess.DEVNULL
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=quiet)
    server = BareServer(child)
    await server.start()
    try:
        yield [server.call] * number
    finally:
        child.kill()
        await child.wait()


@contextlib.asynccontextmanager
async def http_callers(base: str, number: int) -> AsyncIterator[list[Call]]:
    """Open as many sessions; yield a caller for each."""
    async with contextlib.AsyncExitStack() as stack:
        callers = []
        for _ in range(number):
            client = await stack.enter_async_context(httpx2.AsyncClient(headers=HEADERS, timeout=60))
            begun = await client.post(f"{base}/mcp", json=INITIALIZE)
            session = begun.headers.get("mcp-session-id")
            if session:
                client.headers["mcp-session-id"] = session
            await client.post(f"{base}/mcp", json=INITIALIZED)
            callers.append(_caller(client, base))
        yield callers


def _caller(client: httpx2.AsyncClient, base: str) -> Call:
    ids = itertools.count(1)

    async def call() -> None:
        body = {"jsonrpc": "2.0", "id": next(ids), "method": "tools/call", "params": ARGUMENTS}
        answer = await client.post(f"{base}/mcp", json=body)
        if answer.status_code != 200 or '"result"' not in answer.text or '"isError":true' in answer.text:
            raise AssertionError(f"{base}: {answer.status_code} {answer.text[:300]}")

    return call


async def measure(callers: list[Call], calls: int) -> tuple[list[float], float]:
    """Return the seconds of each call, and the calls per second of all callers."""
    seconds: list[float] = []
    remaining = iter(range(calls))

    async def work(call: Call) -> None:
        for _ in remaining:
            begun = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - begun)

    for call in callers:
        await call()
    begun = time.perf_counter()
    await asyncio.gather(*(work(call) for call in callers))
    return seconds, calls / (time.perf_counter() - begun)


def npm_programs() -> Path:
    """Return the folder with the bridges of npm, installed if they are not there."""
    npm = shutil.which("npm") or "npm"
    command = [npm, "install", "--ignore-scripts", "--no-audit", "--no-fund", *NPM]
    return install_once("bench-npm", " ".join(NPM).encode(), lambda _: command) / "node_modules"


def pypi_program() -> Path:
    """Return the program of the bridge of PyPI, installed if it is not there."""

    def prepare(folder: Path) -> list[str | Path]:
        venv.create(folder / "environment", clear=True)
        python = folder / "environment" / "bin" / "python"
        return [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *PYPI]

    return install_once("bench-pypi", " ".join(PYPI).encode(), prepare) / "environment" / "bin" / "mcp-proxy"


@contextlib.contextmanager
def peer(command: Sequence[str | Path], port: int, **variables: str) -> Iterator[tuple[int, str]]:
    """Run a bridge without keeping its log; yield its process id and base URL."""
    nothing = subprocess.DEVNULL
    environment = {**os.environ, **variables}
    child = subprocess.Popen(
        command, env=environment, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
    )
    base = f"http://127.0.0.1:{port}"
    try:
        wait_for(f"{base}/nothing")
        yield child.pid, base
    finally:
        child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(5)
        child.kill()


@contextlib.contextmanager
def bridge(command: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Run the bridge as it is deployed, with its usual log; yield its process id and base URL."""
    settings = settings_of(command, max_in_flight=16)
    with tempfile.TemporaryDirectory() as folder:
        files = {"DYBER_BRIDGE_FILE": Path(folder, "bridge.json"), "DYBER_LOCK_FILE": Path(folder, "tools.lock.json")}
        files["DYBER_BRIDGE_FILE"].write_text(settings.model_dump_json())
        files["DYBER_LOCK_FILE"].write_text(render(asyncio.run(foreign_contract(settings))[0]))
        port = free_port()
        named = {name: str(file) for name, file in files.items()}
        variables = {**named, "DYBER_READ_ONLY": "false", "HOST": "127.0.0.1", "PORT": str(port)}
        with peer([sys.executable, "-m", "dyber_kit.bridge"], port, PYTHONPATH=python_path(), **variables) as running:
            wait_for(f"{running[1]}/ready")
            yield running


def others(server: tuple[str, ...]) -> dict[str, tuple[list[str | Path], int]]:
    """Return the commands of the other bridges, with their ports."""
    node, packages = node_programs.install().node, npm_programs()
    ports = [free_port() for _ in range(3)]
    return {
        NPM[0]: (
            [
                *(node, packages / "supergateway/dist/index.js", "--stdio", " ".join(server), "--stateful"),
                *("--outputTransport", "streamableHttp", "--logLevel", "none", "--port", str(ports[0])),
            ],
            ports[0],
        ),
        f"{NPM[1]} (npm)": (
            [
                *(node, packages / "mcp-proxy/dist/bin/mcp-proxy.mjs", "--port", str(ports[1])),
                *("--host", "127.0.0.1", "--server", "stream", "--no-eventStore", "--", *server),
            ],
            ports[1],
        ),
        f"{PYPI[0]} (PyPI)": (
            [pypi_program(), "--port", str(ports[2]), "--log-level", "ERROR", "--pass-environment", "--", *server],
            ports[2],
        ),
    }


def run_rounds(server: tuple[str, ...], calls: int, rounds: int) -> list[Row]:
    """Measure all ways in each round; each starts anew in each round."""
    ways: dict[str, Callable[[], contextlib.AbstractContextManager[tuple[int, str]]]] = {
        "bridge": lambda: bridge(server)
    }
    for name, (command, port) in others(server).items():
        ways[name] = lambda command=command, port=port: peer(command, port)  # type: ignore[misc]
    rows = {name: Row(name) for name in ("bare server", *ways)}
    for turn in range(1, rounds + 1):
        for number in CONCURRENCY:
            note(rows["bare server"], number, asyncio.run(through_stdio(server, number, calls)))
        for name, start in ways.items():
            print(f"round {turn} of {rounds}: {name}", file=sys.stderr)
            with start() as (pid, base):
                for number in CONCURRENCY:
                    before = used_seconds(pid)
                    note(rows[name], number, asyncio.run(through_http(base, number, calls)))
                    rows[name].cpu[number].append((used_seconds(pid) - before) / calls)
                rows[name].memory = resident(pid)
    return list(rows.values())


def note(row: Row, number: int, measured: tuple[list[float], float]) -> None:
    row.seconds[number] += measured[0]
    row.rates[number].append(measured[1])


async def through_stdio(server: tuple[str, ...], number: int, calls: int) -> tuple[list[float], float]:
    async with bare_callers(server, number) as callers:
        return await measure(callers, calls)


async def through_http(base: str, number: int, calls: int) -> tuple[list[float], float]:
    async with http_callers(base, number) as callers:
        return await measure(callers, calls)


def show(rows: list[Row]) -> None:
    bare = statistics.median(rows[0].seconds[1]) * 1000
    ours = statistics.median(rows[1].rates[16])
    print(
        "| way | p50 ms at 1 | added p50 ms | calls/s at 1 | p50 ms at 16 | calls/s at 16 | bridge to it | CPU ms a call | RSS |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        p50, p50_many = (statistics.median(row.seconds[number]) * 1000 for number in CONCURRENCY)
        rate, rate_many = (statistics.median(row.rates[number]) for number in CONCURRENCY)
        cpu = f"{statistics.median(row.cpu[16]) * 1000:.2f}" if row.cpu[16] else "–"
        memory = f"{row.memory:.0f} MiB" if row.memory else "–"
        print(
            f"| {row.name} | {p50:.2f} | {p50 - bare:.2f} | {rate:.0f} | {p50_many:.2f} | {rate_many:.0f} "
            f"| {ours / rate_many:.2f} | {cpu} | {memory} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000, help="calls per round")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    server = (*foreign_programs.npm_command(*SERVER), "stdio")
    show(run_rounds(server, options.calls, options.rounds))


if __name__ == "__main__":
    main()
