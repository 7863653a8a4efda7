"""Implements `dyber console`, which opens the console or prints its address, and `console password`.

`console password` must answer at once, so modules that only a new password needs are imported inside the function.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.commands.reading import AcceptedYesOption, JsonOption, StackOption, deployed, print_json, stack_outputs
from cli.deployment.deployment import Deployment
from cli.system.errors import StackError
from cli.terminal.console import err
from cli.terminal.usage import examples
from messages import tr

console_app = typer.Typer(
    epilog=examples("./deploy.sh console", "./deploy.sh console --print", "./deploy.sh console password")
)


@console_app.callback(invoke_without_command=True)
def console(
    context: typer.Context,
    only_print: Annotated[bool, typer.Option("--print", help=tr("Print the address, and open no browser"))] = False,
    stack: StackOption = "dev",
) -> None:
    """Open the console in a browser where there is a desktop, and print its address."""
    if context.invoked_subcommand is not None:
        return
    deployment, outputs = deployed(stack)
    address = _console_of(outputs, stack)["url"]
    console_container(deployment, outputs, stack, also="gateway")
    sys.stdout.write(address + "\n")
    if sys.stdout.isatty():
        err.print(Text(tr("the password: ") + f"./deploy.sh console password{_option(stack)}", style="dim"))
        if not only_print and _has_desktop():
            import webbrowser

            webbrowser.open(address)


@console_app.command(
    "password",
    help=tr("Print the password of the console; --new makes another one, which ends all sessions"),
    epilog=examples("./deploy.sh console password", "./deploy.sh console password --new"),
)
def password(
    new: Annotated[
        bool, typer.Option("--new", help=tr("Make another password, and deploy it; all browsers have to sign in again"))
    ] = False,
    as_json: JsonOption = False,
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Print the console's password; with --new, make and deploy another one first."""
    outputs = stack_outputs(stack)
    _console_of(outputs, stack)
    if new:
        _renew(stack)
        outputs = stack_outputs(stack)
        err.print(tr("The old password is no longer accepted, and all sessions have ended."))
    if as_json:
        print_json({"password": outputs["console_password"]})
    else:
        sys.stdout.write(outputs["console_password"] + "\n")


def console_container(deployment: Deployment, outputs: dict[str, Any], stack: str, also: str = "") -> str:
    """Return the id of the console's running container.

    Raises StackError if the stack has no console, or if its container, or that of the service `also`, does not run.
    """
    from cli.inventory.gone import with_gone
    from cli.inventory.members import GONE
    from cli.records.history import SERVICE

    _console_of(outputs, stack)
    everything, missing = with_gone(deployment, outputs["services"])
    for service in (also, SERVICE) if also else (SERVICE,):
        mine = [member for member in everything if member.service == service]
        if any(member.running for member in mine):
            continue
        if not mine or any(member.state == GONE for member in mine):
            raise missing.error(stack) if missing else _not_running(service, f"./deploy.sh deploy{_option(stack)}")
        raise _not_running(service, f"./deploy.sh start{_option(stack)}")
    return next(member.id for member in everything if member.service == SERVICE and member.running)


def _not_running(service: str, command: str) -> StackError:
    return StackError(tr("{service} is not running", service=service), tr("start: {command}", command=command))


def _console_of(outputs: dict[str, Any], stack: str) -> dict[str, Any]:
    """Return what the outputs say of the console. Raises StackError if the stack has none."""
    if not outputs.get("console"):
        option = _option(stack)
        raise StackError(
            tr("stack {stack} has no console", stack=stack),
            tr(
                "switch it on: ./deploy.sh config set console.enabled true{option}, then ./deploy.sh deploy{option}",
                option=option,
            ),
        )
    return dict(outputs["console"])


def _renew(stack: str) -> None:
    """Write the next generation of the password into the stack's file, and deploy it."""
    from cli.commands.settings.tokens import deploy_with
    from cli.deployment.environment import activate
    from cli.stack_files.stack_file import StackFile
    from toolchain.home import DyberHome

    activate(DyberHome.from_environment())
    deployment = Deployment.read(stack, with_settings=True)
    generation = deployment.settings.console.password_generation
    file = StackFile(deployment.file)
    file.set_in("console", ["passwordGeneration"], generation + 1)
    deploy_with(file, stack)


def _has_desktop() -> bool:
    """Tell whether a browser that is opened here appears before the person who runs the command."""
    if "SSH_CONNECTION" in os.environ:
        return False
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _option(stack: str) -> str:
    return "" if stack == "dev" else f" -s {stack}"
