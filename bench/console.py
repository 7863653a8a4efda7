"""Measures the console: time of its pages, size of the first view, processor time, memory, and requests at the gateway.

    .venv/bin/python -m bench.console [--calls 100000] [--rounds 15]

The console runs as a process, as in its container, with a day of calls of 30 services in its records and a stand-in
for the gateway. Before each request of a page a call comes in, so that nothing can be answered from memory alone.
Needs Chromium for the shift of the layout.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn
from playwright.sync_api import sync_playwright

from tests.stand_in.running import ROOT, free_port, running

sys.path.insert(0, str(ROOT / "console"))

from dyber_console.records.model import Call
from dyber_console.records.store import Store

from tests.console.support.gateway import TOKEN, StandInGateway, status_entry
from tests.console.support.records import log_line
from tests.console.support.running import HASH, PASSWORD, send_datagram

SERVICES = 30
CLIENTS = ("phone", "desktop-pet", "claude-code")
PAGES = (
    "", "calls", "calls?client=phone", "calls?tool=search-3", "calls?slower=5", "calls?client=phone&outcome=ok&slower=1",
    "services/service-07", "services/service-07?range=30d", "tools", "clients", "changes",
)  # fmt: skip
IDLE_SECONDS = 30
OPEN_PAGES = 20


@dataclass(frozen=True)
class Process:
    """Holds a running console: its process id, its address and where it takes the gateway's log."""

    pid: int
    base: str
    log_port: int

    def processor_seconds(self) -> float:
        """Return the processor time that the console used so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mib(self, field: str) -> float:
        """Return a size of the process in MiB: VmRSS is the present one, VmHWM the largest so far."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else 0.0


def fill(folder: Path, count: int) -> None:
    """Write a day of calls into the records."""
    folder.mkdir(parents=True, exist_ok=True)
    store, now = Store(folder / "console.sqlite"), time.time()
    store.add_calls(
        Call(
            now - number * 86_000 / count, f"request-{number}", f"{number:032x}", CLIENTS[number % 3],
            f"service-{number % SERVICES:02}", f"search-{number % 7}", "TIMEOUT" if number % 50 == 7 else "ok",
            0.01 * (number % 900), mcp_method="tools/call", upstreams=("172.20.0.3:8001",), upstream_seconds=(0.5,),
        )
        for number in range(count - 1, -1, -1)
    )  # fmt: skip
    store.roll_up(now, halves=50)
    store.close()


@contextmanager
def console(folder: Path, gateway: str) -> Iterator[Process]:
    """Run the console on free ports of this machine until the context ends."""
    secrets = {"DYBER_PASSWORD_HASH_FILE": HASH, "DYBER_TOKEN_FILE": TOKEN}
    for name, content in secrets.items():
        (folder / name).write_text(content, encoding="utf-8")
    dockerfile = (ROOT / "console" / "Dockerfile").read_text(encoding="utf-8")
    ports = {name: free_port() for name in ("PORT", "DYBER_OTLP_PORT", "DYBER_SYSLOG_PORT")}
    environment = {
        **os.environ,
        **dict(re.findall(r"(MALLOC_\w+)=(\d+)", dockerfile)),
        **{name: str(port) for name, port in ports.items()},
        **{name: str(folder / name) for name in secrets},
        "PYTHONPATH": str(ROOT / "console"),
        "HOST": "127.0.0.1",
        "ALLOWED_HOSTS": "127.0.0.1,localhost",
        "DYBER_DATA": str(folder / "data"),
        "DYBER_GATEWAY_URL": gateway,
        "DYBER_METRICS_URL": gateway,
    }
    process = subprocess.Popen([sys.executable, "-m", "dyber_console"], env=environment)
    try:
        target = Process(process.pid, f"http://127.0.0.1:{ports['PORT']}", ports["DYBER_SYSLOG_PORT"])
        _wait_for(target.base)
        yield target
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(base: str) -> None:
    give_up = time.monotonic() + 60
    while True:
        try:
            httpx2.get(f"{base}/health", timeout=5).raise_for_status()
            return
        except httpx2.HTTPError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.1)


@contextmanager
def signed_in(target: Process) -> Iterator[httpx2.Client]:
    """Yield a client with a session; its cookie is for HTTPS, which the client would not send here by itself."""
    with httpx2.Client(base_url=target.base, headers={"Origin": target.base}, timeout=60) as client:
        answer = client.post("/console/login", data={"password": PASSWORD})
        client.headers["Cookie"] = answer.headers["set-cookie"].partition(";")[0]
        yield client


def page_times(target: Process, client: httpx2.Client, rounds: int) -> list[str]:
    """Return the time of each page as rows of a table."""
    rows = []
    for path in PAGES:
        times, size, used = [], 0, 0.0
        for _ in range(rounds):
            send_datagram(log_line(time.time(), 0.3, "service-07", "search-3", "phone"), target.log_port)
            time.sleep(0.8)  # until the call is recorded
            before, started = target.processor_seconds(), time.perf_counter()
            answer = client.get(f"/console/{path}", headers={"Accept-Encoding": "gzip"})
            times.append((time.perf_counter() - started) * 1000)
            used += target.processor_seconds() - before
            answer.raise_for_status()
            size = int(answer.headers.get("content-length", 0))
        parts = (path or "overview", *(f"{value:.0f}" for value in (statistics.median(times), max(times))))
        rows.append(f"| {' | '.join(parts)} | {1000 * used / rounds:.0f} | {size / 1000:.1f} |")
    return rows


def first_view(client: httpx2.Client) -> dict[str, float]:
    """Return the compressed size of each file of the first view in kB."""
    page = client.get("/console/", headers={"Accept-Encoding": "gzip"})
    paths = re.findall(r'(?:href|src)="(/console/static/[^"]+)"', page.text)
    sizes = {"page": float(page.headers["content-length"])}
    for path in paths:
        answer = client.get(path, headers={"Accept-Encoding": "gzip"})
        sizes[path.rpartition("/")[2]] = float(answer.headers["content-length"])
    return {name: size / 1000 for name, size in sizes.items()}


def idle_share(target: Process, seconds: float) -> float:
    """Return how much of a core the console uses while nothing happens, in percent."""
    before, started = target.processor_seconds(), time.monotonic()
    time.sleep(seconds)
    return 100 * (target.processor_seconds() - before) / (time.monotonic() - started)


def requests_with_pages(
    target: Process, client: httpx2.Client, gateway: StandInGateway, pages: int
) -> tuple[int, float]:
    """Return the requests at the gateway in 20 s while so many pages are open, and the use of a core in percent.

    An open page listens for events, and fetches itself again every ten seconds.
    """
    end = time.monotonic() + 20
    cookie = client.headers["Cookie"]

    def listen(_: int) -> None:
        with httpx2.Client(base_url=target.base, headers={"Cookie": cookie}, timeout=60) as opened:
            with opened.stream("GET", "/console/events") as stream:
                stream.raise_for_status()
                while time.monotonic() < end:
                    opened.get("/console/").raise_for_status()
                    time.sleep(min(10.0, max(0.0, end - time.monotonic())))

    before, used, started = gateway.status_requests, target.processor_seconds(), time.monotonic()
    with ThreadPoolExecutor(pages) as pool:
        list(pool.map(listen, range(pages)))
    share = 100 * (target.processor_seconds() - used) / (time.monotonic() - started)
    return gateway.status_requests - before, share


def layout_shift(target: Process) -> float:
    """Return by how much the overview's layout shifts while it loads (CLS)."""
    base = target.base.replace("127.0.0.1", "localhost")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.add_init_script(
            "window.shift = 0; new PerformanceObserver((list) => { for (const entry of list.getEntries()) "
            "window.shift += entry.value }).observe({type: 'layout-shift', buffered: true})"
        )
        page.goto(f"{base}/console/login")
        page.fill("#password", PASSWORD)
        page.click("button.primary")
        page.wait_for_url(f"{base}/console/")
        page.wait_for_timeout(5000)
        shift = float(page.evaluate("window.shift"))
        browser.close()
    return shift


def main() -> int:
    """Print the measurements as Markdown; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    gateway = StandInGateway()
    gateway.details = {f"service-{number:02}": status_entry("up") for number in range(SERVICES)}
    gateway.with_tools = tuple(gateway.details)
    server = uvicorn.Server(uvicorn.Config(gateway.app(), port=free_port(), log_level="error"))
    with tempfile.TemporaryDirectory() as name, running(server) as address:
        folder = Path(name)
        fill(folder / "data", options.calls)
        with console(folder, address) as target, signed_in(target) as client:
            print(f"{SERVICES} services, {options.calls:,} calls in the records, load {os.getloadavg()[0]:.1f}\n")
            print("| page | ms, median | ms, worst | ms of a core | kB compressed |\n|---|---|---|---|---|")
            print("\n".join(page_times(target, client, options.rounds)), flush=True)
            sizes = first_view(client)
            print(f"\nfirst view: {sum(sizes.values()):.1f} kB ({', '.join(f'{k} {v:.1f}' for k, v in sizes.items())})")
            print(f"layout shift: {layout_shift(target):.3f}")
            time.sleep(5)
            print(f"idle: {idle_share(target, IDLE_SECONDS):.2f} % of a core")
            for pages in (1, OPEN_PAGES):
                requests, share = requests_with_pages(target, client, gateway, pages)
                print(f"{pages} open pages: {requests} requests for the status in 20 s, {share:.1f} % of a core")
            print(f"memory: {target.memory_mib('VmRSS'):.0f} MiB, at most {target.memory_mib('VmHWM'):.0f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
