"""Implements `dyber add-service` and `dyber remove-service`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.reading import StackOption, YesOption
from cli.commands.settings import reviewed_servers
from cli.commands.settings.reviewed_servers import ListOption
from cli.deployment.environment import activate
from cli.engine import stored_data
from cli.services import kinds, naming, removal, scaffold
from cli.system.checkout import ROOT
from cli.terminal.console import err, out
from cli.terminal.usage import FAILED, INTERRUPTED, examples
from infra.schema.problems import ConfigurationError
from infra.services.catalog import SPEC_FILE, load_catalog
from messages import tr
from toolchain.errors import SetupError
from toolchain.home import DyberHome

SERVERS = ROOT / "mcp-servers"


commands = typer.Typer()


@commands.command(
    epilog=examples(
        "./deploy.sh add-service",
        "./deploy.sh add-service weibo --port 8003 --title 微博 --deploy",
        "./deploy.sh add-service zhihu --kind api",
        "./deploy.sh add-service douban --kind browser --title 豆瓣",
        "./deploy.sh add-service --list",
    )
)
def add_service(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help=tr("The service's name; asked for when left out"))] = None,
    port: Annotated[str | None, typer.Option(help=tr("Port; the lowest free one when left out"))] = None,
    title: Annotated[str | None, typer.Option(help=tr("Title shown to people, such as 微博"))] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help=tr("What it is made from: plain (the default), api for an HTTP API, browser for a website"),
        ),
    ] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help=tr("Deploy it at once"))] = False,
    yes: YesOption = False,
    stack: StackOption = "dev",
    listed: ListOption = False,
) -> None:
    """Add an MCP service, whose folder is made from an example of its kind."""
    if listed:
        reviewed_servers.show()
        return
    catalog = load_catalog(SERVERS)
    if name is None and yes:
        raise typer.BadParameter(tr("with --yes, give the name: ./deploy.sh add-service weibo"))
    asking = name is None
    chosen = kinds.checked_kind(kind or "")
    folders = {path.name for path in SERVERS.iterdir()}
    if name is None:
        name = _ask(tr("Name of the service (such as weibo, douyin): "))
    name = naming.checked_name(name, folders)
    if port is None and asking:
        port = _ask(tr("Port of the service (8003 or higher): "))
    number = naming.checked_port(port or "", catalog)
    title = naming.checked_title(f"{name} MCP" if title is None else title)
    if kind is None and asking:
        chosen = kinds.checked_kind(_ask_kind())
    identifiers = naming.Identifiers(name)
    try:
        scaffold.create(SERVERS, identifiers, number, title, chosen)
    except FileExistsError:
        naming.checked_name(name, {name})
    _created(identifiers, number, stack, deploy)
    if deploy:
        _run_command(context, "deploy", ["--stack", stack])


@commands.command(
    epilog=examples("./deploy.sh remove-service weibo", "./deploy.sh remove-service weibo --yes --delete-data")
)
def remove_service(
    name: Annotated[str, typer.Argument(help=tr("The service's name"))],
    delete_data: Annotated[
        bool,
        typer.Option(
            "--delete-data",
            help=tr("Also delete its containers and its data in the stack of --stack, at once"),
        ),
    ] = False,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Remove an MCP service; its data is kept unless --delete-data is given."""
    folder = _existing(name)
    _check_settings(name)
    try:
        activate(DyberHome.from_environment())
        deployed = removal.deployed(name)
    except SetupError:
        deployed = []  # Nothing is deployed from a machine that was never set up.
    deleted_stack = stack if delete_data else None
    _announce(name, deployed, deleted_stack)
    if not yes and _ask(tr("Continue? (y/N): ")).lower() not in ("y", "yes"):
        err.print(tr("Nothing was changed."))
        raise typer.Exit(FAILED)
    for part in deployed:
        if part.name == deleted_stack:
            part.delete_data()
    _removed(name, removal.move_aside(ROOT, folder), deployed, deleted_stack)


def _check_settings(name: str) -> None:
    """Raises typer.TyperException if a stack file has settings that need the service."""
    try:
        catalog = load_catalog(SERVERS)
    except ConfigurationError:
        return  # The service that will be removed may itself be unreadable; then no stack can be deployed anyway.
    problems = removal.broken_settings(ROOT, catalog, name)
    if problems:
        raise typer.TyperException(
            tr("without {name} these settings are unusable; correct them first:", name=name)
            + "".join(f"\n  {problem}" for problem in problems)
        )


def _announce(name: str, deployed: list[removal.Deployed], deleted_stack: str | None) -> None:
    """List what will be removed; `deleted_stack` is the stack whose containers and data are deleted at once."""
    lines = [tr("mcp-servers/{name} (to {removed}/)", name=name, removed=removal.REMOVED)]
    for part in deployed:
        is_deleted = part.name == deleted_stack
        when = "" if is_deleted else tr(" (when {name} is deployed)", name=part.name)
        fate = tr("data will be deleted for good") if is_deleted else tr("data kept")
        lines += [tr("container ") + container + when for container in part.containers]
        lines += [tr("data volume ") + f"{item.description()}: {fate}" for item in part.data]
    err.print(tr("Will be removed:"))
    for line in lines:
        err.print(f"  {line}", markup=False)


def _existing(name: str) -> Path:
    known = sorted(file.parent.name for file in SERVERS.glob(f"*/{SPEC_FILE}"))
    if name not in known:
        raise typer.TyperException(
            tr("there is no service {name!r}; known: {known}", name=name, known=", ".join(known))
        )
    if name == kinds.KINDS[kinds.PLAIN].example.name:
        raise typer.TyperException(
            tr(
                "new services are made from template, so it cannot be removed; to stop running it, remove dev "
                "from profiles in the stack file"
            )
        )
    return SERVERS / name


def _ask(question: str) -> str:
    """Read one line from the terminal or from a pipe. Raises typer.Exit if the input ends or is interrupted."""
    err.print(question, end="", markup=False)
    answer = _line()
    if answer is None:
        err.print(tr("\nNo answer; nothing was changed."))
        raise typer.Exit(FAILED)
    return answer


def _line() -> str | None:
    """Return the next line of the input, or None at its end. Raises typer.Exit if it is interrupted."""
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        err.print(tr("\nCancelled; nothing was changed."))
        raise typer.Exit(INTERRUPTED) from None
    return line.strip() if line else None


def _ask_kind() -> str:
    """Read the kind; where the input ends, it is the default, because earlier releases did not ask for it."""
    for kind in kinds.KINDS.values():
        err.print(f"  {kind.name:<8} {tr(kind.summary)}", markup=False, highlight=False)
    err.print(tr("Kind of the service (plain if left empty): "), end="", markup=False)
    return _line() or ""


def _run_command(context: typer.Context, name: str, arguments: list[str]) -> None:
    root = context.find_root()
    command = root.command.get_command(root, name)  # type: ignore[attr-defined]
    with command.make_context(name, arguments, parent=root) as inner:
        command.invoke(inner)


def _created(identifiers: naming.Identifiers, port: int, stack: str, deploy: bool) -> None:
    name, package = identifiers.name, identifiers.package
    option = "" if stack == "dev" else f" -s {stack}"
    out.print(f"[green]✓[/] {tr('Made mcp-servers/{name}, port {port}', name=name, port=port)}")
    steps = [
        tr(
            "write your tools: mcp-servers/{name}/{package}/ (see mcp-servers/{name}/README.md)",
            name=name,
            package=package,
        ),
        tr("test: ") + f"./deploy.sh test -k {name}",
        tr("deploy: ") + f"./deploy.sh{' deploy' * bool(option)}{option}",
    ]
    out.print(tr("Next:"))
    for number, step in enumerate(steps[: 2 if deploy else 3], 1):
        out.print(f"  {number}. {step}", markup=False)
    if not deploy:
        out.print(tr("Its address after the deployment: <gateway>/api/{name}/mcp", name=name), markup=False)


def _removed(name: str, kept: Path, deployed: list[removal.Deployed], deleted_stack: str | None) -> None:
    place = kept.relative_to(ROOT).as_posix()
    out.print(f"[green]✓[/] {tr('Removed {name}', name=name)}")
    out.print(tr("  to bring it back: ") + f"mv {place} mcp-servers/{name}", markup=False)
    for part in deployed:
        option = "" if part.name == "dev" else f" deploy -s {part.name}"
        if part.stack:
            has_no_containers = part.name == deleted_stack or not part.containers
            purpose = (
                tr("  to remove it from the gateway: ") if has_no_containers else tr("  to remove its containers: ")
            )
            out.print(f"{purpose}./deploy.sh{option}", markup=False)
        for item in part.data if part.name != deleted_stack else ():
            hint = tr("  its data is kept in {name}; when no longer needed: ", name=item.name)
            out.print(f"{hint}{stored_data.command_for(part.name)}", markup=False)
