"""The benchmark of the hub reads answers of every kind, sends what each protocol era sends, and prints ratios."""

from __future__ import annotations

import json

import httpx2
import pytest

from bench.hub.__main__ import Figures, show
from bench.hub.requests import MODERN, OLD, WrongAnswerError, call, handshake, result_of, tools_list

RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{"name": "a"}]}}
JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        (json.dumps(RESULT), JSON),
        (f"event: message\ndata: {json.dumps(RESULT)}\n\n", EVENTS),
        (f': ping\n\ndata: {{"method": "notifications/progress"}}\n\ndata: {json.dumps(RESULT)}\n\n', EVENTS),
    ],
)
def test_a_result_is_read_from_json_and_from_the_end_of_an_event_stream(text: str, headers: dict[str, str]) -> None:
    assert result_of(httpx2.Response(200, text=text, headers=headers)) == RESULT["result"]


@pytest.mark.parametrize(("status", "text"), [(502, "<html>"), (200, '{"error": {"code": -32602}}'), (202, "")])
def test_a_response_without_a_result_does_not_count(status: int, text: str) -> None:
    with pytest.raises(WrongAnswerError, match=str(status)):
        result_of(httpx2.Response(status, text=text, headers=JSON))


def test_only_the_newer_era_names_method_and_tool_in_headers() -> None:
    assert call("mail_get_files").headers(MODERN)["Mcp-Name"] == "mail_get_files"
    assert "Mcp-Name" not in tools_list().headers(MODERN)
    assert not {"Mcp-Method", "Mcp-Name"} & call("mail_get_files").headers(OLD).keys()
    assert "_meta" in call("mail_get_files").body(MODERN, 1)["params"]
    assert "_meta" not in call("mail_get_files").body(OLD, 1)["params"]


def test_failed_calls_and_short_lists_do_not_count() -> None:
    assert call("a").expected({"content": []})
    assert not call("a").expected({"content": [], "isError": True})
    assert tools_list(1).expected({"tools": [{}]})
    assert not tools_list(2).expected({"tools": [{}]})
    assert [handshake(era).method for era in (MODERN, OLD)] == ["server/discover", "initialize"]


def test_the_table_compares_within_an_era(capsys: pytest.CaptureFixture[str]) -> None:
    figures = {
        ("gateway", MODERN): Figures([100, 300, 200], [0.001], [70, 90, 80], {0: 0.0010, 1: 0.0020, 2: 0.0030}),
        ("gateway", OLD): Figures([100], [0.002], [85], {0: 0.002}),
        ("hub", MODERN): Figures([190], [0.0011], [81.6], {0: 0.0011, 1: 0.0023, 2: 0.0032}),
        ("hub", OLD): Figures([50], [0.002, 0.004, 0.003], [99], {0: 0.0019, 1: 0.5}),
    }
    show("tools/call", figures, "gateway")
    assert capsys.readouterr().out.splitlines()[3:] == [
        f"| gateway | {MODERN} | 200.0 | 1.000 | 1.00 | +0 | 80 |",
        f"| hub | {MODERN} | 190.0 | 0.950 | 1.10 | +200 | 82 |",
        f"| gateway | {OLD} | 100.0 | 1.000 | 2.00 | +0 | 85 |",
        f"| hub | {OLD} | 50.0 | 0.500 | 3.00 | -100 | 99 |",
    ]
