"""Tests how bench/chaos.py classifies calls by their responses, and its table."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from bench.faults.calls import Call, Outcome, Row, Window, classify, table


def result(text: str, *, error: bool = False) -> str:
    return json.dumps({"result": {"content": [{"type": "text", "text": text}], "isError": error}}, ensure_ascii=False)


def call(begun: float, ended: float, outcome: Outcome = Outcome.OK, *, kind: str = "read", code: str = "") -> Call:
    return Call(f"call-{begun}", kind, begun, ended, outcome, code)


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (200, result("the-id"), (Outcome.OK, "")),
        (200, f"event: message\ndata: {result('the-id')}\n\n", (Outcome.OK, "")),
        (200, result("BUSY：服务正忙", error=True), (Outcome.REFUSED, "BUSY")),
        (200, f"event: message\ndata: {result('BUSY：服务正忙', error=True)}\n\n", (Outcome.REFUSED, "BUSY")),
        (200, json.dumps({"error": {"code": -32603, "message": "the-id"}}), (Outcome.REFUSED, "JSON-RPC -32603")),
        (503, json.dumps({"code": "circuit_open", "error": "…"}), (Outcome.REFUSED, "circuit_open")),
        (401, json.dumps({"error": "unauthorized"}), (Outcome.REFUSED, "unauthorized")),
        (502, "<html>502 Bad Gateway</html>", (Outcome.LOST, "502 without a reason")),
        (500, "", (Outcome.LOST, "500 without a reason")),
        (503, json.dumps({"status": "error"}), (Outcome.LOST, "503 without a reason")),
    ],
)
def test_a_response_is_right_or_refused_with_its_code_or_lost(
    status: int, text: str, outcome: tuple[Outcome, str]
) -> None:
    assert classify(status, text, "the-id") == outcome


def test_the_response_to_another_call_is_not_right() -> None:
    assert classify(200, result("another"), "the-id")[0] is Outcome.LOST
    assert classify(200, "", "the-id")[0] is Outcome.LOST


@pytest.mark.parametrize(
    ("begun", "ended", "excused"), [(1, 9.9, False), (1, 10, True), (10.5, 20, True), (11, 12, True), (11.1, 12, False)]
)
def test_a_lost_call_is_excused_when_it_was_in_flight_at_a_killed_container(
    begun: float, ended: float, excused: bool
) -> None:
    row = Row("x", [call(begun, ended, Outcome.LOST)], [Window(10, 11)])
    assert (not row.unexcused) == excused == row.good


def test_without_a_killed_container_no_lost_call_is_excused() -> None:
    assert not Row("x", [call(1, 2, Outcome.LOST)]).good


@pytest.mark.parametrize(
    "row",
    [
        Row("never recovered", [], recovery_seconds=None),
        Row("problem", [], problems=["status: exit code 1"]),
        Row("doubled", [call(1, 2, kind="write")], runs=Counter({"call-1": 2})),
    ],
)
def test_a_row_with_problems_afterwards_is_not_good(row: Row) -> None:
    assert not row.good


def test_a_write_that_was_answered_as_done_but_does_not_exist_is_missing() -> None:
    calls = [
        call(1, 2, kind="write"),
        call(3, 4, kind="write"),
        call(5, 6, Outcome.REFUSED, kind="write", code="service_down"),
        call(7, 8, Outcome.REFUSED, kind="write", code="service_down"),
        call(9, 10),
    ]
    row = Row("x", calls, runs=Counter({"call-1": 1, "call-5": 1}))
    assert (row.missing_writes, row.refused_but_done, row.doubled) == (["call-3"], 1, [])


def test_the_table_has_a_row_for_each_fault() -> None:
    calls = [
        call(1, 2, kind="write"),
        call(3, 4, Outcome.REFUSED, code="service_down"),
        call(5, 6, Outcome.REFUSED, code="circuit_open"),
        call(7, 8, Outcome.REFUSED, code="service_down"),
        call(9, 10, Outcome.LOST, code="ReadError()"),
        call(20, 21, Outcome.LOST, code="502 without a reason"),
    ]
    killed = Row("engine", calls, [Window(9.5, 9.6)], Counter({"call-1": 2}), 12.34, "page")
    good = Row("nothing", calls[:1], runs=Counter({"call-1": 1}))
    never = Row("redis", [], recovery_seconds=None, recovered_last="get", problems=["a | b"])
    assert table([killed, good, never]).splitlines()[2:] == [
        "| engine | 6 | 1 | 3 (service_down 2, circuit_open 1) | 2 (1 in flight at a killed container) | 1 | 12.3 (page) "
        "| nothing |",
        "| nothing | 1 | 1 | 0 | 0 | 0 | 0.0 | nothing |",
        "| redis | 0 | 0 | 0 | 0 | 0 | never (get) | a / b |",
    ]
