"""A stack whose tracked file has no salt: Pulumi takes it from the state, so that a git clone stays clean."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cli.stack_files.salts import remove_from_tracked_files
from tests.toolchain.state_projects import StateProject, environment_for, make_project

PROGRAM = """\
import pulumi
import pulumi_random as random

pulumi.export("password", random.RandomPassword("password", length=24).result)
"""
TRACKED = "# dev / 开发\nconfig:\n  other:level: debug # loud\n"


@pytest.fixture(scope="module")
def clone(home, tmp_path_factory) -> StateProject:
    """A git clone with a stack that is up."""
    folder = tmp_path_factory.mktemp("salts")
    (folder / "state").mkdir()
    project = make_project(folder / "project", environment_for(home, f"file://{folder / 'state'}"))
    (project.folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    file_of(project).write_text(TRACKED, encoding="utf-8")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x")
    project.pulumi("stack", "init", "dev")
    project.up("-s", "dev")
    return project


def file_of(project: StateProject) -> Path:
    return project.folder / "Pulumi.dev.yaml"


def git(project: StateProject, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=project.folder, capture_output=True, text=True, check=True).stdout


def test_what_pulumi_wrote_into_the_tracked_file_goes_and_the_stack_works_without_it(clone: StateProject) -> None:
    assert remove_from_tracked_files(clone.folder) == ["Pulumi.dev.yaml"]
    assert git(clone, "status", "--porcelain") == ""
    password = clone.output("password")
    assert len(password) == 24
    # Without a salt in the file, Pulumi makes a new one; the state's secrets are opened with its own.
    told = clone.up("-s", "dev")
    assert "unchanged" in told and "created" not in told and "updated" not in told
    assert clone.output("password") == password
    remove_from_tracked_files(clone.folder)
    assert file_of(clone).read_text(encoding="utf-8") == TRACKED


def test_without_it_a_wrong_passphrase_is_refused_and_the_state_stays_as_it_was(clone: StateProject) -> None:
    remove_from_tracked_files(clone.folder)
    password = clone.output("password")
    wrong = {**clone.environment, "PULUMI_CONFIG_PASSPHRASE": "wrong"}
    command = ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive", "-s", "dev"]
    refused = subprocess.run(command, cwd=clone.folder, env=wrong, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "incorrect passphrase" in refused.stderr + refused.stdout
    remove_from_tracked_files(clone.folder)
    assert clone.output("password") == password


def test_a_secret_in_the_file_keeps_its_salt_and_stays_readable(clone: StateProject) -> None:
    clone.pulumi("config", "set", "--secret", "other:token", "hunter2", "-s", "dev")
    assert remove_from_tracked_files(clone.folder) == []
    assert clone.pulumi("config", "get", "other:token", "-s", "dev") == "hunter2"
