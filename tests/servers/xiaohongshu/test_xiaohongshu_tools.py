"""Tests of the tokens that the tools cost an agent, and of the published output schemas."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from dyber_kit import Settings
from dyber_kit.contract import all_tools
from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.model.answers import Comment, Comments, LoginStatus, Note, NoteList, NoteSummary, SearchResults
from xiaohongshu_server.service import VERSION, build_app

from tests.stand_in.running import free_port
from tests.stand_in.tokens import SEEN, tokens_of


def listed(settings: Settings) -> list[dict[str, Any]]:
    tools = asyncio.run(build_app(settings).mcp.list_tools())
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def test_the_read_tools_cost_few_tokens():
    tools = listed(Settings(port=free_port()))
    assert len(tools) == 11
    assert tokens_of(tools, *SEEN) <= 1950


def test_the_write_tools_cost_few_tokens():
    tools = [tool for tool in listed(all_tools(free_port())) if not tool["annotations"]["readOnlyHint"]]
    assert tokens_of(tools, *SEEN, "outputSchema") <= 1500


@pytest.mark.parametrize("tool", ["xhs_search_notes", "xhs_get_note", "xhs_get_comments", "xhs_get_user"])
def test_the_argument_verbose_names_the_fields_that_the_schema_leaves_out(tool):
    published = {entry["name"]: entry for entry in listed(Settings(port=free_port()))}[tool]
    items = {"xhs_get_note": "comments", "xhs_get_user": "notes"}.get(tool, "items")
    shown = published["outputSchema"]["properties"][items]["items"]["properties"]
    model = Comment if "comment_id" in shown else NoteSummary
    described = published["inputSchema"]["properties"]["verbose"]["description"]
    assert [name for name in model.model_fields if name not in shown and name not in described] == []
    assert "user_ref" not in shown


def test_the_version_differs_from_that_with_a_tool_for_links_so_that_its_cached_answers_are_not_read():
    assert "xhs_resolve_link" not in {tool["name"] for tool in listed(Settings(port=free_port()))}
    assert int(VERSION.partition(".")[0]) >= 3


def test_every_tool_says_what_an_agent_must_know_in_few_characters():
    for tool in listed(all_tools(free_port())):
        assert 20 <= len(tool["description"]) <= 2000


@pytest.mark.parametrize("model", [Note, SearchResults])
def test_a_published_output_schema_names_every_field(model):
    schema = model.model_json_schema()
    assert set(schema["properties"]) == set(model.model_fields)
    assert "$defs" not in schema


def test_a_published_output_schema_shows_the_fields_of_nested_items():
    fields = Comments.model_json_schema()["properties"]
    comment = fields["items"]["items"]["properties"]
    assert comment["likes"] == {"type": "integer"}
    assert comment["replies"]["items"]["properties"]["author"] == {}  # a text
    assert (fields["total"], fields["complete"]) == ({"type": "integer"}, {"type": "boolean"})
    assert LoginStatus.model_json_schema()["properties"]["risk"] == {"enum": ["ok", "captcha", "limited", "restricted"]}
    spread = Analysis.model_json_schema()["properties"]["engagement"]["additionalProperties"]
    assert spread["properties"]["max"] == {"type": "integer"}


def test_an_answer_leaves_out_fields_without_a_value_and_keeps_its_lists_and_flags():
    answer = NoteList(items=[], count=0, complete=False, fetched_at="now").model_dump(mode="json")
    assert answer == {
        "items": [], "count": 0, "complete": False, "warnings": [], "source": "browser", "fetched_at": "now",
    }  # fmt: skip


def test_tools_that_change_the_session_are_not_idempotent():
    hints = {tool["name"]: tool["annotations"] for tool in listed(Settings(port=free_port()))}
    assert hints["xhs_login_qrcode"]["idempotentHint"] is False
    assert hints["xhs_search_notes"]["idempotentHint"] is True
