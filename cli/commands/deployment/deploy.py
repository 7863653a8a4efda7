"""Implements `dyber deploy`, `setup`, `preview` and `destroy`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.clients import addresses as client_addresses
from cli.commands.options import changed, check, graceful_interrupt, set_up
from cli.commands.reading import AcceptedYesOption, JsonOption, StackOption, YesOption, print_json
from cli.configuration import choices, env_values
from cli.configuration.choices import Choices
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.selected_stack import select_if_none
from cli.drift.repair import repair
from cli.engine import ports, stored_data
from cli.inventory import notices
from cli.inventory.belongings import belongings
from cli.previews import table as preview_table
from cli.previews.tool_lists import ToolList, too_large, tool_lists
from cli.records import recording
from cli.stack_files.stack_file import StackFile
from cli.system.checkout import ROOT
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, examples
from infra.rendering.clients import entries, formats
from infra.services.catalog import load_catalog
from messages import tr
from toolchain.home import DyberHome
from toolchain.progress import duration

commands = typer.Typer()


@commands.command(
    help=tr(
        "Set this machine up and deploy (the default command). Options are saved and stay in force: for "
        "dev in .env, which belongs to this machine only, for another stack in Pulumi.<stack>.yaml"
    ),
    epilog=examples(
        "./deploy.sh",
        "./deploy.sh --dev",
        "./deploy.sh --profile cache,monitoring",
        './deploy.sh --services "xiaohongshu-mcp api-gateway"',
        "./deploy.sh deploy --no-cache --stack test",
    ),
)
def deploy(
    stack: StackOption = "dev",
    dev: Annotated[bool, typer.Option("--dev", help=tr("With the services of the profile dev"))] = False,
    full: Annotated[bool, typer.Option("--full", help=tr("With dev, cache and monitoring"))] = False,
    services: Annotated[
        str | None,
        typer.Option(
            help=tr('Run only these services, such as "xiaohongshu-mcp api-gateway"; all: as the profiles say')
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help=tr(
                "With these profiles: cache, monitoring, dev, comma-separated, or full; default first switches "
                "the others off"
            )
        ),
    ] = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help=tr("Build the images anew, without any cache"))] = False,
    yes: AcceptedYesOption = False,
) -> None:
    """Set this machine up and deploy (the default command)."""
    started = time.monotonic()
    home = DyberHome.from_environment()
    chosen = Choices(dev, full, profile, services, no_cache)
    ports.refuse_low_ports_of_file(ROOT, stack)
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        with recording.attempt(stack) as attempt:
            deployment = Deployment.open(stack)
            if chosen:
                deployment = _choose(deployment, chosen)
            check(deployment)
            env_values.show_taken(stack)
            deployment.recover(display)
            rest = repair(deployment)
            mounted_before = stored_data.mounted(deployment.resources())
            attempt.begin(deployment)
            with graceful_interrupt():
                outputs, attempt.changes = deployment.up(display, replace=rest.replace, refresh=rest.refresh)
    for volume in sorted(mounted_before - stored_data.mounted(deployment.resources())):
        err.print(tr("• data kept: {volume}", volume=volume), markup=False)
    env_values.complete(stack, outputs["tokens"])
    select_if_none(stack)
    _summary(
        stack,
        outputs,
        attempt.changes,
        time.monotonic() - started,
        tool_lists(deployment.settings, deployment.hub_content()),
        list(_notices(deployment)),
    )


@commands.command(epilog=examples("./deploy.sh setup"))
def setup(yes: AcceptedYesOption = False) -> None:
    """Only set this machine up."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "setup.log") as display:
        set_up(home, display)
    out.print(tr("Ready. Next: ./deploy.sh"))


@commands.command(epilog=examples("./deploy.sh preview", "./deploy.sh preview -s prod", "./deploy.sh preview --diff"))
def preview(
    diff: Annotated[bool, typer.Option("--diff", help=tr("Print Pulumi's full comparison"))] = False,
    as_json: JsonOption = False,
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Show what a deployment would change; changes nothing."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        deployment = Deployment.open(stack)
        deployment.check_settings()
        lists = tool_lists(deployment.settings, deployment.hub_content())
        lacking, warnings = deployment.missing_secrets(), list(_notices(deployment))
        env_values.show_taken(stack)
        with display.phase(tr("Comparing")):
            result = deployment.preview(display)
    count = changed(result.changes)
    if as_json:
        shown = [item.as_json() for item in lists]
        print_json(
            {
                "stack": stack,
                "changes": count,
                "by_kind": result.changes,
                "tool_lists": shown,
                "missing_secrets": lacking,
            }
        )
    elif diff:
        out.print(result.text, markup=False)
    elif count and (rows := preview_table.table(result.steps)):
        out.print(rows)
        out.print(tr("Every value: ./deploy.sh preview --diff"), style="dim")
    if not (count or as_json):
        out.print(tr("No changes."))
    if not (as_json or diff) and (rows := preview_table.lists_table(lists)):
        out.print(rows)
    if not as_json:
        _warn(warnings)


@commands.command(epilog=examples("./deploy.sh destroy -s test"))
def destroy(stack: StackOption = "dev", yes: YesOption = False) -> None:
    """Delete everything this stack made; dataRetention decides about its data volumes."""
    from cli.commands.data.clean import delete_data, list_doomed

    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    kept = deployment.settings.data_retention == "keep"
    data = belongings(deployment, with_images=False).data
    if kept and data:
        err.print(tr("Data will be kept (dataRetention: keep):"))
        for line in stored_data.lines(data):
            err.print(line, markup=False)
    elif data:
        list_doomed(data)
    if not yes:
        names = [
            item["urn"].rsplit("::", 1)[-1]
            for item in deployment.resources()
            if item["type"].startswith("docker:index") and not item["urn"].endswith("-data")
        ]
        err.print(tr("Will be deleted: ") + ", ".join(names or ["-"]), markup=False)
        if not typer.confirm(tr("Continue?"), default=False, err=True):
            raise typer.Exit(FAILED)
    generated = env_values.generated(deployment)
    with Activities(home.logs / "deploy.log") as display:
        deployment.recover(display)
        with graceful_interrupt():
            deployment.destroy(display, data_is_kept=kept)
        if not kept:
            delete_data(data, display)
    recording.forget(stack)
    env_values.forget(stack, generated)
    note = tr(" Its data volumes stay (dataRetention: keep).") if kept else ""
    out.print(tr("Stack {stack} is gone.", stack=stack) + note)


def _choose(deployment: Deployment, chosen: Choices) -> Deployment:
    """Write the choices down and reopen the deployment; undo that and raise if the settings cannot be used."""
    catalog = load_catalog(ROOT / "mcp-servers")
    undo = choices.apply(deployment, chosen, catalog)
    try:
        deployment = Deployment.open(deployment.stack.name)
        deployment.check_settings()
    except BaseException:
        undo()
        raise
    for line in choices.overruled(deployment.settings, StackFile(deployment.file), catalog):
        err.print(Text(f"• {line}", style="yellow"))
    return deployment


def _summary(
    stack: str,
    outputs: dict[str, Any],
    changes: Mapping[str, int],
    seconds: float,
    lists: Sequence[ToolList] = (),
    warnings: Iterable[str] = (),
) -> None:
    option = "" if stack == "dev" else f" -s {stack}"
    count = changed(changes)
    amount = tr("{count} changes", count=count) if count else tr("no changes")
    out.print(f"\n[green]✓[/] {tr('Deployed')} ({amount}, {duration(seconds)})")
    gateway = outputs["gateway"]
    addresses = dict.fromkeys(gateway[kind] for kind in ("url", "http", "https", "development") if kind in gateway)
    out.print(f"  {tr('gateway')}: {'  '.join(addresses)}", markup=False)
    hub = outputs.get("hub")
    if hub:
        out.print(f"  {tr('all tools')}: {hub['mcp']}", markup=False)
        if "search" in hub:
            out.print(f"  {tr('search of tools')}: {hub['search']}", markup=False)
        for group, address in hub["groups"].items():
            out.print(f"  {tr('group')} {group} ({address['title']}): {address['mcp']}", markup=False)
    if console := outputs.get("console"):
        out.print(
            f"  {tr('console')}: {console['url']} ({tr('password')}: ./deploy.sh console password{option})",
            markup=False,
        )
    for name, service in outputs["services"].items():
        out.print(f"  {name} ({service['title']}): {service['mcp']}", markup=False)
    out.print(tr("  token") + f": ./deploy.sh token show{option}", markup=False)
    out.print(tr("  client configuration") + f" (./deploy.sh clients{option}):", markup=False)
    servers = entries.hub_entry(hub, outputs["services"]) if hub else outputs["services"]
    out.print(formats.render("claude-code", servers, None), markup=False)
    if hint := client_addresses.trust_hint(gateway, option):
        out.print("  " + hint, markup=False)
    _warn([*warnings, *filter(None, [too_large(lists, option)])])


def _notices(deployment: Deployment) -> Iterator[str]:
    """Yield a line for everything that keeps services of the stack from being used."""
    yield from notices.missing_secrets(deployment.name, deployment.missing_secrets())
    yield from notices.wholly_hidden(deployment.settings, deployment.enabled_services())


def _warn(lines: Iterable[str]) -> None:
    for line in lines:
        out.print(Text(f"  ⚠️ {line}", style="yellow"))
