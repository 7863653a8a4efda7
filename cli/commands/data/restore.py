"""`dyber restore` checks a backup, replaces the stack by it, and puts the stack back as it was after a failure."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
from pulumi.automation.errors import CommandError

from cli.commands.data.clean import list_doomed
from cli.commands.options import graceful_interrupt, refuse_taken_ports, set_up
from cli.commands.reading import YesOption
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.events import DeployError, explain
from cli.deployment.state import edits as state_edits
from cli.deployment.state.importing import file_for_here, import_state, passphrase, trial_import
from cli.engine import engine, moments, stored_data, volumes
from cli.engine.resource_types import CONTAINER
from cli.engine.stored_data import human_size
from cli.records import recording
from cli.recovery import archive, way_back
from cli.recovery.backup_file import Manifest, PasswordFile, known_password, opened
from cli.recovery.way_back import WayBack
from cli.stack_files.stack_file import StackFile, replace_file
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.terminal.console import Activities, err, out
from cli.terminal.usage import FAILED, examples
from infra.parts import data_volumes, published_ports
from infra.parts.data_volumes import LabelledVolume
from infra.rendering.gateway import inputs as gateway_inputs
from infra.services.catalog import declared_secrets, load_catalog
from infra.settings import env_file
from infra.settings.env_file import file_name
from infra.settings.names import stack_file
from infra.settings.stack import StackSettings, parse_settings, read_overrides
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()
NETWORK = "docker:index/network:Network"
#: If a stack has more networks than this, the engine may have no address ranges left for a second set of them.
FEW_NETWORKS = 10


@dataclass(frozen=True)
class Restorable:
    """A backup that has been checked.

    `files` are written, with `stack_yaml` as the stack's file. `present` is the stack as the state knows it now, None
    where it does not. `local_env` tells whether the key localEnv was added to `stack_yaml`: the backup's .env needs it,
    and backups of earlier versions lack it.
    """

    manifest: Manifest
    files: Mapping[str, bytes]
    stack_yaml: bytes
    state: dict[str, Any]
    settings: StackSettings
    present: Deployment | None
    local_env: bool = False


@commands.command(epilog=examples("./deploy.sh restore dyber.tar.age", "./deploy.sh restore --undo"))
def restore(
    file: Annotated[Path | None, typer.Argument(help=tr("The backup"), exists=True, dir_okay=False)] = None,
    password_file: PasswordFile = None,
    undo: Annotated[
        bool,
        typer.Option("--undo", help=tr("Put back what was there before a restore that was killed")),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Restore a backup, also on another machine; it replaces the stack as it is now."""
    home = DyberHome.from_environment()
    if file is None and not undo:
        raise typer.BadParameter(tr("file is missing: name the backup, such as dyber.tar.age"))
    if not _undo_unfinished(home) and undo:
        out.print(tr("No restore was interrupted."))
    if undo or file is None:
        return
    password = known_password(password_file)
    manifest, files = opened(file, password)
    _install_passphrase(home, files.get("passphrase"))
    with Activities(home.logs / "backup.log") as display:
        set_up(home, display)
        with display.phase(tr("Checking the backup")):
            restorable = checked(manifest, files)
    _announce(restorable)
    if not yes and not typer.confirm(tr("Continue?"), default=False, err=True):
        raise typer.Exit(FAILED)
    with Activities(home.logs / "backup.log") as display, way_back.restore_lock(manifest.stack):
        with display.phase(tr("Checking the present stack")):
            # Before the question was answered, the stack may have been deployed, or its ports may have been taken.
            restorable = with_present(restorable)
        if restorable.present:
            restorable.present.recover(display)
        back = way_back.prepare(manifest.stack, restorable.present, manifest.volumes, deployment_id(restorable.state))
        try:
            _replace(restorable, back, file, password, display)
        except BaseException:
            _put_back(back, display)
            raise
        back.succeed()
    option = "" if manifest.stack == "dev" else f" -s {manifest.stack}"
    out.print(tr("Restored. See: ./deploy.sh status") + option)


def checked(manifest: Manifest, files: Mapping[str, bytes]) -> Restorable:
    """Check that everything in the backup can be used here, change nothing, and return the backup.

    Raises StackError and ConfigurationError, which name what cannot be used, EngineError, and Pulumi's error for a state
    that it cannot import.
    """
    name = manifest.stack
    stack_yaml = file_for_here(files["stack.yaml"], files.get("passphrase"))
    local_env = _lacks_local_env(name, stack_yaml, files.get("env"))
    if local_env:
        stack_yaml = _with_local_env(name, stack_yaml)
    state = json.loads(files["state.json"])
    try:
        imported = trial_import(name, stack_yaml, state)
    except CommandError as error:
        cause = explain(str(error), [])
        reason = "; ".join([cause.message, *cause.details]) if isinstance(cause, DeployError) else str(cause)
        raise StackError(
            tr("the state in the backup cannot be imported: {told}", told=reason),
            tr("nothing was changed; use another backup, or give the passphrase it was made with"),
        ) from None
    settings = settings_of(name, imported.values, files.get("env"))
    return with_present(Restorable(manifest, files, imported.file, state, settings, None, local_env))


def with_present(restorable: Restorable) -> Restorable:
    """Return the backup with the present stack, after checking that it can replace that stack at this moment.

    No run may be in progress on the stack, and volumes, ports and disk space have to be available. Nothing is changed.
    Raises StackError and EngineError.
    """
    name = restorable.manifest.stack
    # The present settings are not read: they may be the mistake that the restore is to correct.
    present = Deployment.known_to_the_state(name)
    restorable = replace(restorable, present=present)
    present_id = present.deployment_id() if present else None
    if present:
        present.require_idle()
    _refuse_foreign_volumes(restorable, present_id)
    specs = restorable.settings.select(load_catalog(ROOT / "mcp-servers"))
    ports = published_ports.published_addresses(restorable.settings, specs)
    refuse_taken_ports(name, ports, {present_id} if present_id else set())
    _refuse_small_disk(restorable)
    return restorable


def settings_of(name: str, values: Mapping[str, str], env: bytes | None) -> StackSettings:
    """Return the settings of a backup, checked with the services of this checkout.

    `values` is Pulumi's configuration, `env` the text of the backup's .env; None means that the present .env stays.
    Raises ConfigurationError.
    """
    overrides = read_overrides(ROOT, name) if env is None else _parsed_env(name, env)
    settings = parse_settings(name, values, overrides=overrides)
    gateway_inputs.configuration(settings, settings.select(load_catalog(ROOT / "mcp-servers")), {})
    return settings


def _parsed_env(name: str, env: bytes) -> env_file.EnvFile:
    return env_file.parse(env.decode("utf-8-sig"), file_name(name), declared_secrets(ROOT / "mcp-servers"))


def _lacks_local_env(name: str, stack_yaml: bytes, env: bytes | None) -> bool:
    """Tell whether the backup's .env overrides its stack's file without localEnv, as it did in earlier versions."""
    if env is None or name == env_file.DEFAULT_STACK:
        return False
    settings = StackFile(ROOT / stack_file(name), stack_yaml).values()
    return not {"localEnv", "local_env"} & set(settings) and bool(env_file.keys_besides_token(_parsed_env(name, env)))


def _with_local_env(name: str, stack_yaml: bytes) -> bytes:
    file = StackFile(ROOT / stack_file(name), stack_yaml)
    file.set("localEnv", True)
    return file.text().encode()


def deployment_id(state: Mapping[str, Any]) -> str:
    """Return the deployment id that all parts of a state's stack carry. Raises StackError."""
    for item in state["deployment"].get("resources") or []:
        if item["type"] == "random:index/randomId:RandomId" and item["urn"].endswith("::deployment"):
            return str(item["outputs"]["hex"])
    raise StackError(tr("the stack in the backup was never deployed"), tr("use another copy"))


def without_containers(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state without its containers and networks.

    The restored stack creates new ones, so the present ones can stay until it serves.
    """
    state_edits.remove_where(state["deployment"], lambda item: item["type"] in (CONTAINER, NETWORK))
    state["deployment"]["pending_operations"] = []
    return state


def _replace(restorable: Restorable, back: WayBack, file: Path, password: str, display: Activities) -> None:
    name = restorable.manifest.stack
    back.begin(display)
    if restorable.settings.network_pool or len(back.networks) > FEW_NETWORKS:
        for network in back.networks:
            with engine.asking() as client:
                client.remove_network(network)
    replace_file(ROOT / stack_file(name), restorable.stack_yaml)
    if "env" in restorable.files:
        replace_file(ROOT / file_name(name), restorable.files["env"], 0o600)
    import_state(name, without_containers(json.loads(json.dumps(restorable.state))))
    with display.phase(tr("Restoring the volumes")):
        _fill(restorable, file, password)
    deployment = Deployment.open(name, while_restoring=True)
    with recording.attempt(name) as attempt:
        attempt.begin(deployment)
        with graceful_interrupt():
            _, attempt.changes = deployment.up(display)


def _fill(restorable: Restorable, file: Path, password: str) -> None:
    def volume_of(member: tarfile.TarInfo) -> str:
        parts = member.name.split("/")
        return parts[1] if parts[0] == "volumes" and len(parts) > 1 else ""

    with archive.reading(file, password) as tar:
        for volume, members in groupby(tar, key=volume_of):
            if volume:
                volumes.load(volume, restorable.manifest.volumes[volume], tar, members, f"volumes/{volume}")


def _put_back(back: WayBack, display: Activities) -> None:
    """Put the stack back as it was, after a failure or Ctrl-C; a further Ctrl-C does not stop this."""
    err.print(tr("The restore failed; putting back what was there …"))
    try:
        with moments.undisturbed():
            _undo(back, display)
    except Exception as error:
        # This error must not replace the one that made the restore fail, which is reported too.
        err.print(str(error) or type(error).__name__, markup=False)
        err.print(
            tr("Not everything is put back; try again: ./deploy.sh restore --undo"),
            style="bold red",
        )


def _undo(back: WayBack, display: Activities) -> None:
    """Undo a restore, with a deployment where containers have to be created anew."""
    redeploy = not back.undo(display) and back.has_state
    if redeploy:
        deployment = Deployment.open(back.stack, while_restoring=True)
        deployment.recover(display)
        deployment.up(display)


def _undo_unfinished(home: DyberHome) -> bool:
    """Undo restores that were killed; return whether there were any."""
    unfinished = way_back.unfinished()
    if unfinished:
        activate(home)
        # A copy that still runs would write into the data that is put back.
        moments.put_back_forgotten()
        with Activities(home.logs / "backup.log") as display:
            for back in unfinished:
                with way_back.restore_lock(back.stack):
                    way_back.release_lock(back.stack)
                    _undo(back, display)
    return bool(unfinished)


def _announce(restorable: Restorable) -> None:
    """Print what the restore will replace."""
    manifest = restorable.manifest
    file = stack_file(manifest.stack)
    err.print(
        tr(
            "Stack {stack}, of {created}. Its present containers, data, tokens and {file} will be replaced; "
            "if that fails, all is put back.",
            stack=manifest.stack,
            created=manifest.created,
            file=file,
        )
    )
    if restorable.local_env:
        env = file_name(manifest.stack)
        err.print(
            tr(
                "The backup's {env} wins over {file}, which nothing had to say then; so dyber:localEnv: true is "
                "written into the restored {file}",
                env=env,
                file=file,
            ),
            markup=False,
        )
    list_doomed([item for item in stored_data.find(manifest.stack) if item.name in manifest.volumes])


def _refuse_foreign_volumes(restorable: Restorable, present_id: str | None) -> None:
    """Raise StackError where a data volume belongs to another stack, or containers that are not the stack's use it."""
    name = restorable.manifest.stack
    labelled = stored_data.labelled()
    owners = {item.name: item for item in labelled}
    restored = [
        LabelledVolume(volume, labels.get("dyber.stack", ""), labels.get("dyber.service", ""))
        for volume, labels in restorable.manifest.volumes.items()
    ]
    used = data_volumes.of_stack(name, [*labelled, *restored])
    for service, volume in data_volumes.of_stack(name, restored).items():
        if used[service] != volume:
            raise StackError(
                tr("the data of {service} is in {used} now, and in {volume} in the backup", service=service, used=used[service], volume=volume),
                tr("back the present data up, then delete it: ./deploy.sh clean -s {name}", name=name),
            )  # fmt: skip
    own_containers = engine.containers(engine.deployment_filter(present_id)) if present_id else []
    containers = {item["Name"].lstrip("/") for item in own_containers}
    users = stored_data.users()
    for volume in restorable.manifest.volumes:
        owner = owners.get(volume)
        if owner and owner.stack not in ("", name):
            raise StackError(
                tr("volume {volume} belongs to stack {stack}", volume=volume, stack=owner.stack),
                tr("back that stack up and delete it first: ") + f"./deploy.sh clean -s {owner.stack}",
            )
        if others := set(users.get(volume, ())) - containers:
            listed = ", ".join(sorted(others))
            raise StackError(
                tr("volume {volume} is used by {listed}", volume=volume, listed=listed),
                tr("remove these containers first, then restore again"),
            )


def _refuse_small_disk(restorable: Restorable) -> None:
    """Raise StackError where the engine's disk has no room for the backup's data beside a copy of the present data.

    The disk of an engine on another machine is not checked; if it is full, the restore fails and is undone.
    """
    with engine.asking() as client:
        folder = Path(client.info().get("DockerRootDir") or "/nowhere")
    if not folder.is_dir():
        return
    name, restored = restorable.manifest.stack, restorable.manifest.volumes
    present = sum(item.size or 0 for item in stored_data.find(name) if item.name in restored)
    needed, free = restorable.manifest.size + present, shutil.disk_usage(folder).free
    if needed > free:
        raise StackError(
            tr(
                "{folder} has {free} left; {needed} are needed",
                folder=folder,
                free=human_size(free),
                needed=human_size(needed),
            ),
            tr("free some space and restore again; nothing was changed"),
        )


def _install_passphrase(home: DyberHome, backed_up: bytes | None) -> None:
    """Install the passphrase of the backup on a machine that has none."""
    if backed_up is not None and passphrase() is None and not home.passphrase_file.exists():
        home.root.mkdir(parents=True, exist_ok=True)
        replace_file(home.passphrase_file, backed_up, 0o600)
