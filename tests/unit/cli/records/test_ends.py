"""The engine's descriptions of containers tell which ended by themselves, and why."""

from __future__ import annotations

from typing import Any

import pytest

from cli.records import ends
from tests.support.fake_engine import use_engine

AT = "2026-11-29T23:09:10.890377311Z"
ENTRY: dict[str, Any] = {
    "kind": "ended",
    "at": "2026-11-29T23:09:10.890+00:00",
    "service": "zhihu",
    "container": "zhihu-1",
    "reason": "exit",
    "exit_code": None,
    "memory_mib": 256,
}


def container(restarts: int = 1, memory: int = 256 * 2**20, **state: Any) -> dict[str, Any]:
    """Describe a container that the engine has started again."""
    return {
        "Name": "/zhihu-1",
        "Config": {"Labels": {"dyber.service": "zhihu"}},
        "HostConfig": {"Memory": memory},
        "RestartCount": restarts,
        "State": {"FinishedAt": AT, "OOMKilled": False, "Restarting": False, "ExitCode": 0, **state},
    }


@pytest.mark.parametrize(
    ("described", "changes"),
    [
        (container(), {}),
        (container(OOMKilled=True), {"reason": "out_of_memory"}),
        (container(Restarting=True, ExitCode=7), {"exit_code": 7}),
        (container(memory=0), {"memory_mib": None}),
    ],
    ids=["runs again", "out of memory", "is about to run again", "without a limit"],
)
def test_a_container_that_the_engine_started_again_ended_by_itself(
    described: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert ends.ended([described]) == [{**ENTRY, **changes}]


@pytest.mark.parametrize(
    "described",
    [
        container(restarts=0, ExitCode=137),
        container(restarts=0, FinishedAt="0001-01-01T00:00:00Z"),
        container(restarts=0, OOMKilled=True),
    ],
    ids=["stopped by a person", "never ended", "a child was killed"],
)
def test_other_containers_did_not_end_by_themselves(described: dict[str, Any]) -> None:
    assert ends.ended([described]) == []


def test_an_end_is_recorded_once_and_one_of_many_in_a_row() -> None:
    later = {**ENTRY, "at": "2026-11-29T23:15:00+00:00"}
    much_later = {**ENTRY, "at": "2026-11-29T23:20:00+00:00"}
    other = {**later, "reason": "out_of_memory"}
    recorded = [{"kind": "drift", "at": "x"}, {"kind": "ended"}, ENTRY]
    assert ends.unrecorded([ENTRY, later, other, much_later], recorded) == [other, much_later]
    assert ends.unrecorded([ENTRY], []) == [ENTRY]


class Events:
    """An engine that still knows these events: the action and the attributes of each."""

    def __init__(self, *events: tuple[str, dict[str, str]]) -> None:
        self.known = [{"Action": action, "Actor": {"Attributes": attributes}} for action, attributes in events]
        self.asked: dict[str, Any] = {}

    def events(self, **arguments: Any) -> list[dict[str, Any]]:
        self.asked = arguments
        return self.known


@pytest.mark.parametrize(
    ("events", "changes"),
    [
        ([("die", {"exitCode": "7"})], {"exit_code": 7}),
        ([("die", {"exitCode": "137"}), ("oom", {})], {"exit_code": 137, "reason": "out_of_memory"}),
        ([], {}),
    ],
    ids=["exit code", "lack of memory that was noted late", "forgotten"],
)
def test_the_engines_events_complete_what_its_description_lacks(
    monkeypatch: pytest.MonkeyPatch, events: list[tuple[str, dict[str, str]]], changes: dict[str, Any]
) -> None:
    engine = Events(*events)
    use_engine(monkeypatch, engine)
    assert ends.with_events([ENTRY]) == [{**ENTRY, **changes}]
    assert engine.asked["filters"]["container"] == ["zhihu-1"]
    assert engine.asked["since"] < 1_795_993_750 < engine.asked["until"]
