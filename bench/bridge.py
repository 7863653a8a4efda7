"""Measures the bridge in front of a foreign stdio server, beside the bare server and other bridges on the same server.

    .venv/bin/python -m bench.bridge [--calls 1000] [--rounds 3] [--image IMAGE]

With the image of a service, such as that of template in `docker images`, the bridge runs as it is deployed: with the
image's Python and its copy of the kit, on this machine's network. Without, it runs with this program's Python.

The server is npm's reference server, and the call its tool `echo`. The others are installed from npm and PyPI on first
use, in the versions below, and run in the mode that logs least: with a session for each caller, and without sessions.
All take turns within a round. The calling Python process, which shares the processor with them, sends bytes that are made
beforehand and looks only for the end and the success of an answer, so that its own time counts little.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import re
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

from bench.servers import private, resident, used_seconds, wait_for
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
#: Starts the server anew for each call, so it gets fewer of them.
STARTS_PER_CALL = f"{NPM[0]}, stateless"
FEWER = 20
#: Turns of each way in a round. They are short, so that the other load on the machine is the same for all ways.
TURNS = 5

Call = Callable[[], Awaitable[None]]


@dataclass
class Row:
    """Holds what was measured of one way to the server: seconds of each call, calls per second, CPU seconds, by concurrency."""

    name: str
    seconds: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    rates: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    cpu: dict[int, list[float]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    memory: float = 0
    private: float = 0


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


class HttpCaller:
    """Represents a caller with a connection and, where the bridge gives out any, a session of its own."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
        self._reader, self._writer, self._port = reader, writer, port
        self._session = b""
        self._call = b""

    @classmethod
    async def open(cls, port: int) -> HttpCaller:
        """Connect and initialize."""
        caller = cls(*await asyncio.open_connection("127.0.0.1", port), port)
        head, _ = await caller._post(caller._request(INITIALIZE))
        session = re.search(rb"(?i)\r\nmcp-session-id: *([^\r]+)", head)
        caller._session = b"Mcp-Session-Id: " + session[1] + b"\r\n" if session else b""
        await caller._post(caller._request(INITIALIZED))
        caller._call = caller._request({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": ARGUMENTS})
        return caller

    async def call(self) -> None:
        head, body = await self._post(self._call)
        if b" 200 " not in head[:15] or b'"result"' not in body or b'"isError":true' in body:
            raise AssertionError(head + body[:300])

    def close(self) -> None:
        self._writer.close()

    def _request(self, message: dict[str, Any]) -> bytes:
        body = json.dumps(message).encode()
        lines = [f"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n".encode()]
        lines += [f"{name}: {value}\r\n".encode() for name, value in HEADERS.items()]
        return b"".join([*lines, self._session, f"Content-Length: {len(body)}\r\n\r\n".encode(), body])

    async def _post(self, request: bytes) -> tuple[bytes, bytes]:
        """Send a request and return the head and the body of its response; connect anew where the bridge disconnected."""
        try:
            return await self._exchange(request)
        except (asyncio.IncompleteReadError, ConnectionError):
            await self._reconnect()
            return await self._exchange(request)

    async def _exchange(self, request: bytes) -> tuple[bytes, bytes]:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        lower = head.lower()
        body = await self._body(lower)
        if b"\r\nconnection: close" in lower:
            await self._reconnect()
        return head, body

    async def _body(self, head: bytes) -> bytes:
        length = re.search(rb"\r\ncontent-length: *(\d+)", head)
        if length:
            return await self._reader.readexactly(int(length[1]))
        if b"transfer-encoding: chunked" not in head:
            return b""
        chunks = []
        while size := int(await self._reader.readuntil(b"\r\n"), 16):
            chunks.append(await self._reader.readexactly(size))
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)
        return b"".join(chunks)

    async def _reconnect(self) -> None:
        self._writer.close()
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)


@contextlib.asynccontextmanager
async def http_callers(base: str, number: int) -> AsyncIterator[list[Call]]:
    """Open as many connections; yield a caller for each."""
    port = int(base.rpartition(":")[2])
    callers = [await HttpCaller.open(port) for _ in range(number)]
    try:
        yield [caller.call for caller in callers]
    finally:
        for caller in callers:
            caller.close()


async def measure(callers: list[Call], calls: int, pid: int | None = None) -> tuple[list[float], float, float]:
    """Return the seconds of each call, the calls per second of all callers, and the CPU seconds of `pid` for a call."""
    seconds: list[float] = []
    remaining = iter(range(calls))

    async def work(call: Call) -> None:
        for _ in remaining:
            begun = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - begun)

    for call in callers:
        await call()
    used_before = used_seconds(pid) if pid else 0.0
    begun = time.perf_counter()
    await asyncio.gather(*(work(call) for call in callers))
    rate = calls / (time.perf_counter() - begun)
    return seconds, rate, (used_seconds(pid) - used_before) / calls if pid else 0.0


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
def bridge(command: tuple[str, ...], image: str | None) -> Iterator[tuple[int, str]]:
    """Run the bridge with its usual log, in an image if one is named; yield its process id and base URL."""
    settings = settings_of(command, max_in_flight=16)
    with tempfile.TemporaryDirectory() as folder:
        files = {"DYBER_BRIDGE_FILE": Path(folder, "bridge.json"), "DYBER_LOCK_FILE": Path(folder, "tools.lock.json")}
        files["DYBER_BRIDGE_FILE"].write_text(settings.model_dump_json())
        files["DYBER_LOCK_FILE"].write_text(render(asyncio.run(foreign_contract(settings))[0]))
        port = free_port()
        named = {name: str(file) for name, file in files.items()}
        variables = {**named, "DYBER_READ_ONLY": "false", "HOST": "127.0.0.1", "PORT": str(port)}
        if image:
            started = in_image(image, (folder, *common_folders(command)), port, variables)
        else:
            program = [sys.executable, "-m", "dyber_kit.bridge"]
            started = peer(program, port, PYTHONPATH=python_path(), **variables)
        with started as running:
            wait_for(f"{running[1]}/ready")
            yield running


def common_folders(command: Sequence[str]) -> list[str]:
    """Return the folders of the installations that the parts of a command are in."""
    paths = [Path(word) for word in command if Path(word).is_absolute()]
    return [str(parent) for path in paths for parent in path.parents if (parent / ".installed").exists()]


@contextlib.contextmanager
def in_image(image: str, folders: Sequence[str], port: int, variables: dict[str, str]) -> Iterator[tuple[int, str]]:
    """Run the bridge of an image with some folders of this machine; yield its process id and base URL."""
    name = f"bench-bridge-{port}"
    options = ["--rm", "--detach", "--name", name, "--network", "host", "--user", "0"]
    options += [word for folder in folders for word in ("--volume", f"{folder}:{folder}:ro")]
    options += [word for variable in variables.items() for word in ("--env", "=".join(variable))]
    command = ["docker", "run", *options, "--entrypoint", "python", image, "-m", "dyber_kit.bridge"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    try:
        inspected = ["docker", "inspect", "--format", "{{.State.Pid}}", name]
        pid = int(subprocess.run(inspected, check=True, capture_output=True, text=True).stdout)
        yield pid, f"http://127.0.0.1:{port}"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, stdout=subprocess.DEVNULL)


def others(server: tuple[str, ...]) -> dict[str, tuple[list[str | Path], int]]:
    """Return the commands of the other bridges with their ports, each with sessions and without."""
    node, packages = node_programs.install().node, npm_programs()
    supergateway = [node, packages / "supergateway/dist/index.js", "--stdio", " ".join(server)]
    supergateway += ["--outputTransport", "streamableHttp", "--logLevel", "none"]
    npm_proxy = [node, packages / "mcp-proxy/dist/bin/mcp-proxy.mjs", "--host", "127.0.0.1", "--server", "stream"]
    pypi_proxy: list[str | Path] = [pypi_program(), "--log-level", "ERROR", "--pass-environment"]
    ways: dict[str, tuple[list[str | Path], list[str]]] = {
        NPM[0]: (supergateway, ["--stateful"]),
        f"{NPM[0]}, stateless": (supergateway, []),
        f"{NPM[1]} (npm)": (npm_proxy, ["--no-eventStore", "--", *server]),
        f"{NPM[1]} (npm), stateless": (npm_proxy, ["--no-eventStore", "--stateless", "--", *server]),
        f"{PYPI[0]} (PyPI)": (pypi_proxy, ["--", *server]),
        f"{PYPI[0]} (PyPI), stateless": (pypi_proxy, ["--stateless", "--", *server]),
    }
    ports = [free_port() for _ in ways]
    return {
        name: ([*command, "--port", str(port), *options], port)
        for (name, (command, options)), port in zip(ways.items(), ports, strict=True)
    }


def run_rounds(server: tuple[str, ...], calls: int, rounds: int, image: str | None) -> list[Row]:
    """Measure all ways in each round, in which all of them start anew and take turns."""
    ways: dict[str, Callable[[], contextlib.AbstractContextManager[tuple[int, str]]]] = {
        "bridge": lambda: bridge(server, image)
    }
    for name, (command, port) in others(server).items():
        ways[name] = lambda command=command, port=port: peer(command, port)  # type: ignore[misc]
    rows = {name: Row(name) for name in ("bare server", *ways)}
    for turn in range(1, rounds + 1):
        print(f"round {turn} of {rounds}", file=sys.stderr)
        with contextlib.ExitStack() as stack:
            running = {name: stack.enter_context(start()) for name, start in ways.items()}
            for number in CONCURRENCY:
                for turn_of_round in range(TURNS):
                    note(rows["bare server"], number, asyncio.run(through_stdio(server, number, calls // TURNS)))
                    for name, (pid, base) in running.items():
                        if name == STARTS_PER_CALL and turn_of_round:
                            continue
                        made = max(calls // TURNS // (FEWER if name == STARTS_PER_CALL else 1), 2)
                        note(rows[name], number, asyncio.run(through_http(base, number, made, pid)))
            for name, (pid, _) in running.items():
                rows[name].memory, rows[name].private = resident(pid), private(pid)
    return list(rows.values())


def note(row: Row, number: int, measured: tuple[list[float], float, float]) -> None:
    seconds, rate, cpu = measured
    row.seconds[number] += seconds
    row.rates[number].append(rate)
    if cpu:
        row.cpu[number].append(cpu)


async def through_stdio(server: tuple[str, ...], number: int, calls: int) -> tuple[list[float], float, float]:
    async with bare_callers(server, number) as callers:
        return await measure(callers, calls)


async def through_http(base: str, number: int, calls: int, pid: int) -> tuple[list[float], float, float]:
    async with http_callers(base, number) as callers:
        return await measure(callers, calls, pid)


def show(rows: list[Row]) -> None:
    bare = statistics.median(rows[0].seconds[1]) * 1000
    ours, ours_cpu = statistics.median(rows[1].rates[16]), statistics.median(rows[1].cpu[16])
    print(
        "| way | p50 ms at 1 | added p50 ms | calls/s at 1 | p50 ms at 16 | calls/s at 16 | bridge to it | CPU ms a call "
        "| to bridge | RSS | private |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        p50, p50_many = (statistics.median(row.seconds[number]) * 1000 for number in CONCURRENCY)
        rate, rate_many = (statistics.median(row.rates[number]) for number in CONCURRENCY)
        cpu = statistics.median(row.cpu[16]) if row.cpu[16] else 0
        costs = f"{cpu * 1000:.2f} | {cpu / ours_cpu:.2f}" if cpu else "– | –"
        memory = f"{row.memory:.0f} MiB | {row.private:.0f} MiB" if row.memory else "– | –"
        print(
            f"| {row.name} | {p50:.2f} | {p50 - bare:.2f} | {rate:.0f} | {p50_many:.2f} | {rate_many:.0f} "
            f"| {ours / rate_many:.2f} | {costs} | {memory} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000, help="calls per round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--image", help="of a service, to run the bridge as it is deployed")
    options = parser.parse_args()
    server = (*foreign_programs.npm_command(*SERVER), "stdio")
    show(run_rounds(server, options.calls, options.rounds, options.image))


if __name__ == "__main__":
    main()
