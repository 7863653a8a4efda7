"""What the commands share: their options, setting the machine up, checking ports, interrupting well."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.events import Cancelled, DeployError
from cli.engine.ports import PortInUse, cannot_be_had, ports_in_use, refuse_low_ports
from cli.inventory import remains
from cli.system.errors import StackError
from cli.terminal.console import Activities, err
from infra.settings.env_file import MAIN_CLIENT
from toolchain import prerequisites, proxies
from toolchain.home import DyberHome
from toolchain.language import tr
from toolchain.progress import duration

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

StackOption = Annotated[
    str,
    typer.Option("--stack", "-s", help=tr("栈：dev、test 或 prod", "Stack: dev, test or prod"), envvar="DYBER_STACK"),
]
JsonOption = Annotated[bool, typer.Option("--json", help=tr("以 JSON 输出", "Print JSON"))]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help=tr("不再询问", "Do not ask"))]
#: Of commands that change something and never ask: scripts may give it to all of them alike.
AcceptedYesOption = Annotated[
    bool,
    typer.Option("--yes", "-y", help=tr("不再询问（这个命令本来就不问）", "Do not ask (this command never does)")),
]


def examples(*lines: str) -> str:
    """Help text with examples, one per line."""
    return "\n\n".join([tr("例：", "Examples:"), *(f"  [cyan]{escape(line)}[/cyan]" for line in lines)])


def set_up(home: DyberHome, display: Activities) -> None:
    """Install what this machine lacks, saying what first; this process then finds it."""
    for step in (steps := prerequisites.plan(home)):
        if step is steps[0]:
            err.print(tr("这台机器还缺少以下部分，现在安装：", "This machine lacks the following; installing now:"))
        about = f" ({tr('约', 'about')} {duration(step.expected_seconds)})" if step.expected_seconds else ""
        err.print(f"  • {step.title}: {step.statement}{about}", markup=False)
    if steps and (message := proxies.left_out_message(os.environ)):
        err.print(message, markup=False)
    # Also where nothing is missing: it refuses an engine or a Python that is too old, and a full disk.
    prerequisites.set_up(home, display)
    activate(home)


def check(deployment: Deployment, replacing: Collection[str] = ()) -> None:
    """Raises ConfigurationError for settings that cannot be used, and StackError where the engine has containers of
    this stack that its state does not know, or, naming their owners, when ports that the stack publishes are taken.
    `replacing`: deployments whose containers are to go."""
    deployment.check_settings()
    own = deployment.deployment_id()
    wanted = deployment.published_ports()
    refuse_low_ports(deployment.stack.name, wanted)
    taken = ports_in_use(wanted, {*replacing, *([own] if own else [])})
    if (taken or not own) and not replacing:
        _refuse_remains(deployment.stack.name, own)
    _refuse_ports(deployment.stack.name, taken)


def refuse_taken_ports(name: str, ports: Iterable[tuple[str, int]], deployments: Collection[str]) -> None:
    """Raises StackError naming the owners of those of the (address, port) pairs of the stack `name` that are taken;
    those that containers of `deployments` hold are not."""
    _refuse_ports(name, ports_in_use(ports, deployments))


def _refuse_ports(name: str, taken: list[PortInUse]) -> None:
    if taken:
        raise cannot_be_had(name, taken)


def _refuse_remains(stack: str, own: str | None) -> None:
    found = remains.find(stack, own)
    if not found:
        return
    count = sum(len(item.containers) for item in found)
    raise StackError(
        tr(
            f"引擎上有栈 {stack} 的 {count} 个容器，这里的状态不认识它们（部署 {', '.join(i.deployment for i in found)}）",
            f"the engine has {count} containers of stack {stack} that the state here does not know (deployment "
            f"{', '.join(item.deployment for item in found)})",
        ),
        tr(
            f"状态在别处：用它（DYBER_HOME 或 PULUMI_BACKEND_URL）；状态丢了：./deploy.sh recover -s {stack}（数据保留）",
            "their state is elsewhere: use that (DYBER_HOME or PULUMI_BACKEND_URL); it was lost: "
            f"./deploy.sh recover -s {stack} (data stays)",
        ),
    )


@contextmanager
def graceful_interrupt() -> Iterator[None]:
    """On Ctrl-C let Pulumi, which gets it too, end its running steps, so that nothing is lost; say so once."""
    interrupted = False

    def handler(signum: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        err.print(
            tr(
                "正在停止：等运行中的步骤结束，已完成的会保留 …",
                "Stopping: letting the running steps end; what is done is kept …",
            )
        )
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    except DeployError:
        if interrupted:
            raise Cancelled from None
        raise
    finally:
        signal.signal(signal.SIGINT, previous)


def deployed(stack: str) -> tuple[Deployment, dict[str, Any]]:
    """A deployed stack and its outputs, secrets in clear. Raises StackError when it is not deployed."""
    activate(DyberHome.from_environment())
    deployment = Deployment.open(stack, create=False)
    return deployment, deployment.outputs()


def stack_outputs(stack: str) -> dict[str, Any]:
    """Outputs of a deployed stack, secrets in clear. Raises StackError when it is not deployed."""
    return deployed(stack)[1]


def client_token(outputs: dict[str, Any], client: str | None) -> tuple[str, str]:
    """Name and newest token of `client`; without a name of the main client, or of the only one. Raises
    typer.BadParameter naming those there are."""
    tokens: dict[str, str] = outputs["tokens"]
    if client is None and (MAIN_CLIENT in tokens or len(tokens) == 1):
        client = MAIN_CLIENT if MAIN_CLIENT in tokens else next(iter(tokens))
    if client not in tokens:
        known = ", ".join(sorted(tokens))
        raise typer.BadParameter(
            tr(f"请指定客户端：{known}", f"name a client: {known}")
            if client is None
            else tr(f"没有客户端 {client!r}，可用：{known}", f"no client {client!r}; known: {known}")
        )
    return client, tokens[client]


def print_json(value: Any) -> None:
    """`value` as JSON on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def changed(changes: Mapping[str, int]) -> int:
    """How many resources an update changed, of its number of changes by kind."""
    return sum(count for op, count in changes.items() if op not in ("same", "refresh", "read"))
