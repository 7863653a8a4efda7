"""Tests a stack on each backend: its secrets, its locks, and moving it to another backend."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from pulumi import automation as auto

from cli.deployment import locks
from cli.deployment.deployment import Deployment
from cli.system.errors import StackError
from cli.terminal.console import Activities
from tests.toolchain.state_projects import StateProject, environment_for, make_project, use_environment

TOKEN = "hunter2-of-the-state"
BACKENDS = ("s3", "postgres")


@pytest.fixture(scope="module")
def projects(home, database, aws, tmp_path_factory) -> dict[str, StateProject]:
    """A deployed stack on each backend, by the backend's name."""
    folder = tmp_path_factory.mktemp("projects")
    urls = {"s3": aws.state, "postgres": database.url()}
    made = {name: make_project(folder / name, environment_for(home, url)) for name, url in urls.items()}
    for project in made.values():
        project.pulumi("stack", "init", "dev")
        project.pulumi("config", "set", "--secret", "token", TOKEN, "-s", "dev")
        project.up("-s", "dev")
    return made


@pytest.fixture(params=BACKENDS)
def project(request, projects, monkeypatch) -> StateProject:
    """The project of a backend; this process has its environment."""
    selected = projects[request.param]
    use_environment(selected.environment, monkeypatch)
    return selected


def test_secrets_are_stored_encrypted_and_can_be_read(project: StateProject) -> None:
    password = project.output("password")
    assert len(password) == 24
    assert project.output("token") == TOKEN
    stored = project.pulumi("stack", "export", "-s", "dev")
    assert "4dabf18193072939515e22adb298388d" in stored  # Pulumi's mark of a secret
    assert password not in stored and TOKEN not in stored


def test_the_lock_of_a_running_update_is_kept_and_that_of_a_killed_update_is_removed(
    project: StateProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = Deployment(auto.select_stack(stack_name="dev", work_dir=str(project.folder)), settings=None)
    run = _start_update(project, tmp_path / "running")
    try:
        with pytest.raises(StackError) as refused, Activities() as display:
            deployment.recover(display)
        (holder,) = locks.holders(deployment.stack)
        assert str(holder.pid) in refused.value.message and holder.user in refused.value.message
        assert "pulumi cancel -s dev" in refused.value.next_step
    finally:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    with Activities() as display:
        deployment.recover(display)
    assert "解除遗留的锁" in capsys.readouterr().err
    assert locks.holders(deployment.stack) == []
    project.up("--expect-no-changes", "-s", "dev")


def _start_update(project: StateProject, marker: Path) -> subprocess.Popen[bytes]:
    """Start an update that holds the stack's lock for a long time, and wait until it does."""
    run = subprocess.Popen(
        ["pulumi", "up", "--yes", "--skip-preview", "-s", "dev", "--non-interactive"],
        cwd=project.folder, env={**project.environment, "WAIT_AFTER": str(marker)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not marker.exists():
        assert run.poll() is None and time.monotonic() < deadline, "the update did not start"
        time.sleep(0.05)
    return run


def test_a_stack_moves_from_one_backend_to_another_with_its_secrets(
    projects: dict[str, StateProject], database
) -> None:
    project = projects["s3"]
    target = {"PULUMI_BACKEND_URL": database.url(query="?sslmode=disable&table=moved")}
    password = project.output("password")
    state = project.pulumi("stack", "export", "-s", "dev")
    project.pulumi("stack", "init", "dev", **target)
    project.pulumi("stack", "import", "-s", "dev", stdin=state, **target)
    assert project.output("password", **target) == password
    assert json.loads(state) == json.loads(
        project.pulumi("stack", "export", "-s", "dev")
    )  # the old backend still has it
