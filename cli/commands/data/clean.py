"""`dyber clean` deletes a stack with its data, with an option also its images, or only the data that nothing uses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pulumi import automation as auto
from rich.text import Text

from cli.commands.data import backup as backups
from cli.commands.options import graceful_interrupt
from cli.commands.reading import StackOption, YesOption
from cli.configuration import env_values
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.state import edits as state_edits
from cli.engine import stored_data
from cli.engine.resource_types import VOLUME
from cli.engine.stored_data import StoredData
from cli.inventory.belongings import belongings, remove
from cli.records import recording
from cli.recovery.backup_file import new_password
from cli.system.checkout import ROOT
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, examples
from infra.settings.names import stack_file
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "./deploy.sh clean",
        "./deploy.sh clean --backup before.dyber",
        "./deploy.sh clean --images --yes",
        "./deploy.sh clean --unused-data",
    )
)
def clean(
    backup: Annotated[Path | None, typer.Option(help=tr("First back everything up into this file"))] = None,
    images: Annotated[bool, typer.Option("--images", help=tr("Also the images built for it"))] = False,
    unused_data: Annotated[
        bool,
        typer.Option(
            "--unused-data",
            help=tr("Delete only data volumes that no service uses; works even if the stack is gone"),
        ),
    ] = False,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Delete this stack and all its data (asks first)."""
    home = DyberHome.from_environment()
    activate(home)
    if unused_data:
        if backup or images:
            raise typer.BadParameter(tr("--unused-data goes with neither --backup nor --images"))
        _clean_unused(stack, yes)
        return
    deployment = Deployment.open(stack, create=False)
    doomed = belongings(deployment, with_images=images)
    for title, names in (
        (tr("containers"), doomed.containers),
        (tr("networks"), doomed.networks),
        (tr("volumes with configuration and secrets"), doomed.volumes),
        (tr("images"), doomed.images),
    ):
        if names:
            err.print(Text.assemble((f"{title}: ", "bold"), ", ".join(names)))
    list_doomed(doomed.data)
    err.print(tr("And the stack's tokens and state. Nothing else is touched."))
    if not yes and not _confirmed(backup):
        raise typer.Exit(FAILED)
    password = "" if backup is None else new_password()
    with Activities(home.logs / "deploy.log") as display:
        deployment.recover(display)
        if backup is not None:
            backups.create(deployment, backup, password, display)
        token = env_values.generated(deployment)
        with graceful_interrupt():
            deployment.destroy(display, data_is_kept=False)
        for volume in doomed.volumes:
            remove("volume", volume)
        delete_data(doomed.data, display)
        for image in doomed.images:
            remove("image", image)
    recording.forget(stack)
    env_values.forget(stack, token)
    out.print(tr("Stack {stack} and its data are gone.", stack=stack))


def list_doomed(data: list[StoredData]) -> None:
    """Print which data volumes are about to be deleted for good."""
    if data:
        err.print(Text(tr("Data will be deleted for good:"), style="bold red"))
        for line in stored_data.lines(data):
            err.print(line, markup=False)


def delete_data(data: list[StoredData], display: Activities) -> None:
    """Delete these data volumes for good, and show it as an activity."""
    if data:
        names = ", ".join(item.name for item in data)
        with display.phase(tr("delete data volumes: {names}", names=names)):
            stored_data.delete(data)


def _clean_unused(stack: str, yes: bool) -> None:
    """Delete the stack's data volumes that nothing uses (asks first)."""
    # A stack without a file has no state on this machine that could need the volumes.
    deployment = Deployment.open(stack, create=False) if (ROOT / stack_file(stack)).is_file() and _has(stack) else None
    needed: set[str] = set()
    if deployment and deployment.deployment_id():
        deployment.require_idle()
        needed = stored_data.mounted(deployment.resources())
    doomed = stored_data.unused(stored_data.find(stack), needed)
    if not doomed:
        out.print(tr("Stack {stack} has no unused data volumes.", stack=stack))
        return
    list_doomed(doomed)
    if not yes and not typer.confirm(tr("Continue?"), default=False, err=True):
        raise typer.Exit(FAILED)
    deleted = stored_data.delete(doomed)
    if deployment:
        state_edits.forget(deployment.stack, deleted, [VOLUME])
    out.print(tr("Deleted {gone} data volumes.", gone=len(deleted)))


def _has(stack: str) -> bool:
    """Tell whether the state knows a stack of this name."""
    return stack in {item.name for item in auto.LocalWorkspace(work_dir=str(ROOT)).list_stacks()}


def _confirmed(backup: Path | None) -> bool:
    if backup is None:
        err.print(tr("Want a copy? Stop here and run ./deploy.sh backup FILE, or add --backup FILE"))
    return typer.confirm(tr("Continue?"), default=False, err=True)
