"""Measures the servers: start, memory, speed relative to a bare SDK server, and the tokens that they cost an agent.

    .venv/bin/python bench/servers.py [--calls 400] [--rounds 5] [--starts | --sizes | --spans]

Servers run as separate processes, without containers and gateway. The bare server is the SDK's with the same tool,
without the kit; the servers take turns. Tokens are estimated, as each model counts differently: one for four ASCII
characters and one for each other character, of compact JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
import yaml
from mcp import Client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.service_packages import make_importable

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ROOT / "mcp-servers"
SPECS = {spec.parent.name: yaml.safe_load(spec.read_text()) for spec in sorted(SERVERS.glob("*/service.yaml"))}
make_importable()

import template_stand_in  # noqa: E402
from dyber_kit import Settings  # noqa: E402
from dyber_kit.contract import all_tools  # noqa: E402

from tests.stand_in.platforms.xiaohongshu import site as xiaohongshu  # noqa: E402
from tests.stand_in.platforms.xiaohongshu.calls import logged_in  # noqa: E402
from tests.stand_in.running import free_port, process, running  # noqa: E402
from tests.stand_in.tokens import SEEN, tokens, tokens_of  # noqa: E402

BARE = """
import asyncio, os, uvicorn
from typing import Annotated
from mcp.server import MCPServer
from pydantic import BaseModel, Field
class Echo(BaseModel):
    text: str
    length: int
class Countdown(BaseModel):
    steps: int
server = MCPServer("bare", log_level="WARNING")
@server.tool()
async def template_countdown(steps: int, interval_ms: int) -> Countdown:
    "Count down."
    for _ in range(steps):
        await asyncio.sleep(interval_ms / 1000)
    return Countdown(steps=steps)
@server.tool()
async def template_echo(
    text: Annotated[str, Field(description="Text to send back", min_length=1, max_length=2000)],
) -> Echo:
    "Send a text back unchanged."
    return Echo(text=text, length=len(text))
app = server.streamable_http_app(stateless_http=True)
# The SDK installs uvicorn without httptools.
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="error", access_log=False, http="h11")
"""
ECHO = {"name": "template_echo", "arguments": {"text": "x" * 64}}
COUNTDOWN = {"name": "template_countdown", "arguments": {"steps": 4, "interval_ms": 2000}}
ERAS = ("2026-07-28", "2025-06-18")
CONCURRENT_WAITS = 500


def resident(pid: int) -> float:
    """Return the resident memory (RSS) of a process in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def private(pid: int) -> float:
    """Return the memory of a process that no file holds, in MiB; it is nearly all that `docker stats` counts."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def tree_memory(pid: int) -> float:
    """Return the memory of a process and its descendants in MiB; shared memory is counted once (PSS)."""
    fields = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    process_mib = next(int(line.split()[1]) for line in fields if line.startswith("Pss:")) / 1024
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return process_mib + sum(tree_memory(int(child)) for child in children)


def wait_for(url: str) -> None:
    while True:
        try:
            if httpx2.get(url).status_code < 500:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.01)


@contextmanager
def bare() -> Iterator[tuple[int, str]]:
    """Run the SDK's server without the kit; yields its process id and base URL."""
    port = free_port()
    child = subprocess.Popen([sys.executable, "-c", BARE], env={**os.environ, "PORT": str(port)})
    try:
        wait_for(f"http://127.0.0.1:{port}/nothing")
        yield child.pid, f"http://127.0.0.1:{port}"
    finally:
        child.kill()
        child.wait()


@contextmanager
def stand_in(site: Starlette) -> Iterator[str]:
    """Run a stand-in site in a thread of this process; yields its base URL."""
    with running(uvicorn.Server(uvicorn.Config(site, port=free_port(), log_level="warning"))) as base:
        yield base


def started(name: str, **environment: str):
    chromium = shutil.which("chromium") or ""
    return process(SPECS[name]["package"], LOG_LEVEL="error", CHROMIUM_PATH=chromium, **environment)


@contextmanager
def as_deployed(**environment: str) -> Iterator[tuple[int, str]]:
    """Run template at its usual log level and discard its log; yields its process id and base URL."""
    with process("template_server", **environment) as (child, base):
        threading.Thread(target=lambda: any(False for _ in child.stdout or ()), daemon=True).start()
        yield child.pid, base
        child.terminate()
        child.wait()


def request(era: str, params: dict[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return headers and body of a `tools/call` as a client of this protocol version sends it."""
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": era}
    if era == ERAS[0]:
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": params["name"]}
        meta = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        params = {**params, "_meta": meta}
    return headers, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


async def call(client: httpx2.AsyncClient, base: str, body: dict[str, Any]) -> None:
    answer = await client.post(f"{base}/mcp", json=body)
    if answer.status_code != 200 or '"result":' not in answer.text or '"isError":true' in answer.text:
        raise AssertionError(f"{base}: {answer.status_code} {answer.text[:200]}")


async def measure(base: str, era: str, calls: int, concurrency: int) -> float:
    """Return the calls per second. Every response must be a result."""
    remaining = iter(range(calls))
    headers, body = request(era, ECHO)

    async def caller(client: httpx2.AsyncClient) -> None:
        for _ in remaining:
            await call(client, base, body)

    async with httpx2.AsyncClient(headers=headers, timeout=30) as client:
        begun = time.perf_counter()
        await asyncio.gather(*(caller(client) for _ in range(concurrency)))
        return calls / (time.perf_counter() - begun)


def used_seconds(pid: int) -> float:
    """Return the processor time of a process so far; other load on the machine changes it less than it changes rates."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def show_starts(rounds: int) -> None:
    """Print how long servers start and what they use when idle; in each round, all of them start once."""
    print("| service | ready after s | CPU s until ready | to bare | RSS idle | with descendants (PSS) |")
    print("|---|---|---|---|---|---|")
    starts = {"bare SDK": bare, **{name: partial(started_at, name) for name in SPECS}}
    measured: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name, start in starts.items():
            begun = time.perf_counter()
            with start() as (pid, base):
                wait_for(f"{base}/ready")
                took, used = time.perf_counter() - begun, used_seconds(pid)
                measured[name].append((took, used, resident(pid), tree_memory(pid)))
    for name, values in measured.items():
        took, used, idle, whole = (statistics.median(column) for column in zip(*values, strict=True))
        ratio = median_ratio([each[1] for each in values], [each[1] for each in measured["bare SDK"]])
        print(f"| {name} | {took:.2f} | {used:.2f} | {ratio:.2f} | {idle:.0f} MiB | {whole:.0f} MiB |")


@contextmanager
def started_at(name: str) -> Iterator[tuple[int, str]]:
    """Run a service; yields its process id and base URL."""
    with started(name) as (child, base):
        yield child.pid, base


def show_speed(calls: int, rounds: int) -> None:
    """Rates of both protocol eras; a ratio is the median over the rounds, in each of which all rows are measured."""
    print("\n| concurrency | protocol | server | calls/s | to bare | to 2026 | CPU a call | to bare | RSS after |")
    print("|---|---|---|---|---|---|---|---|---|")
    with bare() as (bare_pid, bare_base), as_deployed() as (pid, base), started("template") as (quiet, quiet_base):
        servers = {
            "bare SDK": (bare_pid, bare_base),
            "template, without logs": (quiet.pid, quiet_base),
            "template, as deployed": (pid, base),
        }
        for concurrency in (1, 16):
            show_rates(servers, calls, rounds, concurrency)


def show_spans(calls: int, rounds: int) -> None:
    """Print what sending spans costs a server: processor time of a call, and memory. The servers take turns."""

    async def take(request: Request) -> Response:
        await request.body()
        return Response(media_type="application/x-protobuf")

    collector = Starlette(routes=[Route("/v1/traces", take, methods=["POST"])])
    print("\n| protocol | CPU a call | with spans | to without | RSS idle, after | with spans |")
    print("|---|---|---|---|---|---|")
    with (
        stand_in(collector) as address,
        as_deployed() as (pid, base),
        as_deployed(OTEL_EXPORTER_OTLP_ENDPOINT=address) as (spanning_pid, spanning_base),
    ):
        servers = {pid: base, spanning_pid: spanning_base}
        idle = {each: resident(each) for each in servers}
        for era in ERAS:
            costs: dict[int, list[float]] = {each: [] for each in servers}
            for each in servers.values():
                asyncio.run(measure(each, era, 100, 4))
            for turn in range(rounds):
                for each in servers if turn % 2 else reversed(servers):
                    before = used_seconds(each)
                    asyncio.run(measure(servers[each], era, calls, 4))
                    costs[each].append((used_seconds(each) - before) / calls * 1e6)
            without, sending = (statistics.median(costs[each]) for each in servers)
            memory = [f"{idle[each]:.1f}, {resident(each):.1f} MiB" for each in servers]
            ratio = median_ratio(costs[spanning_pid], costs[pid])
            print(f"| {era} | {without:.0f} us | {sending:.0f} us | {ratio:.2f} | {memory[0]} | {memory[1]} |")


def show_rates(servers: dict[str, tuple[int, str]], calls: int, rounds: int, concurrency: int) -> None:
    rows = [(era, name) for era in ERAS for name in servers]
    rates: dict[tuple[str, str], list[float]] = {row: [] for row in rows}
    costs: dict[tuple[str, str], list[float]] = {row: [] for row in rows}
    for era, name in rows:
        asyncio.run(measure(servers[name][1], era, 100, concurrency))
    for turn in range(rounds):
        for era, name in rows if turn % 2 == 0 else reversed(rows):
            pid, base = servers[name]
            before = used_seconds(pid)
            rates[era, name].append(asyncio.run(measure(base, era, calls, concurrency)))
            costs[era, name].append((used_seconds(pid) - before) / calls * 1e6)
    for era, name in rows:
        to_bare = median_ratio(rates[era, name], rates[era, "bare SDK"])
        to_newest = median_ratio(rates[era, name], rates[ERAS[0], name])
        cost = median_ratio(costs[era, name], costs[era, "bare SDK"])
        print(
            f"| {concurrency} | {era} | {name} | {statistics.median(rates[era, name]):.0f} | {to_bare:.2f} "
            f"| {to_newest:.2f} | {statistics.median(costs[era, name]):.0f} us | {cost:.2f} "
            f"| {resident(servers[name][0]):.0f} MiB |"
        )


def median_ratio(values: list[float], others: list[float]) -> float:
    return statistics.median(value / other for value, other in zip(values, others, strict=True))


def show_waits() -> None:
    """Print what calls cost while they wait: memory and threads of the server, connections included."""
    print(f"\n| {CONCURRENT_WAITS} waiting calls | server | memory | threads before | threads while waiting |")
    print("|---|---|---|---|---|")
    for era in ERAS:
        with bare() as (bare_pid, bare_base), as_deployed() as (pid, base):
            for name, server, address in (("bare SDK", bare_pid, bare_base), ("template, as deployed", pid, base)):
                asyncio.run(measure(address, era, 100, 16))
                memory, before = resident(server), threads(server)
                most, while_waiting = asyncio.run(wait_together(server, address, era))
                print(f"| {era} | {name} | {most - memory:.1f} MiB | {before} | {while_waiting} |")


async def wait_together(pid: int, base: str, era: str) -> tuple[float, int]:
    """Start all waiting calls; return the server's largest memory and number of threads until they are answered."""
    headers, body = request(era, COUNTDOWN)
    unlimited = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    most, most_threads = 0.0, 0
    async with httpx2.AsyncClient(headers=headers, timeout=60, limits=unlimited) as client:
        calls = [asyncio.create_task(call(client, base, body)) for _ in range(CONCURRENT_WAITS)]
        while not all(waiting.done() for waiting in calls):
            most, most_threads = max(most, resident(pid)), max(most_threads, threads(pid))
            await asyncio.sleep(0.1)
        await asyncio.gather(*calls)
    return most, most_threads


def show_schemas() -> None:
    print("\n| service | tools | name, description, input | with output schema |\n|---|---|---|---|")
    for name, spec in SPECS.items():
        build_app = importlib.import_module(f"{spec['package']}.service").build_app
        for kind, settings in (("read-only", Settings()), ("all", all_tools())):
            listed = asyncio.run(build_app(settings).mcp.list_tools())
            tools = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in listed]
            seen, whole = tokens_of(tools, *SEEN), tokens_of(tools, *SEEN, "outputSchema")
            print(f"| {name}, {kind} | {len(tools)} | {seen} tokens | {whole} tokens |")


async def show_answer(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Print a row and return the structured result."""
    result = await client.call_tool(tool, arguments)
    if result.is_error:
        raise AssertionError(f"{tool}: {result.content[0].text}")
    text = result.content[0].text
    print(f"| {tool} | {len(text)} | {tokens(text)} |")
    return result.structured_content


async def show_answers() -> None:
    """Print the size of typical results, from the stand-in sites' pages with the tools' default limits."""
    print("\n| typical answer | characters | tokens |\n|---|---|---|")
    with stand_in(template_stand_in.app) as upstream:
        with started("template", TEMPLATE_UPSTREAM_URL=f"{upstream}/ok/feed.json") as (_, base):
            async with Client(f"{base}/mcp") as client:
                await show_answer(client, "template_echo", text="你好")
                page = await show_answer(client, "template_search", query="第")
                await show_answer(client, "template_get", entry_id=page["items"][0]["id"])
    with stand_in(xiaohongshu.create_site()) as site, tempfile.TemporaryDirectory() as folder:
        quick = {"XHS_INTERVAL_SECONDS": "0", "XHS_JITTER_SECONDS": "0", "DYBER_DATA": folder}
        with logged_in(Path(folder), site), started("xiaohongshu", XHS_BASE_URL=site, **quick) as (_, base):
            async with Client(f"{base}/mcp") as client:
                page = await show_answer(client, "xhs_search_notes", keyword="咖啡")
                note = page["items"][0]["note_ref"]
                author = (await show_answer(client, "xhs_get_note", note=note))["author"]["user_ref"]
                await show_answer(client, "xhs_get_comments", note=note)
                await show_answer(client, "xhs_get_user", user=author)
                await show_answer(client, "xhs_analyze", keyword="咖啡")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=400, help="calls per round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--starts", action="store_true", help="only the starts, and the memory of idle servers")
    parser.add_argument("--sizes", action="store_true", help="only the sizes of tool lists and typical answers")
    parser.add_argument("--spans", action="store_true", help="only what sending spans costs")
    options = parser.parse_args()
    if options.spans:
        show_spans(options.calls, options.rounds)
        return
    if not options.sizes:
        show_starts(options.rounds)
    if options.starts:
        return
    if not options.sizes:
        show_speed(options.calls, options.rounds)
        show_waits()
    show_schemas()
    asyncio.run(show_answers())


if __name__ == "__main__":
    main()
