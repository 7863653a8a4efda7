"""Implements `dyber update-service`, which brings the source of a service to another version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from pydantic import SecretStr
from rich.text import Text

from cli.commands.options import interrupt_afterwards, set_up
from cli.commands.reading import StackOption, YesOption
from cli.commands.settings import foreign_dialogue as dialogue
from cli.commands.settings.tools import show as show_tool_changes
from cli.configuration import config_secrets
from cli.deployment.image_build import build_settings
from cli.services.adding.updating import Update, Updater
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, INTERRUPTED, examples
from infra.services.catalog import ServiceSpec, load_catalog
from messages import tr
from toolchain.home import DyberHome

SERVERS = ROOT / "mcp-servers"
commands = typer.Typer()
#: So many packages of each kind are listed; the others are counted.
MOST_LISTED = 20


@commands.command(
    epilog=examples(
        "./deploy.sh update-service howtocook",
        "./deploy.sh update-service howtocook --to 0.2.2",
        "./deploy.sh update-service howtocook --dependencies --yes",
        "./deploy.sh update-service howtocook --min-age 7",
    )
)
def update_service(
    name: Annotated[str, typer.Argument(help=tr("The service's name"))],
    to: Annotated[str, typer.Option("--to", metavar="VERSION", help=tr("The version; the newest when left out"))] = "",
    dependencies: Annotated[
        bool, typer.Option("--dependencies", help=tr("Also bring what it depends on to the newest versions"))
    ] = False,
    read: Annotated[str, typer.Option("--read", metavar="NAMES", help=tr("New tools that only read"))] = "",
    off: Annotated[str, typer.Option("--off", metavar="NAMES", help=tr("New tools that are switched off"))] = "",
    accept: Annotated[
        list[str] | None, typer.Option("--accept", help=tr("A finding with a reason: CODE=REASON; repeatable"))
    ] = None,
    min_age: dialogue.MinAgeOption = None,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Bring the source of a service to another version, after showing everything that changes."""
    catalog = load_catalog(SERVERS)
    spec = _with_source(name, catalog)
    _, findings = dialogue.acceptances(accept or ())
    reviewer = _UpdateReviewer(yes, _names(read), _names(off), findings)
    home = DyberHome.from_environment()
    with Activities(home.logs / "update-service.log") as display:
        set_up(home, display)
        build = build_settings(stack)
        days = build.min_age_days if min_age is None else min_age
        updater = Updater(SERVERS, home, display, build, catalog, interrupt_afterwards, days)
        secrets = _secrets(spec, stack) if spec.source and spec.source.kind == "url" else {}
        try:
            changed = updater.update(spec, to, secrets, reviewer, upgrade=dependencies)
        except KeyboardInterrupt:
            err.print(tr("Cancelled; nothing half done is left."))
            raise typer.Exit(INTERRUPTED) from None
    if not changed:
        for text in updater.remarks:
            out.print(Text(text, style="yellow"))
        out.print(tr("{name} is up to date. No changes.", name=name), markup=False)
        return
    out.print(f"[green]✓[/] {tr('Updated mcp-servers/{name}', name=name)}")
    out.print(tr("Next: ") + "./deploy.sh", markup=False)


class _UpdateReviewer:
    """Shows an update as one list of differences, and asks whether to make it unless `yes`."""

    def __init__(self, yes: bool, read: list[str], off: list[str], accepted: Mapping[str, str]) -> None:
        self._yes, self._read, self._off, self._accepted = yes, read, off, accepted

    def __call__(self, update: Update) -> tuple[Mapping[str, str], list[dict[str, str]]]:
        show_update(update)
        reviewer = dialogue.Reviewer(self._yes, accepted=self._accepted)
        accepted = reviewer.accepted_findings(update.findings)
        if not self._yes and not dialogue.confirmed(tr("Make this update? (y/N): ")):
            err.print(tr("Nothing was changed."))
            raise typer.Exit(FAILED)
        new = {kind.name for kind in update.new_kinds}
        decided = dict.fromkeys([name for name in self._read if name in new], "read")
        return decided | dict.fromkeys([name for name in self._off if name in new], "off"), accepted


def show_update(update: Update) -> None:
    """Print an update as one list of differences: version, packages, scripts, tools, findings."""
    if update.before != update.after:
        out.print(Text(f"{update.before} → {update.after}", style="bold"))
    changes = update.packages
    _show_packages(tr("packages added"), [f"{name} {version}" for name, version in changes.added.items()], "yellow")
    _show_packages(tr("packages removed"), [f"{name} {version}" for name, version in changes.removed.items()], "dim")
    changed = [f"{name} {before} → {after}" for name, (before, after) in changes.changed.items()]
    _show_packages(tr("packages changed"), changed, "dim")
    if update.scripts:
        out.print(
            Text(tr("new scripts for installing, which never run here: ") + ", ".join(update.scripts), style="yellow")
        )
    for text in update.remarks:
        out.print(Text(text, style="yellow"))
    if update.other_keys:
        out.print(Text(tr("changed in source: {names}", names=", ".join(update.other_keys)), style="yellow"))
    show_tool_changes(update.service, *update.tools)
    if update.new_kinds:
        dialogue.show_tools(update.new_kinds)
    dialogue.show_findings(update.findings)


def _show_packages(title: str, lines: list[str], style: str) -> None:
    if not lines:
        return
    more = f" … (+{len(lines) - MOST_LISTED})" if len(lines) > MOST_LISTED else ""
    out.print(Text(f"{title} ({len(lines)}): {', '.join(lines[:MOST_LISTED])}{more}", style=style))


def _with_source(name: str, catalog: Mapping[str, ServiceSpec]) -> ServiceSpec:
    with_source = [spec.name for spec in catalog.values() if spec.source]
    if name not in catalog:
        raise typer.BadParameter(
            tr("there is no service {name!r}; known: {known}", name=name, known=", ".join(with_source) or "-")
        )
    spec = catalog[name]
    if spec.source is None:
        raise StackError(
            tr("{name} is made of code in its folder, and has no source to update", name=name),
            tr("services with a source: {known}", known=", ".join(with_source) or "-"),
        )
    return spec


def _secrets(spec: ServiceSpec, stack: str) -> dict[str, SecretStr]:
    """Return the secrets of a service in a stack, which a remote server wants before it lists its tools."""
    content: Any = config_secrets.decrypted(stack, ROOT)
    for key in ("services", spec.name, "secrets"):
        content = content.get(key) if isinstance(content, Mapping) else None
    return {str(key): SecretStr(str(value)) for key, value in (content or {}).items()} if spec.secrets else {}


def _names(text: str) -> list[str]:
    return [name for name in re.split(r"[\s,，、]+", text) if name]
