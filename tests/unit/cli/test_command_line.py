"""Words and options, the printed environment, and the display on something that is no terminal."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cli import bootstrap, engine, ports
from cli.console import Activities
from cli.entry import with_command_word
from cli.environment import shell_lines

REPOSITORY = Path(__file__).resolve().parents[3]


def dyber(*arguments: str, language: str = "zh") -> subprocess.CompletedProcess[str]:
    import os

    return subprocess.run(
        [sys.executable, str(REPOSITORY / "cli"), *arguments],
        capture_output=True, text=True, env={**os.environ, "DYBER_LANG": language}, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], ["deploy"]),
        (["--stack", "test"], ["deploy", "--stack", "test"]),
        (["status"], ["status"]),
        (["--help"], ["--help"]),
        (["-h"], ["-h"]),
    ],
)
def test_without_a_command_word_it_deploys(arguments: list[str], expected: list[str]) -> None:
    assert with_command_word(arguments) == expected


def test_an_unknown_word_is_an_error_with_the_nearest_one() -> None:
    result = dyber("depoly")
    assert result.returncode == 2
    assert "未知命令: depoly" in result.stderr
    assert "deploy" in result.stderr


def test_messages_switch_to_english() -> None:
    assert "unknown command: depoly" in dyber("depoly", language="en").stderr


@pytest.mark.parametrize("command", ["deploy", "setup", "preview", "destroy", "env", "doctor", "clients", "test"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    result = dyber(command, "--help")
    assert result.returncode == 0
    assert f"./deploy.sh {command}" in result.stdout


def test_the_printed_environment_survives_a_shell_word_for_word() -> None:
    value = "a 'quoted' $HOME \"value\" `x`"
    script = "\n".join([*shell_lines({"TRICKY": value}), 'printf %s "$TRICKY"'])
    assert subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout == value


def test_a_port_that_somebody_holds_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "containers", lambda *filters, all_states=True: [])
    with socket.socket() as taken, socket.socket() as free:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        free.bind(("127.0.0.1", 0))
        free_port = free.getsockname()[1]
        free.close()
        wanted = [("127.0.0.1", taken.getsockname()[1]), ("127.0.0.1", free_port)]
        assert [item.port for item in ports.ports_in_use(wanted, None)] == [wanted[0][1]]


def test_a_port_of_our_own_gateway_counts_as_free_and_another_containers_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def container(name: str, port: int, deployment: str) -> dict[str, object]:
        return {
            "Name": f"/{name}",
            "Config": {"Labels": {"dyber.deployment": deployment}},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]}},
        }

    running = [container("mine", 30080, "abc"), container("theirs", 30443, "other")]
    monkeypatch.setattr(engine, "containers", lambda *filters, all_states=True: running)
    found = ports.ports_in_use([("127.0.0.1", 30080), ("127.0.0.1", 30443)], "abc")
    assert [(item.port, item.owner) for item in found] == [(30443, "theirs")]


def test_work_is_told_in_plain_lines_off_a_terminal(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
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
    bootstrap.STAMP.write_text(bootstrap.wanted_stamp())
    monkeypatch.setattr(bootstrap, "venv_python", lambda: Path(sys.executable))
    assert bootstrap.is_ready()
    requirements.write_text("a==2\n")
    assert not bootstrap.is_ready()
