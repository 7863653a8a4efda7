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
from toolchain.language import tr


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
        tr("准备这台机器并部署（默认命令）", "Set this machine up and deploy (the default command)"),
    ),
    "setup": Listed("deployment.deploy", tr("只准备这台机器，不部署", "Only set this machine up")),
    "preview": Listed(
        "deployment.deploy", tr("显示部署会改变什么，不做改变", "Show what a deployment would change, changing nothing")
    ),
    "destroy": Listed(
        "deployment.deploy",
        tr(
            "删除这个栈创建的一切；数据卷按 dataRetention 保留，或列出、询问后删除",
            "Delete everything this stack made; its data volumes stay, or are listed and deleted, as dataRetention says",
        ),
    ),
    "drift": Listed(
        "deployment.drift",
        tr(
            "检查引擎上的东西是否仍如部署时（不做改变）。退出码：0 一致，1 有差异，2 没能检查",
            "Check whether the engine is still as it was deployed; changes nothing. Exit codes: 0 no difference, 1 differences, 2 could not check",
        ),
    ),
    "start": Listed(
        "operation.run", tr("启动已部署、已停止的容器", "Start the stopped containers of a deployed stack")
    ),
    "stop": Listed(
        "operation.run", tr("停止容器；容器和数据保留", "Stop the containers; they and their data are kept")
    ),
    "restart": Listed(
        "operation.run",
        tr(
            "逐个副本重启：前一个恢复服务后才轮到下一个",
            "Restart replica by replica, each when the one before serves again",
        ),
    ),
    "status": Listed(
        "operation.status",
        tr(
            "每个服务的健康、版本、用量、工具和最近的错误",
            "Health, version, usage, tools and last error of each service",
        ),
    ),
    "ps": Listed("operation.status", tr("列出这个栈的容器", "List this stack's containers")),
    "list": Listed("operation.status", tr("列出所有可用的服务", "List all available services")),
    "logs": Listed("operation.logs", tr("查看日志；不写服务就是全部", "Show logs; without a service, of everything")),
    "exec": Listed(
        "operation.logs",
        tr("在服务的容器里运行命令（默认打开 sh）", "Run a command in a service's container (sh by default)"),
    ),
    "add-service": Listed(
        "settings.services",
        tr("添加新MCP服务：由模板创建一个完整的目录", "Add an MCP service: make its whole folder from the template"),
    ),
    "remove-service": Listed(
        "settings.services",
        tr("移除一个MCP服务；默认保留它的数据", "Remove an MCP service; by default its data is kept"),
    ),
    "clients": Listed(
        "settings.clients", tr("打印可直接使用的 MCP 客户端配置", "Print a ready MCP client configuration")
    ),
    "plan": Listed(
        "deployment.plan",
        tr(
            "为每个栈保存计划，并写出一份 Markdown 评论；不做改变",
            "Save a plan for each stack and one Markdown comment about all; changes nothing",
        ),
    ),
    "apply": Listed("deployment.plan", tr("只做保存的计划里的改变", "Do what a saved plan says, and nothing else")),
    "release": Listed(
        "deployment.promote",
        tr(
            "打印一个栈运行的镜像摘要与工具契约（JSON）；设置了 dyber:registry 时先推送镜像",
            "Print the image digests and contracts of what a stack runs (JSON); push its images if it names a registry",
        ),
    ),
    "promote": Listed(
        "deployment.promote",
        tr(
            "把一个栈运行的镜像摘要和工具契约写进下一个栈的文件；不部署",
            "Write the digests and contracts of what one stack runs into the next one's file; deploys nothing",
        ),
    ),
    "backup": Listed(
        "data.backup",
        tr(
            "把数据、状态、设置和口令备份到一个加密文件",
            "Back data, state, settings and passphrase up, into an encrypted file",
        ),
    ),
    "restore": Listed(
        "data.restore",
        tr(
            "从备份恢复，也可以在另一台机器上；先检查，失败时放回原来的一切",
            "Restore a backup, also on another machine; checks first, and puts back what was there if it fails",
        ),
    ),
    "recover": Listed(
        "data.recover",
        tr(
            "状态丢失后接管引擎上还在的部署：数据保留，容器换新（先询问）",
            "After the state was lost, take over what is still on the engine: data stays, containers are replaced (asks first)",
        ),
    ),
    "clean": Listed(
        "data.clean", tr("删除这个栈和它的全部数据（先询问）", "Delete this stack and all its data (asks first)")
    ),
    "env": Listed(
        "machine.machine", tr("打印手工运行 pulumi 所需的环境变量", "Print what a shell needs to run pulumi by hand")
    ),
    "doctor": Listed(
        "machine.machine",
        tr(
            "检查每个先决条件：有没有、版本、来源、怎么办",
            "Check each prerequisite: found, version, from where, what to do",
        ),
    ),
    "version": Listed("machine.machine", tr("打印版本", "Print the versions")),
    "completion": Listed(
        "machine.machine",
        tr(
            "打印命令补全脚本：bash、zsh、fish 或 powershell",
            "Print a completion script: bash, zsh, fish or powershell",
        ),
    ),
    "test": Listed(
        "machine.machine", tr("运行全部测试；其余参数交给 pytest", "Run all tests; further arguments go to pytest")
    ),
    "lint": Listed(
        "machine.development",
        tr(
            "检查代码、类型、分层、拼写、脚本、工作流和 Dockerfile；有问题时退出码为 1",
            "Check code, types, layers, spelling, scripts, workflows and Dockerfiles; exit code 1 on a fault",
        ),
    ),
    "lock": Listed(
        "machine.development",
        tr(
            "重新生成各个 requirements.txt：按 requirements.in 固定每个 Python 包的版本和哈希",
            "Make each requirements.txt anew: every Python package that requirements.in needs, with version and hashes",
        ),
    ),
    "update": Listed(
        "machine.update", tr("取得新版本并部署（先询问）", "Get the newest version and deploy it (asks first)")
    ),
    "state-copy": Listed(
        "deployment.state_copy",
        tr(
            "写一份没有机密的状态，用来预览合并请求",
            "Write a stack's state without its secrets, to preview pull requests with",
        ),
    ),
    "token": Listed("settings.tokens", tr("客户端的令牌", "Clients' tokens"), "token_app"),
    "tools": Listed(
        "settings.tools", tr("工具契约：智能体看到的工具", "Contracts of tools: what agents see"), "tools_app"
    ),
    "config": Listed("settings.config", tr("栈的设置", "A stack's settings"), "config_app"),
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
    help=tr("DyberPet 多MCP服务器部署系统", "DyberPet: many MCP servers behind one gateway"),
    epilog=tr(
        "不写命令就是 deploy：./deploy.sh --dev。每个命令的例子：./deploy.sh help <命令>",
        "No command means deploy: ./deploy.sh --dev. Examples of each: ./deploy.sh help COMMAND",
    ),
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def whole() -> None:
    """Stand for the application, which has commands and no options of its own."""


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
