"""`dyber backup` and `restore`: one stack with its data, state, settings and passphrase in one encrypted file."""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pulumi import automation as auto
from stack.env_file import file_name
from stack.settings import stack_file

from cli import archive, engine, secrets_provider, volumes
from cli.archive import ArchiveError, WrongPassword
from cli.belongings import belongings, remove
from cli.console import Activities, err, out
from cli.environment import activate
from cli.stack import ROOT, Deployment, StackError
from cli.stack_file import has_encrypted_values, replace_file, without_salt
from cli.steps import FAILED, StackOption, YesOption, check, examples, graceful_interrupt, set_up
from toolchain.home import DyberHome
from toolchain.language import tr

commands = typer.Typer()
PASSWORD_VARIABLE = "DYBER_BACKUP_PASSWORD"
MINIMUM_PASSWORD = 8
FORMAT = 1
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help=tr(f"口令在此文件里（或用环境变量 {PASSWORD_VARIABLE}）", f"Password (or {PASSWORD_VARIABLE})"),
    ),
]


@dataclass(frozen=True)
class Manifest:
    """What a backup holds. `volumes`: labels by name."""

    stack: str
    created: str
    volumes: dict[str, dict[str, str]]


@commands.command(
    help=tr(
        "把数据、状态、设置和口令备份到一个加密文件",
        "Back data, state, settings and passphrase up, into an encrypted file",
    ),
    epilog=examples(
        "./deploy.sh backup dyber.backup", "./deploy.sh backup dyber.backup --password-file ~/.backup-password"
    ),
)
def backup(
    file: Annotated[Path, typer.Argument(help=tr("写到这个文件", "The file to write"))],
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
        tr(f"{file} 已存在，覆盖?", f"{file} exists; overwrite it?"), default=False, err=True
    ):  # fmt: skip
        raise typer.Exit(FAILED)
    password = new_password(password_file)
    with Activities(home.logs / "backup.log") as display:
        create(deployment, file, password, display)
    out.print(tr(f"已备份到 {file}（{_size(file)}）", f"Backed up into {file} ({_size(file)})"), markup=False)
    out.print(tr("恢复：./deploy.sh restore ", "Restore: ./deploy.sh restore ") + str(file), markup=False)


@commands.command(
    help=tr("从备份恢复，也可以在另一台机器上", "Restore a backup, also on another machine"),
    epilog=examples("./deploy.sh restore dyber.backup"),
)
def restore(
    file: Annotated[Path, typer.Argument(help=tr("备份文件", "The backup"), exists=True, dir_okay=False)],
    password_file: PasswordFile = None,
    yes: YesOption = False,
) -> None:
    """Restore a backup, also on another machine: what the stack is now is replaced."""
    home = DyberHome.from_environment()
    password = known_password(password_file)
    manifest, files = _opened(file, password)
    err.print(
        tr(
            f"栈 {manifest.stack}，备份于 {manifest.created}。它现在的容器、数据、令牌和 {stack_file(manifest.stack)} 将被替换。",
            f"Stack {manifest.stack}, of {manifest.created}. Its present containers, data, tokens and "
            f"{stack_file(manifest.stack)} will be replaced.",
        )
    )
    if not yes and not typer.confirm(tr("确认继续?", "Continue?"), default=False, err=True):
        raise typer.Exit(FAILED)
    _install_passphrase(home, files.get("passphrase"))
    with Activities(home.logs / "backup.log") as display:
        set_up(home, display)
        _remove_present(manifest, display)
        _write_files(manifest, files)
        import_state(manifest.stack, json.loads(files["state.json"]))
        with display.phase(tr("恢复数据卷", "Restoring the volumes")):
            _restore_volumes(file, password, manifest)
        deployment = Deployment.open(manifest.stack)
        check(deployment)
        with graceful_interrupt():
            deployment.up(display)
    out.print(tr("已恢复。查看：./deploy.sh status", "Restored. See: ./deploy.sh status") + _option(manifest.stack))


def create(deployment: Deployment, path: Path, password: str, display: Activities) -> None:
    """Make a backup of a deployed stack, which goes on running: what writes into a volume pauses while it is copied.

    Raises EngineError.
    """
    stack = deployment.stack.name
    names = [
        str(item["outputs"]["name"])
        for item in deployment.resources()
        if item["type"] == "docker:index/volume:Volume" and item.get("outputs")
    ]
    labels = {name: dict(json.loads(engine.docker("volume", "inspect", name))[0]["Labels"] or {}) for name in names}
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
    passphrase = _passphrase()
    if passphrase is not None and _has_passphrase(files["stack.yaml"]):
        files["passphrase"] = passphrase
    if (own := ROOT / file_name(stack)).is_file():
        files["env"] = own.read_bytes()

    def fill(tar: tarfile.TarFile) -> None:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
        for volume in names:
            with display.phase(tr(f"备份数据卷 {volume}", f"Saving volume {volume}")):
                writers = engine.docker(
                    "ps", "--quiet", "--filter", f"volume={volume}", "--filter", "status=running",
                    "--format", '{{.ID}} {{.Label "dyber.service"}}',
                ).splitlines()  # fmt: skip
                # The gateway only reads, and all calls go through it.
                with volumes.paused([line.split()[0] for line in writers if not line.endswith(" gateway")]):
                    volumes.save(volume, tar, f"volumes/{volume}")

    with display.phase(tr("备份", "Backing up")):
        archive.write(path, password, fill)


def new_password(file: Path | None = None) -> str:
    """The password for a new backup, asked twice where nothing gives it. Raises typer.BadParameter."""
    password = _given_password(file) or typer.prompt(
        tr("为备份设一个口令（至少 8 个字符）", "A password for the backup (at least 8 characters)"),
        hide_input=True,
        confirmation_prompt=tr("再输入一次", "Once more"),
        err=True,
    )
    if len(password) < MINIMUM_PASSWORD:
        raise typer.BadParameter(tr("口令至少 8 个字符", "a password needs at least 8 characters"))
    return str(password)


def known_password(file: Path | None = None) -> str:
    """The password of an existing backup."""
    return _given_password(file) or str(
        typer.prompt(tr("备份的口令", "The backup's password"), hide_input=True, err=True)
    )


def _given_password(file: Path | None) -> str | None:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except OSError as error:
            raise typer.BadParameter(f"{file}: {error.strerror}") from None
    given = os.environ.get(PASSWORD_VARIABLE)
    if given or sys.stdin.isatty():
        return given
    raise typer.BadParameter(
        tr(f"没有终端可问口令：用 --password-file 或环境变量 {PASSWORD_VARIABLE}",
           f"no terminal to ask for the password: use --password-file or {PASSWORD_VARIABLE}")
    )  # fmt: skip


def state_of(file: Path, stack: str, password: str) -> dict[str, Any]:
    """The state that a backup of `stack` holds, for import_state. Raises StackError."""
    manifest, files = _opened(file, password)
    if manifest.stack != stack:
        raise StackError(
            tr(f"{file} 是栈 {manifest.stack} 的备份", f"{file} is a backup of stack {manifest.stack}"),
            tr(f"加上 -s {manifest.stack}", f"add -s {manifest.stack}"),
        )
    return dict(json.loads(files["state.json"]))


def _opened(file: Path, password: str) -> tuple[Manifest, dict[str, bytes]]:
    """As _verified. Raises StackError."""
    try:
        return _verified(file, password)
    except WrongPassword:
        raise StackError(
            tr(f"口令打不开 {file}", f"the password does not open {file}"), tr("换一个口令再试", "try another password")
        ) from None
    except ArchiveError as error:
        raise StackError(
            tr(f"{file} 不是完整的备份：{error}", f"{file} is no whole backup: {error}"),
            tr("换一份备份", "use another copy"),
        ) from None


def _verified(path: Path, password: str) -> tuple[Manifest, dict[str, bytes]]:
    """The small files of a backup, which was read to its end. Raises ArchiveError."""
    files: dict[str, bytes] = {}
    with archive.reading(path, password) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() and "/" not in member.name else None
            if content is not None:
                files[member.name] = content.read()
    try:
        manifest = json.loads(files["manifest.json"])
        if manifest["format"] != FORMAT or not {"state.json", "stack.yaml"} <= set(files):
            raise ArchiveError(f"format {manifest['format']}")
        return Manifest(manifest["stack"], manifest["created"], manifest["volumes"]), files
    except (KeyError, ValueError) as error:
        raise ArchiveError(str(error)) from error


def _install_passphrase(home: DyberHome, passphrase: bytes | None) -> None:
    """On a machine without one, the backup's passphrase becomes its own."""
    if passphrase is not None and _passphrase() is None and not home.passphrase_file.exists():
        home.root.mkdir(parents=True, exist_ok=True)
        replace_file(home.passphrase_file, passphrase, 0o600)


def _remove_present(manifest: Manifest, display: Activities) -> None:
    """What the stack is on this machine now, and unused volumes of the backup's names. Raises StackError when one of
    them is in use by somebody else."""
    try:
        present = Deployment.open(manifest.stack, create=False)
    except StackError:
        present = None
    if present is not None and present.resources():
        doomed = belongings(present, with_images=False)
        present.recover(display)
        with graceful_interrupt():
            present.destroy(display)
        for volume in doomed.volumes:
            remove("volume", volume)
    for volume in manifest.volumes:
        if not engine.docker("volume", "ls", "--quiet", "--filter", f"name=^{volume}$").strip():
            continue
        users = engine.docker("ps", "--all", "--filter", f"volume={volume}", "--format", "{{.Names}}").split()
        if users:
            raise StackError(
                tr(f"数据卷 {volume} 正被 {', '.join(users)} 使用", f"volume {volume} is used by {', '.join(users)}"),
                tr("先移走这些容器，再恢复一次", "remove these containers first, then restore again"),
            )
        engine.docker("volume", "rm", volume)


def _write_files(manifest: Manifest, files: dict[str, bytes]) -> None:
    """The stack's file and .env as they were. Under another passphrase the file's salt is left out; secrets in it
    could not be read, which raises StackError. What a key service encrypted, it decrypts here too."""
    content = files["stack.yaml"]
    if _has_passphrase(content) and _passphrase() != files.get("passphrase"):
        if has_encrypted_values(content.decode()):
            raise StackError(
                tr("栈文件里有用另一个口令加密的值", "the stack's file has values encrypted with another passphrase"),
                tr(
                    "用 PULUMI_CONFIG_PASSPHRASE_FILE 指定备份时的口令文件，再恢复一次",
                    "name the passphrase of that time with PULUMI_CONFIG_PASSPHRASE_FILE and restore again",
                ),
            )
        content = without_salt(content.decode()).encode()
    replace_file(ROOT / stack_file(manifest.stack), content)
    if "env" in files:
        replace_file(ROOT / file_name(manifest.stack), files["env"], 0o600)


def import_state(stack: str, state: dict[str, Any]) -> None:
    """Give the stack its state; the secrets in it are encrypted anew, with this machine's passphrase or by the key
    service that the stack's file names."""
    file = ROOT / stack_file(stack)
    target = auto.create_or_select_stack(
        stack_name=stack, work_dir=str(ROOT), opts=secrets_provider.options(file)
    )
    if (state["deployment"].get("secrets_providers") or {}).get("type") in secrets_provider.TYPES:
        if not secrets_provider.recorded(file):
            # A secret, for a moment, makes Pulumi write a salt for its passphrase into the stack's file.
            target.set_config("dyber:restoring", auto.ConfigValue("", secret=True))
            target.remove_config("dyber:restoring")
        state["deployment"]["secrets_providers"] = secrets_provider.in_state(file)
    target.import_stack(auto.Deployment(version=state["version"], deployment=state["deployment"]))


def _has_passphrase(stack_yaml: bytes) -> bool:
    """Whether the stack's secrets are encrypted with a passphrase, not by a key service."""
    return (yaml.safe_load(stack_yaml) or {}).get("secretsprovider") in (None, "default", secrets_provider.PASSPHRASE)


def _restore_volumes(path: Path, password: str, manifest: Manifest) -> None:
    def volume_of(member: tarfile.TarInfo) -> str:
        parts = member.name.split("/")
        return parts[1] if parts[0] == "volumes" and len(parts) > 1 else ""

    with archive.reading(path, password) as tar:
        for volume, members in groupby(tar, key=volume_of):
            if volume:
                volumes.load(volume, manifest.volumes[volume], tar, members, f"volumes/{volume}")


def _passphrase() -> bytes | None:
    """This machine's passphrase, as Pulumi takes it."""
    if (given := os.environ.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return given.encode()
    file = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    path = Path(file) if file else DyberHome.from_environment().passphrase_file
    try:
        return path.read_bytes().strip()
    except OSError:
        return None


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.0f} kB"


def _option(stack: str) -> str:
    return "" if stack == "dev" else f" -s {stack}"
