"""Reads the results of tools for tests."""

from __future__ import annotations

from typing import Any

from mcp.types import CallToolResult


def answer_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content[0].text
    return result.structured_content


def error_of(result: CallToolResult) -> str:
    assert result.is_error, result.structured_content
    return result.content[0].text
