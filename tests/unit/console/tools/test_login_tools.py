"""Finds the tools with which a person logs a service in."""

from __future__ import annotations

from pathlib import Path

import pytest
from dyber_console.settings import Settings
from dyber_console.tools.calling import Listing, Tools
from dyber_console.tools.logins import Logins
from mcp.types import Tool

STATUS = {"type": "object", "properties": {"logged_in": {"type": "boolean"}}}


def named(name: str, output: dict[str, object] | None = None) -> Tool:
    return Tool(name=name, input_schema={"type": "object"}, output_schema=output)


@pytest.mark.parametrize(
    ("tools", "found"),
    [
        (["weibo_login_status", "weibo_login_qrcode"], ("weibo_login_status", "weibo_login_qrcode")),
        (["zhihu_login_qrcode", "zhihu_status"], ("zhihu_status", "zhihu_login_qrcode")),
        (["zhihu_login_qrcode", "other_status"], None),
        (["github_status"], None),
        (["x_login_status"], None),
    ],
)
def test_a_login_needs_a_code_and_a_tool_that_says_how_it_stands(
    tools: list[str], found: tuple[str, str] | None
) -> None:
    calling = Tools(Settings(password_hash="", data_dir=Path("/nonexistent")))
    calling.listings["service"] = Listing(tuple(named(name, STATUS) for name in tools), 0.0)
    pair = Logins(calling).login_tools("service")
    assert (pair and tuple(tool.name for tool in pair)) == found


def test_a_status_that_says_nothing_of_a_login_is_none() -> None:
    calling = Tools(Settings(password_hash="", data_dir=Path("/nonexistent")))
    calling.listings["service"] = Listing((named("zhihu_login_qrcode"), named("zhihu_status")), 0.0)
    assert Logins(calling).login_tools("service") is None


def test_a_malformed_schema_says_nothing_of_a_login() -> None:
    calling = Tools(Settings(password_hash="", data_dir=Path("/nonexistent")))
    broken = Tool(name="zhihu_status", input_schema={"type": "object"}, output_schema={"properties": 5})
    calling.listings["service"] = Listing((named("zhihu_login_qrcode"), broken), 0.0)
    assert Logins(calling).login_tools("service") is None
