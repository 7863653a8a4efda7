"""Tests what set-up finds, plans and does on a machine, and the environment that it returns."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from toolchain import prerequisites, versions
from toolchain.engine import base_image, installation
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.pieces import Record, write_executable, write_record
from toolchain.progress import PlainProgress
from toolchain.pulumi import pulumi_cli

PINNED = versions.load()
USER_VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "PULUMI_BACKEND_URL",
    "PULUMI_CONFIG_PASSPHRASE",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
)


@pytest.fixture
def home(tmp_path: Path, command, monkeypatch: pytest.MonkeyPatch) -> DyberHome:
    """The empty home of a machine without programs on PATH and without an engine."""
    for name in USER_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(installation, "candidates", lambda env: iter(()))
    return DyberHome(tmp_path / "home")


def built_plugin(home: DyberHome, name: str) -> None:
    folder = pulumi_cli._plugin_folder(home, name, PINNED.plugins[name])
    write_executable(folder / f"pulumi-resource-{name}", "")
    write_record(folder, Record(PINNED.plugins[name], pulumi_cli.go_build.sources_key(PINNED), pulumi_cli.BUILT))


def test_inspecting_an_empty_machine_reports_everything_as_missing_and_changes_nothing(home):
    findings = {finding.key: finding for finding in prerequisites.inspect_all(home)}
    assert [key for key, finding in findings.items() if finding.ok] == ["python", "disk"]
    assert all(finding.advice for finding in findings.values() if not finding.ok)
    assert not any(finding.advice for finding in findings.values() if finding.ok)
    assert {
        "engine",
        "pulumi",
        "language-host",
        "plugin-docker",
        "plugin-random",
        "base-image-trixie",
        "base-image-forky",
        "backend",
    } <= set(findings)
    assert not home.root.exists()


def test_the_plan_for_an_empty_machine_names_each_step_once_with_its_folder(home):
    steps = prerequisites.plan(home)
    assert len(steps) == 6
    assert len({step.title for step in steps}) == 6
    assert sum(str(home.root) in step.statement for step in steps) == 3
    assert all(step.expected_seconds > 0 for step in steps)
    assert not home.root.exists()


def test_pulumi_gets_the_state_and_the_passphrase_of_the_home(home):
    variables = prerequisites.environment(home, {"PATH": "/usr/bin"})
    assert variables["PULUMI_BACKEND_URL"] == f"file://{home.state}"
    assert variables["PULUMI_CONFIG_PASSPHRASE_FILE"] == str(home.passphrase_file)
    assert variables["PULUMI_HOME"] == str(home.pulumi_home)
    assert variables["PATH"].split(os.pathsep) == [str(home.bin), "/usr/bin"]


@pytest.mark.parametrize(
    ("variables", "absent"),
    [
        ({"PULUMI_BACKEND_URL": "s3://bucket"}, "PULUMI_BACKEND_URL"),
        ({"PULUMI_CONFIG_PASSPHRASE": "chosen"}, "PULUMI_CONFIG_PASSPHRASE_FILE"),
        ({"PULUMI_CONFIG_PASSPHRASE": ""}, "PULUMI_CONFIG_PASSPHRASE_FILE"),
        ({"PULUMI_CONFIG_PASSPHRASE_FILE": "/chosen"}, "PULUMI_CONFIG_PASSPHRASE_FILE"),
    ],
)
def test_variables_that_the_user_set_stay(home, variables, absent):
    assert absent not in prerequisites.environment(home, {"PATH": "/usr/bin", **variables})


def test_the_bin_folder_is_in_path_only_once(home):
    once = prerequisites.environment(home, {"PATH": "/usr/bin"})
    assert prerequisites.environment(home, once)["PATH"] == once["PATH"]


def test_the_users_own_pulumi_comes_before_ours_in_path(home, command):
    command("pulumi", f"echo v{PINNED.pulumi_cli}")
    variables = prerequisites.environment(home)
    assert variables["PATH"].split(os.pathsep) == [os.environ["PATH"], str(home.bin)]
    assert "PULUMI_IGNORE_AMBIENT_PLUGINS" not in variables


def test_pulumi_may_fetch_plugins_unless_ours_are_installed(home):
    name = "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"
    assert name not in prerequisites.environment(home)
    built_plugin(home, "docker")
    assert prerequisites.environment(home)[name] == "true"


def test_an_engine_found_through_a_context_is_passed_on(home, monkeypatch):
    found = Engine("unix:///run/user/1000/docker.sock", "27.0", "1.46", "context")
    monkeypatch.setattr(installation, "find_engine", lambda _env=None: found)
    assert prerequisites.environment(home)["DOCKER_HOST"] == found.host


def test_set_up_stops_before_it_builds_when_there_is_no_engine(home, monkeypatch):
    monkeypatch.setattr(
        installation, "_install_and_start", lambda *_: (_ for _ in ()).throw(SetupError("no engine", exit_code=2))
    )
    monkeypatch.setattr(pulumi_cli, "install", lambda *_: pytest.fail("built without an engine"))
    with pytest.raises(SetupError, match="no engine"):
        prerequisites.set_up(home, PlainProgress(io.StringIO()))


def test_an_error_while_images_are_made_is_raised(home, monkeypatch):
    ready = Engine("unix:///x", "27.0", "1.46", "default")
    monkeypatch.setattr(installation, "ensure_engine", lambda *_: ready)
    monkeypatch.setattr(pulumi_cli, "install", lambda *_: None)
    monkeypatch.setattr(base_image, "ensure", lambda *_: (_ for _ in ()).throw(SetupError("no mirror")))
    with pytest.raises(SetupError, match="no mirror"):
        prerequisites.set_up(home, PlainProgress(io.StringIO()))


def test_a_lost_passphrase_is_never_replaced_while_there_is_state(home):
    stack = home.state / ".pulumi" / "stacks" / "dyber" / "dev.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    with pytest.raises(SetupError, match="passphrase"):
        prerequisites.set_up(home, PlainProgress(io.StringIO()))
    assert not home.passphrase_file.exists()
    (backend,) = [finding for finding in prerequisites.inspect_all(home) if finding.key == "backend"]
    assert not backend.ok and str(home.passphrase_file) in backend.advice


def test_a_passphrase_that_others_can_read_is_reported(home):
    home.ensure_passphrase()

    def backend_ok() -> bool:
        (finding,) = [finding for finding in prerequisites.inspect_all(home) if finding.key == "backend"]
        return finding.ok

    assert backend_ok()
    home.passphrase_file.chmod(0o644)
    assert not backend_ok()


@pytest.mark.parametrize("content", [b"", b"\n", b"\0" * 43, b"\xff\xfe"])
def test_a_damaged_passphrase_is_replaced_only_if_there_is_no_state(home, content: bytes):
    home.root.mkdir(parents=True)
    home.passphrase_file.write_bytes(content)
    assert not home.has_passphrase()
    prerequisites._ensure_backend(home)
    assert home.has_passphrase()
    damaged = home.root / "passphrase.damaged"
    assert damaged.read_bytes() == content

    home.passphrase_file.write_bytes(content)
    stack = home.state / ".pulumi" / "stacks" / "dyber" / "dev.json"
    stack.parent.mkdir(parents=True)
    stack.write_text("{}")
    with pytest.raises(SetupError, match="passphrase"):
        prerequisites._ensure_backend(home)
    assert home.passphrase_file.read_bytes() == content
