"""Imports a state from elsewhere, such as a backup, encrypted anew with this machine's passphrase or key."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from cli.deployment import automation, deployment, secrets_provider
from cli.stack_files.stack_file import has_encrypted_values, without_salt
from cli.system.errors import StackError
from infra.settings.names import stack_file
from messages import tr
from toolchain.home import DyberHome

automation.adapt_starting_pulumi()


def file_for_here(content: bytes, backup_passphrase: bytes | None) -> bytes:
    """Return the text of a stack's file from a backup, ready for use with this machine's passphrase.

    The salt is removed if the passphrase of the backup is another one. A key service decrypts its values here too.
    Raises StackError for encrypted values that cannot be read here.
    """
    if has_passphrase(content) and passphrase() != backup_passphrase:
        if has_encrypted_values(content.decode()):
            raise StackError(
                tr("the stack's file has values encrypted with another passphrase"),
                tr("name the passphrase of that time with PULUMI_CONFIG_PASSPHRASE_FILE and restore again"),
            )
        content = without_salt(content.decode()).encode()
    return content


@dataclass(frozen=True)
class TrialImport:
    """The result of a trial import: the text of the stack's file, and its values in clear by key."""

    file: bytes
    values: dict[str, str]


def trial_import(name: str, content: bytes, state: Mapping[str, Any]) -> TrialImport:
    """Import `state` into a stack called `name` in a temporary folder, to test that this is possible.

    The file in the result is `content` with the settings that encrypt secrets on this machine. Nothing outside the
    folder changes. Raises CommandError.
    """
    with tempfile.TemporaryDirectory(prefix="dyber-import-") as temporary:
        folder = Path(temporary)
        backend = folder / "state"
        backend.mkdir()
        shutil.copy(deployment.ROOT / "Pulumi.yaml", folder)
        file = folder / stack_file(name)
        file.write_bytes(content)
        variables = {"PULUMI_BACKEND_URL": backend.as_uri()}
        target = import_state(name, json.loads(json.dumps(state)), folder, variables)
        values = {key: value.value for key, value in target.get_all_config().items() if value.value is not None}
        return TrialImport(file.read_bytes(), values)


def import_state(
    name: str, state: dict[str, Any], folder: Path | None = None, variables: Mapping[str, str] | None = None
) -> auto.Stack:
    """Import a state into the stack `name`, and return the stack.

    Secrets are encrypted anew with this machine's passphrase, or by the key service that the stack's file names.
    `folder` is the folder of the project, by default the repository; `variables` are added to Pulumi's environment.
    Raises CommandError.
    """
    folder = folder or deployment.ROOT
    file = folder / stack_file(name)
    options = auto.LocalWorkspaceOptions(
        secrets_provider=secrets_provider.for_new_stack(file), env_vars=dict(variables or {})
    )
    target = auto.create_or_select_stack(stack_name=name, work_dir=str(folder), opts=options)
    if (state["deployment"].get("secrets_providers") or {}).get("type") in secrets_provider.TYPES:
        if not secrets_provider.recorded(file):
            # Setting a secret makes Pulumi write the salt of its passphrase into the stack's file.
            try:
                target.set_config("dyber:restoring", auto.ConfigValue("", secret=True))
            finally:
                target.remove_config("dyber:restoring")
        state["deployment"]["secrets_providers"] = secrets_provider.in_state(file)
    target.import_stack(auto.Deployment(version=state["version"], deployment=state["deployment"]))
    return target


def has_passphrase(stack_yaml: bytes) -> bool:
    """Tell whether the stack's secrets are encrypted with a passphrase, not by a key service."""
    return (yaml.safe_load(stack_yaml) or {}).get("secretsprovider") in (None, "default", secrets_provider.PASSPHRASE)


def passphrase() -> bytes | None:
    """Return the passphrase that Pulumi uses on this machine; None if it has none."""
    if (given := os.environ.get("PULUMI_CONFIG_PASSPHRASE")) is not None:
        return given.encode()
    file = os.environ.get("PULUMI_CONFIG_PASSPHRASE_FILE")
    path = Path(file) if file else DyberHome.from_environment().passphrase_file
    try:
        return path.read_bytes().strip()
    except OSError:
        return None
