"""Paused containers continue after an error, after Ctrl-C, after a failure of another one, and after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli.engine import moments, volumes
from cli.engine.errors import EngineError
from cli.system import programs
from tests.support.fake_engine import use_engine

REPOSITORY = Path(__file__).resolve().parents[4]


class Engine:
    """Knows which containers are paused; `failing` are those that it does not unpause now."""

    def __init__(self) -> None:
        self.paused: set[str] = set()
        self.failing: set[str] = set()
        self.interrupt_at = ""

    def pause(self, container: str) -> None:
        self._interrupt("pause")
        self.paused.add(container)

    def unpause(self, container: str) -> None:
        self._interrupt("unpause")
        if container in self.failing:
            raise EngineError("the engine is busy")
        if container not in self.paused:
            raise EngineError(f"Container {container} is not paused")
        self.paused.remove(container)

    def _interrupt(self, request: str) -> None:
        if request == self.interrupt_at:
            self.interrupt_at = ""
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def fake_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    engine = Engine()
    monkeypatch.setenv("DYBER_HOME", str(tmp_path))
    use_engine(monkeypatch, engine)
    return engine


def notes(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "locks" / "moments").glob("*"))


def test_when_a_container_cannot_be_unpaused_the_others_are_and_the_next_command_unpauses_it(
    fake_engine: Engine, tmp_path: Path
) -> None:
    fake_engine.failing = {"a"}
    with pytest.raises(EngineError, match="busy"), volumes.paused(["a", "b", "c"]):
        assert fake_engine.paused == {"a", "b", "c"}
    assert fake_engine.paused == {"a"}
    moments.put_back_forgotten()
    assert fake_engine.paused == {"a"}
    fake_engine.failing = set()
    moments.put_back_forgotten()
    assert (fake_engine.paused, notes(tmp_path)) == (set(), [])


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("x"), ZeroDivisionError()], ids=repr)
def test_all_containers_are_unpaused_after_an_error_which_is_passed_on(
    fake_engine: Engine, tmp_path: Path, error: BaseException
) -> None:
    with pytest.raises(type(error)), volumes.paused(["a", "b"]):
        raise error
    assert (fake_engine.paused, notes(tmp_path)) == (set(), [])


@pytest.mark.parametrize("command", ["pause", "unpause"])
def test_an_interrupt_in_the_middle_leaves_none_paused(fake_engine: Engine, tmp_path: Path, command: str) -> None:
    fake_engine.interrupt_at = command
    with pytest.raises(KeyboardInterrupt), volumes.paused(["a", "b"]):
        pass
    assert (fake_engine.paused, notes(tmp_path)) == (set(), [])


def test_containers_that_a_running_command_has_paused_stay_paused(fake_engine: Engine) -> None:
    with volumes.paused(["a"]):
        moments.put_back_forgotten()
        assert fake_engine.paused == {"a"}


def test_after_a_kill_the_next_command_unpauses(fake_engine: Engine, tmp_path: Path) -> None:
    script = (
        "import os, signal; from cli.engine import moments\n"
        "with moments.put_back_afterwards(['unpause', 'a']): os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "infra")])
    killed = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path}, check=False)
    assert killed.returncode == -signal.SIGKILL
    fake_engine.paused = {"a"}
    moments.put_back_forgotten()
    assert (fake_engine.paused, notes(tmp_path)) == (set(), [])


def test_the_note_is_written_before_anything_changes(fake_engine: Engine, tmp_path: Path) -> None:
    with moments.put_back_afterwards(["unpause", "a"]):
        (note,) = (file for file in notes(tmp_path) if file.suffix == ".json")
        assert json.loads(note.read_text()) == [["unpause", "a"]]
        assert note.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "damage", [b"", b"\0" * 64, b"\xff\xfe", b'[["unpause"', b'{"unpause": "a"}', b'["unpause", "a"]', b"[[1]]"]
)
def test_a_damaged_note_is_set_aside_and_the_others_are_put_back(
    fake_engine: Engine, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: bytes
) -> None:
    fake_engine.paused = {"a"}
    folder = tmp_path / "locks" / "moments"
    folder.mkdir(parents=True)
    (folder / "1-a.json").write_bytes(damage)
    (folder / "2-b.json").write_text('[["unpause", "a"]]')
    moments.put_back_forgotten()
    assert (fake_engine.paused, [note.name for note in notes(tmp_path)]) == (set(), ["1-a.json.damaged"])
    assert (folder / "1-a.json.damaged").read_bytes() == damage
    assert "./deploy.sh status" in capsys.readouterr().err
    moments.put_back_forgotten()
    assert capsys.readouterr().err == ""


def test_all_containers_are_unpaused_though_the_note_was_damaged_meanwhile(fake_engine: Engine, tmp_path: Path) -> None:
    with volumes.paused(["a", "b"]):
        (note,) = (tmp_path / "locks" / "moments").glob("*.json")
        note.write_bytes(b"\0")
    assert (fake_engine.paused, notes(tmp_path)) == (set(), [])


@pytest.mark.skipif(os.name == "nt", reason="sessions are POSIX")
def test_a_program_that_is_started_while_nothing_may_disturb_gets_no_interrupt_of_the_terminal() -> None:
    show = [sys.executable, "-c", "import os; print(os.getsid(0))"]

    def is_apart() -> bool:
        done = programs.run(show, capture_output=True, text=True)
        return int(done.stdout) != os.getsid(0)

    assert not is_apart()
    with moments.undisturbed():
        assert is_apart()
        with ThreadPoolExecutor() as pool:
            assert pool.submit(is_apart).result()
        with moments.undisturbed():
            pass
        assert is_apart()
    assert not is_apart()
