"""Helps tests to call the xiaohongshu service."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mcp import Client
from mcp.types import CallToolResult
from xiaohongshu_server.config import SiteSettings


class Caller:
    """Calls tools of the service at `base`, each over a new connection."""

    def __init__(self, base: str) -> None:
        self._base = base

    async def result(self, tool: str, **arguments: object) -> CallToolResult:
        """Return the tool's answer or error."""
        async with Client(f"{self._base}/mcp") as client:
            return await client.call_tool(tool, arguments)

    async def __call__(self, tool: str, **arguments: object) -> dict[str, Any]:
        """Return the tool's structured answer; fail the test at an error."""
        result = await self.result(tool, **arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    async def refusal(self, tool: str, **arguments: object) -> str:
        """Return the text of the tool's error; fail the test at an answer."""
        result = await self.result(tool, **arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text


def stand_in_settings(base_url: str, data_dir: Path | None = None, **values: Any) -> SiteSettings:
    """Return settings for the stand-in, without pauses between pages and without a cache."""
    defaults = {
        "base_url": base_url, "creator_url": base_url, "page_seconds": 20, "queue_seconds": 20, "interval_seconds": 0,
        "jitter_seconds": 0, "daily_pages": 10_000, "pause_seconds": 0, "cache_seconds": 0,
        "uploads": data_dir / "uploads" if data_dir else None,
    }  # fmt: skip
    return SiteSettings(**(defaults | values))


@contextlib.contextmanager
def logged_in(data_dir: Path, site: str, name: str = "SECRET", account: str = "default") -> Iterator[Path]:
    """Keep a session file for `account` until the context ends; `name` is the name of the logged-in user."""
    file = data_dir / ("storage_state.json" if account == "default" else f"storage_state.{account}.json")
    cookie = {
        "name": "web_session", "value": f"session-{name}", "domain": urlsplit(site).hostname, "path": "/",
        "expires": -1, "httpOnly": True, "secure": False, "sameSite": "Lax",
    }  # fmt: skip
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        json.dump({"cookies": [cookie], "origins": []}, opened)
    try:
        yield file
    finally:
        file.unlink(missing_ok=True)
