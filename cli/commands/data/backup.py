"""`dyber backup` writes one stack with its data, state, settings and passphrase into one age file."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cli.commands.reading import StackOption, YesOption
from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.state.importing import has_passphrase, passphrase
from cli.engine import engine, volumes
from cli.engine.resource_types import VOLUME
from cli.engine.stored_data import human_size
from cli.records import recording
from cli.recovery import archive
from cli.recovery.backup_file import FORMAT, PasswordFile, new_password
from cli.system.checkout import ROOT
from cli.terminal.console import Activities, out
from cli.terminal.usage import FAILED, examples
from infra.settings.env_file import file_name
from messages import tr
from toolchain.home import DyberHome

commands = typer.Typer()


@commands.command(
    epilog=examples(
        "./deploy.sh backup dyber.tar.age", "./deploy.sh backup dyber.tar.age --password-file ~/.backup-password"
    )
)
def backup(
    file: Annotated[Path, typer.Argument(help=tr("The file to write"))],
    password_file: PasswordFile = None,
    yes: YesOption = False,
    stack: StackOption = "dev",
) -> None:
    """Back data, state, settings and passphrase up, into an encrypted file."""
    home = DyberHome.from_environment()
    activate(home)
    deployment = Deployment.open(stack, create=False)
    deployment.require_id()
    if file.exists() and not yes and not typer.confirm(
        tr("{file} exists; overwrite it?", file=file), default=False, err=True
    ):  # fmt: skip
        raise typer.Exit(FAILED)
    password = new_password(password_file)
    with Activities(home.logs / "backup.log") as display:
        create(deployment, file, password, display)
        recording.record([recording.backup(file)], deployment=deployment.deployment_id())
    size = human_size(file.stat().st_size)
    out.print(tr("Backed up into {file} ({size})", file=file, size=size), markup=False)
    out.print(tr("Restore: ./deploy.sh restore ") + str(file), markup=False)


def create(deployment: Deployment, path: Path, password: str, display: Activities) -> None:
    """Back up a deployed stack, which keeps running: containers that write into a volume pause while it is copied.

    Raises EngineError.
    """
    stack = deployment.stack.name
    names = [
        str(item["outputs"]["name"])
        for item in deployment.resources()
        if item["type"] == VOLUME and item.get("outputs")
    ]
    labels = {name: engine.volume_labels(name) for name in names}
    manifest = {
        "format": FORMAT,
        "stack": stack,
        "created": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "volumes": labels,
    }
    exported = deployment.stack.export_stack()
    files = {
        "manifest.json": json.dumps(manifest).encode(),
        "state.json": json.dumps({"version": exported.version, "deployment": exported.deployment}).encode(),
        "stack.yaml": deployment.file.read_bytes(),
    }
    current_passphrase = passphrase()
    if current_passphrase is not None and has_passphrase(files["stack.yaml"]):
        files["passphrase"] = current_passphrase
    if (env_file := ROOT / file_name(stack)).is_file():
        files["env"] = env_file.read_bytes()

    def fill(tar: tarfile.TarFile) -> None:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
        for volume in names:
            with display.phase(tr("Saving volume {volume}", volume=volume)):
                mounting = engine.listed_containers(f"volume={volume}", "status=running")
                # The gateway only reads its volume, and pausing it would stop all calls.
                writers = [item["Id"] for item in mounting if item["Labels"].get("dyber.service") != "gateway"]
                with volumes.paused(writers):
                    volumes.save(volume, tar, f"volumes/{volume}")

    with display.phase(tr("Backing up")):
        archive.write(path, password, fill)
