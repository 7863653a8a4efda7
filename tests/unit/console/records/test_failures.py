"""Tells failures that are over from those that still hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_console.records.failures import failures
from dyber_console.records.model import Call, Span
from dyber_console.records.store import Store

NOW = 1_795_873_267.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path / "console.sqlite")
    yield opened
    opened.close()


def record(store: Store, *calls: tuple[str, str], is_call: bool = True) -> None:
    """Record calls of a service in this order, each by its tool and its outcome."""
    store.add_calls(
        Call(NOW, "request", "trace", "phone", "zhihu", tool, outcome, 0.5, is_call=is_call) for tool, outcome in calls
    )


def lasting(store: Store) -> list[str]:
    return [failure.call.outcome for failure in failures(store, "zhihu") if not failure.is_over]


def test_without_failures_there_are_none(store: Store) -> None:
    record(store, ("search", "ok"), ("read", "NOT_FOUND"), ("", "cancelled"))
    assert failures(store, "zhihu") == []


@pytest.mark.parametrize("code", ["UPSTREAM_UNREACHABLE", "NOT_CONFIGURED", "LOGIN_EXPIRED", "INTERNAL"])
def test_neither_handshakes_nor_tools_that_never_failed_end_a_failure(store: Store, code: str) -> None:
    record(store, ("search", code))
    record(store, ("", "ok"), is_call=False)
    record(store, ("", "ok"), ("echo", "ok"), ("nonsense", "unknown_tool"), ("search", "INVALID_ARGUMENT"))
    assert lasting(store) == [code]


def test_a_success_of_the_tool_ends_its_failure(store: Store) -> None:
    record(store, ("search", "INTERNAL"), ("search", "ok"))
    (failure,) = failures(store, "zhihu")
    assert (failure.is_over, failure.call.tool) == (True, "search")


def test_a_tool_that_reaches_the_platform_again_ends_the_failures_of_all(store: Store) -> None:
    record(store, ("search", "UPSTREAM_UNREACHABLE"), ("read", "UPSTREAM_UNREACHABLE"), ("search", "ok"))
    assert lasting(store) == []


def test_a_failure_of_a_call_whose_tool_is_not_known_ends_with_any_call_that_is_answered(store: Store) -> None:
    record(store, ("", "service_timeout"), ("", "ok"))
    assert lasting(store) == ["service_timeout"]
    record(store, ("echo", "ok"))
    assert lasting(store) == []


def test_a_platform_s_failure_of_a_call_whose_tool_is_not_known_does_not_end_so(store: Store) -> None:
    record(store, ("", "UPSTREAM_UNREACHABLE"), ("search", "UPSTREAM_UNREACHABLE"), ("echo", "ok"))
    assert lasting(store) == ["UPSTREAM_UNREACHABLE"]


def test_each_tool_has_its_own_failure_where_the_platform_is_not_the_cause(store: Store) -> None:
    record(store, ("search", "INTERNAL"), ("read", "INTERNAL"), ("read", "ok"))
    (still, over) = failures(store, "zhihu")
    assert (still.call.tool, still.is_over, over.call.tool, over.is_over) == ("search", False, "read", True)


def test_content_that_the_platform_does_not_have_shows_that_it_was_reached(store: Store) -> None:
    record(store, ("read", "UPSTREAM_UNREACHABLE"), ("read", "CAPTCHA_REQUIRED"), ("read", "NOT_FOUND"))
    assert lasting(store) == ["CAPTCHA_REQUIRED"]


def test_any_call_that_the_service_answers_shows_that_it_is_there(store: Store) -> None:
    record(store, ("search", "service_down"), ("search", "circuit_open"), ("", "ok"), ("search", "too_large"))
    assert lasting(store) == ["circuit_open", "service_down"]
    record(store, ("echo", "INVALID_ARGUMENT"))
    assert lasting(store) == []


def test_a_newer_failure_that_is_over_hides_no_older_one(store: Store) -> None:
    record(store, ("search", "UPSTREAM_UNREACHABLE"), ("search", "service_down"), ("echo", "ok"))
    assert [(failure.call.outcome, failure.is_over) for failure in failures(store, "zhihu")] == [
        ("UPSTREAM_UNREACHABLE", False),
        ("service_down", True),
    ]


def test_failures_are_counted_since_they_were_over_last(store: Store) -> None:
    record(store, ("search", "BUSY"), ("search", "ok"), ("read", "BUSY"), ("search", "BUSY"), ("search", "BUSY"))
    (failure,) = failures(store, "zhihu")
    assert failure.count == 3


@pytest.mark.parametrize("outcome", ["unauthorized", "rate_limited", "http_400", "unknown_tool", "NOT_FOUND"])
def test_mistakes_of_callers_are_no_failures_of_the_service(store: Store, outcome: str) -> None:
    record(store, ("search", outcome))
    assert failures(store, "zhihu") == []


def test_the_settings_that_a_service_lacks_are_those_of_the_calls_span(store: Store) -> None:
    record(store, ("search", "NOT_CONFIGURED"))
    told = {"dyber.settings": "FEED_URL $(id) feed TOKEN"}
    store.add_spans([Span("trace", "2", "1", "zhihu", "call", NOW, 0.4, True, "search", "NOT_CONFIGURED", told)])
    (failure,) = failures(store, "zhihu")
    assert failure.settings == ("FEED_URL", "TOKEN")
