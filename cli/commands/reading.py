"""Options of the commands, and helpers of those commands that only read a stack.

This module imports little, so that these commands answer at once; helpers that change a stack are in
cli.commands.options.
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
#: Commands that never ask accept --yes too, so that scripts can pass it to every command.
AcceptedYesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help=tr("Do not ask (this command never does)")),
]


def deployed(stack: str, *, with_settings: bool = False, ask_engine: bool = True) -> tuple[Deployment, dict[str, Any]]:
    """Return a deployed stack and its outputs, secrets in clear. Raises StackError when it is not deployed.

    `with_settings` also reads the settings, at the same time as the state. Without `ask_engine`, no engine is needed.
    """
    activate(DyberHome.from_environment(), ask_engine=ask_engine)
    deployment = Deployment.read(stack, with_settings=with_settings)
    return deployment, deployment.outputs()


def stack_outputs(stack: str) -> dict[str, Any]:
    """Return the outputs of a deployed stack from its state, secrets in clear; no engine is needed.

    Raises StackError when the stack is not deployed.
    """
    return deployed(stack, ask_engine=False)[1]


def client_token(outputs: dict[str, Any], client: str | None) -> tuple[str, str]:
    """Return the name and the newest token of `client`; None means the main client, or the only client.

    Raises typer.BadParameter for an unknown client, naming the known ones.
    """
    tokens: dict[str, str] = outputs["tokens"]
    if client is None and (MAIN_CLIENT in tokens or len(tokens) == 1):
        client = MAIN_CLIENT if MAIN_CLIENT in tokens else next(iter(tokens))
    if client not in tokens:
        known = ", ".join(sorted(tokens))
        raise typer.BadParameter(
            tr("name a client: {known}", known=known)
            if client is None
            else tr("there is no client {client!r}; known: {known}", client=client, known=known)
        )
    return client, tokens[client]


def print_json(value: Any) -> None:
    """Print `value` as JSON to stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")
