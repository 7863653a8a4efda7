"""Implements `dyber env`, `doctor`, `version`, `completion` and `test`."""

from __future__ import annotations

import platform
import sys
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.text import Text
from typer.completion import get_completion_script  # type: ignore[attr-defined] # imported there, not exported

from cli.commands.options import set_up
from cli.commands.reading import JsonOption, print_json
from cli.deployment.environment import shell_lines
from cli.deployment.state import health as state_health
from cli.engine import ports, stored_data
from cli.machine import changed_tests, linting, test_run
from cli.records import recording
from cli.system.checkout import ROOT
from cli.system.git import git_output
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, PROGRAMS, completion_variable, examples
from infra.version import VERSION
from messages import tr
from toolchain import prerequisites, versions
from toolchain.home import DyberHome
from toolchain.pulumi import pulumi_cli

commands = typer.Typer()
SHELLS = ("bash", "zsh", "fish", "powershell")


@commands.command(epilog=examples('eval "$(./deploy.sh env)"', "pulumi preview -s dev"))
def env() -> None:
    """Print what a shell needs to run pulumi by hand."""
    home = DyberHome.from_environment()
    for line in shell_lines(prerequisites.environment(home)):
        sys.stdout.write(line + "\n")


@commands.command(epilog=examples("./deploy.sh doctor", "./deploy.sh doctor --json"))
def doctor(as_json: JsonOption = False) -> None:
    """Check each prerequisite, and print its version, its origin and what to do about it."""
    home = DyberHome.from_environment()
    findings = [
        *state_health.with_state(prerequisites.inspect_all(home), home, ROOT),
        *ports.findings(ROOT),
        *stored_data.findings(),
    ]
    recording.record_all_ends()
    if as_json:
        fields = ("key", "title", "ok", "version", "origin", "advice")
        print_json([{name: getattr(item, name) for name in fields} for item in findings])
    else:
        width = max(cell_len(item.title) for item in findings)
        for item in findings:
            mark, style = ("✓", "green") if item.ok else ("✗", "red")
            title = item.title + " " * (width - cell_len(item.title))
            out.print(Text.assemble((mark, style), f" {title}  {item.version}  ", (item.origin, "dim")))
            if item.advice:
                out.print(Text(f"  → {item.advice}", style="yellow"))
    if not all(item.ok for item in findings):
        raise typer.Exit(FAILED)


@commands.command(epilog=examples("./deploy.sh version", "./deploy.sh version --json"))
def version(as_json: JsonOption = False) -> None:
    """Print the versions of this program and of what it runs on."""
    home = DyberHome.from_environment()
    pinned = versions.load()
    cli = pulumi_cli.find_cli(home, pinned)
    version_of = {
        "dyber": VERSION,
        "commit": git_output(ROOT, "rev-parse", "--short", "HEAD") or None,
        "pulumi": cli.version if cli else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if as_json:
        print_json(version_of)
        return
    for name, value in version_of.items():
        out.print(f"{name:<8}{value or '-'}", markup=False)


@commands.command(
    epilog=examples('eval "$(./deploy.sh completion bash)"', "./deploy.sh completion powershell >> $PROFILE")
)
def completion(shell: Annotated[str, typer.Argument(help=", ".join(SHELLS))]) -> None:
    """Print a completion script for a shell."""
    if shell not in SHELLS:
        raise typer.BadParameter(
            tr("shell {shell!r} is not supported; known: {shells}", shell=shell, shells=", ".join(SHELLS))
        )
    for program in PROGRAMS:
        script = get_completion_script(prog_name=program, complete_var=completion_variable(program), shell=shell)
        sys.stdout.write(script + "\n")


@commands.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples(
        "./deploy.sh test",
        "./deploy.sh test tests/unit",
        "./deploy.sh test -k gateway",
        "./deploy.sh test --changed",
        "./deploy.sh test --changed -x",
    ),
)
def test(
    context: typer.Context,
    changed: Annotated[
        bool,
        typer.Option(
            "--changed",
            help=tr(
                "Run only the tests that changed files concern (since the branch left main, uncommitted changes "
                "included)"
            ),
        ),
    ] = False,
) -> None:
    """Run all tests, or those that changed files concern; further arguments go to pytest."""
    chosen: list[str] = []
    if changed:
        places = changed_tests.choose(changed_tests.changed_files(ROOT), changed_tests.Repository.at(ROOT))
        for line in changed_tests.explanation(places):
            err.print(line, markup=False, highlight=False, soft_wrap=True)
        if not places:
            return
        chosen = [place for place in places if place != changed_tests.EVERYTHING]
    home = DyberHome.from_environment()
    with Activities(home.logs / "setup.log") as display:
        set_up(home, display)
        test_run.prepare(display)
        linting.prepare(ROOT, home, display)
    raise typer.Exit(test_run.run([*chosen, *context.args]))
