"""Implements `dyber start`, `stop` and `restart`, which keep all containers and data."""

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
from infra.schema.problems import ConfigurationError
from messages import tr
from toolchain.home import DyberHome

HEALTHY_SECONDS = 150.0
READY_SECONDS = 30.0
#: Nginx closes open streams only after this time, and accepts no new connections until it has restarted.
GATEWAY_STOP_SECONDS = 3

commands = typer.Typer()
ServiceArgument = Annotated[str | None, typer.Argument(help=tr("A service; all when left out"))]


@commands.command(epilog=examples("./deploy.sh start", "./deploy.sh start xiaohongshu-mcp"))
def start(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Start the stopped containers of a deployed stack."""
    _, everything, missing = _members(stack)
    named = chosen(everything, service)
    stopped = [member for member in named if not member.running and member.state != GONE]
    if missing.stops_starting:
        raise missing.error(stack)
    if not stopped and not _gone_of(named):
        out.print(tr("Everything is running."))
        return
    with _display() as display:
        for kind in START_ORDER:
            group = [member for member in stopped if member.kind == kind]
            _for_each(group, lambda member: _start(member, display))
    if _gone_of(named):
        raise missing.error(stack)
    out.print(tr("Started. See: ./deploy.sh status"))


@commands.command(epilog=examples("./deploy.sh stop", "./deploy.sh stop template-mcp"))
def stop(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Stop the containers of a deployed stack; they and their data are kept."""
    _, everything, missing = _members(stack)
    named = chosen(everything, service)
    if service and _gone_of(named) == named:
        raise missing.error(stack)
    active = [member for member in named if member.state in ("running", "restarting", "paused")]
    if not active:
        out.print(tr("Nothing is running."))
        return
    with _display() as display:
        for kind in reversed(START_ORDER):
            _for_each([member for member in active if member.kind == kind], lambda member: _stop(member, display))
    out.print(tr("Stopped; containers and data are kept. Start again: ./deploy.sh start"))


@commands.command(epilog=examples("./deploy.sh restart", "./deploy.sh restart xiaohongshu-mcp"))
def restart(service: ServiceArgument = None, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """Restart one replica after the other, each once the previous one serves again."""
    deployment, everything, missing = _members(stack)
    named = chosen(everything, service)
    if missing.stops_starting:
        raise missing.error(stack)
    with _display() as display:
        for member in (member for member in named if member.state != GONE):
            # The fronts only hold ports; restarting one would cut every open connection for nothing.
            if member.kind != "front" or service is not None:
                _restart(member, deployment, everything, display)
    if _gone_of(named):
        raise missing.error(stack)
    out.print(tr("Restarted. See: ./deploy.sh status"))


def _members(stack: str) -> tuple[Deployment, list[Member], Gone]:
    """Return the stack, its members, and what it has lost. Raises StackError if all its containers are gone."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    if all(member.state == GONE for member in everything):
        raise missing.error(stack)
    return deployment, everything, missing


def _gone_of(named: list[Member]) -> list[Member]:
    return [member for member in named if member.state == GONE]


def _display() -> Activities:
    return Activities(DyberHome.from_environment().logs / "run.log")


def _for_each(group: Iterable[Member], work: Callable[[Member], object]) -> None:
    """Call `work` for all members of the group at the same time; raise the first failure once all calls have ended."""
    group = list(group)
    if group:
        with ThreadPoolExecutor(max_workers=len(group)) as pool:
            for future in [pool.submit(work, member) for member in group]:
                future.result()


def _start(member: Member, display: Activities) -> None:
    with display.phase(tr("Starting {service}", service=member.service)):
        with engine.asking() as client:
            client.start(member.id)
        wait_until_well(member, display)


def _stop(member: Member, display: Activities) -> None:
    # Each container has its own time to end the calls that are running.
    with display.phase(tr("Stopping {service}", service=member.service), member.stop_seconds):
        with engine.asking() as client:
            client.stop(member.id, timeout=member.stop_seconds)


def _restart(member: Member, deployment: Deployment, everything: list[Member], display: Activities) -> None:
    replicas = sum(other.service == member.service for other in everything)
    label = member.service if replicas == 1 else f"{member.service} {member.replica}/{replicas}"
    with display.phase(tr("Restarting {label}", label=label)):
        seconds = GATEWAY_STOP_SECONDS if member.kind == "gateway" else member.stop_seconds
        with engine.asking() as client:
            client.restart(member.id, timeout=seconds)
        wait_until_well(member, display)
        if member.kind == "server" and _lacks_secrets(member.service, deployment):
            return  # It is never ready without them.
        if member.kind in ("server", "hub") and any(other.kind == "gateway" and other.running for other in everything):
            _wait_until_ready(member.service, replicas, deployment, display)


def _lacks_secrets(service: str, deployment: Deployment) -> bool:
    """Return whether a service lacks required secrets; not if the stack cannot be read, which a deployment reports."""
    try:
        return service in deployment.missing_secrets()
    except ConfigurationError:
        return False


def wait_until_well(member: Member, display: Activities) -> None:
    """Wait until a container runs and is healthy. Raises StackError if it ends or takes too long."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while time.monotonic() < deadline:
        with engine.asking() as client:
            inspected = client.inspect_container(member.id)["State"]
        state, health = inspected["Status"], (inspected.get("Health") or {}).get("Status", "")
        if state == "running" and health in ("", "healthy"):
            return
        display.detail(health or state)
        if state in ("exited", "dead"):
            break
        time.sleep(0.5)
    raise StackError(
        tr("{service} did not become healthy", service=member.service),
        tr("see why: ./deploy.sh logs {service}", service=member.service),
    )


def _wait_until_ready(service: str, replicas: int, deployment: Deployment, display: Activities) -> None:
    """Wait until the gateway sends calls to all replicas of a service, or of the hub, again."""
    display.detail(tr("waiting for the gateway to report it as ready"))
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        details = gateway_status.details(gateway_status.fetch(deployment.settings))
        ready = details.get(service, {}).get("replicas", {}).get("ready")
        if ready == replicas:
            return
        time.sleep(0.5)
    raise StackError(
        tr(
            "the gateway did not report {service} as ready within {seconds:.0f} s",
            service=service,
            seconds=READY_SECONDS,
        ),
        tr("see: ./deploy.sh status"),
    )
