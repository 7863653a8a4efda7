"""Tests secrets providers: chosen for a new stack, changed for an existing one, and restored from a backup."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import automation as auto

from cli.commands.data import backup
from cli.deployment.deployment import Deployment
from cli.deployment.state import importing as state_import
from cli.recovery.backup_file import Manifest, verified
from cli.terminal.console import Activities
from tests.toolchain.state_projects import environment_for, make_project, use_as_repository

TOKEN = "hunter2-of-the-provider"


@pytest.fixture
def file(home, tmp_path, monkeypatch) -> Path:
    """The stack file of a stack that does not exist yet; its state will be in a folder."""
    (tmp_path / "state").mkdir()
    return use_as_repository(tmp_path / "dyber", environment_for(home, f"file://{tmp_path / 'state'}"), monkeypatch)


def content(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")))


def test_a_new_stack_gets_the_provider_that_the_variable_names(file: Path, aws, monkeypatch) -> None:
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", aws.key())
    Deployment.open("dev")
    settings = content(file)
    assert settings.pop("encryptedkey")
    assert settings == {"secretsprovider": aws.key(), "config": {"dyber:logLevel": "debug"}}


def test_the_stack_file_overrides_the_variable_in_the_choice_of_the_provider(file: Path, aws, monkeypatch) -> None:
    file.write_text(f"secretsprovider: {aws.key()}\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", "passphrase")
    Deployment.open("dev")
    assert content(file)["secretsprovider"] == aws.key()


def test_without_a_choice_the_provider_is_a_passphrase(file: Path) -> None:
    Deployment.open("dev")
    assert content(file)["encryptionsalt"] and "secretsprovider" not in content(file)


def test_the_provider_can_be_changed_to_a_key_service_and_back_to_a_new_passphrase(home, aws, tmp_path) -> None:
    project = make_project(tmp_path / "project", environment_for(home, aws.state + "&prefix=changing/"))
    file = project.folder / "Pulumi.dev.yaml"
    project.pulumi("stack", "init", "dev")
    project.pulumi("config", "set", "--secret", "token", TOKEN, "-s", "dev")
    project.up("-s", "dev")
    before = project.output("password")

    project.pulumi("stack", "change-secrets-provider", aws.key(), "-s", "dev")
    assert content(file)["secretsprovider"] == aws.key() and "encryptionsalt" not in content(file)
    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "not needed any more"
    assert project.output("password") == before
    assert project.pulumi("config", "get", "token", "-s", "dev") == TOKEN

    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "the first"
    project.pulumi("stack", "change-secrets-provider", "passphrase", "-s", "dev")
    project.pulumi("stack", "change-secrets-provider", "passphrase", "-s", "dev", stdin="the second\n")
    project.environment["PULUMI_CONFIG_PASSPHRASE"] = "the second"
    assert "secretsprovider" not in content(file)
    assert project.output("password") == before
    assert project.pulumi("config", "get", "token", "-s", "dev") == TOKEN


def _add_secrets(deployment: Deployment) -> None:
    """Add a secret to the stack file and one to the outputs."""
    deployment.stack.set_config("other:token", auto.ConfigValue(TOKEN, secret=True))
    state = deployment.stack.export_stack()
    secret = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "plaintext": json.dumps(TOKEN)}
    urn = "urn:pulumi:dev::dyber::pulumi:pulumi:Stack::dyber-dev"
    state.deployment["resources"] = [
        {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": {"token": secret}}
    ]
    deployment.stack.import_stack(state)


def _backup(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    with Activities() as display:
        backup.create(Deployment.open("dev"), path, "of the backup", display)
    assert TOKEN.encode() not in path.read_bytes()
    return verified(path, "of the backup")


def _restore(manifest: Manifest, files: dict[str, bytes]) -> auto.Stack:
    state = json.loads(files["state.json"])
    stack_yaml = state_import.file_for_here(files["stack.yaml"], files.get("passphrase"))
    text = state_import.trial_import("dev", stack_yaml, state)
    (Path(state_import.deployment.ROOT) / "Pulumi.dev.yaml").write_bytes(text.file)
    state_import.import_state(manifest.stack, state)
    stack = Deployment.open("dev", create=False).stack
    assert stack.outputs()["token"].value == TOKEN
    assert TOKEN not in subprocess.check_output(
        ["pulumi", "stack", "export", "-s", "dev"], cwd=stack.workspace.work_dir, text=True
    )
    return stack


def test_a_backup_with_a_key_service_is_restored_on_another_backend_and_needs_no_passphrase(
    file: Path, home, aws, database, tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", aws.key())
    _add_secrets(Deployment.open("dev"))
    manifest, files = _backup(tmp_path / "backup")
    assert "passphrase" not in files

    target = environment_for(home, database.url(query="?sslmode=disable&table=restored"), passphrase="another")
    file = use_as_repository(tmp_path / "there", target, monkeypatch)
    stack = _restore(manifest, files)
    assert content(file)["secretsprovider"] == aws.key()
    assert stack.get_config("other:token").value == TOKEN


def test_a_backup_with_a_passphrase_is_restored_where_new_stacks_use_a_key_service(
    file: Path, home, aws, tmp_path, monkeypatch
) -> None:
    deployment = Deployment.open("dev")
    _add_secrets(deployment)
    deployment.stack.remove_config("other:token")  # in the stack file it would need the old passphrase
    manifest, files = _backup(tmp_path / "backup")
    assert files["passphrase"] == b"of this test"

    (tmp_path / "there").mkdir()
    target = environment_for(home, f"file://{tmp_path / 'there'}", passphrase="another")
    file = use_as_repository(tmp_path / "there" / "dyber", target, monkeypatch)
    monkeypatch.setenv("DYBER_SECRETS_PROVIDER", aws.key())
    _restore(manifest, files)
    assert content(file)["secretsprovider"] == aws.key() and "encryptionsalt" not in content(file)
