"""Tests of the tokens that the tools cost an agent, and of the published output schemas."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from dyber_kit import Settings
from dyber_kit.contract import all_tools
from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.model.answers import Comments, Note, NoteList
from xiaohongshu_server.service import build_app

from tests.stand_in.running import free_port
from tests.stand_in.tokens import SEEN, tokens_of


def listed(settings: Settings) -> list[dict[str, Any]]:
    tools = asyncio.run(build_app(settings).mcp.list_tools())
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def test_the_read_tools_cost_few_tokens():
    tools = listed(Settings(port=free_port()))
    assert len(tools) == 10
    assert tokens_of(tools, *SEEN) <= 1400
    assert tokens_of(tools, *SEEN, "outputSchema") <= 2000


def test_the_write_tools_cost_few_tokens():
    tools = [tool for tool in listed(all_tools(free_port())) if not tool["annotations"]["readOnlyHint"]]
    assert tokens_of(tools, *SEEN, "outputSchema") <= 1500


@pytest.mark.parametrize("model", [Note, NoteList])
def test_a_published_output_schema_names_every_field(model):
    schema = model.model_json_schema()
    assert set(schema["properties"]) == set(model.model_fields)
    assert "$defs" not in schema


def test_a_published_output_schema_types_fields_that_are_neither_text_nor_null():
    fields = Comments.model_json_schema()["properties"]
    assert (fields["items"], fields["count"], fields["complete"]) == (
        {"type": "array"},
        {"type": "integer"},
        {"type": "boolean"},
    )
    assert (fields["fetched_at"], fields["total"]) == ({}, {})
    assert Analysis.model_json_schema()["properties"]["sample"] == {"type": "object"}


def test_tools_that_change_the_session_are_not_idempotent():
    hints = {tool["name"]: tool["annotations"] for tool in listed(Settings(port=free_port()))}
    assert hints["xhs_login_qrcode"]["idempotentHint"] is False
    assert hints["xhs_search_notes"]["idempotentHint"] is True
