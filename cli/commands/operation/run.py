"""`dyber start`, `stop` and `restart`: containers and data stay, only what runs changes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import typer

from cli.commands.reading import AcceptedYesOption, StackOption, deployed
from cli.deployment.deployment import Deployment
from cli.engine import engine
from cli.inventory import gateway_status
from cli.inventory.gone import Gone, with_gone
from cli.inventory.members import GONE, START_ORDER, Member, chosen
from cli.system.errors import StackError
from cli.terminal.console import Activities, out
from cli.terminal.usage import examples
from messages import tr
from toolchain.home import DyberHome

HEALTHY_SECONDS = 150.0
READY_SECONDS = 30.0
#: Nginx cuts open streams only when this has passed; callers cannot come in meanwhile.
GATEWAY_STOP_SECONDS = 3

commands = typer.Typer()
ServiceArgument = Annotated[str | None, typer.Argument(help=tr("A service; without one, all"))]


@commands.command(epilog=examples("./deploy.sh start", "./deploy.sh start xiaohongshu-mcp"))
def start(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Start the containers of a deployed stack that are stopped."""
    _, everything, missing = _members(stack)
    named = chosen(everything, service)
    wanted = [one for one in named if not one.running and one.state != GONE]
    if missing.stops_starting:
        raise missing.error(stack)
    if not wanted and not _named_gone(named):
        out.print(tr("Everything is running."))
        return
    with _display() as display:
        for kind in START_ORDER:
            group = [one for one in wanted if one.kind == kind]
            _each(group, lambda one: _start(one, display))
    if _named_gone(named):
        raise missing.error(stack)
    out.print(tr("Started. See: ./deploy.sh status"))


@commands.command(epilog=examples("./deploy.sh stop", "./deploy.sh stop template-mcp"))
def stop(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Stop the containers of a deployed stack; they and their data stay."""
    _, everything, missing = _members(stack)
    named = chosen(everything, service)
    if service and _named_gone(named) == named:
        raise missing.error(stack)
    wanted = [one for one in named if one.state in ("running", "restarting", "paused")]
    if not wanted:
        out.print(tr("Nothing is running."))
        return
    with _display() as display:
        for kind in reversed(START_ORDER):
            _each([one for one in wanted if one.kind == kind], lambda one: _stop(one, display))
    out.print(tr("Stopped; containers and data are kept. Start again: ./deploy.sh start"))


@commands.command(epilog=examples("./deploy.sh restart", "./deploy.sh restart xiaohongshu-mcp"))
def restart(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Restart services one container after the other, each only when the one before serves again."""
    deployment, everything, missing = _members(stack)
    named = chosen(everything, service)
    if missing.stops_starting:
        raise missing.error(stack)
    with _display() as display:
        for one in (one for one in named if one.state != GONE):
            # The fronts only hold ports; restarting one would cut every open connection for nothing.
            if one.kind != "front" or service is not None:
                _restart(one, deployment, everything, display)
    if _named_gone(named):
        raise missing.error(stack)
    out.print(tr("Restarted. See: ./deploy.sh status"))


def _members(stack: str) -> tuple[Deployment, list[Member], Gone]:
    """The stack, its members, and what of it is gone. Raises StackError where no container is left."""
    deployment, outputs = deployed(stack)
    found, missing = with_gone(deployment, outputs["services"])
    if all(one.state == GONE for one in found):
        raise missing.error(stack)
    return deployment, found, missing


def _named_gone(named: list[Member]) -> list[Member]:
    return [one for one in named if one.state == GONE]


def _display() -> Activities:
    return Activities(DyberHome.from_environment().logs / "run.log")


def _each(group: Iterable[Member], work: Callable[[Member], object]) -> None:
    """Do it to all of the group at once; the first failure is raised when all have ended."""
    group = list(group)
    if group:
        with ThreadPoolExecutor(max_workers=len(group)) as pool:
            for future in [pool.submit(work, one) for one in group]:
                future.result()


def _start(one: Member, display: Activities) -> None:
    with display.phase(tr("Starting {service}", service=one.service)):
        with engine.asking() as client:
            client.start(one.id)
        wait_until_well(one, display)


def _stop(one: Member, display: Activities) -> None:
    # The container's own time: running calls end first.
    with display.phase(tr("Stopping {service}", service=one.service), one.stop_seconds):
        with engine.asking() as client:
            client.stop(one.id, timeout=one.stop_seconds)


def _restart(one: Member, deployment: Deployment, everything: list[Member], display: Activities) -> None:
    replicas = sum(other.service == one.service for other in everything)
    label = one.service if replicas == 1 else f"{one.service} {one.replica}/{replicas}"
    with display.phase(tr("Restarting {label}", label=label)):
        seconds = GATEWAY_STOP_SECONDS if one.kind == "gateway" else one.stop_seconds
        with engine.asking() as client:
            client.restart(one.id, timeout=seconds)
        wait_until_well(one, display)
        if one.kind == "server" and any(other.kind == "gateway" and other.running for other in everything):
            _wait_until_ready(one.service, replicas, deployment, display)


def wait_until_well(one: Member, display: Activities) -> None:
    """Wait until a container runs and is healthy. Raises StackError when it ended, or takes too long."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        with engine.asking() as client:
            told = client.inspect_container(one.id)["State"]
        state, health = told["Status"], (told.get("Health") or {}).get("Status", "")
        if state == "running" and health in ("", "healthy"):
            return
        display.detail(health or state)
        if state in ("exited", "dead"):
            break
        time.sleep(0.5)
    raise StackError(
        tr("{service} did not become healthy", service=one.service),
        tr("see why: ./deploy.sh logs {service}", service=one.service),
    )


def _wait_until_ready(service: str, replicas: int, deployment: Deployment, display: Activities) -> None:
    """Wait until the gateway sends calls to all replicas of a service again."""
    display.detail(tr("waiting for the gateway to see it"))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        report = gateway_status.fetch(deployment.settings)
        ready = ((report or {}).get("details", {}).get(service) or {}).get("replicas", {}).get("ready")
        if ready == replicas:
            return
        time.sleep(0.5)
    raise StackError(
        tr("the gateway did not see {service} ready within {seconds:.0f} s", service=service, seconds=READY_SECONDS),
        tr("see: ./deploy.sh status"),
    )
