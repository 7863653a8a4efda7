"""`dyber clients`: a ready configuration for an MCP client."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.text import Text

from cli import clients
from cli.console import err
from cli.steps import StackOption, client_token, deployed, examples
from toolchain.language import tr

commands = typer.Typer()


@commands.command(
    "clients",
    help=tr("打印可直接使用的 MCP 客户端配置", "Print a ready MCP client configuration"),
    epilog=examples(
        "./deploy.sh clients claude-code > .mcp.json",
        "./deploy.sh clients codex >> ~/.codex/config.toml",
        "./deploy.sh clients qwen-agent --with-token",
    ),
)
def client_configuration(
    format: Annotated[str, typer.Argument(help=", ".join(clients.FORMATS))] = "claude-code",
    client: Annotated[
        str | None, typer.Option(help=tr("为哪个客户端：用它的令牌，只列它可用的服务", "For which client"))
    ] = None,
    with_token: Annotated[
        bool,
        typer.Option(
            "--with-token", help=tr("写入令牌本身，而不是 ${DYBER_TOKEN}", "Write the token itself, not ${DYBER_TOKEN}")
        ),
    ] = False,
    stack: StackOption = "dev",
) -> None:
    """Print a ready MCP client configuration."""
    if format not in clients.FORMATS:
        raise typer.BadParameter(
            tr(
                f"没有格式 {format!r}，可用：{', '.join(clients.FORMATS)}",
                f"no format {format!r}; known: {', '.join(clients.FORMATS)}",
            )
        )
    deployment, outputs = deployed(stack)
    name, token = client_token(outputs, client) if with_token or client else (None, None)
    scopes = deployment.settings.clients[name].services if name in deployment.settings.clients else None
    services = {key: value for key, value in outputs["services"].items() if scopes is None or key in scopes}
    sys.stdout.write(clients.render(format, services, token if with_token else None) + "\n")
    if sys.stdout.isatty():
        place = clients.FILES[format]
        err.print(Text("→ " + tr(f"写到 {place}", f"goes into {place}"), style="yellow"))
