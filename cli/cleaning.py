"""`dyber clean`: the stack, its data, and if asked its images. Nothing else on the engine is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from cli import backup as backups
from cli import env_values
from cli.belongings import belongings, remove
from cli.console import Activities, err, out
from cli.environment import activate
from cli.stack import Deployment
from cli.steps import FAILED, StackOption, YesOption, examples, graceful_interrupt
from toolchain.home import DyberHome
from toolchain.language import tr

commands = typer.Typer()


@commands.command(
    help=tr("删除这个栈和它的全部数据（先询问）", "Delete this stack and all its data (asks first)"),
    epilog=examples("./deploy.sh clean", "./deploy.sh clean --backup before.dyber", "./deploy.sh clean --images --yes"),
)
def clean(
    backup: Annotated[
        Path | None, typer.Option(help=tr("先把一切备份到这个文件", "First back everything up into this file"))
    ] = None,
    images: Annotated[
        bool, typer.Option("--images", help=tr("也删除为它构建的镜像", "Also the images built for it"))
    ] = False,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Delete this stack and all its data (asks first)."""
    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    doomed = belongings(deployment, with_images=images)
    for title, names in (
        (tr("容器", "containers"), doomed.containers),
        (tr("网络", "networks"), doomed.networks),
        (tr("数据卷（数据会丢失）", "volumes (their data is lost)"), doomed.volumes),
        (tr("镜像", "images"), doomed.images),
    ):
        if names:
            err.print(Text.assemble((f"{title}: ", "bold"), ", ".join(names)))
    err.print(
        tr("还有这个栈的令牌和状态。不碰其他任何东西。", "And the stack's tokens and state. Nothing else is touched.")
    )
    if not yes and not _confirmed(backup):
        raise typer.Exit(FAILED)
    password = "" if backup is None else backups.new_password()
    with Activities(home.logs / "deploy.log") as display:
        deployment.recover(display)
        if backup is not None:
            backups.create(deployment, backup, password, display)
        token = env_values.generated(deployment)
        with graceful_interrupt():
            deployment.destroy(display)
        for volume in doomed.volumes:
            remove("volume", volume)
        for image in doomed.images:
            remove("image", image)
    env_values.forget(stack, token)
    out.print(tr(f"栈 {stack} 和它的数据已删除。", f"Stack {stack} and its data are gone."))


def _confirmed(backup: Path | None) -> bool:
    if backup is None:
        err.print(
            tr(
                "想留一份？先停在这里，运行 ./deploy.sh backup <文件>，或加 --backup <文件>",
                "Want a copy? Stop here and run ./deploy.sh backup FILE, or add --backup FILE",
            )
        )
    return typer.confirm(tr("确认继续?", "Continue?"), default=False, err=True)
