"""Tests the behaviour of the plugins that programs rely on: replacement order, refresh, import, secrets."""

from __future__ import annotations

import subprocess

import pytest

LABEL = "dyber.test=toolchain"


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_a_second_up_changes_nothing(project):
    assert project.planned() == []
    project.ok("up", "--yes", "--skip-preview", "--expect-no-changes")


def test_refresh_sees_no_drift_right_after_up(project):
    project.ok("refresh", "--preview-only", "--expect-no-changes")


def test_a_container_is_deleted_before_its_replacement_by_default(project):
    planned = [step for step in project.planned(MODE="two") if step[1] == "worker"]
    assert [operation for operation, _ in planned] == ["delete-replaced", "replace", "create-replacement"]


def test_a_new_container_is_created_before_the_old_one_is_deleted_if_the_program_says_so(project):
    before = project.output("container")
    project.ok("up", "--yes", "--skip-preview", CREATE_FIRST="1", MODE="first")
    after = project.output("container")
    assert after != before
    names = docker("container", "ls", "--filter", f"label={LABEL}", "--format", "{{.Names}}").split()
    assert names == [after]


def test_up_with_refresh_creates_a_container_again_that_was_removed_by_hand(project):
    docker("container", "rm", "-f", project.output("container"))
    project.ok("up", "--yes", "--skip-preview", "--refresh")
    state = docker("container", "inspect", "--format", "{{.State.Running}}", project.output("container"))
    assert state == "true"
    assert project.planned() == []


def test_a_network_made_by_hand_can_be_imported(project):
    network = docker("network", "create", "--label", LABEL, "toolchain-test-imported")
    project.ok(
        "import",
        "docker:index/network:Network",
        "imported",
        network,
        "--yes",
        "--skip-preview",
        "--generate-code=false",
        "--protect=false",
    )
    assert "toolchain-test-imported" in project.ok("stack", "export")
    # The program does not declare it, so the next up deletes it. That also shows that the plugin knows its id.
    project.ok("up", "--yes", "--skip-preview")
    assert "toolchain-test-imported" not in docker("network", "ls", "--format", "{{.Name}}").split()


@pytest.mark.parametrize("output", ["password", "token"])
def test_secrets_are_masked_on_the_screen_and_encrypted_in_the_state(project, output):
    secret = project.output(output)
    assert len(secret) >= 15
    shown = (
        project.ok("up", "--yes", "--refresh", "--diff")
        + project.ok("stack", "output")
        + project.ok("preview", "--diff", MODE="three")
    )
    assert secret not in shown
    assert secret not in project.ok("stack", "export")
    stored = [path for path in (project.folder / "state").rglob("*") if path.is_file()]
    assert stored
    assert [path for path in stored if secret.encode() in path.read_bytes()] == []
