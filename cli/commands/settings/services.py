"""Implements `dyber add-service` and `dyber remove-service`."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.reading import StackOption, YesOption
from cli.commands.settings import client_imports, foreign_services, reviewed_servers, unused_options
from cli.commands.settings.foreign_dialogue import MinAgeOption
from cli.commands.settings.foreign_services import Given
from cli.commands.settings.reviewed_servers import ListOption
from cli.deployment.environment import activate
from cli.engine import stored_data
from cli.services import kinds, leftover_settings, naming, removal, scaffold
from cli.services.leftover_settings import WithoutService
from cli.system.checkout import ROOT
from cli.terminal.console import err, out
from cli.terminal.usage import FAILED, INTERRUPTED, examples
from infra.schema.problems import ConfigurationError
from infra.services import foreign_catalog
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
        "./deploy.sh add-service amap",
        "./deploy.sh add-service --from npm:howtocook-mcp",
        "./deploy.sh add-service files --from npm:@modelcontextprotocol/server-filesystem --argument /data",
        "./deploy.sh add-service --from 'uvx mcp-server-time --local-timezone=Asia/Shanghai'",
        "./deploy.sh add-service --import ~/.cursor/mcp.json",
    )
)
def add_service(
    context: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(help=tr("The service's name; asked for when left out. With --import: only this server")),
    ] = None,
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
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SOURCE",
            help=tr(
                "An existing MCP server: npm:NAME, pypi:NAME, go:MODULE, oci:IMAGE, url:ADDRESS, registry:FILE, or a "
                "whole command line"
            ),
        ),
    ] = None,
    configuration: Annotated[
        str | None,
        typer.Option(
            "--import", metavar="FILE", help=tr("All servers in the configuration of an MCP client, such as mcp.json")
        ),
    ] = None,
    program: Annotated[str, typer.Option("--bin", help=tr("With --from: the program of the package"))] = "",
    number: Annotated[
        int | None, typer.Option("--package", help=tr("With --from registry: the number of the package"))
    ] = None,
    argument: Annotated[
        list[str] | None, typer.Option("--argument", help=tr("With --from: an argument of the server; repeatable"))
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option(
            "--header",
            metavar="HEADER",
            help=tr("With --from url: a header, such as 'Authorization: Bearer ${TOKEN}' with a secret; repeatable"),
        ),
    ] = None,
    requirement: Annotated[
        list[str] | None,
        typer.Option("--with", help=tr("With --from pypi: a further requirement, such as mcp<2; repeatable")),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help=tr("A variable of the server or an answer; repeatable")),
    ] = None,
    secret: Annotated[
        list[str] | None,
        typer.Option("--secret", metavar="NAME", help=tr("A secret that the server needs; repeatable")),
    ] = None,
    internet: Annotated[
        bool | None, typer.Option("--internet/--no-internet", help=tr("Whether the server may reach the Internet"))
    ] = None,
    read: Annotated[
        str, typer.Option("--read", metavar="NAMES", help=tr("Tools that only read, with commas; get_* and * work too"))
    ] = "",
    write: Annotated[str, typer.Option("--write", metavar="NAMES", help=tr("Tools that write"))] = "",
    off: Annotated[str, typer.Option("--off", metavar="NAMES", help=tr("Tools that are switched off"))] = "",
    accept: Annotated[
        list[str] | None,
        typer.Option("--accept", help=tr("private-address, or a finding with a reason: CODE=REASON; repeatable")),
    ] = None,
    min_age: MinAgeOption = None,
    yes: YesOption = False,
    stack: StackOption = "dev",
    listed: ListOption = False,
) -> None:
    """Add an MCP service: from an example of its kind, or from an existing MCP server."""
    if listed:
        reviewed_servers.show()
        return
    given = Given(
        SERVERS, stack, yes, name, port, title, program, number, internet,
        arguments=argument or (), headers=header or (), requirements=requirement or (), values=_assignments(values or []),
        secrets=secret or (), read=_names(read), write=_names(write), off=_names(off), accept=accept or (),
        min_age=min_age,
    )  # fmt: skip
    if source is not None or configuration is not None:
        if kind is not None or (source is not None and configuration is not None):
            raise typer.BadParameter(tr("give only one of --kind, --from and --import"))
        _add_foreign(context, source, configuration, given, deploy)
        return
    reviewed = foreign_catalog.load(SERVERS) if kind is None else {}
    if name in reviewed:
        _tell_next(context, foreign_services.add_reviewed(reviewed[name], given), given, deploy)
        return
    if name is not None or kind is not None:
        unused_options.refuse_for_own_service(given)
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
    if name in reviewed:
        added = foreign_services.add_reviewed(reviewed[name], replace(given, port=port))
        _tell_next(context, added, given, deploy)
        return
    if kind is None:
        _confirm_unlike(name, [*reviewed, *catalog], asks=not yes)
    service_port = naming.checked_port(port or "", catalog)
    checked_title = naming.checked_title(f"{name} MCP" if title is None else title)
    if kind is None and asking:
        answer = _ask_kind()
        if ":" in answer or " " in answer:
            _add_foreign(context, answer, None, replace(given, name=name, port=str(service_port)), deploy)
            return
        chosen = kinds.checked_kind(answer)
    identifiers = naming.Identifiers(name)
    try:
        scaffold.create(SERVERS, identifiers, service_port, checked_title, chosen)
    except FileExistsError:
        naming.checked_name(name, {name})
    _created(identifiers, service_port, stack, deploy)
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
    """Remove an MCP service with its settings and secrets; its data is kept unless --delete-data is given."""
    folder = _existing(name)
    changed = _settings_without(name)
    try:
        activate(DyberHome.from_environment())
        deployed = removal.deployed(name)
    except SetupError:
        deployed = []  # Nothing is deployed from a machine that was never set up.
    deleted_stack = stack if delete_data else None
    _announce(name, deployed, deleted_stack, changed)
    if not yes and _ask(tr("Continue? (y/N): ")).lower() not in ("y", "yes"):
        err.print(tr("Nothing was changed."))
        raise typer.Exit(FAILED)
    with leftover_settings.written(changed):
        for part in deployed:
            if part.name == deleted_stack:
                part.delete_data()
        kept = removal.move_aside(ROOT, folder)
    _removed(name, kept, deployed, deleted_stack)
    if changed:
        out.print(tr("  its settings and secrets do not come back with it; set them again then"), markup=False)


def _add_foreign(
    context: typer.Context, source: str | None, configuration: str | None, given: Given, deploy: bool
) -> None:
    """Add existing MCP servers."""
    if source is not None:
        _tell_next(context, foreign_services.add_from(source, given), given, deploy)
        return
    imported = client_imports.import_file(configuration or "", given)
    _tell_next(context, imported.added, given, deploy and imported.is_complete)
    if not imported.is_complete:
        raise typer.Exit(FAILED)


def _tell_next(context: typer.Context, names: str | list[str] | None, given: Given, deploy: bool) -> None:
    """Deploy the services that were added, or tell how to."""
    added = [names] if isinstance(names, str) else names
    if not added:
        return
    if deploy:
        _run_command(context, "deploy", ["--stack", given.stack])
        return
    option = "" if given.stack == "dev" else f" deploy -s {given.stack}"
    out.print(tr("Next: ") + f"./deploy.sh{option}", markup=False)
    for name in added:
        _tell_address(name)


def _tell_address(name: str) -> None:
    text = tr("Once it is deployed, ./deploy.sh list shows its address, which ends in /api/{name}/mcp", name=name)
    out.print(text, markup=False)


def _assignments(words: list[str]) -> dict[str, str]:
    """Return the values of --set by name. Raises typer.BadParameter."""
    result = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(tr("--set takes NAME=VALUE"))
        result[name.strip()] = value
    return result


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,，、]+", text) if name]


def _settings_without(name: str) -> list[WithoutService]:
    """Return the stack files that name the service, each without it; nothing is written yet.

    Raises typer.TyperException if a file would be unusable even so.
    """
    try:
        catalog = load_catalog(SERVERS)
    except ConfigurationError:
        # The service that will be removed may itself be unreadable; then no stack can be deployed anyway.
        return leftover_settings.without_service(ROOT, {}, name)
    changed = leftover_settings.without_service(ROOT, catalog, name)
    problems = removal.broken_settings(ROOT, catalog, name, changed)
    if problems:
        raise typer.TyperException(
            tr("without {name} these settings are unusable; correct them first:", name=name)
            + "".join(f"\n  {problem}" for problem in problems)
        )
    return changed


def _announce(
    name: str, deployed: list[removal.Deployed], deleted_stack: str | None, changed: list[WithoutService]
) -> None:
    """List what will be removed; `deleted_stack` is the stack whose containers and data are deleted at once."""
    lines = [tr("mcp-servers/{name} (to {removed}/)", name=name, removed=removal.REMOVED)]
    for item in changed:
        file = item.file.path.name
        lines += [tr("setting in {file}: {key}", file=file, key=key) for key in item.settings]
        lines += [tr("secret in {file}, for good: {key}", file=file, key=key) for key in item.secrets]
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


def _confirm_unlike(name: str, known: Collection[str], *, asks: bool) -> None:
    """Let a person confirm a name that is nearly a known one, which may be a typing error.

    Raises typer.BadParameter where nobody is asked, and typer.Exit without consent.
    """
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    if not near:
        return
    if not asks or not sys.stdin.isatty():
        raise typer.BadParameter(
            tr(
                "{name} is very like {near}, which is known already; if that was meant, write {near}. A new service of your "
                "own: ./deploy.sh add-service {name} --kind plain",
                near=near[0],
                name=name,
            )
        )
    question = tr("{name} is very like {near}, which is known already. Make a new service {name} of your own? (y/N): ",
                  near=near[0], name=name)  # fmt: skip
    if _ask(question).lower() not in ("y", "yes"):
        err.print(tr("Nothing was changed."))
        raise typer.Exit(FAILED)


def _ask_kind() -> str:
    """Read the kind; where the input ends, it is the default, because earlier releases did not ask for it."""
    for kind in kinds.KINDS.values():
        err.print(f"  {kind.name:<8} {tr(kind.summary)}", markup=False, highlight=False)
    about = tr("an existing MCP server: npm:NAME, pypi:NAME, an address, or a whole command line")
    err.print(f"  {'npm:…':<8} {about}", markup=False, highlight=False)
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
        _tell_address(name)


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
