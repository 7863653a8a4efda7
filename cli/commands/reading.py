"""What the commands share that only read: their options, a deployed stack, and what is printed.

It imports little, as these commands are to answer at once; what changes a stack is in cli.commands.options.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from infra.settings.names import MAIN_CLIENT
from messages import tr
from toolchain.home import DyberHome

StackOption = Annotated[
    str,
    typer.Option("--stack", "-s", help=tr("Stack: dev, test or prod"), envvar="DYBER_STACK"),
]
JsonOption = Annotated[bool, typer.Option("--json", help=tr("Print JSON"))]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help=tr("Do not ask"))]
#: Of commands that change something and never ask: scripts may give it to all of them alike.
AcceptedYesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help=tr("Do not ask (this command never does)")),
]


def deployed(stack: str, *, with_settings: bool = False, ask_engine: bool = True) -> tuple[Deployment, dict[str, Any]]:
    """A deployed stack and its outputs, secrets in clear. Raises StackError when it is not deployed.

    `with_settings`: the command needs the settings too, which then are read at the same time. Without `ask_engine` the
    engine is not looked for.
    """
    activate(DyberHome.from_environment(), ask_engine=ask_engine)
    deployment = Deployment.read(stack, with_settings=with_settings)
    return deployment, deployment.outputs()


def stack_outputs(stack: str) -> dict[str, Any]:
    """Outputs of a deployed stack, secrets in clear, from its state alone. Raises StackError when it is not
    deployed."""
    return deployed(stack, ask_engine=False)[1]


def client_token(outputs: dict[str, Any], client: str | None) -> tuple[str, str]:
    """Name and newest token of `client`; without a name of the main client, or of the only one. Raises
    typer.BadParameter naming those there are."""
    tokens: dict[str, str] = outputs["tokens"]
    if client is None and (MAIN_CLIENT in tokens or len(tokens) == 1):
        client = MAIN_CLIENT if MAIN_CLIENT in tokens else next(iter(tokens))
    if client not in tokens:
        known = ", ".join(sorted(tokens))
        raise typer.BadParameter(
            tr("name a client: {known}", known=known)
            if client is None
            else tr("no client {client!r}; known: {known}", client=client, known=known)
        )
    return client, tokens[client]


def print_json(value: Any) -> None:
    """`value` as JSON on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
