"""Command words, options, the printed environment, and progress without a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import bootstrap, entry
from cli.app import app
from cli.commands.machine import machine
from cli.commands.reading import client_token
from cli.deployment.environment import shell_lines
from cli.entry import with_command_word
from cli.terminal.console import Activities

REPOSITORY = Path(__file__).resolve().parents[4]


@dataclass(frozen=True)
class Ended:
    """What a command line printed, and its exit code."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def dyber(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Run a command line in this process, from the program's entry to its exit."""

    def run(*arguments: str, language: str = "zh") -> Ended:
        monkeypatch.setenv("DYBER_LANG", language)
        monkeypatch.setattr(sys, "argv", ["deploy.sh", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            entry.main()
        return Ended(int(str(ended.value.code or 0)), *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["deploy"]),
        (["--stack", "test"], ["deploy", "--stack", "test"]),
        (["--dev"], ["deploy", "--dev"]),
        (["--services", "a b"], ["deploy", "--services", "a b"]),
        (["--version"], ["version"]),
        (["status"], ["status"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
    ],
)
def test_without_a_command_word_it_deploys(arguments: list[str], expected: list[str]) -> None:
    assert with_command_word(arguments) == expected


def test_an_unknown_word_is_an_error_with_the_nearest_one() -> None:
    # Run as a process, so that its exit code is tested.
    command = [sys.executable, str(REPOSITORY / "cli"), "depoly"]
    environment = {**os.environ, "DYBER_LANG": "zh"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert result.returncode == 2
    assert "未知命令: depoly" in result.stderr
    assert "deploy" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--ful"], "没有选项 --ful。是不是 --full？"),
        (["status", "--no-such"], "没有选项 --no-such"),
        (["--services"], "--services 后面缺少值"),
        (["--full=yes"], "--full 后面不能有值"),
        (["status", "extra"], "多余的参数：extra"),
        (["config"], "缺少命令"),
        (["token", "lst"], "未知命令: lst。是不是 list？"),
        (["backup"], "缺少 file"),
        (["logs", "--tail", "abc"], "--tail 的值不能用"),
        (["completion", "tcsh"], "不支持 'tcsh'，可用：bash"),
    ],
)
def test_a_wrong_command_line_is_explained_in_chinese(
    arguments: list[str], expected: str, dyber: Callable[..., Ended]
) -> None:
    result = dyber(*arguments)
    assert result.returncode == 2
    assert f"✗ {expected}" in result.stderr


def test_messages_switch_to_english(dyber: Callable[..., Ended]) -> None:
    assert "no option --ful; did you mean --full?" in dyber("--ful", language="en").stderr
    assert "unknown command: depoly" in dyber("depoly", language="en").stderr


COMMANDS = typer.main.get_command(app).commands
GROUPS = ["token", "tools", "config"]


@pytest.mark.parametrize(
    ("words", "command"),
    [((name,), command) for name, command in COMMANDS.items() if name not in GROUPS]
    + [((group, name), command) for group in GROUPS for name, command in COMMANDS[group].commands.items()],
)
def test_every_command_has_help_with_an_example(words: tuple[str, ...], command: Any) -> None:
    assert command.help
    assert f"./deploy.sh {' '.join(words)}" in command.epilog or words == ("env",)


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_has_no_options_but_help(group: str) -> None:
    assert [parameter.name for parameter in COMMANDS[group].params] == []


@pytest.mark.parametrize("arguments", [["help"], ["help", "restart"], ["restart", "--help"]])
def test_help_is_a_word_and_an_option(arguments: list[str], dyber: Callable[..., Ended]) -> None:
    result = dyber(*arguments)
    assert result.returncode == 0
    assert "restart" in result.stdout


def test_an_unknown_option_is_an_error_with_the_nearest_one(dyber: Callable[..., Ended]) -> None:
    result = dyber("--dve")
    assert result.returncode == 2
    assert "--dev" in result.stderr
    assert "./deploy.sh deploy --help" in result.stderr


@pytest.mark.parametrize("shell", machine.SHELLS)
def test_a_completion_script_serves_both_names_of_the_command(shell: str, dyber: Callable[..., Ended]) -> None:
    script = dyber("completion", shell).stdout
    assert "_DEPLOY_SH_COMPLETE" in script
    assert "_DYBER_COMPLETE" in script


@pytest.mark.parametrize("variable", ["_DEPLOY_SH_COMPLETE", "_DYBER_COMPLETE"])
def test_a_shell_that_asks_gets_the_words_that_fit(variable: str) -> None:
    request = {"COMP_WORDS": "dyber rest", "COMP_CWORD": "1", variable: "complete_bash"}
    command = [sys.executable, str(REPOSITORY / "cli")]
    result = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **request}, check=False)
    assert sorted(result.stdout.split()) == ["restart", "restore"]


def test_any_python_can_run_the_module() -> None:
    outside = getattr(sys, "_base_executable", sys.executable)
    result = subprocess.run(
        [outside, "-m", "cli", "--help"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "restart" in result.stdout


def test_functions_that_only_posix_has_are_called_in_posix_branches_only() -> None:
    posix_only = re.compile(
        r"\b(os\.(geteuid|getuid|killpg|fork|chown|setsid)|import (fcntl|pwd|grp|termios|resource))\b"
    )
    found = []
    for file in sorted((REPOSITORY / "cli").rglob("*.py")):
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            context = "\n".join(lines[max(0, number - 6) : number + 1])
            if posix_only.search(line.split("#")[0]) and not re.search(r'os\.name [!=]= "nt"|hasattr\(os', context):
                found.append(f"{file.name}:{number + 1}: {line.strip()}")
    assert found == []


def test_entry_points_have_the_line_ends_of_their_system() -> None:
    attributes = (REPOSITORY / ".gitattributes").read_text(encoding="utf-8")
    assert re.search(r"\*\.cmd\s.*eol=crlf", attributes)
    assert b"\r" not in (REPOSITORY / "deploy.sh").read_bytes()


def test_the_printed_environment_survives_a_shell_word_for_word() -> None:
    value = "a 'quoted' $HOME \"value\" `x`"
    script = "\n".join([*shell_lines({"TRICKY": value}), 'printf %s "$TRICKY"'])
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value


def test_progress_is_printed_as_plain_lines_without_a_terminal(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Activities(tmp_path / "x.log") as display:
        with display.phase("first"):
            display.line("raw output")
        with pytest.raises(RuntimeError), display.phase("second"):
            raise RuntimeError
    shown = capfd.readouterr().err
    assert "▸ first" in shown and "✓ first" in shown and "✗ second" in shown
    assert "raw output" not in shown
    assert "raw output" in (tmp_path / "x.log").read_text(encoding="utf-8")


def test_the_virtual_environment_is_remade_when_the_pins_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("a==1\n")
    monkeypatch.setattr(bootstrap, "REQUIREMENTS", requirements)
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    assert not bootstrap.is_ready()
    bootstrap.STAMP.write_text(bootstrap.expected_stamp())
    monkeypatch.setattr(bootstrap, "venv_python", lambda: Path(sys.executable))
    assert bootstrap.is_ready()
    requirements.write_text("a==2\n")
    assert not bootstrap.is_ready()


def test_without_a_name_the_main_clients_token_is_meant() -> None:
    assert client_token({"tokens": {"phone": "b", "desktop-pet": "a"}}, None) == ("desktop-pet", "a")
    assert client_token({"tokens": {"phone": "b"}}, None) == ("phone", "b")
    with pytest.raises(typer.BadParameter, match="pad, phone"):
        client_token({"tokens": {"phone": "b", "pad": "c"}}, None)


CHANGING = """
deploy, setup, preview, destroy, apply, start, stop, restart, add-service weibo, remove-service weibo, promote dev test,
backup x.backup, recover, clean, update, token create phone, token rotate phone, token revoke phone,
config set logLevel debug, config unset logLevel, tools lock, lock
""".replace("\n", " ").split(", ")
#: Of the words of a command line, those that are no command but needed.
NEEDED = {"apply": ["x.plan.json"]}


@pytest.mark.parametrize("option", ["--yes", "-y"])
@pytest.mark.parametrize("line", CHANGING)
def test_every_command_that_changes_something_accepts_yes(line: str, option: str) -> None:
    words = line.split()
    command, arguments = COMMANDS[words[0]], words[1:]
    if words[0] in GROUPS:
        command, arguments = command.commands[words[1]], words[2:]
    context = command.make_context(words[0], [*arguments, *NEEDED.get(words[0], []), option])
    assert context.params["yes"] is True


def test_without_a_command_word_it_deploys_and_accepts_yes() -> None:
    word, *arguments = with_command_word(["--yes", "--full"])
    assert COMMANDS[word].make_context(word, arguments).params["yes"] is True


def test_with_yes_add_service_needs_a_name(dyber: Callable[..., Ended]) -> None:
    result = dyber("add-service", "--yes")
    assert result.returncode == 2
    assert "./deploy.sh add-service weibo" in result.stderr
