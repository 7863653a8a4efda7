"""A program that hangs or is missing causes one clear error; an unexpected error is written to a file."""

from __future__ import annotations

import ast
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli import entry
from cli.engine.errors import EngineError
from cli.system import programs
from cli.system.programs import ProgramError

REPOSITORY = Path(__file__).resolve().parents[4]
#: Files that run without the packages of the virtual environment, and the module that runs programs for all others.
RUN_PROGRAMS_THEMSELVES = {"bootstrap.py", "programs.py"}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that makes a docker command from the text of a shell script."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def make(script: str) -> None:
        program = tmp_path / "docker"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)

    return make


def test_an_engine_that_hangs_is_named_with_what_to_do(docker: Callable[[str], None]) -> None:
    docker("exec sleep 60")
    with pytest.raises(ProgramError, match=r"docker ps did not end within 0\.1 s") as refused:
        programs.run(["docker", "ps", "--filter", "hidden"], timeout=0.1)
    assert "restart" in refused.value.next_step
    assert "hidden" not in str(refused.value)


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ProgramError, match="program git is not installed") as refused:
        programs.run(["git", "status"], capture_output=True)
    assert "install git" in refused.value.next_step


@pytest.mark.parametrize("file", sorted((REPOSITORY / "cli").rglob("*.py")), ids=lambda file: file.name)
def test_only_one_module_runs_other_programs(file: Path) -> None:
    if file.name in RUN_PROGRAMS_THEMSELVES:
        return
    calls = {
        ast.unparse(node.func) for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)
    }
    assert not calls & {f"subprocess.{name}" for name in ("run", "call", "check_call", "check_output")}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ProgramError("pulumi stack did not end", "run again"), "run again"),
        (EngineError("it hangs", "restart it"), "restart it"),
        (PermissionError(13, "Permission denied", "/srv/state"), "/srv/state: "),
    ],
)
def test_a_failure_outside_is_one_message_without_a_traceback(
    error: Exception, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    assert entry._guarded(fails, None) == entry.FAILED
    shown = capsys.readouterr().err
    assert expected in shown
    assert "Traceback" not in shown


def test_an_unexpected_error_is_written_to_a_file_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYBER_HOME", str(tmp_path))

    def fails() -> None:
        raise RuntimeError("postgres://me:hunter2@host/db is odd")

    assert entry._guarded(fails, None) == entry.FAILED
    shown = capsys.readouterr().err
    (file,) = (tmp_path / "logs").iterdir()
    assert str(file) in shown.replace("\n", "")
    assert "Traceback" not in shown
    assert "Traceback" in file.read_text()
    assert "hunter2" not in shown + file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_output_whose_reader_has_gone_is_no_error() -> None:
    code = "from cli.terminal import crashes; crashes.give_up_output(); print('unread')"
    result = programs.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
