"""Measures idle event streams through the gateway: their number, their memory and their effect on other calls.

    .venv/bin/python bench/streams.py [--streams 5000] [--seconds 30] [--memory 768]

Runs a real gateway, confined as in a deployment, in front of a service that sends a ping every 15 s; plain and TLS are
measured with separate gateways. A separate process makes the ordinary calls, without streams and during streams.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import re
import resource
import ssl
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from bench.gateway_overhead import newest, percentile
from infra.rendering.gateway.model import GatewayClient, GatewayService
from infra.settings.gateway import GatewaySettings, LimitSettings
from tests.gateway.support.docker_cli import CONFINED, LABEL, archive, docker, unique, wait_until
from tests.gateway.support.gateway_under_test import GatewayUnderTest

TOKEN = "0f" * 32
CLIENT = GatewayClient("bench", (hashlib.sha256(TOKEN.encode()).hexdigest(),))
SERVICE = GatewayService("streams", 9000, "流", 60, requests_per_second=100_000)
SETTINGS = GatewaySettings(limits=LimitSettings(streams_per_client=10_000, burst=100_000))
HEADERS = f"Host: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
STREAM = f"GET /api/streams/mcp/sse HTTP/1.1\r\n{HEADERS}\r\n".encode()
CALL = f"POST /api/streams/call HTTP/1.1\r\n{HEADERS}Content-Length: 2\r\n\r\n{{}}".encode()

BACKEND = {
    "backend/nginx.conf": """
load_module /usr/lib/nginx/modules/ngx_http_js_module.so;
pid /tmp/nginx.pid;
error_log stderr warn;
worker_processes 1;
events { worker_connections 16000; }
http {
    js_import streams from streams.js;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    access_log off;
    postpone_output 0;
    keepalive_timeout 75s;
    keepalive_requests 1000000;
    server {
        listen 9000 backlog=4096;
        location = /mcp/sse { js_content streams.hold; }
        location / { return 200 '{"status":"ready"}'; }
    }
}
""",
    "backend/streams.js": """
async function hold(r) {
    r.headersOut['Content-Type'] = 'text/event-stream';
    r.status = 200;
    r.sendHeader();
    r.send('event: endpoint\\ndata: /mcp/messages/\\n\\n');
    for (;;) {
        await new Promise((resolve) => setTimeout(resolve, 15000));
        r.send(': ping\\n\\n');
    }
}
export default { hold };
""",
}


@dataclass
class Streams:
    """Streams through a port of the gateway."""

    address: tuple[str, int]
    context: ssl.SSLContext | None
    opened: int = 0
    refused: int = 0
    closed: int = 0
    pings: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _waiting: int = 0

    async def open(self, count: int, concurrency: int = 100) -> None:
        turn = asyncio.Semaphore(concurrency)
        self._waiting = count
        self._tasks = [asyncio.create_task(self._stream(turn)) for _ in range(count)]
        while self._waiting:
            await asyncio.sleep(0.05)

    async def _stream(self, turn: asyncio.Semaphore) -> None:
        writer = None
        try:
            try:
                async with turn:
                    reader, writer = await asyncio.open_connection(*self.address, ssl=self.context)
                    writer.write(STREAM)
                    head = await asyncio.wait_for(reader.readuntil(b"/mcp/messages/"), 20)
                    if not head.startswith(b"HTTP/1.1 200 "):
                        raise ConnectionError(head[:200])
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                self.refused += 1
                return
            finally:
                self._waiting -= 1
            self.opened += 1
            with contextlib.suppress(OSError):
                while chunk := await reader.read(4096):
                    self.pings += chunk.count(b": ping")
            self.closed += 1
        finally:
            if writer is not None:
                writer.transport.abort()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def calls(address: tuple[str, int], tls: bool, count: int) -> list[float]:
    """Make `count` ordinary calls, four at a time on kept-alive connections; returns the seconds of each."""

    async def caller(remaining: list[None], times: list[float]) -> None:
        context = insecure() if tls else None
        while remaining:
            reader, writer = await asyncio.open_connection(*address, ssl=context)
            # The gateway closes a connection after a thousand requests.
            for _ in range(min(500, len(remaining))):
                remaining[:1] = []
                begun = time.perf_counter()
                writer.write(CALL)
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(re.search(rb"Content-Length: (\d+)", head)[1]))
                times.append(time.perf_counter() - begun)
                if not head.startswith(b"HTTP/1.1 200 "):
                    raise AssertionError(head[:200])
            writer.transport.abort()

    async def run_callers() -> list[float]:
        remaining, times = [None] * count, []
        await asyncio.gather(*(caller(remaining, times) for _ in range(4)))
        return times

    return asyncio.run(run_callers())


def insecure() -> ssl.SSLContext:
    return ssl._create_unverified_context()


def memory_mib(container: str) -> float:
    used = docker("stats", "--no-stream", "--format", "{{.MemUsage}}", container).split("/")[0].strip()
    number, unit = re.fullmatch(r"([\d.]+)([KMG]iB)", used).groups()
    return float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


async def measure(gateway: GatewayUnderTest, tls: bool, options: argparse.Namespace, pool: ProcessPoolExecutor) -> None:
    # The calls avoid published ports, as the engine's proxy for those would be measured too.
    template = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    address = (docker("inspect", "--format", template, gateway.name), 443 if tls else 80)
    loop = asyncio.get_running_loop()

    async def ordinary() -> list[float]:
        return await loop.run_in_executor(pool, calls, address, tls, options.calls)

    await ordinary()
    without = await ordinary()
    before = memory_mib(gateway.name)
    streams = Streams(address, insecure() if tls else None)
    begun = time.perf_counter()
    await streams.open(options.streams)
    ramp = time.perf_counter() - begun
    held = time.perf_counter()
    during = await ordinary()
    await asyncio.sleep(max(0.0, options.seconds - (time.perf_counter() - held)))
    after = memory_mib(gateway.name)
    closed, opened = streams.closed, max(streams.opened, 1)
    await streams.close()
    without += await ordinary()
    halves = [(percentile(without, part), percentile(during, part)) for part in (0.5, 0.99)]
    print(
        f"| {'TLS' if tls else 'plain'} | {streams.opened} of {options.streams} in {ramp:.1f} s | {closed} "
        f"| {before:.0f} → {after:.0f} | {(after - before) * 1024 / opened:.1f} | "
        + " | ".join(f"{first:.2f} → {second:.2f} ({second / first:.2f})" for first, second in halves)
        + " |",
        flush=True,
    )


def backend(gateway: GatewayUnderTest) -> None:
    name = unique("streams")
    # The backend has no memory limit, as only the gateway is measured.
    confined = [argument for argument in CONFINED if not argument.startswith("--memory")]
    docker(
        "create", "--name", name, "--label", LABEL, "--network", gateway.network, "--network-alias", "streams-mcp",
        "--network-alias", "streams-mcp-1", "--ulimit", "nofile=16384:16384", *confined, gateway.image,
        "nginx", "-e", "stderr", "-c", "/backend/nginx.conf", "-g", "daemon off;",
    )  # fmt: skip
    gateway.others.append(name)
    docker("cp", "-", f"{name}:/", stdin=archive(BACKEND))
    docker("start", name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=30, help="how long the streams are held")
    parser.add_argument(
        "--memory", type=int, default=768, help="the gateway's limit in MiB; a deployment's default is 768"
    )
    parser.add_argument("--calls", type=int, default=4000, help="ordinary calls per measurement")
    parser.add_argument("--image", help="the gateway's image; default: the newest deployed one")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, options.streams + 1000), most))
    print("| | streams open | closed early | gateway MiB | KiB per stream | other calls p50 ms | other calls p99 ms |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with ProcessPoolExecutor(1) as pool:
        for tls in (False, True):
            gateway = GatewayUnderTest(options.image or newest("dyber-gateway"), ports=(80, 443))
            try:
                gateway.start()
                docker("update", "--memory", f"{options.memory}m", "--memory-swap", f"{options.memory}m", gateway.name)
                backend(gateway)
                gateway.configure(SETTINGS, (SERVICE,), (CLIENT,))
                wait_until(lambda g=gateway: g.request("/api/streams/call").status == 200, "the service answers")
                asyncio.run(measure(gateway, tls, options, pool))
                killed = gateway.logs()[1].count("exited on signal 9")
                if killed:
                    print(f"{killed} worker processes were killed: {options.memory} MiB are too little", flush=True)
            finally:
                gateway.stop()


if __name__ == "__main__":
    main()
