"""Tests a stack whose tracked file has no salt: Pulumi uses that of the state, so the git clone stays clean."""

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
    """A git clone with a deployed stack."""
    folder = tmp_path_factory.mktemp("salts")
    (folder / "state").mkdir()
    project = make_project(folder / "project", environment_for(home, f"file://{folder / 'state'}"))
    (project.folder / "__main__.py").write_text(PROGRAM, encoding="utf-8")
    file_of(project).write_text(TRACKED, encoding="utf-8")
    (project.folder / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
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


def test_the_salt_is_removed_from_the_tracked_file_and_the_stack_works_without_it(clone: StateProject) -> None:
    assert remove_from_tracked_files(clone.folder) == ["Pulumi.dev.yaml"]
    assert git(clone, "status", "--porcelain") == ""
    password = clone.output("password")
    assert len(password) == 24
    # Without a salt in the file Pulumi makes a new one, but decrypts the state's secrets with the state's own salt.
    output = clone.up("-s", "dev")
    assert "unchanged" in output and "created" not in output and "updated" not in output
    assert clone.output("password") == password
    remove_from_tracked_files(clone.folder)
    assert file_of(clone).read_text(encoding="utf-8") == TRACKED


def test_without_the_salt_a_wrong_passphrase_is_refused_and_the_state_is_unchanged(clone: StateProject) -> None:
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
