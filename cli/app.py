"""The dyber command: one Typer application, which imports a command only when it is needed.

Listing the commands imports none of them, so `--help` and the completion of a shell answer at once. The name, the
module and the short help of a command are written in LISTED only; a command gets them when it is loaded.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command_from_info, get_group

from cli.terminal import help_page
from cli.terminal.usage import examples
from messages import tr


@dataclass(frozen=True)
class Listed:
    """An entry of the list of commands.

    `target` is `module:attribute`, the module below cli.commands. The attribute is the function of the command, or the
    Typer application of a command that has commands of its own. `help` is the command's short help.
    """

    target: str
    help: str


#: All commands but `help`, in the order in which they are listed.
LISTED = {
    "deploy": Listed(
        "deployment.deploy:deploy",
        tr("Set this machine up and deploy (the default command)"),
    ),
    "setup": Listed("deployment.deploy:setup", tr("Only set this machine up")),
    "preview": Listed("deployment.deploy:preview", tr("Show what a deployment would change; changes nothing")),
    "destroy": Listed(
        "deployment.deploy:destroy",
        tr(
            "Delete everything this stack made; its data volumes are kept, or listed and deleted, as dataRetention says"
        ),
    ),
    "drift": Listed(
        "deployment.drift:drift",
        tr(
            "Check whether the engine is still as it was deployed; changes nothing. Exit codes: 0 no "
            "difference, 1 differences, 2 could not check"
        ),
    ),
    "start": Listed("operation.run:start", tr("Start the stopped containers of a deployed stack")),
    "stop": Listed("operation.run:stop", tr("Stop the containers; they and their data are kept")),
    "restart": Listed(
        "operation.run:restart",
        tr("Restart one replica after the other, each once the previous one serves again"),
    ),
    "status": Listed(
        "operation.status:status",
        tr("Show the health, version, usage, tools and last error of each service"),
    ),
    "ps": Listed("operation.status:ps", tr("List this stack's containers")),
    "list": Listed("operation.status:list_services", tr("List all available services")),
    "logs": Listed("operation.logs:logs", tr("Show the logs of a service, or of all containers")),
    "console": Listed(
        "operation.console:console_app",
        tr("Open the console, the web page of the deployment, or print its address; console password: its password"),
    ),
    "calls": Listed(
        "operation.calls:calls",
        tr("Show who called what, when, with which outcome, and how long it took"),
    ),
    "alerts": Listed(
        "operation.alerts:alerts_app",
        tr("Notifications: test them, list what fires, silence an alert"),
    ),
    "exec": Listed(
        "operation.logs:execute",
        tr("Run a command in a service's container (sh by default)"),
    ),
    "add-service": Listed(
        "settings.services:add_service",
        tr("Add an MCP service: from an example of its kind, or an existing MCP server (--from, --import)"),
    ),
    "update-service": Listed(
        "settings.update_services:update_service",
        tr("Bring the source of a service to another version, after showing everything that changes"),
    ),
    "remove-service": Listed(
        "settings.services:remove_service",
        tr("Remove an MCP service; by default its data is kept"),
    ),
    "clients": Listed("settings.clients:client_configuration", tr("Print a ready-to-use MCP client configuration")),
    "plan": Listed(
        "deployment.plan:plan",
        tr("Save a plan for each stack and one Markdown comment about all; changes nothing"),
    ),
    "apply": Listed("deployment.plan:apply", tr("Make the changes of a saved plan, and no others")),
    "release": Listed(
        "deployment.promote:release",
        tr("Print the image digests and contracts of what a stack runs (JSON); push its images if a registry is set"),
    ),
    "promote": Listed(
        "deployment.promote:promote",
        tr("Write the digests and contracts of what one stack runs into the next one's file; deploys nothing"),
    ),
    "backup": Listed(
        "data.backup:backup",
        tr("Back up data, state, settings and passphrase into an encrypted file"),
    ),
    "restore": Listed(
        "data.restore:restore",
        tr("Restore a backup, also on another machine; checks first, and puts back what was there if it fails"),
    ),
    "recover": Listed(
        "data.recover:recover",
        tr(
            "After the state was lost, take over what is still on the engine: data stays, containers are "
            "replaced (asks first)"
        ),
    ),
    "clean": Listed("data.clean:clean", tr("Delete this stack and all its data (asks first)")),
    "env": Listed("machine.machine:env", tr("Print what a shell needs to run pulumi by hand")),
    "doctor": Listed(
        "machine.machine:doctor",
        tr("Check each prerequisite: whether it is there, its version, its origin, what to do"),
    ),
    "version": Listed("machine.machine:version", tr("Print the versions")),
    "completion": Listed(
        "machine.machine:completion",
        tr("Print a completion script: bash, zsh, fish or powershell"),
    ),
    "test": Listed("machine.machine:test", tr("Run all tests; further arguments go to pytest")),
    "lint": Listed(
        "machine.development:lint",
        tr("Check code, types, layers, spelling, scripts, workflows and Dockerfiles; exit code 1 on a fault"),
    ),
    "lock": Listed(
        "machine.development:lock",
        tr(
            "Lock packages anew, with versions and hashes: those of the program, and those that services are built from"
        ),
    ),
    "update": Listed("machine.update:update", tr("Get the newest version and deploy it (asks first)")),
    "state-copy": Listed(
        "deployment.state_copy:state_copy",
        tr("Write a stack's state without its secrets, to preview pull requests with"),
    ),
    "token": Listed("settings.tokens:token_app", tr("Clients' tokens")),
    "tools": Listed("settings.tools:tools_app", tr("Contracts of tools: what agents see")),
    "config": Listed("settings.config:config_app", tr("A stack's settings")),
}


class Commands(MutableMapping[str, Any]):
    """Maps names to commands. Getting a command imports its module; getting the names imports nothing."""

    def __init__(self, loaded: dict[str, Any]) -> None:
        self._loaded = loaded

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded and name in LISTED:
            self._loaded[name] = load(name)
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._loaded, *LISTED]))

    def __len__(self) -> int:
        return len(set(self._loaded) | set(LISTED))


class LazyGroup(TyperGroup):
    """The group of all commands, which loads them when they are needed."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        help_page.translate(self)
        self.commands = Commands(dict(self.commands))
        self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order in which they are listed."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command. While the list is printed, this is an empty command with its short help."""
        if self._listing and cmd_name in LISTED:
            return TyperCommand(cmd_name, callback=None, help=LISTED[cmd_name].help)
        return self.commands.get(cmd_name)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the list of commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False


def load(name: str) -> Any:
    """Import a listed command, and give it its name and short help.

    A command whose module sets `help` shows that on its own help page.
    """
    listed = LISTED[name]
    module_name, attribute = listed.target.split(":")
    module = importlib.import_module(f"cli.commands.{module_name}")
    target = getattr(module, attribute)
    command: Any
    if isinstance(target, typer.Typer):
        command, has_longer_help = get_group(target), False
    else:
        info = next(info for info in module.commands.registered_commands if info.callback is target)
        command = get_command_from_info(info, pretty_exceptions_short=True, rich_markup_mode="rich")
        has_longer_help = info.help is not None
    command.name, command.short_help = name, listed.help
    if not has_longer_help:
        command.help = listed.help
    help_page.translate(command)
    return command


app = typer.Typer(
    cls=LazyGroup,
    help=tr("DyberPet: many MCP servers behind one gateway"),
    epilog=tr("No command means deploy: ./deploy.sh --dev. Examples of each: ./deploy.sh help COMMAND"),
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def application() -> None:
    """Make Typer treat the application as a group of commands; it has no options of its own."""


@app.command("help", help=tr("Show help"), epilog=examples("./deploy.sh help", "./deploy.sh help deploy"))
def show_help(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(help=tr("A command"))] = None,
) -> None:
    """Show the help of one command, or the list of all commands."""
    parent = context.parent
    assert parent is not None
    if command is None:
        typer.echo(parent.get_help())
        return
    named = parent.command.get_command(parent, command)  # type: ignore[attr-defined]
    if named is None:
        raise typer.BadParameter(tr("there is no command {command!r}", command=command))
    typer.echo(help_page.HelpContext(named, info_name=command, parent=parent).get_help())
