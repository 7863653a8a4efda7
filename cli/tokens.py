"""`dyber token …`: clients' tokens, and their rotation without a moment in which none is accepted."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from stack.client_settings import TokenSettings

from cli.console import Activities, out
from cli.environment import activate
from cli.stack import Deployment, StackError
from cli.steps import StackOption, check, client_token, examples, graceful_interrupt, stack_outputs
from toolchain.home import DyberHome
from toolchain.language import tr

token_app = typer.Typer(help=tr("客户端的令牌", "Clients' tokens"), no_args_is_help=True)
ClientArgument = Annotated[str, typer.Argument(help=tr("客户端", "The client"))]


@token_app.command(
    "list",
    help=tr("列出有令牌的客户端", "List the clients that have a token"),
    epilog=examples("./deploy.sh token list"),
)
def token_list(stack: StackOption = "dev") -> None:
    """List the clients that have a token."""
    for client in sorted(stack_outputs(stack)["tokens"]):
        sys.stdout.write(client + "\n")


@token_app.command(
    "show",
    help=tr(
        "打印一个客户端的令牌（只有一个客户端时可省略名字）",
        "Print a client's token (the name may be left out if there is one)",
    ),
    epilog=examples("./deploy.sh token show", "./deploy.sh token show desktop-pet"),
)
def token_show(client: Annotated[str | None, typer.Argument()] = None, stack: StackOption = "dev") -> None:
    """Print a client's token (the name may be left out if there is one)."""
    _, token = client_token(stack_outputs(stack), client)
    sys.stdout.write(token + "\n")


@token_app.command(
    "rotate",
    help=tr(
        "给客户端一个新令牌；旧的在 token revoke 之前仍可用",
        "Give a client a new token; the old one is accepted until token revoke",
    ),
    epilog=examples("./deploy.sh token rotate desktop-pet", "./deploy.sh token rotate desktop-pet --now"),
)
def token_rotate(
    client: ClientArgument,
    now: Annotated[
        bool,
        typer.Option("--now", help=tr("旧令牌立即失效（已泄露时）", "The old one ends at once (when it has leaked)")),
    ] = False,
    stack: StackOption = "dev",
) -> None:
    """Give a client a new token; the old one is accepted until `token revoke`."""
    deployment, settings = _opened(client, stack)
    if settings.previous and not now:
        raise StackError(
            tr(f"{client} 的上一次轮换还没有结束", f"the last rotation of {client} is not over"),
            tr(
                f"先让旧令牌失效：./deploy.sh token revoke {client}；或加 --now",
                f"end the old token first: ./deploy.sh token revoke {client}; or add --now",
            ),
        )
    _apply(deployment, client, TokenSettings(generation=settings.generation + 1, previous=not now))
    option = "" if stack == "dev" else f" -s {stack}"
    out.print(tr("新令牌：", "The new token: ") + f"./deploy.sh token show {client}{option}", markup=False)
    if now:
        out.print(tr("旧令牌已失效。", "The old token is no longer accepted."))
        return
    out.print(
        tr("旧令牌仍可用；都换好之后：", "The old one is still accepted; when all have the new one: ")
        + f"./deploy.sh token revoke {client}{option}",
        markup=False,
    )


@token_app.command(
    "revoke",
    help=tr("结束轮换：旧令牌立即失效", "End a rotation: the old token is refused at once"),
    epilog=examples("./deploy.sh token revoke desktop-pet"),
)
def token_revoke(client: ClientArgument, stack: StackOption = "dev") -> None:
    """End a rotation: the old token is refused at once."""
    deployment, settings = _opened(client, stack)
    if not settings.previous:
        raise StackError(
            tr(f"{client} 只有一个令牌，没有旧的可撤", f"{client} has one token only, no old one to end"),
            tr(
                f"要立即换掉它：./deploy.sh token rotate {client} --now；要去掉这个客户端：从栈文件的 clients 中删除",
                f"to replace it at once: ./deploy.sh token rotate {client} --now; to remove the client: delete it "
                "from clients in the stack's file",
            ),
        )
    _apply(deployment, client, TokenSettings(generation=settings.generation, previous=False))
    out.print(tr("旧令牌已失效。", "The old token is no longer accepted."))


def _opened(client: str, stack: str) -> tuple[Deployment, TokenSettings]:
    """The deployed stack and where the client's rotation stands. Raises typer.BadParameter for an unknown client."""
    activate(DyberHome.from_environment())
    deployment = Deployment.open(stack, create=False)
    client_token(deployment.outputs(), client)
    return deployment, deployment.settings.token(client)


def _apply(deployment: Deployment, client: str, settings: TokenSettings) -> None:
    """Write the rotation into the stack's file and bring the gateway to it; on failure the file is as before."""
    file = deployment.file
    before = file.read_bytes()
    deployment.set(f"tokens.{client}.generation", str(settings.generation))
    deployment.set(f"tokens.{client}.previous", str(settings.previous).lower())
    try:
        with Activities(DyberHome.from_environment().logs / "deploy.log") as display:
            check(deployment)
            deployment.recover(display)
            with graceful_interrupt():
                deployment.up(display)
    except BaseException:
        file.write_bytes(before)
        raise
