"""Tests the preview of a pull request on a copy of the state: no secret is seen, only its own changes are shown."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cli.deployment.state.without_secrets import without_secrets
from cli.previews.copy_preview import PASSPHRASE, preview
from cli.previews.model import steps
from cli.system.errors import StackError
from tests.toolchain.state_projects import StateProject, environment_for, make_project, use_environment

TOKEN, PASSPHRASE_OF_PROD = "hunter2-of-production", "the passphrase of production"
PROGRAM = """\
import hashlib

import pulumi
import pulumi_random as random

password = random.RandomPassword("password", length=24)
token = pulumi.Config().require_secret("token")
# Depends on secrets, so it changes if these are placeholders.
random.RandomId("derived", byte_length=4, keepers={"of": pulumi.Output.all(password.result, token).apply(
    lambda both: hashlib.sha256("".join(both).encode()).hexdigest())})
pulumi.export("password", password.result)
"""
#: Added to the program by somebody who wants to know the secrets.
CURIOUS = """
import os, pathlib
seen = pathlib.Path(os.environ["SEEN"])
def look(values):
    files = [file for file in pathlib.Path("..").rglob("*") if file.is_file() and ".venv" not in file.parts]
    seen.write_text(repr([values, dict(os.environ), [file.read_text(errors="replace") for file in files]]))
pulumi.Output.unsecret(pulumi.Output.all(password.result, token)).apply(look)
random.RandomId("added", byte_length=4)
"""


@pytest.fixture(scope="module")
def prod(home, tmp_path_factory) -> StateProject:
    """A deployed stack in a git repository, with a secret in its file."""
    folder = tmp_path_factory.mktemp("prod")
    (folder / "state").mkdir()
    environment = environment_for(home, f"file://{folder / 'state'}", PASSPHRASE_OF_PROD)
    project = make_project(folder / "project", environment)
    (project.folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    project.pulumi("stack", "init", "dev")
    project.pulumi("config", "set", "--secret", "token", TOKEN, "-s", "dev")
    project.up("-s", "dev")
    git(project, "init", "-q", "-b", "main")
    commit(project)
    return project


@pytest.fixture(scope="module")
def copy(prod: StateProject, tmp_path_factory) -> Path:
    """The copy of the state of that stack."""
    exported = json.loads(prod.pulumi("stack", "export", "--show-secrets", "-s", "dev"))
    file = tmp_path_factory.mktemp("copies") / "dev.json"
    file.write_text(json.dumps({"version": 3, "deployment": without_secrets(exported["deployment"])}))
    return file


@pytest.fixture
def secrets(prod: StateProject) -> list[str]:
    return [TOKEN, PASSPHRASE_OF_PROD, prod.output("password")]


def git(project: StateProject, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", *identity, *arguments], cwd=project.folder, capture_output=True, check=True)


def commit(project: StateProject) -> None:
    git(project, "add", "--all")
    git(project, "commit", "-qm", "x", "--allow-empty")


def commit_program(prod: StateProject, program: str) -> None:
    """Commit another program on top of main."""
    git(prod, "checkout", "-q", "-B", "change", "main")
    (prod.folder / "__main__.py").write_text(program, encoding="utf-8")
    commit(prod)


def test_the_copy_has_no_secret(copy: Path, secrets: list[str]) -> None:
    text = copy.read_text()
    assert "placeholder-" in text
    assert [secret for secret in secrets if secret in text] == []
    assert "ciphertext" not in text


def test_a_program_that_looks_everywhere_sees_no_secret_and_only_its_changes_are_shown(
    prod: StateProject, copy: Path, secrets: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_program(prod, PROGRAM.replace("byte_length=4", "byte_length=8") + CURIOUS)
    # The variables are set as on a machine that also uses them for something else.
    use_environment({**prod.environment, "SEEN": str(tmp_path / "seen"), "AWS_SECRET_ACCESS_KEY": TOKEN}, monkeypatch)
    document = preview(prod.folder, "dev", copy, "main")
    seen = (tmp_path / "seen").read_text()
    assert "placeholder-" in seen and f"'PULUMI_CONFIG_PASSPHRASE': '{PASSPHRASE}'" in seen
    assert [secret for secret in secrets if secret in seen or secret in json.dumps(document)] == []
    assert prod.pulumi("config", "get", "token", "-s", "dev") == TOKEN
    # The id that depends on secrets is replaced because of its length, not because of the placeholders.
    derived, added = sorted(steps(document), key=lambda step: step.name, reverse=True)
    assert (added.op, added.name) == ("create", "added")
    assert (derived.op, derived.name, list(derived.reasons)) == ("replace", "derived", ["byteLength"])
    assert (derived.old["byteLength"], derived.new["byteLength"]) == (4, 8)


def test_without_a_copy_the_message_says_how_to_make_one(prod: StateProject, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nowhere\.json") as refused:
        preview(prod.folder, "prod", tmp_path / "nowhere.json", "main")
    assert "./deploy.sh state-copy -s prod" in refused.value.next_step
