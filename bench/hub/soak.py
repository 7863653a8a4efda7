"""Runs clients of both protocol eras at the hub of a deployed stack for an hour, and measures what grows.

    .venv/bin/python -m bench.hub.soak [--stack dev] [--minutes 60] [--clients 50] [--rate 40] [--plan PLAN]

Needs root on this machine, a stack with the service template, and the variables of `./deploy.sh env`. Half of the
clients speak MCP 2026-07-28, the others an older revision over Streamable HTTP or over SSE; they list, call tools that
answer, that report progress, that refuse, and that they give up, at /mcp, and at the addresses of a group and of the
search if the stack has them. In the first 40 % of the time the hub's container is killed, that of template is killed,
the gateway loads its configuration again, and template is deployed again, in turns; after that the hub is left alone,
so that its growth can be seen.

Memory is PSS in MiB, of all processes of a container; files and connections are those that are open. The growth is that
of the container that ran longest in its role, without its first tenth. Exit code 1: a request was lost while nothing
was killed, or something grew beyond `--max-growth`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from bench.hub.soak_load import Load, Outcome, Step
from bench.processes import connections, descendants, first_and_last_medians, memory, open_files
from bench.stack import output

SAMPLE_SECONDS = 10.0
#: Requests that began or ended so long after something was killed may be lost.
AFTERMATH_SECONDS = 10.0
KINDS = ("ok", "refused", "cancelled", "told", "failed", "lost")
STEPS = (
    Step("template_echo", {"text": "x" * 200}),
    Step("template_echo", {"text": "字"}),
    Step("template_echo", {"text": "", "unknown": 1}, is_error=True),
    Step("template_countdown", {"steps": 3, "interval_ms": 50}),
    Step(None),
    Step("template_countdown", {"steps": 20, "interval_ms": 500}, cancel_after=0.5),
)


def group_steps(group: str, echo: str) -> tuple[Step, ...]:
    """Return the steps at the address of a group that has template_echo under a name."""
    path = f"/groups/{group}"
    return (
        Step(echo, {"text": "x" * 200}, path),
        Step(None, path=path),
        Step(echo, {"text": ""}, path, is_error=True),
    )


SEARCH_STEPS = (
    Step("find_tools", {"query": "echo 回声"}, "/search"),
    Step("call_tool", {"name": "template_echo", "arguments": {"text": "x"}}, "/search"),
    Step("list_services", {}, "/search"),
)


@dataclass
class Deployed:
    """A deployed stack, and its containers by role, such as `hub-server`."""

    stack: str

    def __post_init__(self) -> None:
        gateway = json.loads(output(["pulumi", "stack", "output", "gateway", "--json", "-s", self.stack]))
        label = '{{index .Config.Labels "dyber.deployment"}}'
        self.deployment = output(["docker", "inspect", "--format", label, gateway["container"]]).strip()

    def containers(self) -> dict[str, tuple[str, int]]:
        """Return by role the name of each running container and its process id."""
        chosen = ["--filter", f"label=dyber.deployment={self.deployment}"]
        names = output(["docker", "ps", "--format", "{{.Names}}", *chosen]).split()
        prefix = f"dyber-{self.stack}-"
        running = {}
        for name in names:
            pid = subprocess.run(
                ["docker", "inspect", "--format", "{{.State.Pid}}", name], capture_output=True, text=True, check=False
            ).stdout.strip()
            if pid and pid != "0":
                running[name.removeprefix(prefix).rpartition("-")[0]] = (name, int(pid))
        return running

    def kill(self, role: str) -> None:
        """End the process of a container, as when it crashes; the engine starts it again."""
        subprocess.run(["kill", "-KILL", str(self.containers()[role][1])], check=False)

    def reload(self) -> None:
        """Let the gateway load its configuration again."""
        name = self.containers()["gateway-nginx"][0]
        subprocess.run(
            ["docker", "exec", name, "nginx", "-c", "/etc/dyber/current/nginx.conf", "-s", "reload"], check=True
        )

    def redeploy(self) -> None:
        """Deploy template with another variable, which replaces its container."""
        variable = ["services.template.environment.SOAK", str(int(time.time()))]
        for command in (["config", "set", *variable], ["deploy", "--yes"]):
            subprocess.run(["./deploy.sh", *command, "--stack", self.stack], check=True, stdout=sys.stderr)


@dataclass
class Samples:
    """The samples of each container: (role, container, process id) → name of the figure → values."""

    values: dict[tuple[str, str, int], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def take(self, deployed: Deployed) -> None:
        for role, (name, pid) in deployed.containers().items():
            processes = [pid, *descendants(pid)]
            entry = self.values[role, name, pid]
            entry["at"].append(time.monotonic())
            entry["memory"].append(sum(map(memory, processes)))
            entry["files"].append(sum(map(open_files, processes)))
            entry["connections"].append(connections(pid))

    def longest(self) -> dict[str, dict[str, list[float]]]:
        """Return by role the samples of the container that ran longest."""
        by_role: dict[str, dict[str, list[float]]] = {}
        for (role, _, _), entry in self.values.items():
            if role not in by_role or len(entry["memory"]) > len(by_role[role]["memory"]):
                by_role[role] = entry
        return by_role


@dataclass
class Event:
    """Something that was done to the stack, from `begun` to `ended` in seconds of the monotonic clock."""

    name: str
    begun: float
    ended: float


def plan(minutes: float) -> list[tuple[float, str]]:
    """Return what happens at which minute: everything in the first 40 %, later only what leaves the hub running."""
    first = ["kill hub", "kill template", "reload gateway", "redeploy template"] * 2
    later = ["reload gateway", "kill template", "redeploy template"]
    early = [(minutes * 0.4 * (number + 1) / (len(first) + 1), name) for number, name in enumerate(first)]
    late = [(minutes * (0.45 + 0.5 * number / len(later)), name) for number, name in enumerate(later)]
    return early + late


async def disturb(deployed: Deployed, minutes: float, events: list[Event]) -> None:
    actions: dict[str, Callable[[], None]] = {
        "kill hub": lambda: deployed.kill("hub-server"),
        "kill template": lambda: deployed.kill("template-server"),
        "reload gateway": deployed.reload,
        "redeploy template": deployed.redeploy,
    }
    started = time.monotonic()
    for minute, name in plan(minutes):
        await asyncio.sleep(max(0.0, started + minute * 60 - time.monotonic()))
        event = Event(name, time.monotonic(), float("inf"))
        events.append(event)
        print(f"{name} …", file=sys.stderr, flush=True)
        await asyncio.to_thread(actions[name])
        event.ended = time.monotonic()


async def sample(deployed: Deployed, samples: Samples, load: Load, goes_on: Callable[[], bool]) -> None:
    while goes_on():
        await asyncio.to_thread(samples.take, deployed)
        counted = Counter(outcome.kind for outcome in load.outcomes)
        hub = next((entry for (role, _, _), entry in reversed(samples.values.items()) if role == "hub-server"), {})
        latest = {name: round(values[-1], 1) for name, values in hub.items()}
        print(f"{dict(counted)}, hub: {latest}", file=sys.stderr, flush=True)
        await asyncio.sleep(SAMPLE_SECONDS)


def cause(outcome: Outcome, events: list[Event]) -> str:
    """Return what happened while a request was in flight, or shortly before; empty: nothing."""
    for event in reversed(events):
        if event.begun <= outcome.at and outcome.begun <= event.ended + AFTERMATH_SECONDS:
            return event.name
    return ""


def report(load: Load, samples: Samples, events: list[Event], max_growth: float) -> bool:
    """Print the tables; return whether nothing was lost without a cause, and nothing grew too much."""
    print("| clients | requests | " + " | ".join(KINDS) + " | connections lost |")
    print("|---" * (len(KINDS) + 3) + "|")
    for way in load.clients:
        counted = Counter(outcome.kind for outcome in load.outcomes if outcome.way == way)
        lost = sum(outcome.way == way for outcome in load.connections_lost)
        cells = [f"{counted[kind]}" for kind in KINDS]
        print(f"| {load.clients[way]} {way} | {counted.total()} | {' | '.join(cells)} | {lost} |")
    print("\n| what happened | times | " + " | ".join(KINDS[3:]) + " | connections lost |\n|---|---|---|---|---|---|")
    well = True
    unhappy = [outcome for outcome in load.outcomes if outcome.kind in KINDS[3:]]
    for name in [*dict.fromkeys(event.name for event in events), ""]:
        counted = Counter(outcome.kind for outcome in unhappy if cause(outcome, events) == name)
        lost = sum(cause(outcome, events) == name for outcome in load.connections_lost)
        times = sum(event.name == name for event in events)
        print(
            f"| {name or 'nothing'} | {times or ''} | {' | '.join(str(counted[kind]) for kind in KINDS[3:])} | {lost} |"
        )
        well = well and (bool(name) or not (counted.total() + lost))
    details = Counter((cause(outcome, events) or "nothing", outcome.kind, outcome.detail) for outcome in unhappy)
    details.update((cause(o, events) or "nothing", "connection", o.detail) for o in load.connections_lost)
    print("\n| while | kind | detail | times |\n|---|---|---|---|")
    for (name, kind, detail), times in sorted(details.items()):
        print(f"| {name} | {kind} | {detail} | {times} |")
    print("\n| container | minutes | memory (MiB) | growth | files | connections |\n|---|---|---|---|---|---|")
    for role, entry in sorted(samples.longest().items()):
        first, last = first_and_last_medians(entry["memory"])
        growth = last / first - 1 if first else 0.0
        cells = [
            "{:.0f} → {:.0f}, at most {:.0f}".format(*first_and_last_medians(entry[name]), max(entry[name]))
            for name in ("files", "connections")
        ]
        ran = (entry["at"][-1] - entry["at"][0]) / 60
        print(f"| {role} | {ran:.0f} | {first:.1f} → {last:.1f} | {growth:+.1%} | {' | '.join(cells)} |")
        well = well and growth <= max_growth
    return well


async def soak(deployed: Deployed, load: Load, minutes: float) -> tuple[Samples, list[Event]]:
    until = time.monotonic() + minutes * 60
    samples, events = Samples(), list[Event]()

    def goes_on() -> bool:
        return time.monotonic() < until

    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(goes_on))
        group.create_task(sample(deployed, samples, load, goes_on))
        group.create_task(disturb(deployed, minutes, events))
    return samples, events


def main() -> None:
    about, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=about, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stack", default="dev")
    parser.add_argument("--base", default="http://127.0.0.1", help="the gateway's address")
    parser.add_argument("--group", help="a group, and its name of template_echo: pet:say")
    parser.add_argument("--search", action="store_true", help="also use the search of tools")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--rate", type=float, default=40, help="requests a second in all, at most")
    parser.add_argument("--max-growth", type=float, default=0.05, help="of memory, as a fraction of it")
    options = parser.parse_args()
    if not 1 <= options.minutes <= 24 * 60 or not 4 <= options.clients <= 500:
        parser.error("--minutes must be 1 to 1440, --clients 4 to 500")
    try:
        httpx2.get(f"{options.base}/health", verify=False)
    except httpx2.TransportError as error:
        parser.error(f"--base {options.base}: nothing answers there ({error}); ./deploy.sh clients names the address")
    token = output(["./deploy.sh", "token", "show", "desktop-pet", "--stack", options.stack]).strip()
    steps: tuple[Step, ...] = STEPS
    if options.group:
        steps += group_steps(*options.group.split(":", 1))
    if options.search:
        steps += SEARCH_STEPS
    quarter = options.clients // 4
    clients = {"modern": options.clients - 2 * quarter, "legacy": quarter, "sse": quarter}
    load = Load(
        options.base, {"Authorization": f"Bearer {token}"}, steps, clients, options.clients / options.rate,
        listeners=max(1, options.clients // 10),
    )  # fmt: skip
    samples, events = asyncio.run(soak(Deployed(options.stack), load, options.minutes))
    print(f"listening streams that ended: {load.streams_ended}", file=sys.stderr)
    raise SystemExit(0 if report(load, samples, events, options.max_growth) else 1)


if __name__ == "__main__":
    main()
