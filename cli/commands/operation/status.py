"""Implements `dyber status`, `ps` and `list`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.commands.reading import JsonOption, StackOption, deployed, print_json
from cli.configuration.effective import Configuration
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.engine import stored_data
from cli.engine.stored_data import StoredData
from cli.inventory import health_report, notices
from cli.inventory.gone import with_gone
from cli.inventory.health_report import ServiceHealth
from cli.inventory.members import GONE, PAUSED
from cli.inventory.notices import Concerns
from cli.records import recording
from cli.release import contracts
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, fail, out
from cli.terminal.usage import FAILED, examples
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec, load_catalog
from infra.settings.selection import enabled
from infra.settings.stack import StackSettings
from messages import mark, tr
from toolchain.home import DyberHome
from toolchain.progress import duration

commands = typer.Typer()
#: Width in columns of a table that is not printed to a terminal.
UNBOUNDED = 1000
_STYLES = {
    "up": "green",
    "degraded": "yellow",
    "down": "red",
    PAUSED: "red",
    "stopped": "red",
    GONE: "red",
    "unknown": "yellow",
}
#: States in which no container runs, so that the code of its last answer says nothing.
_AT_REST = (PAUSED, "stopped", GONE)
_WORDS = {
    "up": mark("up"),
    "degraded": mark("degraded"),
    "down": mark("down"),
    PAUSED: mark("does not answer (paused)"),
    "stopped": mark("stopped"),
    GONE: mark("gone"),
    "unknown": mark("unknown"),
    "running": mark("running"),
    "off": mark("off"),
}


@commands.command(epilog=examples("./deploy.sh status", "./deploy.sh status --json"))
def status(as_json: JsonOption = False, stack: StackOption = "dev") -> None:
    """Show the health, version, usage, tools and last error of each service; exit code 1 unless all are up."""
    deployment, outputs = deployed(stack, with_settings=True)
    everything, missing = with_gone(deployment, outputs["services"])
    report = health_report.collect(deployment.settings, everything, outputs["services"])
    hidden = _hidden(deployment.settings)
    lacking = deployment.missing_secrets()
    behind = contracts.concerns_of(deployment.deployment_id(), _foreign(outputs["services"]))
    data = stored_data.unused(stored_data.find(stack, sizes=False), stored_data.mounted(deployment.resources()))
    data = stored_data.measured(data)
    if as_json:
        services = [
            {
                **health_report.as_json(item),
                "hidden_tools": hidden.get(item.name, ()),
                "missing_secrets": lacking.get(item.name, ()),
                **asdict(behind.get(item.name, Concerns())),
            }
            for item in report
        ]
        print_json({"stack": stack, "services": services, "unused_data": [item.as_json() for item in data]})
    else:
        print_table(_status_table(report, hidden, lacking, behind))
        for line in (
            *notices.missing_secrets(stack, lacking),
            *notices.behind(stack, behind),
            *notices.wholly_hidden(deployment.settings, deployment.enabled_services()),
        ):
            out.print(Text(line, style="yellow"))
        for item in report:
            if item.last_error:
                out.print(Text.assemble((f"{item.name}: ", "bold"), item.last_error), style="yellow")
        _show_unused_data(data, stack)
        if missing:
            fail(missing.message(), missing.next_step(stack))
        elif paused := [member.name for member in everything if member.state == PAUSED]:
            err.print(Text("→ " + tr("go on: docker unpause {names}", names=" ".join(paused)), style="yellow"))
        elif any(item.state == "stopped" for item in report):
            err.print(Text("→ " + tr("start: ./deploy.sh start"), style="yellow"))
        elif any(item.state != "up" for item in report):
            err.print(Text("→ " + tr("see: ./deploy.sh logs <service>"), style="yellow"))
    recording.record_ends(deployment.deployment_id())
    if missing or behind or any(item.state != "up" for item in report):
        raise typer.Exit(FAILED)


@commands.command(epilog=examples("./deploy.sh ps", "./deploy.sh ps --json"))
def ps(as_json: JsonOption = False, stack: StackOption = "dev") -> None:
    """List this stack's containers."""
    deployment, outputs = deployed(stack)
    everything, missing = with_gone(deployment, outputs["services"])
    if as_json:
        keys = ("name", "service", "kind", "replica", "state", "health", "image", "ports", "restarts")
        print_json([{**{key: getattr(member, key) for key in keys}, "id": member.id[:12]} for member in everything])
        return
    table = _table(tr("container"), tr("service"), tr("state"), tr("ports"), tr("image"))
    for member in everything:
        state = f"{member.state} ({member.health})" if member.running and member.health else member.state
        table.add_row(
            member.name,
            member.service,
            Text(state, style="green" if member.well else "red"),
            " ".join(member.ports),
            member.image,
        )
    print_table(table)
    if missing:
        fail(missing.message(), missing.next_step(stack))


@commands.command(epilog=examples("./deploy.sh list", "./deploy.sh list --json", "./deploy.sh list --sources"))
def list_services(
    as_json: JsonOption = False,
    sources: Annotated[
        bool,
        typer.Option(
            "--sources",
            help=tr("Ask the registries which services with a source have newer versions; exit code 1 then"),
        ),
    ] = False,
    stack: StackOption = "dev",
) -> None:
    """List all services of mcp-servers/, and which of them this stack runs."""
    catalog = load_catalog(ROOT / "mcp-servers")
    if sources:
        _list_sources(catalog, as_json)
        return
    states = _states(stack)
    settings = _settings(stack)
    hidden = _hidden(settings)
    rows: list[dict[str, Any]] = [
        {
            "name": spec.alias,
            "title": spec.title,
            "port": settings.gateway.public(spec.port) if settings else spec.port,
            "profile": spec.profile,
            "state": states.get(name, "off"),
            "tools": list(spec.tools),
            "hidden_tools": hidden.get(name, ()),
            "description": spec.description,
        }
        for name, spec in catalog.items()
    ]
    if as_json:
        print_json(rows)
        return
    table = _table(tr("service"), tr("state"), tr("port"), tr("profile"), tr("tools"), "")
    for row in rows:
        state = str(row["state"])
        table.add_row(
            str(row["name"]),
            Text(tr(_WORDS[state]), style={"running": "green", "off": "dim"}.get(state, "red")),
            str(row["port"]),
            str(row["profile"] or "-"),
            _tools(len(row["tools"]) - len(row["hidden_tools"]), row["hidden_tools"]),
            str(row["description"] or row["title"]),
        )
    print_table(table)
    for line in notices.wholly_hidden(settings, enabled(settings, catalog)) if settings else ():
        out.print(Text(line, style="yellow"))


def _list_sources(catalog: Mapping[str, ServiceSpec], as_json: bool) -> None:
    """Print the locked and the newest version of each source; exit code 1 if one is outdated or not known."""
    from cli.services.adding import outdated

    home = DyberHome.from_environment()
    with Activities(home.logs / "sources.log") as display:
        activate(home)
        states = outdated.states(catalog.values(), home, display)
    if as_json:
        print_json([state.as_json() for state in states])
    elif not states:
        out.print(tr("No service has a source."))
    else:
        table = _table(tr("service"), tr("source"), tr("locked"), tr("newest"), "")
        for state in states:
            word = tr("outdated: ./deploy.sh update-service {name}", name=state.service) if state.is_outdated else ""
            newest = Text(state.newest or "-", style="yellow" if state.is_outdated else "green")
            table.add_row(state.service, state.kind, state.locked or "-", newest, state.problem or word)
        print_table(table)
    if any(state.is_outdated or state.problem for state in states):
        raise typer.Exit(FAILED)


def _show_unused_data(data: list[StoredData], stack: str) -> None:
    if data:
        out.print(tr("Data volumes that no service uses:"))
        for line in stored_data.lines(data):
            out.print(line, markup=False)
        delete = tr("delete them when no longer needed (lists them and asks first): ")
        out.print(Text("→ " + delete + stored_data.command_for(stack), style="dim"))


def _states(stack: str) -> dict[str, str]:
    """Return the state of each service: running, paused, stopped or gone.

    The result is empty if nothing is deployed or the machine is not set up.
    """
    from cli.engine.engine import EngineError
    from toolchain.errors import SetupError

    try:
        activate(DyberHome.from_environment())
        deployment = Deployment.read(stack)
        services = deployment.outputs()["services"]
        states: dict[str, str] = dict.fromkeys(services, GONE)
        for member in with_gone(deployment, services)[0]:
            if member.kind == "server" and states[member.service] != "running":
                known = ("running", PAUSED, GONE)
                states[member.service] = member.state if member.state in known else "stopped"
        return states
    except (SetupError, StackError, EngineError) as error:
        err.print(Text(getattr(error, "message", str(error)), style="yellow"))
        return {}


def _settings(stack: str) -> StackSettings | None:
    """Return the stack's settings; None if they are unusable, which other commands explain."""
    try:
        return Configuration(stack).settings()
    except (ConfigurationError, StackError):
        return None


def _hidden(settings: StackSettings | None) -> dict[str, tuple[str, ...]]:
    """Return by service the tools of its contract that the stack's settings hide from agents."""
    catalog = load_catalog(ROOT / "mcp-servers")
    return {name: settings.hidden_tools(spec) if settings else () for name, spec in catalog.items()}


def _tools(shown: int | None, hidden: Sequence[str]) -> str:
    """Return how many tools agents see, and how many are hidden from them, as a cell of a table."""
    visible = str(shown) if shown else "-"
    return f"{visible} (+{len(hidden)} {tr('hidden')})" if hidden else visible


def _foreign(services: Iterable[str]) -> list[str]:
    """Return those of the services that run a program of others or lead to one."""
    catalog = load_catalog(ROOT / "mcp-servers", locks=False)
    return [name for name in services if name in catalog and catalog[name].source is not None]


def _status_table(
    report: list[ServiceHealth],
    hidden: Mapping[str, Sequence[str]],
    lacking: Mapping[str, Sequence[str]],
    behind: Mapping[str, Concerns],
) -> Table:
    table = _table(
        tr("service"),
        tr("state"),
        tr("replicas"),
        tr("version"),
        tr("tools"),
        "CPU",
        tr("memory"),
        tr("uptime"),
        tr("restarts"),
    )
    for item in report:
        has_code = item.code and item.state not in ("up", *_AT_REST)
        state = tr(_WORDS[item.state]) + (f" ({item.code})" if has_code else "")
        if item.state == "down" and item.name in lacking:
            state = tr("secret missing: {names}", names=", ".join(lacking[item.name]))
        elif item.name in behind:
            state += tr(", ") + notices.in_short(behind[item.name])
        table.add_row(
            item.name,
            Text(state, style="yellow" if item.name in behind and item.state == "up" else _STYLES[item.state]),
            f"{item.ready}/{item.replicas}",
            item.version or "-",
            _tools(item.tools, hidden.get(item.name, ())),
            "-" if item.cpu_percent is None else f"{item.cpu_percent:.1f}%",
            "-" if item.memory_mib is None else f"{item.memory_mib:.0f} / {item.memory_limit_mib:.0f} MiB",
            "-" if item.uptime_seconds is None else duration(item.uptime_seconds),
            str(item.restarts),
        )
    return table


def print_table(table: Table) -> None:
    """Print a table as wide as the terminal, or elsewhere as wide as its content."""
    if out.is_terminal:
        out.print(table, soft_wrap=False)
    else:
        Console(file=out.file, width=UNBOUNDED, highlight=False).print(table)


def _table(*columns: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
