"""A pull request previewed on a copy of the state: its program sees no secret, and its changes are the ones told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from cli.deployment.state_without_secrets import without_secrets
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
# What depends on secrets differs as soon as these are placeholders.
random.RandomId("derived", byte_length=4, keepers={"of": pulumi.Output.all(password.result, token).apply(
    lambda both: hashlib.sha256("".join(both).encode()).hexdigest())})
pulumi.export("password", password.result)
"""
#: What somebody may add to it who wants to know the secrets.
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
    """A stack that is up, in a git repository, with a secret in its file."""
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
    """The copy of its state."""
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


def changed(prod: StateProject, program: str) -> None:
    """A commit on top of main with another program."""
    git(prod, "checkout", "-q", "-B", "change", "main")
    (prod.folder / "__main__.py").write_text(program, encoding="utf-8")
    commit(prod)


def test_the_copy_has_no_secret(copy: Path, secrets: list[str]) -> None:
    text = copy.read_text()
    assert "placeholder-" in text
    assert [secret for secret in secrets if secret in text] == []
    assert "ciphertext" not in text


def test_a_program_that_looks_everywhere_sees_no_secret_and_only_its_changes_are_told(
    prod: StateProject, copy: Path, secrets: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed(prod, PROGRAM.replace("byte_length=4", "byte_length=8") + CURIOUS)
    # As on a machine where somebody set all of this for something else.
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


def test_without_a_copy_it_is_told_how_one_is_made(prod: StateProject, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"nowhere\.json") as refused:
        preview(prod.folder, "prod", tmp_path / "nowhere.json", "main")
    assert "./deploy.sh state-copy -s prod" in refused.value.next_step
