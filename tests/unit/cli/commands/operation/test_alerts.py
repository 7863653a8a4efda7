"""Tests `alerts`: what it shows of a test and of Alertmanager, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from cli.commands.operation import alerts
from cli.engine.errors import CommandFailed
from cli.inventory import alerting
from cli.system.errors import StackError

OUTPUTS = {"monitoring": {"alerts": {"receivers": ["family", "team"], "alertmanager": "am", "sender": "sender"}}}
TAKEN = {"taken": True, "answer": 'HTTP 200 {"errcode": 0}'}
REFUSED = {"taken": False, "answer": "sign not match"}
ALERT = {
    "labels": {"alertname": "ServiceDown", "severity": "critical", "service": "weibo"},
    "annotations": {"summary": "没有容器 / no container", "next_step": "./deploy.sh logs weibo"},
    "status": {"state": "active"},
}
Answer = Callable[[str, Sequence[str]], str]
Run = Callable[..., Result]


@pytest.fixture
def asked() -> list[tuple[str, list[str]]]:
    """The commands that were run in containers."""
    return []


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, asked: list[tuple[str, list[str]]]) -> Run:
    """Return a function that runs the command; containers answer with `answer`, as text or an error."""
    monkeypatch.setattr(alerts, "deployed", lambda stack: (None, OUTPUTS))

    def execute(answers: dict[str, Any], *arguments: str) -> Result:
        def in_container(container: str, command: Sequence[str], *, seconds: float = 0) -> str:
            asked.append((container, list(command)))
            answer = next(answers[word] for word in command if word in answers)
            if isinstance(answer, Exception):
                raise answer
            return json.dumps(answer)

        monkeypatch.setattr(alerting, "execute", in_container)
        return CliRunner().invoke(app, ["alerts", *arguments])

    return execute


def result(known: bool = True, alertmanager: str | None = None, **receivers: Any) -> dict[str, Any]:
    return {"prometheus_knows_alertmanager": known, "alertmanager": alertmanager, "receivers": receivers}


def test_a_test_shows_what_each_receiver_answered(run: Run, asked: list[tuple[str, list[str]]]) -> None:
    done = run({"test": result(family=TAKEN, team=TAKEN)}, "test")
    assert done.exit_code == 0
    assert done.output.count('HTTP 200 {"errcode": 0}') == 2
    assert asked == [("sender", ["python3", "-m", "dyber_alerts", "test"])]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (result(family=TAKEN, team=REFUSED), "sign not match"),
        (result(family=TAKEN, team=None), "team"),
        (result(known=False, family=TAKEN), "Alertmanager"),
        (result(alertmanager="HTTP 400 bad", family=None), "HTTP 400 bad"),
    ],
)
def test_a_test_that_did_not_arrive_says_why_and_ends_with_1(run: Run, outcome: dict[str, Any], words: str) -> None:
    done = run({"test": outcome}, "test")
    assert done.exit_code == 1
    assert words in done.output


def test_a_single_receiver_can_be_tested_and_an_unknown_one_is_refused_with_the_known_ones(
    run: Run, asked: list[tuple[str, list[str]]]
) -> None:
    run({"test": result(team=TAKEN)}, "test", "team")
    assert asked[0][1][-1] == "team"
    refused = run({}, "test", "taem")
    assert isinstance(refused.exception, StackError) and "family, team" in str(refused.exception)
    assert len(asked) == 1


def test_a_stack_that_sends_nothing_says_where_to_read_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts, "deployed", lambda stack: (None, {"monitoring": {"url": "x"}}))
    refused = CliRunner().invoke(app, ["alerts", "list"])
    assert isinstance(refused.exception, StackError)
    assert "docs/monitoring" in refused.exception.next_step


def test_the_list_shows_alerts_in_the_users_language_without_tests(run: Run) -> None:
    silenced = {**ALERT, "labels": {"alertname": "CallsSlow"}, "status": {"state": "suppressed"}}
    test = {**ALERT, "labels": {"alertname": "DyberTest"}}
    silence = {"id": "abc", "endsAt": "2026-11-30T00:00:00Z", "matchers": [{"name": "alertname", "value": "CallsSlow"}]}
    shown = run({"alert": [ALERT, silenced, test], "silence": [silence]}, "list").output
    assert "ServiceDown [critical] 没有容器" in shown or "ServiceDown [critical] no container" in shown
    assert "没有容器 / no container" not in shown
    assert "DyberTest" not in shown
    assert "abc" in shown and "alertname=CallsSlow" in shown


def test_a_silence_is_of_an_alert_and_a_service(run: Run, asked: list[tuple[str, list[str]]]) -> None:
    done = run({"silence": "abc"}, "silence", "CallsSlow", "--for", "30m", "--service", 'a"b')
    assert done.exit_code == 0 and "unsilence" in done.output
    assert asked[0][1][-3:] == ["--duration=30m", 'alertname="CallsSlow"', 'service="a\\"b"']


@pytest.mark.parametrize("duration", ["2", "2 hours", "-1h", "0m"])
def test_a_duration_that_cannot_be_used_is_refused(run: Run, duration: str) -> None:
    refused = run({}, "silence", "CallsSlow", f"--for={duration}")
    assert isinstance(refused.exception, StackError) and "30m" in str(refused.exception)


def test_only_a_silence_that_holds_can_be_ended(run: Run) -> None:
    refused = run({"silence": [{"id": "abc"}]}, "unsilence", "abd")
    assert isinstance(refused.exception, StackError) and "abd" in str(refused.exception)


def test_what_alertmanager_refuses_is_shown(run: Run) -> None:
    refused = run({"silence": CommandFailed("bad matcher")}, "silence", "CallsSlow")
    assert isinstance(refused.exception, StackError) and "bad matcher" in str(refused.exception)
