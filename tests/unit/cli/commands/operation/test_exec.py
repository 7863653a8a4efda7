"""`exec` runs a command in a container with the user's language, terminal and arguments."""

from __future__ import annotations

import pytest

from cli.commands.operation.logs import _docker_exec


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_services_own_command_writes_in_the_users_language(monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.setenv("DYBER_LANG", language)
    command = _docker_exec("c1", ["python", "-m", "demo_server.session", "show"], has_terminal=False)
    options, inside = command[: command.index("c1")], command[command.index("c1") + 1 :]
    assert options == ["docker", "exec", "--interactive", "--env", f"DYBER_LANGUAGE={language}"]
    assert inside == ["python", "-m", "demo_server.session", "show"]


def test_without_a_command_a_shell_runs_on_the_terminal() -> None:
    command = _docker_exec("c1", [], has_terminal=True)
    assert "--tty" in command
    assert command[-2:] == ["c1", "sh"]


def test_options_behind_two_hyphens_belong_to_the_command() -> None:
    assert _docker_exec("c1", ["--", "ls", "-l"], has_terminal=False)[-3:] == ["c1", "ls", "-l"]
