"""Undoing a restore can be tried again after a kill at any moment, and copies only volumes that exist."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cli.deployment import deployment
from cli.engine import volumes
from cli.engine.errors import EngineError
from cli.recovery import way_back
from cli.recovery.way_back import WayBack
from cli.system.errors import StackError
from cli.terminal.console import Activities
from tests.support.fake_engine import FakeEngine, Killed, use_engine

DATA, OTHER = "dyber-test-a-data", "dyber-test-b-data"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DYBER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(deployment, "ROOT", tmp_path)
    return tmp_path


@pytest.fixture
def restoring(root: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], FakeEngine]:
    """Begins the restore of a stack with data, stops in the middle, and returns the engine."""

    def begin() -> FakeEngine:
        shutil.rmtree(root / deployment.RESTORES, ignore_errors=True)
        fake_engine = FakeEngine()
        use_engine(monkeypatch, fake_engine)
        monkeypatch.setattr(way_back.auto, "LocalWorkspace", lambda work_dir: SimpleNamespace(list_stacks=list))
        monkeypatch.setattr(way_back, "_pulumi", lambda *_: "")
        (root / "Pulumi.test.yaml").write_text("config: {now: 1}\n")
        fake_engine.volume_contents = {DATA: "mine", OTHER: "also mine"}
        fake_engine.add("runs")
        fake_engine.add("idle", "exited")
        back = way_back.prepare("test", None, [DATA, OTHER, "dyber-test-new-data"], "of-then")
        with Activities() as display:
            back.begin(display)
        fake_engine.volume_contents |= {DATA: "of then", OTHER: "of then", "dyber-test-new-data": "of then"}
        fake_engine.add("new")
        (root / "Pulumi.test.yaml").write_text("config: {then: 1}\n")
        return fake_engine

    return begin


def undo_restores() -> None:
    for found in way_back.unfinished():
        with Activities() as display:
            found.undo(display)


def everything(fake_engine: FakeEngine, root: Path) -> tuple[Any, ...]:
    containers = {
        container["Id"]: (container["State"]["Status"], container["HostConfig"]["RestartPolicy"]["Name"])
        for container in fake_engine.descriptions.values()
    }
    return fake_engine.volume_contents, containers, (root / "Pulumi.test.yaml").read_text()


BEFORE = (
    {DATA: "mine", OTHER: "also mine"},
    {"runs": ("running", "always"), "idle": ("exited", "always")},
    "config: {now: 1}\n",
)


def test_a_kill_at_any_moment_of_undoing_a_restore_loses_no_data(
    restoring: Callable[[], FakeEngine], root: Path
) -> None:
    for commands in range(1, 200):
        fake_engine = restoring()
        fake_engine.requests_left = commands
        try:
            undo_restores()
        except Killed:
            fake_engine.requests_left = -1
            undo_restores()
        else:
            break
        assert everything(fake_engine, root) == BEFORE, commands
        assert way_back.unfinished() == []
    assert commands > 20 and everything(fake_engine, root) == BEFORE


def test_after_a_power_cut_nothing_writes_into_the_data_while_it_is_put_back(
    restoring: Callable[[], FakeEngine], root: Path
) -> None:
    fake_engine = restoring()
    fake_engine.descriptions["runs"]["HostConfig"]["RestartPolicy"]["Name"] = (
        "always"  # as in a journal of another version
    )
    fake_engine.cut_power()
    undo_restores()  # The engine's copying asserts that nothing runs.
    assert fake_engine.volume_contents == BEFORE[0]


def test_the_engine_starts_nothing_by_itself_while_a_restore_is_under_way(restoring: Callable[[], FakeEngine]) -> None:
    fake_engine = restoring()
    fake_engine.cut_power()
    running = [
        container["Id"] for container in fake_engine.descriptions.values() if container["State"]["Status"] == "running"
    ]
    assert running == ["new"]


def test_a_limited_number_of_restarts_is_kept() -> None:
    policies = [None, {"Name": "no"}, {"Name": "always", "MaximumRetryCount": 0},
                {"Name": "on-failure", "MaximumRetryCount": 3}]  # fmt: skip
    found = [way_back._restart_policy({"HostConfig": {"RestartPolicy": policy}}) for policy in policies]
    assert found == ["no", "no", "always", "on-failure:3"]


def test_a_limited_number_of_restarts_is_put_back(restoring: Callable[[], FakeEngine]) -> None:
    fake_engine = restoring()
    (back,) = way_back.unfinished()
    back.restarts = {"runs": "on-failure:3", "idle": "no"}
    back.save()
    undo_restores()
    policies = {name: item["HostConfig"]["RestartPolicy"] for name, item in fake_engine.descriptions.items()}
    assert policies == {
        "runs": {"Name": "on-failure", "MaximumRetryCount": 3},
        "idle": {"Name": "no", "MaximumRetryCount": 0},
    }


def test_a_journal_that_cannot_be_removed_is_reported_and_the_data_stays(
    restoring: Callable[[], FakeEngine], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_engine = restoring()
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.name == deployment.JOURNAL:
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patched, pytest.raises(StackError, match=deployment.JOURNAL):
        patched.setattr(Path, "unlink", refuse)
        undo_restores()
    assert [back.phase for back in way_back.unfinished()] == ["back"]
    undo_restores()
    assert everything(fake_engine, root) == BEFORE


def test_a_volume_is_never_replaced_by_one_that_does_not_exist(restoring: Callable[[], FakeEngine]) -> None:
    fake_engine = restoring()
    with pytest.raises(EngineError, match="no such volume"):
        volumes.replicate("gone", DATA)
    assert fake_engine.volume_contents[DATA] == "of then" and "gone" not in fake_engine.volume_contents


def test_a_journal_of_an_earlier_version_can_be_read(restoring: Callable[[], FakeEngine]) -> None:
    restoring()
    (back,) = way_back.unfinished()
    file = back.folder / deployment.JOURNAL
    content = json.loads(file.read_text())
    del content["restarts"]
    file.write_text(json.dumps(content))
    (found,) = way_back.unfinished()
    assert isinstance(found, WayBack) and found.restarts == {}
