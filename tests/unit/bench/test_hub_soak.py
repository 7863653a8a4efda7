"""The hour at the hub counts what was lost by its cause, and fails for losses without one and for growth."""

from __future__ import annotations

import pytest

from bench.hub.soak import Event, Samples, cause, plan, report
from bench.hub.soak_load import Load, Outcome, described

KILLED = Event("kill hub", 100.0, 101.0)


def load(*outcomes: Outcome) -> Load:
    return Load("http://unused", {}, (), {"modern": 2, "sse": 1}, 1.0, outcomes=list(outcomes))


def samples(*memory: float) -> Samples:
    taken = Samples()
    for number, value in enumerate(memory):
        for name, figure in (("at", 60.0 * number), ("memory", value), ("files", 10), ("connections", 5)):
            taken.values["hub-server", "hub-1", 7][name].append(figure)
    return taken


@pytest.mark.parametrize(
    ("begun", "at", "expected"),
    [(90, 99, ""), (90, 100, "kill hub"), (100.5, 100.6, "kill hub"), (110, 112, "kill hub"), (112, 113, "")],
)
def test_a_loss_belongs_to_what_happened_meanwhile_or_shortly_before(begun: float, at: float, expected: str) -> None:
    assert cause(Outcome(begun, at, "sse", "lost"), [KILLED]) == expected


@pytest.mark.parametrize(
    ("outcome", "memory", "expected"),
    [
        (Outcome(1, 2, "modern", "ok"), (60.0,) * 10, True),
        (Outcome(99, 101, "modern", "lost", "Connection closed"), (60.0,) * 10, True),
        (Outcome(1, 2, "modern", "lost", "Connection closed"), (60.0,) * 10, False),
        (Outcome(1, 2, "modern", "told", "service_down"), (60.0,) * 10, False),
        (Outcome(1, 2, "modern", "ok"), (60.0, 60.0, 60.0, 61.0, 62.0, 63.0, 64.0, 65.0, 66.0, 67.0), False),
    ],
)
def test_losses_without_a_cause_and_growth_are_failures(
    capsys: pytest.CaptureFixture[str], outcome: Outcome, memory: tuple[float, ...], expected: bool
) -> None:
    assert report(load(outcome), samples(*memory), [KILLED], 0.05) is expected
    printed = capsys.readouterr().out
    assert "| 2 modern | 1 |" in printed and "| 1 sse | 0 |" in printed
    assert outcome.detail in printed
    assert "| hub-server | 9 |" in printed


def test_a_role_is_judged_by_the_container_that_ran_longest() -> None:
    taken = samples(60.0, 60.0, 60.0)
    taken.values["hub-server", "hub-2", 8]["memory"].append(90.0)
    assert taken.longest()["hub-server"]["memory"] == [60.0, 60.0, 60.0]


def test_the_hub_is_left_alone_for_the_last_three_fifths() -> None:
    steps = plan(60)
    assert [minute for minute, _ in steps] == sorted(minute for minute, _ in steps)
    assert max(minute for minute, name in steps if name == "kill hub") < 24
    assert {name for minute, name in steps if minute > 24} == {"reload gateway", "kill template", "redeploy template"}


def test_errors_are_described_by_their_kinds() -> None:
    group = ExceptionGroup("a", [OSError("x"), ExceptionGroup("b", [ValueError("y"), OSError("z")])])
    assert described(group) == "OSError, ValueError"
