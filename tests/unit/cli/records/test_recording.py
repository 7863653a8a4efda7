"""Each deployment leaves a line for the console, and a failure to write it never fails the deployment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cli.deployment.events import RULES_REFUSED, Cancelled, DeployError
from cli.engine import engine
from cli.engine.errors import EngineError
from cli.records import ends, history, recording
from cli.system.errors import StackError
from infra.schema.problems import ConfigurationError


@dataclass
class Written:
    """The history of one deployment, in memory."""

    deployment: str = "abc"
    stack: str = "dev"
    entries: list[Mapping[str, Any]] = field(default_factory=list)
    error: Exception | None = None

    def read(self) -> list[Mapping[str, Any]]:
        return self.entries

    def append(self, entries: Sequence[Mapping[str, Any]]) -> None:
        if self.error:
            raise self.error
        self.entries += entries


class OpenDeployment:
    name = "dev"

    def deployment_id(self) -> str:
        return "abc"


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.setattr(engine, "containers", lambda *filters: [])


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Written:
    """The history that every search finds."""
    place = Written()
    monkeypatch.setattr(history, "find", lambda **conditions: [place])
    return place


def attempt_that_raises(error: BaseException | None, *, begins: bool = True) -> None:
    with recording.attempt("dev") as attempt:
        if begins:
            attempt.begin(OpenDeployment())  # type: ignore[arg-type]
        attempt.changes = {"create": 2, "same": 40, "refresh": 3}
        if error is not None:
            raise error


def test_a_deployment_is_recorded_with_its_changes_its_author_and_its_commit(written: Written) -> None:
    attempt_that_raises(None)
    (entry,) = written.entries
    assert entry["kind"] == "deployment" and entry["outcome"] == "ok" and entry["reason"] == ""
    assert entry["operations"] == {"create": 2, "same": 40}
    assert entry["seconds"] >= 0 and "@" in entry["who"] and "commit" in entry


@pytest.mark.parametrize(
    ("error", "begins", "outcome", "reason"),
    [
        (DeployError("a port is taken", "", ["token 1234"]), True, "failed", "a port is taken"),
        (DeployError("no state", "", []), False, "refused", "no state"),
        (DeployError(RULES_REFUSED, "", ["no tls"]), True, "refused", f"{RULES_REFUSED}\nno tls"),
        (StackError("the stack is in use", ""), False, "refused", "the stack is in use"),
        (ConfigurationError("memoryMib: 1 is too small"), False, "refused", "memoryMib: 1 is too small"),
        (Cancelled(), True, "failed", "stopped by Ctrl-C"),
        (KeyboardInterrupt(), True, "failed", "stopped by Ctrl-C"),
        (RuntimeError("a secret"), True, "failed", "RuntimeError"),
        (RuntimeError("a secret"), False, "refused", "RuntimeError"),
        (StackError("https://me:word@host/ is away", ""), True, "failed", "https://me:****@host/ is away"),
    ],
)
def test_a_deployment_that_failed_or_was_refused_is_recorded_with_the_reason(
    written: Written, error: BaseException, begins: bool, outcome: str, reason: str
) -> None:
    with pytest.raises(type(error)):
        attempt_that_raises(error, begins=begins)
    (entry,) = written.entries
    assert (entry["outcome"], entry["reason"]) == (outcome, reason)


@pytest.mark.parametrize("error", [EngineError("no answer"), KeyboardInterrupt()])
def test_nothing_is_recorded_where_the_engine_does_not_answer_or_nothing_began(
    written: Written, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        attempt_that_raises(error, begins=False)
    assert written.entries == []


def test_a_failure_to_record_is_told_and_the_deployment_succeeds(
    written: Written, capsys: pytest.CaptureFixture[str]
) -> None:
    written.error = EngineError("no space left on device")
    attempt_that_raises(None)
    assert "not recorded for the console: no space left on device" in capsys.readouterr().err


def test_without_a_console_nothing_is_written_or_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "find", lambda **conditions: [])
    attempt_that_raises(None)
    assert capsys.readouterr().err == ""


def test_a_stack_of_two_deployments_gets_no_line_without_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [Written(), Written("def")]
    monkeypatch.setattr(history, "find", lambda **conditions: places)
    recording.record([{"kind": "promotion"}], stack="dev")
    assert [place.entries for place in places] == [[], []]


def test_ends_of_containers_are_recorded_before_a_deployment_replaces_them(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = {"kind": "ended", "at": "2026-11-29T23:09:10+00:00", "container": "zhihu-1", "reason": "exit"}
    monkeypatch.setattr(ends, "ended", lambda containers: [end])
    monkeypatch.setattr(ends, "with_events", lambda entries: entries)
    attempt_that_raises(None)
    assert [entry["kind"] for entry in written.entries] == ["ended", "deployment"]
    recording.record_all_ends()
    assert len(written.entries) == 2


def test_an_engine_that_does_not_answer_is_no_further_message_of_doctor(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(**conditions: object) -> list[Written]:
        raise EngineError("no answer")

    monkeypatch.setattr(history, "find", find)
    recording.record_all_ends()
    assert capsys.readouterr().err == ""


def test_backups_and_promotions_say_what_the_console_shows(tmp_path: Path) -> None:
    (tmp_path / "backup").write_bytes(b"12345")
    assert recording.backup(tmp_path / "backup")["bytes"] == 5
    entry = recording.promotion("dev", "test", ["zhihu"])
    assert (entry["kind"], entry["from"], entry["to"], entry["parts"]) == ("promotion", "dev", "test", ["zhihu"])
