"""`dyber recover` lets a new state take over a stack whose state was lost, with its data and little interruption."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from pulumi import automation as auto
from pulumi.automation.errors import CommandError
from rich.text import Text

from cli.commands.options import check, graceful_interrupt, set_up
from cli.commands.reading import StackOption, YesOption
from cli.configuration import env_values
from cli.deployment.deployment import Deployment
from cli.deployment.state import importing as state_import
from cli.engine import engine, moments
from cli.engine.engine import EngineError
from cli.engine.resource_types import CONTAINER
from cli.inventory import remains
from cli.inventory.remains import Remains
from cli.records import recording
from cli.recovery import backup_file
from cli.stack_files.stack_file import has_encrypted_values, replace_file, without_salt
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, examples
from infra.parts.data_volumes import DATA_FOLDER
from infra.settings.names import stack_file
from infra.settings.subnets import another_pool
from messages import tr
from toolchain.home import DyberHome
from toolchain.progress import duration

#: The components whose containers cannot exist twice (see remains.blocks_replacement): they start when the old ones are gone.
LAST = ["dyber:gateway:Front", "dyber:gateway:AcmeCertificate", "dyber:cache:Cache", "dyber:monitoring:Monitoring"]

commands = typer.Typer()


@commands.command(epilog=examples("./deploy.sh recover", "./deploy.sh recover -s test --backup test.backup"))
def recover(
    backup: Annotated[
        Path | None,
        typer.Option(
            help=tr("Take state and tokens of this backup; data stays as it is"),
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    password_file: backup_file.PasswordFile = None,
    deployment_ids: Annotated[
        list[str] | None,
        typer.Option("--deployment", help=tr("The deployment to take over, if there are several")),
    ] = None,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """After the state was lost, take over what is still on the engine."""
    started = time.monotonic()
    home = DyberHome.from_environment()
    with Activities(home.logs / "deploy.log") as display:
        # Where the state was in DYBER_HOME, the tools in it are lost too.
        set_up(home, display)
    deployment = _open(stack)
    leftovers = _chosen(remains.find(stack, deployment.deployment_id()), deployment_ids or [])
    if not leftovers:
        out.print(tr("There is nothing to take over."))
        return
    if backup is None:
        _refuse_taken_ranges(deployment, leftovers)
    state = backup_file.state_of(backup, stack, backup_file.known_password(password_file)) if backup else None
    _announce(deployment, leftovers, from_backup=backup is not None)
    if not yes and not typer.confirm(tr("Continue?"), default=False, err=True):
        raise typer.Exit(FAILED)
    with Activities(home.logs / "deploy.log") as display:
        if state is not None:
            # A trial import in another folder completes the stack's file first, so that an interruption of the real
            # import leaves a file that fits the state.
            replace_file(deployment.file, state_import.trial_import(stack, deployment.file.read_bytes(), state).file)
            state_import.import_state(stack, state)
            deployment = Deployment.open(stack)
            leftovers = remains.find(stack, deployment.deployment_id())
            _refuse_taken_ranges(deployment, leftovers)
        with recording.attempt(stack) as attempt:
            check(deployment, replacing=[item.deployment for item in leftovers])
            deployment.recover(display)
            attempt.begin(deployment)
            with graceful_interrupt():
                outputs, attempt.changes = _take_over(deployment, leftovers, display)
    env_values.complete(stack, outputs["tokens"])
    out.print(f"\n[green]✓[/] {tr('Taken over')} ({duration(time.monotonic() - started)})")
    out.print(tr("  token") + ": ./deploy.sh token show" + ("" if stack == "dev" else f" -s {stack}"))


def _refuse_taken_ranges(deployment: Deployment, leftovers: Sequence[Remains]) -> None:
    """Raise StackError if the old networks have the address ranges that new ones would get, as both exist for a while.

    The ranges of `networkPool` belong to the ports of services, so they are the same for every deployment.
    """
    pool = deployment.settings.network_pool
    if pool is None or not (networks := remains.networks_in(pool, leftovers)):
        return
    command = f"./deploy.sh config set networkPool {another_pool(pool)}"
    raise StackError(
        tr(
            "networkPool {pool} is taken by the old networks ({networks}), which are needed until the new ones serve; "
            "nothing on the engine was changed",
            pool=pool,
            networks=", ".join(networks),
        ),
        tr(
            "use another range, and run recover again: {command}",
            command=command + ("" if deployment.name == "dev" else f" -s {deployment.name}"),
        ),
    )


def _take_over(
    deployment: Deployment, leftovers: Sequence[Remains], display: Activities
) -> tuple[dict[str, Any], Mapping[str, int]]:
    """Replace the old containers by new ones with as little interruption as possible.

    Returns the outputs, and the number of changes by kind of the last update.

    New containers start beside the old ones where both can exist. Then those that hold ports or data are exchanged, and
    the other old ones are removed. When it is interrupted, the next run continues.
    """
    exclusive = [
        container for item in leftovers for container in item.containers if remains.blocks_replacement(container)
    ]
    if exclusive:
        with display.phase(tr("Comparing")):
            deployment.preview(display)
        deployment.up_without(display, [f"**{kind}${CONTAINER}::**" for kind in LAST])
    with _stopped(deployment, exclusive, display):
        # Containers that have just been started need no refresh, which would only make the interruption longer.
        outputs, changes = deployment.up(display, refresh=not exclusive)
    remains.remove_containers(exclusive)
    in_use = {str(item["outputs"].get("name")) for item in deployment.resources() if "volume:Volume" in item["type"]}
    with display.phase(tr("Removing the old ones")):
        for item in leftovers:
            remains.remove_containers(
                container for container in item.containers if not remains.blocks_replacement(container)
            )
            remains.remove_rest(item, in_use | _data(item))
    return outputs, changes


@contextmanager
def _stopped(deployment: Deployment, exclusive: Sequence[Mapping[str, Any]], display: Activities) -> Iterator[None]:
    """Stop the old containers that hold ports or data (`exclusive`), so that new ones can start inside.

    If that fails, the new containers that hold the same ports or data are removed, and the old ones serve again.
    """
    running = [str(item["Id"]) for item in exclusive if item["State"]["Status"] in ("running", "paused")]
    before = {item["Id"] for item in _containers(deployment)}
    try:
        if exclusive:
            with display.phase(tr("Stopping old containers that hold ports or data")):
                remains.stop(exclusive)
        yield
    except BaseException:
        title = tr("That failed: the old containers serve again")
        with display.phase(title), moments.undisturbed():
            new = [item for item in _containers(deployment) if item["Id"] not in before]
            remains.remove_containers(item for item in new if remains.blocks_replacement(item))
            for container in running:
                with suppress(EngineError), engine.asking() as client:
                    client.start(container)
        raise


def _containers(deployment: Deployment) -> list[dict[str, Any]]:
    """Return the containers of the new deployment."""
    identity = deployment.deployment_id()
    return engine.containers(engine.deployment_filter(identity)) if identity else []


def _data(item: Remains) -> set[str]:
    """Return the volumes with data: those that are mounted at /data only, also volumes that a person created.

    A volume with secrets is mounted there by the container that writes it, and elsewhere by those that read it.
    """
    return item.volumes(folder=DATA_FOLDER) - item.volumes(beside=DATA_FOLDER)


def _open(stack: str) -> Deployment:
    """Open the stack, in a state of this machine.

    Where that state is new, the salt of the lost passphrase is removed from the stack's file, as nothing needs it.
    """
    try:
        return Deployment.open(stack)
    except CommandError as error:
        known = [item.name for item in auto.LocalWorkspace(work_dir=str(ROOT)).list_stacks()]
        if "incorrect passphrase" not in str(error) or stack in known:
            raise
    file = ROOT / stack_file(stack)
    text = file.read_text(encoding="utf-8")
    if has_encrypted_values(text):
        raise StackError(
            tr("{name} has values encrypted with the lost passphrase", name=file.name),
            tr("remove these values from it; set them again afterwards"),
        )
    replace_file(file, without_salt(text).encode())
    err.print(tr("{name}: removed the lost passphrase's salt", name=file.name))
    return Deployment.open(stack)


def _chosen(candidates: list[Remains], names: list[str]) -> list[Remains]:
    known = {item.deployment: item for item in candidates}
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(tr("no deployment {unknown}; known: ", unknown=unknown[0]) + ", ".join(known))
    if len(candidates) > 1 and not names:
        listed = ", ".join(f"{item.deployment} ({item.since})" for item in candidates)
        raise typer.BadParameter(
            tr("there are several deployments; name one with --deployment: {listed}", listed=listed)
        )
    return [known[name] for name in names] if names else candidates


def _announce(deployment: Deployment, leftovers: Sequence[Remains], *, from_backup: bool) -> None:
    settings = deployment.settings
    data = sorted(name for item in leftovers for name in _data(item))
    lines = [
        (tr("containers that are replaced"), [name for item in leftovers for name in item.names()]),
        (tr("volumes that stay"), data),
    ]
    new = [] if from_backup else [client for client in settings.clients if client not in settings.given_tokens]
    lines.append((tr("clients that get a new token"), new))
    lines.append((tr("tokens that stay (in .env)"), list(settings.given_tokens)))
    for title, names in lines:
        if names:
            err.print(Text.assemble((f"{title}: ", "bold"), ", ".join(names)))
    for item in leftovers:
        err.print(
            tr(
                "If the state of this deployment ({deployment}) still exists (on another machine, in another "
                "DYBER_HOME or PULUMI_BACKEND_URL), stop here and use that.",
                deployment=item.deployment,
            )
        )
    if new:
        err.print(tr("The engine cannot give lost tokens back (the gateway has only hashes); a backup can: --backup"))
