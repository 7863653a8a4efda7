"""After a deployment, commands of pulumi that name no stack have one, and a choice of the user stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.deployment.selected_stack import select_if_none
from cli.system import programs
from tests.toolchain.state_projects import StateProject, environment_for, make_project
from toolchain.home import DyberHome


@pytest.fixture
def project(home: DyberHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateProject:
    """Return a project with the stacks dev and test, of which none is selected."""
    (tmp_path / "state").mkdir()
    made = make_project(tmp_path / "project", environment_for(home, f"file://{tmp_path / 'state'}"))
    for stack in ("dev", "test"):
        made.pulumi("stack", "init", stack, "--no-select")
    for name in ("PULUMI_HOME", "PULUMI_BACKEND_URL", "PATH"):
        monkeypatch.setenv(name, made.environment[name])
    return made


def selected(project: StateProject) -> str:
    return project.pulumi("stack", "--show-name")


def test_a_deployment_selects_its_stack_where_none_is_selected(project: StateProject) -> None:
    select_if_none("dev", project.folder)
    assert selected(project) == "dev"


def test_the_selection_of_the_user_stays(project: StateProject) -> None:
    project.pulumi("stack", "select", "test")
    select_if_none("dev", project.folder)
    assert selected(project) == "test"


def test_pulumi_is_not_started_where_a_stack_is_selected(
    project: StateProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.pulumi("stack", "select", "test")
    monkeypatch.setattr(programs, "run", lambda *_, **__: pytest.fail("pulumi was started"))
    select_if_none("dev", project.folder)
