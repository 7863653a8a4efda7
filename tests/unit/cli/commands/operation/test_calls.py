"""`calls` shows who called what, when and with which outcome, as a table or as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import typer

from cli.commands.operation import calls
from cli.records import calls as records
from cli.records.calls import Query

CALL: dict[str, Any] = {
    "id": 7,
    "at": "2026-11-29T13:43:07.250+00:00",
    "client": "phone",
    "service": "zhihu",
    "tool": "zhihu_search",
    "outcome": "LOGIN_EXPIRED",
    "result": "failed",
    "seconds": 0.314,
    "status": 200,
    "tries": 1,
    "request_id": "r1",
    "remote": None,
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Query]]:
    """Give the console calls; the queries that it gets are returned."""
    monkeypatch.setenv("DYBER_LANG", "en")
    monkeypatch.setattr(calls, "deployed", lambda stack: (None, {}))
    monkeypatch.setattr(calls, "console_container", lambda deployment, outputs, stack: "c")

    def give(*found: dict[str, Any], then: type[BaseException] | None = None) -> list[Query]:
        queries: list[Query] = []

        def read(container: str, query: Query) -> Iterator[dict[str, Any]]:
            queries.append(query)
            yield from found
            if then:
                raise then

        monkeypatch.setattr(records, "read", read)
        monkeypatch.setattr(records, "follow", read)
        return queries

    return give


def test_a_row_has_time_duration_outcome_client_service_and_tool(
    recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str]
) -> None:
    again = {**CALL, "outcome": "ok", "result": "ok", "client": None, "tries": 2, "seconds": 12.0}
    recorded(CALL, again)
    calls.calls(stack="dev")
    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == ["time", "seconds", "outcome", "client", "service", "tool"]
    assert first.split()[2:] == ["0.31", "LOGIN_EXPIRED", "phone", "zhihu", "zhihu_search"]
    assert second.split()[2:] == ["12.00", "ok", "(2", "tries)", "-", "zhihu", "zhihu_search"]
    assert first.index("phone") == header.index("client") == second.index(" -") + 1


def test_text_of_others_cannot_command_the_terminal(
    recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str]
) -> None:
    recorded({**CALL, "tool": "a\x1b[2J\u202eb [red]"})
    calls.calls(stack="dev")
    assert "aU+001B[2JU+202Eb [red]" in capsys.readouterr().out


def test_json_is_one_object_per_line(recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str]) -> None:
    recorded(CALL, {**CALL, "id": 8})
    calls.calls(as_json=True, stack="dev")
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [CALL, {**CALL, "id": 8}]


def test_options_become_the_query(recorded: Callable[..., list[Query]]) -> None:
    queries = recorded()
    calls.calls(
        service="zhihu-mcp", tool="t", client="phone", outcome="failed", since="2026-11-29T10:00:00+00:00", slower=5,
        limit=3, stack="dev",
    )  # fmt: skip
    (query,) = queries
    assert query.since is not None and query.since.hour == 10
    assert (query.service, query.tool, query.client, query.outcome) == ("zhihu", "t", "phone", "failed")
    assert (query.before, query.slower, query.limit) == (None, 5, 3)


def test_a_time_that_is_none_is_explained(recorded: Callable[..., list[Query]]) -> None:
    recorded()
    with pytest.raises(typer.BadParameter, match=r"'soon' is no time; write 30m \(ago\), 21:43"):
        calls.calls(since="soon", stack="dev")


def test_none_says_so_and_prints_no_table(
    recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str]
) -> None:
    recorded()
    calls.calls(stack="dev")
    shown = capsys.readouterr()
    assert shown.out == "" and "No such calls are recorded" in shown.err


@pytest.mark.parametrize("as_json", [True, False])
def test_ctrl_c_ends_following_quietly(
    recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    recorded(CALL, then=KeyboardInterrupt)
    calls.calls(follow=True, as_json=as_json, stack="dev")
    shown = capsys.readouterr()
    assert "zhihu_search" in shown.out and shown.err == ""


def test_ctrl_c_before_the_end_of_a_list_is_an_interruption(recorded: Callable[..., list[Query]]) -> None:
    recorded(CALL, then=KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        calls.calls(as_json=True, stack="dev")


@pytest.mark.parametrize("as_json", [False, True])
def test_names_that_no_call_has_are_told_with_those_that_there_are(
    recorded: Callable[..., list[Query]], capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    recorded({"known": {"service": ["posts", "zhi\x1bhu"], "outcome": ["BUSY"], "new": ["x"]}})
    calls.calls(service="nope", outcome="nah", as_json=as_json, stack="dev")
    printed = capsys.readouterr()
    told = " ".join(printed.err.split())
    assert printed.out == ""
    assert "No call of the service nope is recorded, but calls of: posts, zhiU+001Bhu" in told
    assert "No call has the outcome nah" in told and "BUSY" in told
