"""Reads the results of tools for tests, and writes sessions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dyber_kit.browser.sessions import SessionStore
from mcp.types import CallToolResult

from tests.stand_in.platforms.zhihu.pages import COOKIE


def answer_of(result: CallToolResult) -> dict[str, Any]:
    assert not result.is_error, result.content[0].text
    return result.structured_content


def error_of(result: CallToolResult) -> str:
    assert result.is_error, result.structured_content
    return result.content[0].text


def write_session(folder: Path, value: str = "member-1") -> None:
    cookie = {
        "name": COOKIE, "value": value, "domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": True,
        "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    SessionStore(folder).write({"cookies": [cookie], "origins": []})
