"""`dyber add-service` and `dyber remove-service`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.reading import StackOption, YesOption
from cli.deployment.environment import activate
from cli.engine import stored_data
from cli.services import naming, removal, scaffold
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
    "add-service",
    help=tr("Add an MCP service: make its whole folder from the template"),
    epilog=examples("./deploy.sh add-service", "./deploy.sh add-service weibo --port 8003 --title 微博 --deploy"),
)
def add_service(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(help=tr("The service's name; asked for if left out"))] = None,
    port: Annotated[str | None, typer.Option(help=tr("Port; the lowest free one if left out"))] = None,
    title: Annotated[str | None, typer.Option(help=tr("Title shown to people, such as 微博"))] = None,
    deploy: Annotated[bool, typer.Option("--deploy", help=tr("Deploy it at once"))] = False,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Add an MCP service: make its whole folder from the template."""
    catalog = load_catalog(SERVERS)
    if name is None and yes:
        raise typer.BadParameter(tr("with --yes name it: ./deploy.sh add-service weibo"))
    asking = name is None
    folders = {path.name for path in SERVERS.iterdir()}
    if name is None:
        name = _ask(tr("Name of the service (such as weibo, douyin): "))
    name = naming.checked_name(name, folders)
    if port is None and asking:
        port = _ask(tr("Port of the service (8003 or higher): "))
    number = naming.checked_port(port or "", catalog)
    title = naming.checked_title(f"{name} MCP" if title is None else title)
    identifiers = naming.Identifiers(name)
    try:
        scaffold.create(SERVERS, identifiers, number, title)
    except FileExistsError:
        naming.checked_name(name, {name})
    _created(identifiers, number, stack, deploy)
    if deploy:
        _run_command(context, "deploy", ["--stack", stack])


@commands.command(
    "remove-service",
    help=tr("Remove an MCP service; by default its data is kept"),
    epilog=examples("./deploy.sh remove-service weibo", "./deploy.sh remove-service weibo --yes --delete-data"),
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
    """Remove an MCP service; its data is kept unless --delete-data says otherwise."""
    folder = _existing(name)
    _check_settings(name)
    try:
        activate(DyberHome.from_environment())
        deployed = removal.deployed(name)
    except SetupError:
        deployed = []  # Nothing is deployed from a machine that was never set up.
    going = stack if delete_data else None
    _announce(name, deployed, going)
    if not yes and _ask(tr("Continue? (y/N): ")).lower() not in ("y", "yes"):
        err.print(tr("Nothing was changed."))
        raise typer.Exit(FAILED)
    for part in deployed:
        if part.name == going:
            part.delete_data()
    _removed(name, removal.move_aside(ROOT, folder), deployed, going)


def _check_settings(name: str) -> None:
    """Raises typer.TyperException when a stack file speaks of the service."""
    try:
        catalog = load_catalog(SERVERS)
    except ConfigurationError:
        return  # Perhaps because of the very service that is to go; then no stack can be deployed as it is.
    problems = removal.broken_settings(ROOT, catalog, name)
    if problems:
        raise typer.TyperException(
            tr("without {name} these settings are unusable; mend them first:", name=name)
            + "".join(f"\n  {problem}" for problem in problems)
        )


def _announce(name: str, deployed: list[removal.Deployed], going: str | None) -> None:
    lines = [tr("mcp-servers/{name} (to {removed}/)", name=name, removed=removal.REMOVED)]
    for part in deployed:
        goes = part.name == going
        when = "" if goes else tr(" (when {name} is deployed)", name=part.name)
        fate = tr("data will be deleted for good") if goes else tr("data kept")
        lines += [tr("container ") + container + when for container in part.containers]
        lines += [tr("data volume ") + f"{item.description()}: {fate}" for item in part.data]
    err.print(tr("Will be removed:"))
    for line in lines:
        err.print(f"  {line}", markup=False)


def _existing(name: str) -> Path:
    known = sorted(file.parent.name for file in SERVERS.glob(f"*/{SPEC_FILE}"))
    if name not in known:
        raise typer.TyperException(tr("no service {name!r}; known: {known}", name=name, known=", ".join(known)))
    if name == scaffold.TEMPLATE:
        raise typer.TyperException(
            tr(
                "template is what new services are made from and stays; to not run it, take dev out of the "
                "stack file's profiles"
            )
        )
    return SERVERS / name


def _ask(question: str) -> str:
    """One line from the terminal, or from what is piped in. Raises typer.Exit when it ends or is interrupted."""
    err.print(question, end="", markup=False)
    try:
        answer = sys.stdin.readline()
    except KeyboardInterrupt:
        err.print(tr("\nCancelled; nothing was changed."))
        raise typer.Exit(INTERRUPTED) from None
    if not answer:
        err.print(tr("\nNo answer; nothing was changed."))
        raise typer.Exit(FAILED)
    return answer.strip()


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
            "write your tools: mcp-servers/{name}/{package}/ (how: mcp-servers/{name}/README.md)",
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
        out.print(tr("Its address then: <gateway>/api/{name}/mcp", name=name), markup=False)


def _removed(name: str, kept: Path, deployed: list[removal.Deployed], going: str | None) -> None:
    place = kept.relative_to(ROOT).as_posix()
    out.print(f"[green]✓[/] {tr('Removed {name}', name=name)}")
    out.print(tr("  to bring it back: ") + f"mv {place} mcp-servers/{name}", markup=False)
    for part in deployed:
        option = "" if part.name == "dev" else f" deploy -s {part.name}"
        if part.stack:
            done = part.name == going or not part.containers
            told = tr("  to make the gateway forget it: ") if done else tr("  to remove its containers: ")  # fmt: skip
            out.print(f"{told}./deploy.sh{option}", markup=False)
        for item in part.data if part.name != going else ():
            then = tr("  its data is kept in {name}; when no longer needed: ", name=item.name)
            out.print(f"{then}{stored_data.command_for(part.name)}", markup=False)
