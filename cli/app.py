"""The dyber command: one Typer application, whose commands are imported when they are needed.

To list the commands, none of them is imported: `--help` and a shell that completes a word answer at once.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_from_info, get_command_name

from cli.terminal.usage import examples
from messages import tr


@dataclass(frozen=True)
class Listed:
    """A command as the list of commands shows it. `module` of cli.commands holds it; `group` names the Typer
    application in there of a command that has commands of its own."""

    module: str
    help: str
    group: str = ""


#: All commands but `help`, in the order of the list. The help is that of the command itself (a test compares).
LISTED = {
    "deploy": Listed(
        "deployment.deploy",
        tr("Set this machine up and deploy (the default command)"),
    ),
    "setup": Listed("deployment.deploy", tr("Only set this machine up")),
    "preview": Listed("deployment.deploy", tr("Show what a deployment would change, changing nothing")),
    "destroy": Listed(
        "deployment.deploy",
        tr(
            "Delete everything this stack made; its data volumes stay, or are listed and deleted, as dataRetention says"
        ),
    ),
    "drift": Listed(
        "deployment.drift",
        tr(
            "Check whether the engine is still as it was deployed; changes nothing. Exit codes: 0 no "
            "difference, 1 differences, 2 could not check"
        ),
    ),
    "start": Listed("operation.run", tr("Start the stopped containers of a deployed stack")),
    "stop": Listed("operation.run", tr("Stop the containers; they and their data are kept")),
    "restart": Listed(
        "operation.run",
        tr("Restart replica by replica, each when the one before serves again"),
    ),
    "status": Listed(
        "operation.status",
        tr("Health, version, usage, tools and last error of each service"),
    ),
    "ps": Listed("operation.status", tr("List this stack's containers")),
    "list": Listed("operation.status", tr("List all available services")),
    "logs": Listed("operation.logs", tr("Show logs; without a service, of everything")),
    "exec": Listed(
        "operation.logs",
        tr("Run a command in a service's container (sh by default)"),
    ),
    "add-service": Listed(
        "settings.services",
        tr("Add an MCP service: make its whole folder from the template"),
    ),
    "remove-service": Listed(
        "settings.services",
        tr("Remove an MCP service; by default its data is kept"),
    ),
    "clients": Listed("settings.clients", tr("Print a ready MCP client configuration")),
    "plan": Listed(
        "deployment.plan",
        tr("Save a plan for each stack and one Markdown comment about all; changes nothing"),
    ),
    "apply": Listed("deployment.plan", tr("Do what a saved plan says, and nothing else")),
    "release": Listed(
        "deployment.promote",
        tr("Print the image digests and contracts of what a stack runs (JSON); push its images if it names a registry"),
    ),
    "promote": Listed(
        "deployment.promote",
        tr("Write the digests and contracts of what one stack runs into the next one's file; deploys nothing"),
    ),
    "backup": Listed(
        "data.backup",
        tr("Back data, state, settings and passphrase up, into an encrypted file"),
    ),
    "restore": Listed(
        "data.restore",
        tr("Restore a backup, also on another machine; checks first, and puts back what was there if it fails"),
    ),
    "recover": Listed(
        "data.recover",
        tr(
            "After the state was lost, take over what is still on the engine: data stays, containers are "
            "replaced (asks first)"
        ),
    ),
    "clean": Listed("data.clean", tr("Delete this stack and all its data (asks first)")),
    "env": Listed("machine.machine", tr("Print what a shell needs to run pulumi by hand")),
    "doctor": Listed(
        "machine.machine",
        tr("Check each prerequisite: found, version, from where, what to do"),
    ),
    "version": Listed("machine.machine", tr("Print the versions")),
    "completion": Listed(
        "machine.machine",
        tr("Print a completion script: bash, zsh, fish or powershell"),
    ),
    "test": Listed("machine.machine", tr("Run all tests; further arguments go to pytest")),
    "lint": Listed(
        "machine.development",
        tr("Check code, types, layers, spelling, scripts, workflows and Dockerfiles; exit code 1 on a fault"),
    ),
    "lock": Listed(
        "machine.development",
        tr("Make each requirements.txt anew: every Python package that requirements.in needs, with version and hashes"),
    ),
    "update": Listed("machine.update", tr("Get the newest version and deploy it (asks first)")),
    "state-copy": Listed(
        "deployment.state_copy",
        tr("Write a stack's state without its secrets, to preview pull requests with"),
    ),
    "token": Listed("settings.tokens", tr("Clients' tokens"), "token_app"),
    "tools": Listed("settings.tools", tr("Contracts of tools: what agents see"), "tools_app"),
    "config": Listed("settings.config", tr("A stack's settings"), "config_app"),
}


class Commands(MutableMapping[str, Any]):
    """The commands by name; asking for one imports its module, asking for the names imports nothing."""

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
    """The application itself."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands = Commands(dict(self.commands))
        self._listing = False

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of the list."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; while the list is printed, one that has its help alone."""
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
    """Import a listed command."""
    module = importlib.import_module(f"cli.commands.{LISTED[name].module}")
    if group := LISTED[name].group:
        command = get_command(getattr(module, group))
        command.name = name
        return command
    for known in module.commands.registered_commands:
        if (known.name or get_command_name(known.callback.__name__)) == name:
            return get_command_from_info(known, pretty_exceptions_short=True, rich_markup_mode="rich")
    raise LookupError(name)


app = typer.Typer(
    cls=LazyGroup,
    help=tr("DyberPet: many MCP servers behind one gateway"),
    epilog=tr("No command means deploy: ./deploy.sh --dev. Examples of each: ./deploy.sh help COMMAND"),
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def whole() -> None:
    """Stand for the application, which has commands and no options of its own."""


@app.command("help", help=tr("Show help"), epilog=examples("./deploy.sh help", "./deploy.sh help deploy"))
def show_help(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(help=tr("A command"))] = None,
) -> None:
    """Show help, of one command or of all."""
    above = context.parent
    assert above is not None
    if command is None:
        typer.echo(above.get_help())
        return
    found = above.command.get_command(above, command)  # type: ignore[attr-defined]
    if found is None:
        raise typer.BadParameter(tr("no command {command!r}", command=command))
    typer.echo(found.get_help(typer.Context(found, info_name=command, parent=above)))
