"""Services under a steady load for a long time: growth of memory and of open files, per service.

    .venv/bin/python bench/soak.py [--minutes 30] [--services template] [--rate 20]

Each service runs as a process of its own, without a container; template reads its tests' stand-in feed, which is asked
anew whenever the cache's two seconds are over. Calls take turns over the three transports, legacy sessions come and go,
some calls are cancelled or refused. The first tenth of the time is left out: that is when pools and caches fill.
Ends with exit code 1 when a service failed a call, or its memory or files grew beyond `--max-growth`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "mcp-servers" / "template" / "tests")]

import template_stand_in  # noqa: E402
from stand_in.running import free_port, process, running  # noqa: E402

SAMPLE_SECONDS = 10.0
#: Calls on one connection before it is closed and another one opened.
CALLS_PER_CONNECTION = 50
TRANSPORTS = {
    "modern": lambda base: Client(f"{base}/mcp"),
    "legacy": lambda base: Client(f"{base}/mcp", mode="legacy"),
    "sse": lambda base: Client(sse_client(f"{base}/mcp/sse"), mode="legacy"),
}
#: Calls by service: tool, arguments, whether it is refused, whether the caller gives up.
CALLS = {
    "template": [
        ("template_echo", {"text": "x" * 200}, False, False),
        ("template_search", {"query": "第", "limit": 10}, False, False),
        ("template_get", {"entry_id": "entry-12"}, False, False),
        ("template_echo", {"text": "", "unknown": 1}, True, False),
        ("template_get", {"entry_id": "entry-99"}, True, False),
        ("template_countdown", {"steps": 20, "interval_ms": 500}, False, True),
    ],
}


@dataclass
class Soaked:
    """One service and what was seen of it."""

    name: str
    process: subprocess.Popen[str]
    base: str
    memory: list[float] = field(default_factory=list)
    files: list[int] = field(default_factory=list)
    ended: Counter[str] = field(default_factory=Counter)

    def sample(self) -> None:
        """Note its memory (MiB) and its open files now."""
        proc = Path("/proc") / str(self.process.pid)
        pages = int((proc / "statm").read_text().split()[1])
        self.memory.append(pages * os.sysconf("SC_PAGE_SIZE") / 2**20)
        self.files.append(len(list((proc / "fd").iterdir())))


async def call(client: Client, soaked: Soaked, number: int) -> None:
    calls = CALLS[soaked.name]
    tool, arguments, refused, given_up = calls[number % len(calls)]
    if given_up:
        try:
            await asyncio.wait_for(client.call_tool(tool, arguments), 0.2)
        except TimeoutError:
            soaked.ended["cancelled"] += 1
        else:
            soaked.ended["wrong"] += 1
        return
    result = await client.call_tool(tool, arguments)
    soaked.ended["wrong" if result.is_error != refused else "refused" if refused else "ok"] += 1


async def load(soaked: Soaked, transport: str, pause: float, until: float) -> None:
    """Calls over one transport, `pause` seconds apart, until the clock says so."""
    number = 0
    while time.monotonic() < until:
        async with TRANSPORTS[transport](soaked.base) as client:
            for _ in range(CALLS_PER_CONNECTION):
                if time.monotonic() >= until:
                    return
                await call(client, soaked, number)
                number += 1
                await asyncio.sleep(pause)


async def probe(soaked: Soaked, until: float) -> None:
    """Samples, probes and scrapes, as a deployment does."""
    async with httpx2.AsyncClient(timeout=10) as http:
        while time.monotonic() < until:
            for path in ("/ready", "/metrics"):
                soaked.ended["wrong" if (await http.get(soaked.base + path)).status_code != 200 else "probes"] += 1
            soaked.sample()
            await asyncio.sleep(SAMPLE_SECONDS)


async def soak(all_soaked: list[Soaked], minutes: float, rate: float) -> None:
    until = time.monotonic() + minutes * 60
    pause = len(TRANSPORTS) / rate
    async with asyncio.TaskGroup() as group:
        for soaked in all_soaked:
            group.create_task(probe(soaked, until))
            for transport in TRANSPORTS:
                group.create_task(load(soaked, transport, pause, until))


def ends(values: list[float] | list[int]) -> tuple[float, float]:
    """Medians of the first and the last quarter, without the first tenth."""
    settled = values[len(values) // 10 :]
    quarter = max(1, len(settled) // 4)
    return statistics.median(settled[:quarter]), statistics.median(settled[-quarter:])


def report(soaked: Soaked, max_growth: float) -> bool:
    """Prints a row; whether all is well."""
    memory, files = ends(soaked.memory), ends(soaked.files)
    growth = memory[1] / memory[0] - 1
    ended = ", ".join(f"{count} {how}" for how, count in sorted(soaked.ended.items()))
    print(
        f"| {soaked.name} | {ended} | {memory[0]:.1f} → {memory[1]:.1f} MiB ({growth:+.1%}) "
        f"| {max(soaked.memory):.1f} MiB | {files[0]:.0f} → {files[1]:.0f} (max {max(soaked.files)}) |"
    )
    return growth <= max_growth and files[1] <= files[0] + 5 and not soaked.ended["wrong"]


@contextmanager
def started(name: str) -> Iterator[Soaked]:
    environment = {"LOG_LEVEL": "error"}
    with ExitStack() as stack:
        if name == "template":
            config = uvicorn.Config(template_stand_in.app, port=free_port(), log_level="warning")
            upstream = stack.enter_context(running(uvicorn.Server(config)))
            environment |= {
                "TEMPLATE_UPSTREAM_URL": f"{upstream}/ok/feed.json",
                "TEMPLATE_MIN_INTERVAL_SECONDS": "0",
                "TEMPLATE_CACHE_SECONDS": "2",
            }
        child, base = stack.enter_context(process(f"{name}_server", **environment))
        yield Soaked(name, child, base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--services", nargs="+", choices=sorted(CALLS), default=sorted(CALLS))
    parser.add_argument("--rate", type=float, default=20, help="calls per second and service, at most")
    parser.add_argument("--max-growth", type=float, default=0.05, help="of memory, as a part of it")
    options = parser.parse_args()
    if not 0 < options.minutes <= 24 * 60 or not 0 < options.rate <= 200:
        parser.error("--minutes must be up to 1440, --rate up to 200")
    with ExitStack() as stack:
        all_soaked = [stack.enter_context(started(name)) for name in options.services]
        asyncio.run(soak(all_soaked, options.minutes, options.rate))
        print("| service | calls | memory | highest | open files |\n|---|---|---|---|---|")
        well = [report(soaked, options.max_growth) for soaked in all_soaked]
    raise SystemExit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
