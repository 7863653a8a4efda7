"""Implements `dyber state-copy`, which writes a stack's state without secrets for previews of pull requests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.reading import StackOption
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.state.without_secrets import without_secrets
from cli.stack_files.stack_file import replace_file
from cli.terminal.console import out
from cli.terminal.usage import examples
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()
FOLDER = Path("state-copies")


@commands.command(
    epilog=examples("./deploy.sh state-copy -s prod", "./deploy.sh state-copy -s test --out state-copies/test.json")
)
def state_copy(
    file: Annotated[
        Path | None,
        typer.Option("--out", help=tr("File to write; default: {folder}/<stack>.json", folder=FOLDER)),
    ] = None,
    stack: StackOption = "dev",
) -> None:
    """Write a stack's state without its secrets, to preview pull requests with."""
    activate(DyberHome.from_environment())
    deployment = Deployment.open(stack, create=False)
    file = file or FOLDER / f"{stack}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"version": 3, "deployment": without_secrets(deployment.state())}, ensure_ascii=False)
    replace_file(file, text.encode(), 0o644)
    out.print(tr("written: ") + str(file), markup=False)
