"""A restore that fails is undone, as far as it had come, and undoing it can be tried again."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cli.commands.data import restore
from cli.deployment.deployment import Deployment
from cli.engine.errors import EngineError
from cli.recovery import way_back
from cli.recovery.way_back import WayBack
from cli.system.errors import StackError
from cli.system.programs import ProgramError
from cli.terminal.console import Activities
from tests.support.fake_engine import FakeEngine

VOLUME = "dyber-test-a-data"


@pytest.fixture
def prepared(root: Path, fake_engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> WayBack:
    """The record of a stack with a running container, a stopped one and data, before it is replaced."""
    (root / "Pulumi.test.yaml").write_text("config: {now: 1}\n")
    monkeypatch.setattr(way_back.auto, "LocalWorkspace", lambda work_dir: SimpleNamespace(list_stacks=list))
    fake_engine.add("runs")
    fake_engine.add("stopped", "exited")
    fake_engine.volume_contents = {VOLUME: "present"}
    return way_back.prepare("test", None, [VOLUME, "dyber-test-new-data"], "of-then")


def test_the_present_stack_is_recorded_before_anything_changes(
    prepared: WayBack, fake_engine: FakeEngine, root: Path
) -> None:
    assert (prepared.containers, prepared.running) == (["runs", "stopped"], ["runs"])
    assert prepared.aside["dyber-test-new-data"] is None and prepared.aside[VOLUME]
    assert prepared.files == ["stack.yaml"]
    assert way_back.unfinished() == [prepared]
    assert fake_engine.changes == []
    assert prepared.folder.stat().st_mode & 0o777 == 0o700


def test_a_stack_that_is_being_restored_is_not_opened(prepared: WayBack) -> None:
    with pytest.raises(StackError) as refused:
        Deployment.open("test")
    assert "./deploy.sh restore --undo" in refused.value.next_step


def test_undoing_a_restore_that_failed_before_it_copied_the_data_only_starts_the_containers(
    prepared: WayBack, fake_engine: FakeEngine, root: Path
) -> None:
    fake_engine.failing = "copy"
    with Activities() as display, pytest.raises(EngineError):
        prepared.begin(display)
    (record,) = way_back.unfinished()
    assert record.phase == "stopped"
    (root / "Pulumi.test.yaml").write_text("config: {changed: since}\n")
    with Activities() as display:
        assert record.undo(display)
    assert fake_engine.changes_by("start") == ["start runs"]
    assert not fake_engine.changes_by("copy") and "changed" in (root / "Pulumi.test.yaml").read_text()
    assert not record.folder.exists()


def test_undoing_a_restore_that_replaced_data_puts_everything_back_and_removes_what_is_new(
    prepared: WayBack, fake_engine: FakeEngine, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states: list[tuple[str, ...]] = []
    monkeypatch.setattr(way_back, "_pulumi", lambda *arguments: states.append(arguments) or "")
    with Activities() as display:
        prepared.begin(display)
    (root / "Pulumi.test.yaml").write_text("config: {then: 1}\n")
    (root / ".env.test").write_text("OF=then\n")
    fake_engine.add("new")
    fake_engine.changes = []
    (record,) = way_back.unfinished()
    assert record.phase == "replacing"
    with Activities() as display:
        assert record.undo(display)
    aside = str(record.aside[VOLUME])
    assert fake_engine.changes_by("remove_container") == ["remove_container new"]
    assert fake_engine.changes_by("copy") == [f"copy {aside} {VOLUME}"]
    assert fake_engine.changes.index(f"copy {aside} {VOLUME}") < fake_engine.changes.index("start runs")
    assert {"remove_volume dyber-test-new-data", f"remove_volume {aside}"} <= set(fake_engine.changes)
    assert f"remove_volume {VOLUME}" not in fake_engine.changes
    assert (root / "Pulumi.test.yaml").read_text() == "config: {now: 1}\n"
    assert not (root / ".env.test").exists()
    assert states == [("stack", "rm", "--stack", "test", "--yes", "--force", "--preserve-config")]
    assert way_back.unfinished() == []


def test_undoing_that_fails_can_be_tried_again(prepared: WayBack, fake_engine: FakeEngine) -> None:
    with Activities() as display:
        prepared.begin(display)
        fake_engine.failing = "copy"
        with pytest.raises(EngineError):
            prepared.undo(display)
    assert [record.phase for record in way_back.unfinished()] == ["replacing"]
    assert not fake_engine.changes_by("start") and f"remove_volume {prepared.aside[VOLUME]}" not in fake_engine.changes


def test_a_restore_that_succeeded_cannot_be_undone(prepared: WayBack, fake_engine: FakeEngine) -> None:
    with Activities() as display:
        prepared.begin(display)
    prepared.succeed()
    assert sorted(fake_engine.changes_by("remove_container")) == ["remove_container runs", "remove_container stopped"]
    assert (
        f"remove_volume {prepared.aside[VOLUME]}" in fake_engine.changes
        and f"remove_volume {VOLUME}" not in fake_engine.changes
    )
    assert way_back.unfinished() == []


def test_a_running_restore_is_not_undone_by_another_command(root: Path) -> None:
    with way_back.restore_lock("test"), pytest.raises(StackError), way_back.restore_lock("test"):
        pass


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, b"\xff", b"[]", b'{"stack": "test"}'])
def test_a_damaged_record_is_set_aside_with_the_files_beside_it(
    prepared: WayBack, root: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    (prepared.folder / "journal.json").write_bytes(damage)
    assert way_back.unfinished() == []
    aside = prepared.folder.with_name("test.damaged")
    assert (aside / "stack.yaml").read_text() == "config: {now: 1}\n"
    assert (aside / "journal.json.damaged").read_bytes() == damage
    shown = capsys.readouterr().err
    assert str(prepared.folder) in shown and "./deploy.sh restore" in shown and "dyber.helper=restore" in shown
    assert way_back.unfinished() == []


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ProgramError("no docker", "")], ids=repr)
def test_any_error_while_undoing_is_reported_with_the_command_that_tries_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def undo(*_: object) -> None:
        raise error

    monkeypatch.setattr(restore, "_undo", undo)
    with Activities() as display:
        restore._put_back(SimpleNamespace(), display)  # type: ignore[arg-type]
    shown = capsys.readouterr().err
    assert "./deploy.sh restore --undo" in shown and str(error) in shown
