"""What the tools cost an agent in tokens, and what is published of their results."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from dyber_kit import Settings
from dyber_kit.contract import all_tools
from stand_in.running import free_port
from xiaohongshu_server.models import Note, NoteList
from xiaohongshu_server.service import build_app

CHARS_PER_TOKEN = 4


def listed(settings: Settings) -> list[dict[str, Any]]:
    tools = asyncio.run(build_app(settings).mcp.list_tools())
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def tokens(tools: list[dict[str, Any]], *parts: str) -> float:
    chosen = [{part: tool[part] for part in parts} for tool in tools]
    return sum(len(json.dumps(tool, ensure_ascii=False, separators=(",", ":"))) for tool in chosen) / CHARS_PER_TOKEN


def test_the_read_tools_cost_few_tokens():
    tools = listed(Settings(port=free_port()))
    assert len(tools) == 10
    assert tokens(tools, "inputSchema", "outputSchema") <= 2000
    # What clients put before the model.
    assert tokens(tools, "name", "description", "inputSchema") <= 1500


def test_the_write_tools_cost_few_tokens():
    tools = [tool for tool in listed(all_tools(free_port())) if not tool["annotations"]["readOnlyHint"]]
    assert tokens(tools, "name", "description", "inputSchema") <= 1500


@pytest.mark.parametrize("model", [Note, NoteList])
def test_a_published_result_names_and_types_every_field(model):
    schema = model.model_json_schema()
    assert set(schema["properties"]) == set(model.model_fields)
    assert "$defs" not in schema
    assert NoteList.model_json_schema()["properties"]["next_cursor"] == {"type": ["string", "null"]}
    assert NoteList.model_json_schema()["properties"]["items"] == {"type": "array", "items": {"type": "object"}}


def test_tools_that_change_the_session_say_so():
    hints = {tool["name"]: tool["annotations"] for tool in listed(Settings(port=free_port()))}
    assert hints["xhs_login_qrcode"]["idempotentHint"] is False
    assert hints["xhs_search_notes"]["idempotentHint"] is True
