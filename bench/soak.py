"""Services under a steady load for a long time: growth of memory and of open files, per service.

    .venv/bin/python bench/soak.py [--minutes 30] [--services template xiaohongshu] [--rate 20]

Each service runs as a process of its own, without a container; template reads its tests' stand-in feed, which is asked
anew whenever the cache's two seconds are over; xiaohongshu opens pages of its tests' stand-in in a real Chromium, and
keeps no answers. Calls take turns over the three transports, legacy sessions come and go, some calls are cancelled or
refused. The first tenth of the time is left out: that is when pools and caches fill.
Memory is PSS, so that what Chromium's processes share is counted once; "driver" is Playwright's own process.
Ends with exit code 1 when a service failed a call, left a page open, or its memory, its browser's memory, its files or
its processes grew beyond `--max-growth`.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import uvicorn
from mcp import Client
from mcp.client.sse import sse_client

from tests.support.service_packages import make_importable

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / "mcp-servers"
make_importable()

import template_stand_in  # noqa: E402

from tests.stand_in import xiaohongshu  # noqa: E402
from tests.stand_in import xiaohongshu_data as data  # noqa: E402
from tests.stand_in.running import free_port, process, running  # noqa: E402
from tests.stand_in.xiaohongshu_calls import logged_in  # noqa: E402

SAMPLE_SECONDS = 10.0
SETTLE_SECONDS = 20
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
class Soaked:
    """One service and what was seen of it."""

    name: str
    process: subprocess.Popen[str]
    base: str
    seen: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    ended: Counter[str] = field(default_factory=Counter)

    def sample(self, metrics: str) -> None:
        """Note memory (MiB), open files, processes and pages now."""
        below = list(descendants(self.process.pid))
        drivers = [pid for pid in below if command(pid).endswith("/node")]
        self.seen["server"].append(memory(self.process.pid))
        self.seen["driver"].append(sum(map(memory, drivers)))
        self.seen["browser"].append(sum(memory(pid) for pid in below if pid not in drivers))
        self.seen["files"].append(len(list(Path(f"/proc/{self.process.pid}/fd").iterdir())))
        self.seen["processes"].append(len(below))
        pages = re.search(r"^browser_pages_open\{.*\} (\S+)$", metrics, re.MULTILINE)
        self.seen["pages"].append(float(pages[1]) if pages else 0)


def descendants(pid: int) -> Iterator[int]:
    """The processes below a process."""
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def command(pid: int) -> str:
    """Path of a process's program; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].decode()
    except OSError:
        return ""


def memory(pid: int) -> float:
    """Memory of one process, in MiB, its part of what it shares with others (PSS); 0 when it has ended.

    RSS where PSS is not to be had, as of the processes in Chromium's own sandbox.
    """
    for file, field_name in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{file}").read_text().splitlines()
        except OSError:
            continue
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field_name)), 0.0)
    return 0.0


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
            answers = [await http.get(soaked.base + path) for path in ("/ready", "/metrics")]
            for answer in answers:
                soaked.ended["probes" if answer.status_code == 200 else "wrong"] += 1
            soaked.sample(answers[-1].text)
            latest = ", ".join(f"{what} {values[-1]:.0f}" for what, values in soaked.seen.items())
            print(
                f"{soaked.name}: {sum(soaked.ended.values())} calls and probes, {latest}", file=sys.stderr, flush=True
            )
            await asyncio.sleep(SAMPLE_SECONDS)


async def left_open(soaked: Soaked) -> list[str]:
    """What is still counted as open or running some seconds after the last call."""
    counted = re.compile(r"^(?:browser_pages_open|mcp_calls_in_flight|queue_depth)\{.*\} (?!0\.0$)\S+$", re.MULTILINE)
    async with httpx2.AsyncClient(timeout=10) as http:
        for _ in range(SETTLE_SECONDS):
            await asyncio.sleep(1)
            if not (left := counted.findall((await http.get(f"{soaked.base}/metrics")).text)):
                break
    return left


async def soak(all_soaked: list[Soaked], minutes: float, rate: float) -> None:
    until = time.monotonic() + minutes * 60
    pause = len(TRANSPORTS) / rate
    async with asyncio.TaskGroup() as group:
        for soaked in all_soaked:
            group.create_task(probe(soaked, until))
            for transport in TRANSPORTS:
                group.create_task(load(soaked, transport, pause, until))
    for soaked in all_soaked:
        left = await left_open(soaked)
        print(f"{soaked.name}: {'; '.join(left) or 'nothing left open'}", file=sys.stderr)
        soaked.ended["wrong"] += len(left)


def ends(values: list[float]) -> tuple[float, float]:
    """Medians of the first and the last quarter, without the first tenth."""
    settled = values[len(values) // 10 :]
    quarter = max(1, len(settled) // 4)
    return statistics.median(settled[:quarter]), statistics.median(settled[-quarter:])


def floors(values: list[float]) -> tuple[float, float]:
    """The lowest of the first and of the last half, without the first tenth: of a heap that is cleared now and then,
    what stays."""
    settled = values[len(values) // 10 :]
    half = max(1, len(settled) // 2)
    return min(settled[:half]), min(settled[-half:])


def report(soaked: Soaked, max_growth: float) -> bool:
    """Prints a row; whether all is well."""
    ended = ", ".join(f"{count} {how}" for how, count in sorted(soaked.ended.items()))
    cells, well = [], not soaked.ended["wrong"]
    for what, both in (("server", ends), ("driver", floors), ("browser", ends)):
        first, last = both(soaked.seen[what])
        growth = last / first - 1 if first else 0.0
        highest = max(soaked.seen[what])
        cells.append(f"{first:.0f} → {last:.0f} MiB ({growth:+.1%}), at most {highest:.0f}" if highest else "none")
        well = well and growth <= max_growth
    for what, spare in (("files", 5), ("processes", 2), ("pages", 1)):
        first, last = ends(soaked.seen[what])
        cells.append(f"{first:.0f} → {last:.0f}, at most {max(soaked.seen[what]):.0f}")
        well = well and last <= first + spare
    print(f"| {soaked.name} | {ended} | {' | '.join(cells)} |")
    return well


@contextmanager
def started(name: str) -> Iterator[Soaked]:
    """The service as a process of its own, on its stand-in."""
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
        yield Soaked(name, child, base)


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
        all_soaked = [stack.enter_context(started(name)) for name in options.services]
        asyncio.run(soak(all_soaked, options.minutes, options.rate))
        print(
            "| service | calls | server | browser's driver | browser | open files | processes below it | pages open |"
        )
        print("|---|---|---|---|---|---|---|---|")
        well = [report(soaked, options.max_growth) for soaked in all_soaked]
    raise SystemExit(0 if all(well) else 1)


if __name__ == "__main__":
    main()
