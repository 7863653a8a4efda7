"""Compares listed tools with a contract, as a caller with few or several accounts gets them."""

from __future__ import annotations

from typing import Any

import pytest
from dyber_console.tools.contracts import differences, digest
from mcp.types import Tool

QUERY = {"type": "string", "description": "Words."}
ACCOUNT = {"type": "string", "default": "", "description": "An account."}
WITH_CHOICE = ACCOUNT | {"enum": ["home", "work"], "default": "home"}


def tool(**arguments: Any) -> Tool:
    schema = {"type": "object", "properties": arguments, "required": ["query"]}
    return Tool.model_validate({"name": "search", "description": "Search.", "inputSchema": schema})


def contract(**arguments: Any) -> dict[str, Any]:
    content = tool(**arguments).model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"name"})
    return {"tools": {"search": {"sha256": digest(content), **content}}}


@pytest.mark.parametrize("listed", [{"query": QUERY}, {"query": QUERY, "account": WITH_CHOICE}])
def test_an_argument_that_depends_on_the_accounts_of_the_caller_is_no_difference(listed: dict[str, Any]) -> None:
    assert differences(contract(query=QUERY, account=ACCOUNT), (tool(**listed),)) == []


@pytest.mark.parametrize(
    ("locked", "listed"),
    [
        ({"query": QUERY, "account": ACCOUNT}, {"query": QUERY, "account": ACCOUNT | {"description": "Send it."}}),
        ({"query": QUERY, "limit": QUERY}, {"query": QUERY}),
        ({"query": QUERY}, {"query": QUERY, "account": ACCOUNT}),
        ({"query": QUERY, "account": ACCOUNT}, {"query": QUERY | {"description": "Secrets."}}),
    ],
)
def test_other_arguments_are_differences(locked: dict[str, Any], listed: dict[str, Any]) -> None:
    assert [change.tool for change in differences(contract(**locked), (tool(**listed),))] == ["search"]


@pytest.mark.parametrize(
    "schema",
    [{"required": 5}, {"required": [{}]}, {"properties": 5}, {"properties": {"account": 5}}],
    ids=str,
)
def test_a_malformed_schema_is_a_change(schema: dict[str, Any]) -> None:
    locked = {"tools": {"notes_list": {"inputSchema": {"properties": {"account": {"type": "string"}}}}}}
    listed = Tool(name="notes_list", input_schema={"type": "object", **schema})
    assert [change.tool for change in differences(locked, (listed,))] != []
