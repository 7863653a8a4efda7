"""Implements `dyber lint` and `lock`, the commands for people who change this program."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.reading import AcceptedYesOption
from cli.machine import linting, requirement_files, test_run
from cli.machine.linting import Complaint
from cli.services.sources.locking import relock
from cli.system.checkout import ROOT
from cli.terminal.console import Activities, fail, out
from cli.terminal.usage import FAILED, examples
from infra.services.catalog import load_catalog
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()


@commands.command(epilog=examples("./deploy.sh lint", "./deploy.sh lint --fix", "./deploy.sh lint mypy shellcheck"))
def lint(
    tool: Annotated[list[str] | None, typer.Argument(help=tr("Run only these tools"))] = None,
    fix: Annotated[bool, typer.Option("--fix", help=tr("Correct what ruff can correct"))] = False,
) -> None:
    """Check code, types, layers, spelling, scripts, workflows and Dockerfiles."""
    home = DyberHome.from_environment()
    complaints: dict[str, str] = {}
    with Activities(home.logs / "lint.log") as display:
        test_run.install_packages(display)
        linting.prepare(ROOT, home, display)
        for chosen in _chosen(linting.tools(ROOT), tool or []):
            try:
                with display.phase(chosen.name):
                    linting.check(chosen, ROOT, fix=fix)
            except Complaint as complaint:
                complaints[chosen.name] = str(complaint)
    for text in complaints.values():
        out.print(text, markup=False)
    if complaints:
        names = ", ".join(complaints)
        fail(
            tr("these tools found faults: {names}", names=names),
            tr("correct what is listed above; ./deploy.sh lint --fix corrects a part of it"),
        )
        raise typer.Exit(FAILED)


@commands.command(epilog=examples("./deploy.sh lock", "./deploy.sh lock amap", "./deploy.sh lock --upgrade"))
def lock(
    service: Annotated[
        str | None, typer.Argument(help=tr("Only the packages of this service"), show_default=False)
    ] = None,
    upgrade: Annotated[
        bool,
        typer.Option("--upgrade", help=tr("Take the newest versions of indirect packages too")),
    ] = False,
    yes: AcceptedYesOption = False,
) -> None:
    """Lock the packages of the program and of all services anew, or those of one service."""
    home = DyberHome.from_environment()
    # The locks of sources may be missing: this command writes them.
    catalog = load_catalog(ROOT / "mcp-servers", locks=False)
    if service is not None and service not in catalog:
        known = ", ".join(catalog)
        raise typer.BadParameter(tr("there is no service {service!r}; known: {known}", service=service, known=known))
    with Activities(home.logs / "lock.log") as display:
        changed = requirement_files.lock(ROOT, display, upgrade=upgrade, service=service)
        for spec in catalog.values():
            if spec.source and service in (None, spec.name):
                changed += relock(spec, home, display, upgrade=upgrade)
    for file in changed:
        out.print(tr("updated {file}", file=file.relative_to(ROOT)))
    if not changed:
        out.print(tr("no changes"))


def _chosen(tools: list[linting.Tool], names: list[str]) -> list[linting.Tool]:
    known = [tool.name for tool in tools]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(
            tr("there is no tool {unknown!r}; known: {known}", unknown=unknown[0], known=", ".join(known))
        )
    return [tool for tool in tools if not names or tool.name in names]
