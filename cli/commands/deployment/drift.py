"""Implements `dyber drift`, which reports what was changed on the engine outside of Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pulumi.automation.errors import CommandError

from cli.commands.reading import JsonOption, print_json
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.events import DeployError, explain
from cli.drift import look
from cli.drift.report import Report, as_json, as_record, lines, markdown, table
from cli.engine.engine import EngineError
from cli.records import recording
from cli.system.errors import StackError
from cli.terminal.console import Activities, fail, out
from cli.terminal.usage import FAILED, OK, USAGE, examples
from infra.schema.problems import ConfigurationError
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()


@commands.command(epilog=examples("./deploy.sh drift", "./deploy.sh drift -s test -s prod", "./deploy.sh drift --json"))
def drift(
    stacks: Annotated[
        list[str],
        typer.Option("--stack", "-s", help=tr("A stack; may be given several times"), envvar="DYBER_STACK"),
    ] = ["dev"],  # noqa: B006 - how typer takes a default
    to_json: JsonOption = False,
    to_file: Annotated[Path | None, typer.Option("--markdown", help=tr("Also write a report in Markdown"))] = None,
) -> None:
    """Check whether the engine is still as it was deployed; changes nothing."""
    home = DyberHome.from_environment()
    activate(home)
    with Activities(home.logs / "drift.log") as display:
        reports = [_report(stack, display) for stack in stacks]
    if to_file:
        to_file.write_text(markdown(reports), encoding="utf-8")
    if to_json:
        print_json(as_json(reports))
    for report in reports:
        _show(report, quiet=to_json, several=len(reports) > 1)
    if any(report.error for report in reports):
        raise typer.Exit(USAGE)
    raise typer.Exit(FAILED if any(report.differences for report in reports) else OK)


def _report(stack: str, display: Activities) -> Report:
    try:
        deployment = Deployment.open(stack, create=False)
        report = Report(stack, look.find(deployment, display))
    except (StackError, DeployError) as error:
        return Report(stack, error=error.message, next_step=error.next_step)
    except CommandError as error:
        explained = explain(str(error), [])
        return Report(stack, error=str(explained), next_step=getattr(explained, "next_step", ""))
    except (EngineError, ConfigurationError) as error:
        return Report(stack, error=str(error), next_step="./deploy.sh doctor")
    recording.record([as_record(report)], deployment=deployment.deployment_id())
    return report


def _show(report: Report, *, quiet: bool, several: bool) -> None:
    if report.error:
        fail(f"{report.stack}: {report.error}", report.next_step)
    elif quiet:
        return
    elif report.differences:
        if several:
            out.print(f"{report.stack}:", style="bold")
        for part in [table(report)] if out.is_terminal else lines(report):
            out.print(part)
    else:
        out.print(tr("Stack {stack} is as it was deployed.", stack=report.stack))
