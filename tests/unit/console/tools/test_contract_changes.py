"""Judges changes of tools from the caller's side."""

from __future__ import annotations

from typing import Any

import pytest
from dyber_console.language import using_language
from dyber_console.tools.contract_changes import Change, Effect, compare

READS = {"readOnlyHint": True}


def tool(**changes: Any) -> dict[str, Any]:
    properties = {"query": {"type": "string"}, "limit": {"type": "integer", "default": 10}}
    schema = {"type": "object", "properties": properties, "required": ["query"]}
    return {"description": "Search.", "inputSchema": schema, "annotations": READS, **changes}


def schema(required: tuple[str, ...] = ("query",), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


QUERY = {"type": "string"}
LIMIT = {"type": "integer", "default": 10}


@pytest.mark.parametrize(
    ("after", "effect", "text"),
    [
        (tool(description="Look."), Effect.READS, "description changed, agents will read"),
        (tool(title="Search"), Effect.READS, "title changed, agents will read"),
        (tool(annotations={}), Effect.BREAKS, "no longer only reads"),
        (tool(annotations={**READS, "openWorldHint": True}), Effect.COMPATIBLE, "annotations changed"),
        (tool(inputSchema=schema(query=QUERY)), Effect.BREAKS, "argument limit removed"),
        (
            tool(inputSchema=schema(("words",), words=QUERY, limit=LIMIT)),
            Effect.BREAKS,
            "argument query is now called words",
        ),
        (
            tool(inputSchema=schema(("query", "limit"), query=QUERY, limit=LIMIT)),
            Effect.BREAKS,
            "argument limit is now required",
        ),
        (tool(inputSchema=schema((), query=QUERY, limit=LIMIT)), Effect.COMPATIBLE, "argument query is now optional"),
        (
            tool(inputSchema=schema(query=QUERY, limit=LIMIT, sort={"type": "string"})),
            Effect.COMPATIBLE,
            "new optional argument sort",
        ),
        (
            tool(inputSchema=schema(("query", "sort"), query=QUERY, limit=LIMIT, sort={"enum": ["a"]})),
            Effect.BREAKS,
            "new required argument sort",
        ),
        (
            tool(inputSchema=schema(query=QUERY, limit={**LIMIT, "default": 20})),
            Effect.READS,
            "argument limit: default 10 → 20",
        ),
        (
            tool(inputSchema=schema(query=QUERY, limit={**LIMIT, "maximum": 5})),
            Effect.BREAKS,
            "argument limit takes other values",
        ),
        (
            tool(inputSchema=schema(query={**QUERY, "description": "Words"}, limit=LIMIT)),
            Effect.READS,
            "argument query: description changed, agents will read",
        ),
        (tool(outputSchema=schema(items={})), Effect.COMPATIBLE, "result items added"),
    ],
    ids=str,
)
def test_a_change_of_a_tool_has_its_effect(after: dict[str, Any], effect: Effect, text: str) -> None:
    with using_language("en"):
        found = compare({"search": tool()}, {"search": after})
    assert [(change.effect, change.text) for change in found] == [(effect, text)]


def test_results_that_go_break_callers() -> None:
    before, after = tool(outputSchema=schema(items={}, count={})), tool(outputSchema=schema(items={}))
    with using_language("en"):
        assert compare({"search": before}, {"search": after}) == [
            Change("search", Effect.BREAKS, "result count removed")
        ]


def test_the_worst_change_is_first_and_texts_come_along() -> None:
    before = {"search": tool(), "get": tool()}
    after = {"search": tool(description="Look."), "write": tool(annotations={})}
    with using_language("en"):
        found = compare(before, after)
    assert [(change.tool, change.effect.mark, change.text) for change in found] == [
        ("get", "✗", "tool removed"),
        ("search", "~", "description changed, agents will read"),
        ("write", "+", "new tool (writes)"),
    ]
    assert (found[1].before, found[1].after) == ("Search.", "Look.")


def test_a_list_that_may_lack_tools_removes_none() -> None:
    assert compare({"search": tool(), "write": tool()}, {"search": tool()}, complete=False) == []


def test_what_the_rules_do_not_know_is_a_change_all_the_same() -> None:
    with using_language("en"):
        found = compare({"search": tool()}, {"search": tool(icons=[{"src": "x"}])})
    assert [change.text for change in found] == ["changed in other ways"]
