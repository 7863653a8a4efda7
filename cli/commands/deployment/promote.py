"""`dyber release` and `dyber promote`: build once, then hand the same digests from stack to stack, in files."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli.commands.options import FAILED, StackOption, YesOption, examples
from cli.commands.settings import tools
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.release import contracts
from cli.release.release import KeyPath, Release, pinned_images, pins, release_of
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, out
from infra.services import contract_diff
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import Contract
from infra.services.contract_diff import Effect
from infra.services.hidden_tools import hidden_tools
from toolchain.home import DyberHome
from toolchain.language import tr


def release(stack: StackOption = "dev") -> None:
    """Print what a stack runs, by digest, as JSON; push its images, if it names a registry."""
    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    with Activities(home.logs / "deploy.log") as display:
        record = release_of(deployment, display)
    sys.stdout.write(record.dumps())
    if not deployment.settings.registry:
        err.print(
            tr(
                "没有设置 dyber:registry：镜像只在这台引擎上，记录也只能在这里使用。",
                "No dyber:registry is set: the images are on this engine only, and the record is of use only here.",
            )
        )


def promote(
    source: Annotated[
        str, typer.Argument(help=tr("来源：栈，或 release 写的文件", "From: a stack, or a file of release"))
    ],
    target: Annotated[str, typer.Argument(help=tr("目标栈", "To: a stack"))],
    yes: YesOption = False,
    accept_breaking: Annotated[
        bool,
        typer.Option(
            "--accept-breaking", help=tr("接受会影响调用方的工具改变", "Accept changes of tools that break callers")
        ),
    ] = False,
) -> None:
    """Write the digests and contracts of what one stack runs into the file of the next; deploys nothing."""
    home = DyberHome.from_environment()
    activate(home)
    with Activities(home.logs / "deploy.log") as display:
        deployment = Deployment.open(target)
        specs = _runs(deployment)
        record = _record(source, specs, display)
        before = _present_contracts(deployment, specs, display)
    changes = pins(record, deployment.settings, specs)
    if not changes:
        out.print(tr(f"{target} 已经是这个版本，没有变化。", f"{target} is at this release already, no changes."))
        return
    breaks = _show(record, deployment, specs, before)
    if breaks and not accept_breaking and (yes or not sys.stdin.isatty()):
        raise StackError(
            tr("有会影响调用方的工具改变，没有写入", "tools change in ways that break callers; nothing was written"),
            tr("看过之后加 --accept-breaking", "having looked at them, add --accept-breaking"),
        )
    if not yes and not typer.confirm(
        tr(f"写入 {deployment.file.name}?", f"Write {deployment.file.name}?"), default=False, err=True
    ):
        raise typer.Exit(FAILED)
    write(deployment, changes)
    out.print(
        tr(
            f"已写入 {deployment.file.name}（{len(changes)} 项）。",
            f"{deployment.file.name} written ({len(changes)} lines).",
        ),
        markup=False,
    )
    out.print(tr("审阅并提交：", "Review and commit: ") + f"git diff {deployment.file.name}", markup=False)
    out.print(tr("然后：", "Then: ") + f"./deploy.sh deploy -s {target}", markup=False)
    out.print(
        tr(
            "要退回：撤销该文件的改变（git revert），再部署一次。",
            "To go back: revert the file (git revert), deploy again.",
        ),
        markup=False,
    )


def write(deployment: Deployment, changes: Mapping[KeyPath, str | int | None]) -> None:
    """Write settings by path into the stack's file, which keeps its comments; on failure it is as before."""
    file = StackFile(deployment.file)
    for (key, *inside), value in changes.items():
        if inside:
            file.set_in(key, inside, value)
        else:
            file.set(key, value)
    file.save()
    try:
        Deployment.open(deployment.stack.name).check_settings()
    except BaseException:
        file.restore()
        raise


def _record(source: str, specs: list[ServiceSpec], display: Activities) -> Release:
    if source.endswith(".json"):
        return Release.load(Path(source))
    needed = {spec.name for spec in specs}
    without = frozenset(load_catalog(contracts.SERVERS)) - needed
    return release_of(Deployment.open(source, create=False), display, without)


def _runs(deployment: Deployment) -> list[ServiceSpec]:
    """The services that the stack runs, also where it has no image and no contract of them yet."""
    lenient = deployment.settings.model_copy(update={"images": "build", "contracts": "off"})
    return lenient.select(load_catalog(contracts.SERVERS))


def _present_contracts(deployment: Deployment, specs: list[ServiceSpec], display: Activities) -> dict[str, Contract]:
    """Return the stack's present tools by service, including hidden ones; services that never ran there are missing."""
    found: dict[str, Contract] = {}
    images = pinned_images(deployment.settings)
    for spec in specs:
        container = contracts.service_container(deployment.deployment_id(), spec.name)
        with display.phase(tr(f"读取 {spec.name} 现在的工具", f"Reading the present tools of {spec.name}")):
            if container is not None:
                found[spec.name] = contracts.running_tools(container).contract
            elif spec.name in images:
                found[spec.name] = contracts.image_contract(images[spec.name], spec.environment)
    return found


def _show(record: Release, deployment: Deployment, specs: list[ServiceSpec], before: dict[str, Contract]) -> bool:
    """Print what the promotion changes; whether a tool changes in a way that breaks callers."""
    old = pinned_images(deployment.settings)
    wanted = {spec.name for spec in specs} | (set(record.images) - set(load_catalog(contracts.SERVERS)))
    for part in sorted(wanted):
        if old.get(part) != record.images[part]:
            out.print(Text(f"{part}: {short(old.get(part))} → {short(record.images[part])}"))
    breaks = False
    for spec in specs:
        now = before.get(spec.name)
        if now is None:
            out.print(f"{spec.name}: {tr('第一次进入这个栈', 'new in this stack')}", markup=False)
            continue
        tools.show(spec.name, now, record.contracts[spec.name])
        hidden = hidden_tools(record.contracts[spec.name].read_only, spec.environment)
        tools.show_hidden(spec.name, deployment.stack.name, hidden)
        breaks |= any(
            change.effect is Effect.BREAKS for change in contract_diff.compare(now, record.contracts[spec.name])
        )
    return breaks


def short(image: str | None) -> str:
    """An image's digest as people compare it: its first twelve digits."""
    if image is None:
        return tr("（在这里构建）", "(built here)")
    name, _, digest = image.rpartition("sha256:")
    return f"{name}sha256:{digest[:12]}…"


commands = typer.Typer()
commands.command(
    help=tr(
        "打印一个栈运行的镜像摘要与工具契约（JSON）；设置了 dyber:registry 时先推送镜像",
        "Print the image digests and contracts of what a stack runs (JSON); push its images if it names a registry",
    ),
    epilog=examples("./deploy.sh release -s dev > release.json"),
)(release)
commands.command(
    help=tr(
        "把一个栈运行的镜像摘要和工具契约写进下一个栈的文件；不部署",
        "Write the digests and contracts of what one stack runs into the next one's file; deploys nothing",
    ),
    epilog=examples(
        "./deploy.sh promote dev test",
        "./deploy.sh promote test prod",
        "./deploy.sh promote release.json test --yes",
    ),
)(promote)
