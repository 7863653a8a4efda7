"""`dyber tools …`: the contracts of the services' tools, kept in lock files, and what changed in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.options import FAILED, AcceptedYesOption, StackOption, examples
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.release import contracts
from cli.release.contracts import RunningTools
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import fail, out
from infra.schema.problems import ConfigurationError
from infra.services import contract_diff
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import LOCK_FILE, Contract, load_lock
from infra.services.contract_diff import Change, Effect
from infra.services.hidden_tools import READ_ONLY
from infra.settings.names import stack_file
from toolchain.home import DyberHome
from toolchain.language import tr

tools_app = typer.Typer(
    help=tr("工具契约：智能体看到的工具", "Contracts of tools: what agents see"),
    epilog=examples("./deploy.sh tools diff", "./deploy.sh tools lock template"),
    no_args_is_help=True,
)
ServiceArgument = Annotated[
    str | None, typer.Argument(help=tr("服务；省略则为全部", "The service; all when left out"), show_default=False)
]
NOTHING = Contract({})
STYLES = {Effect.BREAKS: "red", Effect.READS: "yellow", Effect.COMPATIBLE: "green"}


@tools_app.command(
    "lock",
    help=tr(
        f"把现在的工具写进 {LOCK_FILE}，供审阅和提交",
        f"Write the tools as they are now into {LOCK_FILE}, to be reviewed",
    ),
    epilog=examples("./deploy.sh tools lock template", "./deploy.sh tools lock --check"),
)
def tools_lock(
    service: ServiceArgument = None,
    check: Annotated[
        bool,
        typer.Option("--check", help=tr("只比较；有差异时退出码为 1", "Only compare; exit code 1 on a difference")),
    ] = False,
    yes: AcceptedYesOption = False,
) -> None:
    """Write the tools as they are now into the lock files, or compare."""
    activate(DyberHome.from_environment())
    differs = False
    for spec in _specs(service):
        file = spec.folder / LOCK_FILE
        actual, text = contracts.source_contract(spec)
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            out.print(f"[green]✓[/] {spec.name}: {tr('没有变化', 'no changes')}")
            continue
        differs = True
        show(spec.name, _kept(spec, readable=check), actual)
        if not check:
            file.write_text(text, encoding="utf-8")
            out.print(tr("已写入 ", "written: ") + str(file.relative_to(ROOT)), markup=False)
    if check and differs:
        raise typer.Exit(FAILED)


@tools_app.command(
    "diff",
    help=tr(
        "运行中的工具与契约的差别，标出会影响调用方的；有差异时退出码为 1",
        "How the running tools differ from the contract, marking what breaks callers; exit code 1 on a difference",
    ),
    epilog=examples(
        "./deploy.sh tools diff",
        "./deploy.sh tools diff template --against main",
        "./deploy.sh tools diff --against prod",
    ),
)
def tools_diff(
    service: ServiceArgument = None,
    against: Annotated[
        str | None,
        typer.Option(
            help=tr(
                "与另一个栈运行中的工具比较；或 git 版本：那时的契约与现在的契约",
                "The tools running in another stack; or a git revision: its contract against the present one",
            )
        ),
    ] = None,
    stack: StackOption = "dev",
) -> None:
    """How the running tools differ from the contract, or from another stack's; or the contract from an earlier one."""
    activate(DyberHome.from_environment())
    differs = False
    compared = set()
    for name, before, after, hidden in _pairs(service, against, stack):
        differs |= show(name, before, after)
        for where, names in hidden.items():
            show_hidden(name, where, names)
        compared.add(name)
    if differs | _tell_silent(stack, service, against, compared):
        raise typer.Exit(FAILED)


def _tell_silent(stack: str, service: str | None, against: str | None, compared: set[str]) -> bool:
    """Name the services of the stack that were not compared because they do not run; return whether there are any."""
    if against and not (ROOT / stack_file(against)).is_file():
        return False
    expected = Deployment.open(stack, create=False).outputs()["services"]
    silent = [name for name in expected if name not in compared and service in (None, name)]
    if silent:
        fail(
            tr(f"没有在运行，工具没有比较：{', '.join(silent)}", f"not running, so not compared: {', '.join(silent)}"),
            tr(f"查看原因：./deploy.sh status -s {stack}", f"see why: ./deploy.sh status -s {stack}"),
        )
    return bool(silent)


def show(service: str, before: Contract, after: Contract) -> bool:
    """Print how the tools of a service change; whether they do."""
    changes = contract_diff.compare(before, after)
    if not changes:
        out.print(f"[green]✓[/] {service}: {tr('工具没有变化', 'the same tools')}")
        return False
    out.print(Text(f"{service}: {summary(changes)}", style="bold"))
    for change in changes:
        for line in change.lines(tr(change.zh, change.en)):
            out.print(Text(line, style=STYLES[change.effect]))
    return True


def summary(changes: list[Change]) -> str:
    """How many changes there are, by their effect on callers."""
    labels = {
        Effect.BREAKS: tr("影响调用方", "break callers"),
        Effect.READS: tr("改变智能体读到的内容", "change what agents read"),
        Effect.COMPATIBLE: tr("兼容", "compatible"),
    }
    counts = {effect: sum(change.effect is effect for change in changes) for effect in Effect}
    return tr("，", ", ").join(f"{labels[effect]}: {count}" for effect, count in counts.items() if count)


def show_hidden(service: str, stack: str, names: Sequence[str]) -> None:
    """Say which tools of a service a stack's settings hide from agents; that is no change of the contract."""
    if names:
        told = tr(f"{stack} 的 {READ_ONLY} 隐藏了", f"hidden by {READ_ONLY} of {stack}")
        out.print(Text(f"  {service}: {told}: {', '.join(names)}", style="dim"))


#: Service, its contract before and after, and by stack the tools that are hidden there.
Pair = tuple[str, Contract, Contract, dict[str, tuple[str, ...]]]


def _pairs(service: str | None, against: str | None, stack: str) -> Iterator[Pair]:
    if against and not (ROOT / stack_file(against)).is_file():
        for spec in _specs(service):
            yield spec.name, contracts.lock_at(against, spec.name) or NOTHING, _kept(spec), {}
        return
    found = False
    own_deployment = _deployment_id(stack)
    other_deployment = _deployment_id(against) if against else None
    for spec in _specs(service):
        running = _running(own_deployment, spec.name)
        other = _running(other_deployment, spec.name)
        if running is None and other is None:
            continue
        found = True
        hidden = {name: tools.hidden for name, tools in ((against, other), (stack, running)) if name and tools}
        now = running.contract if running else NOTHING
        if against:
            yield spec.name, other.contract if other else NOTHING, now, hidden
        elif running:
            yield spec.name, _kept(spec), now, hidden
    if not found:
        raise StackError(
            tr(f"栈 {stack} 中没有运行的服务", f"no service is running in stack {stack}"),
            tr(f"先运行 ./deploy.sh -s {stack}", f"run ./deploy.sh -s {stack} first"),
        )


def _running(deployment: str | None, service: str) -> RunningTools | None:
    container = contracts.service_container(deployment, service)
    return contracts.running_tools(container) if container else None


def _deployment_id(stack: str) -> str | None:
    return Deployment.open(stack, create=False).deployment_id()


def _specs(service: str | None) -> list[ServiceSpec]:
    # A lock file that cannot be read must not keep anybody from writing it anew.
    catalog = load_catalog(contracts.SERVERS, locks=False)
    if service is None:
        return list(catalog.values())
    if service not in catalog:
        known = ", ".join(catalog)
        raise typer.BadParameter(tr(f"没有服务 {service!r}，可用：{known}", f"no service {service!r}; known: {known}"))
    return [catalog[service]]


def _kept(spec: ServiceSpec, readable: bool = True) -> Contract:
    """What the service's lock file says. Raises ConfigurationError for one that cannot be used, if it must be
    `readable`."""
    try:
        return load_lock(spec.folder) or NOTHING
    except ConfigurationError:
        if readable:
            raise
        return NOTHING
