"""The dyber command: one Typer application, put together from the modules that hold the commands."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands import (
    backup,
    clean,
    clients,
    deploy,
    development,
    logs,
    machine,
    plan,
    promote,
    recover,
    restore,
    run,
    services,
    state_copy,
    status,
    update,
)
from cli.commands import drift as drifting
from cli.commands.config import config_app
from cli.commands.options import examples
from cli.commands.tokens import token_app
from cli.commands.tools import tools_app
from toolchain.language import tr

app = typer.Typer(
    help=tr("DyberPet 多MCP服务器部署系统", "DyberPet: many MCP servers behind one gateway"),
    epilog=tr(
        "不写命令就是 deploy：./deploy.sh --dev。每个命令的例子：./deploy.sh help <命令>",
        "No command means deploy: ./deploy.sh --dev. Examples of each: ./deploy.sh help COMMAND",
    ),
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (
    deploy, drifting, run, status, logs, services, clients, plan, promote, backup, restore, recover,
    clean, machine, development, update, state_copy,
):  # fmt: skip
    app.add_typer(group.commands)
app.add_typer(token_app, name="token")
app.add_typer(tools_app, name="tools")
app.add_typer(config_app, name="config")


@app.command("help", help=tr("显示帮助", "Show help"), epilog=examples("./deploy.sh help", "./deploy.sh help deploy"))
def show_help(
    context: typer.Context,
    command: Annotated[str | None, typer.Argument(help=tr("命令", "A command"))] = None,
) -> None:
    """Show help, of one command or of all."""
    above = context.parent
    assert above is not None
    if command is None:
        typer.echo(above.get_help())
        return
    found = above.command.get_command(above, command)  # type: ignore[attr-defined]
    if found is None:
        raise typer.BadParameter(tr(f"没有命令 {command!r}", f"no command {command!r}"))
    typer.echo(found.get_help(typer.Context(found, info_name=command, parent=above)))
