"""`console` opens the page of the deployment, `console password` tells the password."""

from __future__ import annotations

import json
import sys
import webbrowser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.commands.operation import console
from cli.commands.settings import tokens
from cli.deployment.deployment import Deployment
from cli.inventory import gone
from cli.inventory.gone import Gone
from cli.inventory.members import Member
from cli.system.errors import StackError
from infra.settings.observing.console import ConsoleSettings
from infra.settings.stack import StackSettings

ADDRESS = "https://localhost/console/"
OUTPUTS: dict[str, Any] = {"services": {}, "console": {"url": ADDRESS}, "console_password": "correct-horse"}


@dataclass
class Opened:
    """The addresses that a browser was asked to open."""

    addresses: list[str]


def member(service: str, state: str = "running") -> Member:
    kind: Any = "gateway" if service == "gateway" else "data"
    return Member(f"id-{service}", service, service, kind, 1, state, None, None, 0, "x", 0, 10, ())


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the stack outputs and containers."""
    monkeypatch.setenv("DYBER_LANG", "en")

    def give(outputs: dict[str, Any] = OUTPUTS, *members: Member, missing: Gone | None = None) -> None:
        monkeypatch.setattr(console, "stack_outputs", lambda name: outputs)
        monkeypatch.setattr(console, "deployed", lambda name: (None, outputs))
        found = list(members or (member("gateway"), member("console")))
        monkeypatch.setattr(gone, "with_gone", lambda deployment, services: (found, missing or Gone()))

    return give


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A browser, and a desktop that has none of the variables that matter."""
    for name in ("SSH_CONNECTION", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    browser = Opened([])
    monkeypatch.setattr(webbrowser, "open", browser.addresses.append)
    return browser


class Context:
    invoked_subcommand = None


def run(only_print: bool = False) -> None:
    console.console(Context(), only_print=only_print, stack="dev")  # type: ignore[arg-type]


def test_the_address_alone_is_on_the_standard_output(
    stack: Callable[..., None], opened: Opened, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack()
    monkeypatch.setenv("DISPLAY", ":0")
    run()
    assert capsys.readouterr().out == ADDRESS + "\n"
    assert opened.addresses == []  # without a terminal


@pytest.mark.parametrize(
    ("variables", "only_print", "opens"),
    [
        ({"DISPLAY": ":0"}, False, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, False, True),
        ({"DISPLAY": ":0"}, True, False),
        ({}, False, False),
        ({"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "1 2 3 4"}, False, False),
    ],
    ids=["X11", "Wayland", "--print", "no desktop", "over SSH"],
)
def test_a_browser_opens_only_before_the_person_who_runs_the_command(
    stack: Callable[..., None],
    opened: Opened,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    only_print: bool,
    opens: bool,
) -> None:
    stack()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    run(only_print)
    assert opened.addresses == ([ADDRESS] if opens else [])


def test_a_stack_without_a_console_says_how_to_get_it(stack: Callable[..., None]) -> None:
    stack({"services": {}})
    with pytest.raises(StackError, match="stack dev has no console") as raised:
        run()
    assert raised.value.next_step.startswith("switch it on: ./deploy.sh config set console.enabled true")


@pytest.mark.parametrize("service", ["console", "gateway"])
def test_a_console_that_cannot_answer_says_how_to_start_it(stack: Callable[..., None], service: str) -> None:
    stack(OUTPUTS, *(member(name, "exited" if name == service else "running") for name in ("gateway", "console")))
    with pytest.raises(StackError, match=f"{service} is not running") as raised:
        run()
    assert raised.value.next_step == "start: ./deploy.sh start"


def test_a_console_that_is_gone_is_made_again_by_a_deployment(stack: Callable[..., None]) -> None:
    lost = member("console", "gone")
    stack(OUTPUTS, member("gateway"), lost, missing=Gone((lost,)))
    with pytest.raises(StackError, match="no longer on the engine") as raised:
        run()
    assert "./deploy.sh makes everything again" in raised.value.next_step


def test_the_password_alone_is_printed(stack: Callable[..., None], capsys: pytest.CaptureFixture[str]) -> None:
    stack()
    console.password(stack="dev")
    assert capsys.readouterr() == ("correct-horse\n", "")
    console.password(as_json=True, stack="dev")
    assert json.loads(capsys.readouterr().out) == {"password": "correct-horse"}


def test_a_new_password_is_the_next_generation_and_is_deployed(
    stack: Callable[..., None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stack()
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text("config:\n  dyber:console:\n    enabled: true # at home\n")
    settings = StackSettings(stack="dev", console=ConsoleSettings(enabled=True, password_generation=4))
    monkeypatch.setattr(Deployment, "read", lambda name, with_settings: Deployment(None, settings, name))
    monkeypatch.setattr(Deployment, "file", file)
    monkeypatch.setattr("cli.deployment.environment.activate", lambda home: None)
    deployed: list[str] = []
    monkeypatch.setattr(tokens, "deploy_with", lambda changed, name: deployed.append(changed.text()))
    console.password(new=True, stack="dev")
    assert deployed == ["config:\n  dyber:console:\n    enabled: true # at home\n    passwordGeneration: 5\n"]
    shown = capsys.readouterr()
    assert shown.out == "correct-horse\n"
    assert "all sessions have ended" in shown.err
