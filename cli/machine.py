"""`dyber doctor`, `env`, `version`, `completion`, `update`, `test`: this machine and this checkout."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from typing import Annotated

import typer
from rich.cells import cell_len
from rich.text import Text
from stack.gateway_model import GatewaySettings
from typer.completion import get_completion_script

from cli import state, stored_data, tests
from cli.console import Activities, err, out
from cli.environment import shell_lines
from cli.stack import ROOT, StackError
from cli.steps import FAILED, JsonOption, StackOption, YesOption, examples, print_json, set_up
from toolchain import prerequisites, pulumi_cli, versions
from toolchain.home import DyberHome
from toolchain.language import tr

commands = typer.Typer()
SHELLS = ("bash", "zsh", "fish", "powershell")
#: Under which names the command is completed: in the checkout, and in an environment made by `env`.
PROGRAMS = ("deploy.sh", "dyber")


@commands.command(
    help=tr("打印手工运行 pulumi 所需的环境变量", "Print what a shell needs to run pulumi by hand"),
    epilog=examples('eval "$(./deploy.sh env)"', "pulumi preview -s dev"),
)
def env() -> None:
    """Print what a shell needs to run pulumi by hand."""
    home = DyberHome.from_environment()
    for line in shell_lines(prerequisites.environment(home)):
        sys.stdout.write(line + "\n")


@commands.command(
    help=tr(
        "检查每个先决条件：有没有、版本、来源、怎么办",
        "Check each prerequisite: found, version, from where, what to do",
    ),
    epilog=examples("./deploy.sh doctor", "./deploy.sh doctor --json"),
)
def doctor(as_json: JsonOption = False) -> None:
    """Check each prerequisite: found, version, from where, what to do."""
    home = DyberHome.from_environment()
    findings = [*state.with_state(prerequisites.inspect_all(home), home, ROOT), *stored_data.findings()]
    if as_json:
        fields = ("key", "title", "ok", "version", "origin", "advice")
        print_json([{name: getattr(item, name) for name in fields} for item in findings])
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


@commands.command(
    help=tr("打印版本", "Print the versions"), epilog=examples("./deploy.sh version", "./deploy.sh version --json")
)
def version(as_json: JsonOption = False) -> None:
    """Print the versions of the system and of what it runs on."""
    home = DyberHome.from_environment()
    pinned = versions.load()
    cli = pulumi_cli.find_cli(home, pinned)
    found = {
        "dyber": GatewaySettings().version,
        "commit": _git("rev-parse", "--short", "HEAD") or None,
        "pulumi": cli.version if cli else None,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if as_json:
        print_json(found)
        return
    for name, value in found.items():
        out.print(f"{name:<8}{value or '-'}", markup=False)


@commands.command(
    help=tr(
        "打印命令补全脚本：bash、zsh、fish 或 powershell", "Print a completion script: bash, zsh, fish or powershell"
    ),
    epilog=examples('eval "$(./deploy.sh completion bash)"', "./deploy.sh completion powershell >> $PROFILE"),
)
def completion(shell: Annotated[str, typer.Argument(help=", ".join(SHELLS))]) -> None:
    """Print a completion script for a shell."""
    if shell not in SHELLS:
        raise typer.BadParameter(
            tr(f"没有 {shell!r}，可用：{', '.join(SHELLS)}", f"no {shell!r}; known: {', '.join(SHELLS)}")
        )
    for program in PROGRAMS:
        script = get_completion_script(prog_name=program, complete_var=completion_variable(program), shell=shell)
        sys.stdout.write(script + "\n")


@commands.command(
    help=tr("取得新版本并部署（先询问）", "Get the newest version and deploy it (asks first)"),
    epilog=examples("./deploy.sh update", "./deploy.sh update --yes"),
)
def update(yes: YesOption = False, stack: StackOption = "dev") -> None:
    """Get the newest version of this checkout and deploy it (asks first)."""
    if not shutil.which("git") or not _git("rev-parse", "--git-dir"):
        raise StackError(
            tr("这里不是 git 克隆", "this is no git clone"),
            tr("下载新版本覆盖后运行 ./deploy.sh", "put the new version here and run ./deploy.sh"),
        )
    if not _git("rev-parse", "--abbrev-ref", "@{upstream}"):
        raise StackError(
            tr("当前分支没有跟踪远端分支", "this branch follows no remote one"),
            tr("先运行 git branch --set-upstream-to=origin/main", "run git branch --set-upstream-to=origin/main first"),
        )
    fetched = subprocess.run(["git", "-C", str(ROOT), "fetch", "--quiet"], capture_output=True, text=True, check=False)
    if fetched.returncode:
        raise StackError(fetched.stderr.strip() or "git fetch", tr("检查网络后重试", "check the network and try again"))
    news = _git("log", "--oneline", "--no-decorate", "HEAD..@{upstream}")
    if not news:
        out.print(tr("已经是最新的。", "This is the newest version."))
        return
    err.print(news, markup=False)
    if not yes and not typer.confirm(tr("更新并部署?", "Update and deploy?"), default=False, err=True):
        raise typer.Exit(FAILED)
    merged = subprocess.run(
        ["git", "-C", str(ROOT), "merge", "--ff-only", "--quiet", "@{upstream}"],
        capture_output=True,
        text=True,
        check=False,
    )
    if merged.returncode:
        raise StackError(
            merged.stderr.strip().splitlines()[0] if merged.stderr.strip() else "git merge",
            tr("先提交或收起自己的改动，再运行一次", "commit or stash your own changes, then run it again"),
        )
    # The new version's own requirements and code do the rest.
    raise typer.Exit(subprocess.call([_outer_python(), str(ROOT / "cli" / "bootstrap.py"), "deploy", "--stack", stack]))


@commands.command(
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


def completion_variable(program: str) -> str:
    """The environment variable by which a completion script asks."""
    return f"_{program}_COMPLETE".replace(".", "_").replace("-", "_").upper()


def _outer_python() -> str:
    """The Python that the virtual environment was made with, which can make it anew."""
    return getattr(sys, "_base_executable", "") or sys.executable


def _git(*arguments: str) -> str:
    """What git says of this checkout; empty when it says nothing or is not there."""
    try:
        result = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
