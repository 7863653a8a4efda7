"""Runs services under steady load for a long time and measures the growth of their memory and open files.

    .venv/bin/python bench/soak.py [--minutes 30] [--services template xiaohongshu] [--rate 20]

Each service runs as a separate process, without a container. template reads the stand-in feed of its tests, again
whenever the two seconds of the cache are over. xiaohongshu opens pages of its tests' stand-in site in a real Chromium
and caches nothing. The calls use all three transports, legacy sessions come and go, and some calls are cancelled or
refused. The first tenth of the time is left out, because pools and caches fill then. Memory is PSS, so that the shared
memory of Chromium's processes is counted once; "driver" is Playwright's process. The exit code is 1 if a service failed
a call or left a page open, or if its memory, its browser's memory, its files or its processes grew beyond
`--max-growth`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client

from bench.processes import command, descendants, first_and_last_medians, memory
from tests.support.service_packages import make_importable

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / "mcp-servers"
make_importable()

import template_stand_in  # noqa: E402

from tests.stand_in.platforms.xiaohongshu import data  # noqa: E402
from tests.stand_in.platforms.xiaohongshu import site as xiaohongshu  # noqa: E402
from tests.stand_in.platforms.xiaohongshu.calls import logged_in  # noqa: E402
from tests.stand_in.running import free_port, process, running  # noqa: E402

SAMPLE_SECONDS = 10.0
SETTLE_SECONDS = 20
#: Calls on a connection before it is replaced.
CALLS_PER_CONNECTION = 50
TRANSPORTS = {
    "modern": lambda base: Client(f"{base}/mcp"),
    "legacy": lambda base: Client(f"{base}/mcp", mode="legacy"),
    "sse": lambda base: Client(sse_client(f"{base}/mcp/sse"), mode="legacy"),
}
#: Calls by service: tool, arguments, whether the call is refused, whether the caller cancels it.
CALLS = {
    "template": [
        ("template_echo", {"text": "x" * 200}, False, False),
        ("template_search", {"query": "第", "limit": 10}, False, False),
        ("template_get", {"entry_id": "entry-12"}, False, False),
        ("template_echo", {"text": "", "unknown": 1}, True, False),
        ("template_get", {"entry_id": "entry-99"}, True, False),
        ("template_countdown", {"steps": 20, "interval_ms": 500}, False, True),
    ],
    "xiaohongshu": [
        ("xhs_search_notes", {"keyword": "咖啡", "limit": 20}, False, False),
        ("xhs_get_note", {"note": f"{data.NORMAL_NOTE}:{data.TOKEN}", "comments": 10}, False, False),
        ("xhs_get_note", {"note": f"{data.REMOVED_NOTE}:{data.TOKEN}"}, True, False),
        ("xhs_get_comments", {"note": f"{data.NORMAL_NOTE}:{data.TOKEN}", "limit": 20}, False, False),
        ("xhs_search_notes", {"keyword": "", "unknown": 1}, True, False),
        ("xhs_get_user", {"user": f"{data.USER}:{data.USER_TOKEN}", "notes": 20}, False, False),
        ("xhs_home_feed", {"limit": 20}, False, True),
        ("xhs_suggest", {"keyword": "手冲"}, False, False),
    ],
}


@dataclass
class ServiceUnderLoad:
    """A service under load, its samples and the number of calls by outcome."""

    name: str
    process: subprocess.Popen[str]
    base: str
    samples: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    outcomes: Counter[str] = field(default_factory=Counter)

    def sample(self, metrics: str) -> None:
        """Add a sample of memory (MiB), open files, processes and pages."""
        processes = list(descendants(self.process.pid))
        drivers = [pid for pid in processes if command(pid).endswith("/node")]
        self.samples["server"].append(memory(self.process.pid))
        self.samples["driver"].append(sum(map(memory, drivers)))
        self.samples["browser"].append(sum(memory(pid) for pid in processes if pid not in drivers))
        self.samples["files"].append(len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())))
        self.samples["processes"].append(len(processes))
        pages = re.search(r"^browser_pages_open\{.*\} (\S+)$", metrics, re.MULTILINE)
        self.samples["pages"].append(float(pages[1]) if pages else 0)


async def call(client: Client, service: ServiceUnderLoad, number: int) -> None:
    calls = CALLS[service.name]
    tool, arguments, is_refused, is_cancelled = calls[number % len(calls)]
    if is_cancelled:
        try:
            await asyncio.wait_for(client.call_tool(tool, arguments), 0.2)
        except TimeoutError:
            service.outcomes["cancelled"] += 1
        else:
            service.outcomes["wrong"] += 1
        return
    result = await client.call_tool(tool, arguments)
    service.outcomes["wrong" if result.is_error != is_refused else "refused" if is_refused else "ok"] += 1


async def load(service: ServiceUnderLoad, transport: str, pause: float, until: float) -> None:
    """Call over a transport, `pause` seconds apart, until the time `until` of the monotonic clock."""
    number = 0
    while time.monotonic() < until:
        async with TRANSPORTS[transport](service.base) as client:
            for _ in range(CALLS_PER_CONNECTION):
                if time.monotonic() >= until:
                    return
                await call(client, service, number)
                number += 1
                await asyncio.sleep(pause)


async def probe(service: ServiceUnderLoad, until: float) -> None:
    """Check readiness, read the metrics and take samples, as in a deployment."""
    async with httpx2.AsyncClient(timeout=10) as http:
        while time.monotonic() < until:
            answers = [await http.get(service.base + path) for path in ("/ready", "/metrics")]
            for answer in answers:
                service.outcomes["probes" if answer.status_code == 200 else "wrong"] += 1
            service.sample(answers[-1].text)
            latest = ", ".join(f"{name} {values[-1]:.0f}" for name, values in service.samples.items())
            print(
                f"{service.name}: {sum(service.outcomes.values())} calls and probes, {latest}",
                file=sys.stderr,
                flush=True,
            )
            await asyncio.sleep(SAMPLE_SECONDS)


async def left_open(service: ServiceUnderLoad) -> list[str]:
    """Return the metrics that still count something as open or running some seconds after the last call."""
    nonzero = re.compile(r"^(?:browser_pages_open|mcp_calls_in_flight|queue_depth)\{.*\} (?!0\.0$)\S+$", re.MULTILINE)
    async with httpx2.AsyncClient(timeout=10) as http:
        for _ in range(SETTLE_SECONDS):
            await asyncio.sleep(1)
            if not (left := nonzero.findall((await http.get(f"{service.base}/metrics")).text)):
                break
    return left


async def soak(services: list[ServiceUnderLoad], minutes: float, rate: float) -> None:
    until = time.monotonic() + minutes * 60
    pause = len(TRANSPORTS) / rate
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(probe(service, until))
            for transport in TRANSPORTS:
                group.create_task(load(service, transport, pause, until))
    for service in services:
        left = await left_open(service)
        print(f"{service.name}: {'; '.join(left) or 'nothing left open'}", file=sys.stderr)
        service.outcomes["wrong"] += len(left)


def first_and_last_minimums(values: list[float]) -> tuple[float, float]:
    """Return the minimums of the first and the last half, without the first tenth.

    They show the growth of a heap that is cleared from time to time.
    """
    settled = values[len(values) // 10 :]
    half = max(1, len(settled) // 2)
    return min(settled[:half]), min(settled[-half:])


def report(service: ServiceUnderLoad, max_growth: float) -> bool:
    """Print a row; returns whether there were no problems and no excessive growth."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(service.outcomes.items()))
    cells, well = [], not service.outcomes["wrong"]
    for name, first_and_last in (
        ("server", first_and_last_medians),
        ("driver", first_and_last_minimums),
        ("browser", first_and_last_medians),
    ):
        first, last = first_and_last(service.samples[name])
        growth = last / first - 1 if first else 0.0
        highest = max(service.samples[name])
        cells.append(f"{first:.0f} → {last:.0f} MiB ({growth:+.1%}), at most {highest:.0f}" if highest else "none")
        well = well and growth <= max_growth
    for name, tolerance in (("files", 5), ("processes", 2), ("pages", 1)):
        first, last = first_and_last_medians(service.samples[name])
        cells.append(f"{first:.0f} → {last:.0f}, at most {max(service.samples[name]):.0f}")
        well = well and last <= first + tolerance
    print(f"| {service.name} | {outcomes} | {' | '.join(cells)} |")
    return well


@contextmanager
def started(name: str) -> Iterator[ServiceUnderLoad]:
    """Run the service as a separate process that uses a stand-in site."""
    environment = {"LOG_LEVEL": "error"}
    with ExitStack() as stack:
        site = {"template": template_stand_in.app, "xiaohongshu": xiaohongshu.create_site()}[name]
        config = uvicorn.Config(site, port=free_port(), log_level="warning")
        upstream = stack.enter_context(running(uvicorn.Server(config)))
        if name == "template":
            environment |= {
                "TEMPLATE_UPSTREAM_URL": f"{upstream}/ok/feed.json",
                "TEMPLATE_MIN_INTERVAL_SECONDS": "0",
                "TEMPLATE_CACHE_SECONDS": "2",
            }
        else:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            stack.enter_context(logged_in(folder, upstream))
            environment |= {
                "XHS_BASE_URL": upstream,
                "XHS_INTERVAL_SECONDS": "0",
                "XHS_JITTER_SECONDS": "0",
                "XHS_CACHE_SECONDS": "0",
                "XHS_DAILY_PAGES": "100000",
                "DYBER_DATA": str(folder),
                "CHROMIUM_PATH": shutil.which("chromium") or "",
            }
        child, base = stack.enter_context(process(f"{name}_server", **environment))
        yield ServiceUnderLoad(name, child, base)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--services", nargs="+", choices=sorted(CALLS), default=sorted(CALLS))
    parser.add_argument("--rate", type=float, default=20, help="calls per second and service, at most")
    parser.add_argument("--max-growth", type=float, default=0.05, help="of memory, as a fraction of it")
    options = parser.parse_args()
    if not 0 < options.minutes <= 24 * 60 or not 0 < options.rate <= 200:
        parser.error("--minutes must be up to 1440, --rate up to 200")
    with ExitStack() as stack:
        services = [stack.enter_context(started(name)) for name in options.services]
        asyncio.run(soak(services, options.minutes, options.rate))
        print("| service | calls | server | browser's driver | browser | open files | descendants | pages open |")
        print("|---|---|---|---|---|---|---|---|")
        well = [report(service, options.max_growth) for service in services]
    raise SystemExit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
