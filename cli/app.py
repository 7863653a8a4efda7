"""The dyber command: one Typer application; each command is a thin step over cli.stack and toolchain."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.cells import cell_len
from rich.text import Text

from cli import clients, plans, promote, tests
from cli.console import Activities, err, out
from cli.environment import activate, shell_lines
from cli.services import commands as service_commands
from cli.stack import Deployment
from cli.steps import (
    FAILED,
    StackOption,
    YesOption,
    changed,
    check,
    client_token,
    examples,
    graceful_interrupt,
    set_up,
    stack_outputs,
)
from cli.tokens import token_app
from cli.tools import tools_app
from toolchain import prerequisites
from toolchain.home import DyberHome
from toolchain.language import tr
from toolchain.progress import duration

app = typer.Typer(
    help=tr("DyberPet 多MCP服务器部署系统", "DyberPet: many MCP servers behind one gateway"),
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(token_app, name="token")
app.add_typer(tools_app, name="tools")
promote.register(app)
plans.register(app)
app.add_typer(service_commands.commands)


@app.command(
    help=tr("准备这台机器并部署（默认命令）", "Set this machine up and deploy (the default command)"),
    epilog=examples("./deploy.sh", "./deploy.sh deploy --stack test"),
)
def deploy(stack: StackOption = "dev") -> None:
    """Set this machine up and deploy (the default command)."""
    started = time.monotonic()
    home = DyberHome.from_environment()
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        deployment = Deployment.open(stack)
        check(deployment)
        deployment.recover(display)
        with graceful_interrupt():
            outputs, changes = deployment.up(display)
    _summary(stack, outputs, changes, time.monotonic() - started)


@app.command(help=tr("只准备这台机器，不部署", "Only set this machine up"), epilog=examples("./deploy.sh setup"))
def setup() -> None:
    """Only set this machine up."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "setup.log") as display:
        set_up(home, display)
    out.print(tr("准备好了。下一步：./deploy.sh", "Ready. Next: ./deploy.sh"))


@app.command(
    help=tr("显示部署会改变什么，不做改变", "Show what a deployment would change, changing nothing"),
    epilog=examples("./deploy.sh preview", "./deploy.sh preview -s prod"),
)
def preview(stack: StackOption = "dev") -> None:
    """Show what a deployment would change, changing nothing."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "deploy.log") as display:
        set_up(home, display)
        deployment = Deployment.open(stack)
        with display.phase(tr("比较", "Comparing")):
            text, changes = deployment.preview(display)
    out.print(text, markup=False)
    if not changed(changes):
        out.print(tr("没有变化。", "No changes."))


@app.command(
    help=tr("删除这个栈创建的一切", "Delete everything this stack made"), epilog=examples("./deploy.sh destroy -s test")
)
def destroy(stack: StackOption = "dev", yes: YesOption = False) -> None:
    """Delete everything this stack made."""
    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    if not yes:
        names = [
            item["urn"].rsplit("::", 1)[-1]
            for item in deployment.resources()
            if item["type"].startswith("docker:index")
        ]
        err.print(tr("将删除：", "Will be deleted: ") + ", ".join(names or ["-"]), markup=False)
        if not typer.confirm(tr("确认继续?", "Continue?"), default=False, err=True):
            raise typer.Exit(FAILED)
    with Activities(home.logs / "deploy.log") as display:
        deployment.recover(display)
        with graceful_interrupt():
            deployment.destroy(display)
    kept = deployment.settings.data_retention == "keep"
    note = tr("数据卷已保留（dataRetention: keep）。", " Its data volumes stay (dataRetention: keep).") if kept else ""
    out.print(tr(f"栈 {stack} 已删除。", f"Stack {stack} is gone.") + note)


@app.command(
    help=tr("打印手工运行 pulumi 所需的环境变量", "Print what a shell needs to run pulumi by hand"),
    epilog=examples('eval "$(./deploy.sh env)"', "pulumi preview -s dev"),
)
def env() -> None:
    """Print what a shell needs to run pulumi by hand."""
    home = DyberHome.from_environment()
    for line in shell_lines(prerequisites.environment(home)):
        sys.stdout.write(line + "\n")


@app.command(
    help=tr(
        "检查每个先决条件：有没有、版本、来源、怎么办",
        "Check each prerequisite: found, version, from where, what to do",
    ),
    epilog=examples("./deploy.sh doctor", "./deploy.sh doctor --json"),
)
def doctor(as_json: Annotated[bool, typer.Option("--json", help="JSON")] = False) -> None:
    """Check each prerequisite: found, version, from where, what to do."""
    findings = prerequisites.inspect_all(DyberHome.from_environment())
    if as_json:
        fields = ("key", "title", "ok", "version", "origin", "advice")
        sys.stdout.write(
            json.dumps([{f: getattr(item, f) for f in fields} for item in findings], ensure_ascii=False, indent=2)
            + "\n"
        )
    else:
        width = max(cell_len(item.title) for item in findings)
        for item in findings:
            mark, style = ("✓", "green") if item.ok else ("✗", "red")
            title = item.title + " " * (width - cell_len(item.title))
            out.print(Text.assemble((mark, style), f" {title}  {item.version}  ", (item.origin, "dim")))
            if item.advice:
                out.print(Text(f"  → {item.advice}", style="yellow"))
    if not all(item.ok for item in findings):
        raise typer.Exit(FAILED)


@app.command(
    "clients",
    help=tr("打印可直接使用的 MCP 客户端配置", "Print a ready MCP client configuration"),
    epilog=examples("./deploy.sh clients claude-code > .mcp.json", "./deploy.sh clients qwen-agent"),
)
def client_configuration(
    format: Annotated[str, typer.Argument(help=", ".join(clients.FORMATS))] = "claude-code",
    client: Annotated[str | None, typer.Option(help=tr("用哪个客户端的令牌", "Whose token to use"))] = None,
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
    outputs = stack_outputs(stack)
    token = client_token(outputs, client)[1] if with_token else None
    sys.stdout.write(
        json.dumps(clients.render(format, outputs["services"], token), ensure_ascii=False, indent=2) + "\n"
    )


@app.command(
    help=tr("运行全部测试；其余参数交给 pytest", "Run all tests; further arguments go to pytest"),
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=examples("./deploy.sh test", "./deploy.sh test tests/unit", "./deploy.sh test -k gateway"),
)
def test(context: typer.Context) -> None:
    """Run all tests; further arguments go to pytest."""
    home = DyberHome.from_environment()
    with Activities(home.logs / "setup.log") as display:
        set_up(home, display)
        tests.prepare(display)
    raise typer.Exit(tests.run(context.args))


def _summary(stack: str, outputs: dict[str, Any], changes: Mapping[str, int], seconds: float) -> None:
    option = "" if stack == "dev" else f" -s {stack}"
    count = changed(changes)
    what = tr(f"{count} 项变化", f"{count} changes") if count else tr("没有变化", "no changes")
    out.print(f"\n[green]✓[/] {tr('部署完成', 'Deployed')} ({what}, {duration(seconds)})")
    gateway = outputs["gateway"]
    out.print(
        f"  {tr('网关', 'gateway')}: {gateway['http']}  {gateway['https']}  {gateway['development']}", markup=False
    )
    for name, service in outputs["services"].items():
        out.print(f"  {name} ({service['title']}): {service['mcp']}", markup=False)
    out.print(tr("  令牌", "  token") + f": ./deploy.sh token show{option}", markup=False)
    out.print(tr("  客户端配置", "  client configuration") + f" (./deploy.sh clients{option}):", markup=False)
    out.print(
        json.dumps(clients.render("claude-code", outputs["services"], None), ensure_ascii=False, indent=2), markup=False
    )
