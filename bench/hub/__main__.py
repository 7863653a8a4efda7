"""Measures the hub: calls, lists and handshakes at one address, with all services and with none.

    .venv/bin/python -m bench.hub [--calls 1000] [--rounds 3] [--without-peers]

Seven services of the kit with 100 tools in all run in containers, behind a real gateway with a real hub. The same
services are offered by ContextForge and by FastMCP's proxy, which are installed from PyPI on first use. Requests go to
the addresses of containers, without a front. All take turns several times within a round, so that other work on the
machine slows all alike; the calling process shares the processor.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import httpx2

from bench.hub.backends import TOKEN, TOOLS, Backend, Stack, network, start_backends, start_hub
from bench.hub.peers import PEERS
from bench.hub.requests import (
    ERAS,
    OLD,
    Address,
    Request,
    WrongAnswerError,
    attempt,
    call,
    handshake,
    repeat,
    result_of,
    tools_list,
)
from bench.servers import tree_memory, used_seconds
from tests.gateway.support.docker_cli import docker

SERVICE, TOOL = "mail", "mail_find_entries"
CONCURRENCY = 16
#: How often the ways of the gateway are measured within a round.
TURNS = 4
#: Requests to each way after all services have ended; some of them take seconds.
ATTEMPTS = 5
HUB = "hub, /mcp"


@dataclass(frozen=True)
class Way:
    """A way to the services: its address, its name for the tool that is called, the processes of the programs that it
    leads through, the eras that it speaks, and its turns in a round."""

    name: str
    address: Address
    tool: str
    processes: tuple[int, ...]
    eras: tuple[str, ...] = ERAS
    turns: int = TURNS


@dataclass
class Figures:
    """The rates of all turns, the seconds of all requests that were sent one after the other, the processor time in
    microseconds that a request of each turn took on its way, without that of the service, and the medians of the seconds
    by turn."""

    rates: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    microseconds: list[float] = field(default_factory=list)
    medians: dict[int, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def p50(self) -> float:
        """The median in milliseconds."""
        return statistics.median(self.seconds) * 1000

    def added(self, reference: Figures) -> float:
        """Return by how many microseconds the median is above that of another way: the median over common turns."""
        common = self.medians.keys() & reference.medians.keys()
        return statistics.median(self.medians[turn] - reference.medians[turn] for turn in common) * 1e6

    @property
    def used(self) -> float:
        return statistics.median(self.microseconds)


def spoken(address: Address) -> tuple[str, ...]:
    """Return the eras that the server at the address speaks."""
    return tuple(era for era in ERAS if asyncio.run(attempt(address, handshake(era), era, 1))[1] == "ok")


def renamed(address: Address) -> str:
    """Return under which name the address offers the tool. Others put names before it and replace characters."""
    body, headers = tools_list().body(OLD, 1), tools_list().headers(OLD)
    answer = httpx2.post(address.url, json=body, headers={**address.headers, **headers}, follow_redirects=True)
    names = [str(tool["name"]) for tool in result_of(answer)["tools"]]
    (name,) = [name for name in names if name.replace("-", "_").endswith(f"{SERVICE}_{TOOL}")]
    return name


@contextlib.contextmanager
def ways(stack: Stack, backends: list[Backend], *, with_peers: bool) -> Iterator[tuple[list[Way], dict[str, int]]]:
    """Yield all ways, and by the names of programs the ids of their processes."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    processes = {
        name: int(docker("inspect", "--format", "{{.State.Pid}}", container))
        for name, container in (("hub", stack.hub), ("gateway", stack.gateway))
    }
    both = tuple(processes.values())
    found = [
        Way("gateway, /api/<service>/mcp", Address(f"{stack.base}/api/{SERVICE}/mcp", headers), TOOL, both),
        Way(HUB, Address(f"{stack.base}/mcp", headers), TOOL, both),
    ]
    with contextlib.ExitStack() as running:
        for name, start in PEERS.items() if with_peers else ():
            print(f"starting {name}", file=sys.stderr)
            processes[name], url = running.enter_context(start(backends))
            address = Address(url)
            found.append(Way(name, address, renamed(address), (processes[name],), spoken(address), turns=1))
        yield found, processes


def tree_seconds(process: int) -> float:
    """Return the processor time of a process and its descendants so far; the first one of a container only waits."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return used_seconds(process) + sum(tree_seconds(int(child)) for child in children)


def measured(
    found: list[Way], requests: dict[str, dict[str, Request]], number: int, rounds: int
) -> dict[tuple[str, str], Figures]:
    """Return the figures by way and era; `requests` has by way and era what is sent. `number` is that of a round."""
    figures = {(way.name, era): Figures() for way in found for era in requests[way.name]}
    many, few = max(2 * CONCURRENCY, number // TURNS), max(10, number // (2 * TURNS))
    for turn in range(rounds * TURNS):
        print(f"turn {turn + 1} of {rounds * TURNS}", file=sys.stderr)
        for way in found if turn % 2 == 0 else reversed(found):
            if turn % TURNS >= way.turns:
                continue
            used = partial(_used, way.processes)
            for era, request in requests[way.name].items():
                figure = figures[way.name, era]
                at_once = asyncio.run(repeat(way.address, request, era, many, CONCURRENCY, used))
                figure.rates.append(at_once.rate)
                figure.microseconds.append(at_once.processor_seconds / len(at_once.seconds) * 1e6)
                alone = asyncio.run(repeat(way.address, request, era, few, 1, used)).seconds
                figure.seconds += alone
                figure.medians[turn] = statistics.median(alone)
    return figures


def _used(processes: tuple[int, ...]) -> float:
    return sum(tree_seconds(process) for process in processes)


def show(title: str, figures: dict[tuple[str, str], Figures], reference: str) -> None:
    """Print a table; ratios are to the way `reference` in the same era."""
    head = f"| {title} | protocol | per second at {CONCURRENCY} | to {reference} | p50 ms at 1 | added us | CPU us |"
    print(f"\n{head}\n|---|---|---|---|---|---|---|")
    for (name, era), figure in sorted(figures.items(), key=lambda item: ERAS.index(item[0][1])):
        ratio, added = figure.rate / figures[reference, era].rate, figure.added(figures[reference, era])
        print(
            f"| {name} | {era} | {figure.rate:.1f} | {ratio:.3f} | {figure.p50:.2f} | {added:+.0f} | {figure.used:.0f} |"
        )


def show_without_services(found: list[Way], backends: list[Backend]) -> None:
    """End all services, and print how long handshakes, lists and calls take then, and what they answer."""
    docker("rm", "--force", *(backend.container for backend in backends))
    print("\n| without any service | protocol | handshake p50 ms | list p50 ms | call p50 ms |\n|---|---|---|---|---|")
    for way in found:
        for era in way.eras:
            cells = []
            for request in (handshake(era), tools_list(), call(way.tool)):
                times, seen = asyncio.run(attempt(way.address, request, era, ATTEMPTS))
                cells.append(f"{statistics.median(times) * 1000:.1f} ({seen})")
            print(f"| {way.name} | {era} | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=1000, help="calls per round and way")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-peers", action="store_true", help="only the gateway and the hub")
    options = parser.parse_args()
    # So that containers and programs are ended then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with network() as gateway:
        backends = start_backends(gateway)
        stack = start_hub(gateway, backends)
        with ways(stack, backends, with_peers=not options.without_peers) as (found, processes):
            calls = {way.name: {era: call(way.tool) for era in way.eras} for way in found}
            before = tree_seconds(processes["hub"])
            figures = measured(found, calls, options.calls, options.rounds)
            used = tree_seconds(processes["hub"]) - before
            show("tools/call", figures, found[0].name)
            listing = found[1:]
            every = sum(TOOLS.values())
            lists = {way.name: {era: tools_list(every) for era in way.eras} for way in listing}
            show(f"tools/list, {every} tools", measured(listing, lists, options.calls // 4, options.rounds), HUB)
            print("\n| memory (PSS) | MiB |\n|---|---|")
            for name, process in processes.items():
                print(f"| {name} | {tree_memory(process):.0f} |")
            # Calls do not pass the hub, so this is what it needs for itself.
            print(f"\nProcessor time of the hub during all calls: {used:.2f} s")
            show_without_services(found, backends)
            gateway.others[:] = [name for name in gateway.others if name not in {each.container for each in backends}]


if __name__ == "__main__":
    try:
        main()
    except WrongAnswerError as error:
        raise SystemExit(f"an answer that does not count: {error}") from None
