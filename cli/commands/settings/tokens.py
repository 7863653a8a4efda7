"""Implements `dyber token …`, which lists, creates, rotates and revokes the tokens of clients.

`token show` must answer at once, so modules that only the other commands need are imported inside them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.reading import (
    AcceptedYesOption,
    JsonOption,
    StackOption,
    client_token,
    deployed,
    print_json,
    stack_outputs,
)
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import out
from cli.terminal.usage import examples
from messages import tr

if TYPE_CHECKING:
    from cli.deployment.deployment import Deployment
    from cli.stack_files.stack_file import StackFile
    from infra.services.catalog import ServiceSpec
    from infra.settings.clients import TokenSettings

token_app = typer.Typer(
    epilog=examples("./deploy.sh token list", "./deploy.sh token show desktop-pet"), no_args_is_help=True
)
ClientArgument = Annotated[str, typer.Argument(help=tr("The client"))]


@token_app.command(
    "list",
    help=tr("List the clients that have a token"),
    epilog=examples("./deploy.sh token list", "./deploy.sh token list --json"),
)
def token_list(as_json: JsonOption = False, stack: StackOption = "dev") -> None:
    """List the clients that have a token; JSON also says what each may call."""
    deployment, outputs = deployed(stack, with_settings=as_json, ask_engine=False)
    names = sorted(outputs["tokens"])
    if not as_json:
        for client in names:
            sys.stdout.write(client + "\n")
        return
    rows = []
    for client in names:
        token, settings = deployment.settings.token(client), deployment.settings.clients.get(client)
        rows.append(
            {
                "client": client,
                "services": settings.services if settings else None,
                "accounts": settings.accounts if settings else None,
                "generation": token.generation,
                "previous_accepted": token.previous,
                "chosen": client in outputs.get("chosen_tokens", []),
            }
        )
    print_json(rows)


@token_app.command(
    "show",
    help=tr("Print a client's token (without a name that of desktop-pet)"),
    epilog=examples("./deploy.sh token show", "./deploy.sh token show desktop-pet"),
)
def token_show(
    client: Annotated[str | None, typer.Argument()] = None, as_json: JsonOption = False, stack: StackOption = "dev"
) -> None:
    """Print a client's token; without a name that of desktop-pet."""
    name, token = client_token(stack_outputs(stack), client)
    if as_json:
        print_json({"client": name, "token": token})
    else:
        sys.stdout.write(token + "\n")


@token_app.command(
    "create",
    help=tr("Add a client with its own token; writes it into the stack's file and deploys"),
    epilog=examples(
        "./deploy.sh token create phone",
        "./deploy.sh token create phone --services xiaohongshu=read,template=all",
        "./deploy.sh token create phone --services template=template_echo+template_get",
        "./deploy.sh token create phone --accounts xiaohongshu=main+second",
    ),
)
def token_create(
    client: Annotated[str, typer.Argument(help=tr("The new client's name"))],
    services: Annotated[
        str | None,
        typer.Option(
            help=tr(
                "What the client may call: service=all, service=read, or service=tools joined by +; everything "
                "when left out"
            )
        ),
    ] = None,
    accounts: Annotated[
        str | None,
        typer.Option(
            help=tr(
                "The accounts that the client may use: service=names joined by +, its default first; all when left out"
            )
        ),
    ] = None,
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Add a client with its own token: write it into the stack's file and deploy."""
    from cli.stack_files.stack_file import StackFile
    from infra.services.catalog import load_catalog

    deployment, outputs = deployed(stack)
    if client in outputs["tokens"] or client in deployment.settings.clients:
        raise typer.BadParameter(tr("client {client!r} already exists", client=client))
    file = StackFile(deployment.file)
    catalog = load_catalog(ROOT / "mcp-servers")
    limits: dict[str, Any] = {}
    if services is not None:
        limits["services"] = parse_scopes(services, catalog)
    if accounts is not None:
        limits["accounts"] = parse_accounts(accounts, catalog)
    present = file.get("clients")
    if not isinstance(present, dict):
        # The default client is kept, and a plain list of clients becomes a mapping.
        names = present if isinstance(present, list) else deployment.settings.clients
        file.set("clients", {str(name): {} for name in names if name in deployment.settings.clients})
    file.set_in("clients", [client], limits)
    deploy_with(file, stack)
    option = "" if stack == "dev" else f" -s {stack}"
    out.print(tr("The token: ") + f"./deploy.sh token show {client}{option}", markup=False)


def parse_scopes(text: str, catalog: Mapping[str, ServiceSpec]) -> dict[str, str | list[str]]:
    """Read scopes by service from text such as `xiaohongshu=read,template=all`; a service alone means `all`.

    Raises SelectionError for an unknown service, and typer.BadParameter for text of another form.
    """
    from cli.configuration.selection import service_name

    scopes: dict[str, str | list[str]] = {}
    for part in text.replace(" ", ",").split(","):
        if not part:
            continue
        word, _, scope = part.partition("=")
        name = service_name(word, catalog)
        scopes[name] = scope if scope in ("all", "read") else scope.split("+") if scope else "all"
    if not scopes:
        raise typer.BadParameter(tr("write service=scope, such as xiaohongshu=read"))
    return scopes


def parse_accounts(text: str, catalog: Mapping[str, ServiceSpec]) -> dict[str, list[str]]:
    """Read accounts by service from text such as `xiaohongshu=main+second`.

    Raises SelectionError for an unknown service, and typer.BadParameter for text of another form.
    """
    from cli.configuration.selection import service_name

    accounts: dict[str, list[str]] = {}
    for part in text.replace(" ", ",").split(","):
        if part:
            word, _, names = part.partition("=")
            accounts[service_name(word, catalog)] = [name for name in names.split("+") if name]
    if not accounts or not all(accounts.values()):
        raise typer.BadParameter(tr("write service=account, such as xiaohongshu=main"))
    return accounts


@token_app.command(
    "rotate",
    help=tr("Give a client a new token; the old token is accepted until token revoke"),
    epilog=examples("./deploy.sh token rotate desktop-pet", "./deploy.sh token rotate desktop-pet --now"),
)
def token_rotate(
    client: ClientArgument,
    now: Annotated[
        bool,
        typer.Option("--now", help=tr("Refuse the old token at once (when it has leaked)")),
    ] = False,
    yes: AcceptedYesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Give a client a new token; the old one is accepted until `token revoke`."""
    from infra.settings import env_file
    from infra.settings.clients import TokenSettings

    deployment, outputs, settings = _opened(client, stack)
    if client in outputs.get("chosen_tokens", []):
        place = env_file.file_name(stack)
        raise StackError(
            tr("you set the token of {client} yourself, in {place}", client=client, place=place),
            tr(
                "write another token there, or empty that line to get a generated one, and run ./deploy.sh; the "
                "old token is then refused at once"
            ),
        )
    if settings.previous and not now:
        raise StackError(
            tr("the last rotation of {client} has not ended", client=client),
            tr("end the old token first: ./deploy.sh token revoke {client}; or add --now", client=client),
        )
    _apply(deployment, client, TokenSettings(generation=settings.generation + 1, previous=not now))
    option = "" if stack == "dev" else f" -s {stack}"
    out.print(tr("The new token: ") + f"./deploy.sh token show {client}{option}", markup=False)
    if now:
        out.print(tr("The old token is no longer accepted."))
        return
    out.print(
        tr("The old token is still accepted; when all programs have the new one: ")
        + f"./deploy.sh token revoke {client}{option}",
        markup=False,
    )


@token_app.command(
    "revoke",
    help=tr("End a rotation; the old token is refused at once"),
    epilog=examples("./deploy.sh token revoke desktop-pet"),
)
def token_revoke(client: ClientArgument, yes: AcceptedYesOption = False, stack: StackOption = "dev") -> None:
    """End a rotation: the old token is refused at once."""
    from infra.settings.clients import TokenSettings

    deployment, _, settings = _opened(client, stack)
    if not settings.previous:
        raise StackError(
            tr("{client} has only one token, so there is no old token to end", client=client),
            tr(
                "to replace it at once: ./deploy.sh token rotate {client} --now; to remove the client: delete "
                "it from clients in the stack's file",
                client=client,
            ),
        )
    _apply(deployment, client, TokenSettings(generation=settings.generation, previous=False))
    out.print(tr("The old token is no longer accepted."))


def _opened(client: str, stack: str) -> tuple[Deployment, dict[str, Any], TokenSettings]:
    """Return the deployed stack, its outputs, and the settings of the client's token.

    Raises typer.BadParameter for an unknown client.
    """
    deployment, outputs = deployed(stack)
    client_token(outputs, client)
    return deployment, outputs, deployment.settings.token(client)


def _apply(deployment: Deployment, client: str, settings: TokenSettings) -> None:
    """Write the rotation into the stack's file and deploy it; restore the file on failure."""
    from cli.stack_files.stack_file import StackFile

    file = StackFile(deployment.file)
    file.set_in("tokens", [client, "generation"], settings.generation)
    file.set_in("tokens", [client, "previous"], settings.previous)
    deploy_with(file, deployment.stack.name)


def deploy_with(file: StackFile, stack: str) -> None:
    """Save the changed `file` and deploy the stack; restore the file on failure."""
    from cli.commands.options import check, graceful_interrupt
    from cli.configuration import env_values
    from cli.deployment.deployment import Deployment
    from cli.records import recording
    from cli.terminal.console import Activities
    from infra.settings.names import MAIN_CLIENT
    from toolchain.home import DyberHome

    file.save()
    repeated = None
    try:
        with Activities(DyberHome.from_environment().logs / "deploy.log") as display:
            with recording.attempt(stack) as attempt:
                deployment = Deployment.open(stack)
                check(deployment)
                deployment.recover(display)
                # .env repeats the generated token; a replaced one must not count as a token that the user chose.
                repeated = env_values.generated(deployment)
                env_values.forget(stack, repeated)
                attempt.begin(deployment)
                with graceful_interrupt():
                    outputs, attempt.changes = deployment.up(display)
    except BaseException:
        file.restore()
        if repeated:
            env_values.complete(stack, {MAIN_CLIENT: repeated})
        raise
    env_values.complete(stack, outputs["tokens"])
