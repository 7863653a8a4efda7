"""Tests of the whole service through its addresses, in a real Chromium on the stand-in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.language import using_language
from dyber_kit.serving.server import build_server
from mcp import Client

from tests.stand_in.redis_server import redis_server
from tests.stand_in.running import StandIn, free_port, running

from sample_browser_server import session
from sample_browser_server.config import BASE_URL_SETTING, SiteSettings
from sample_browser_server.service import build_app
from sample_browser_server.walls import WALLS
from sample_browser_stand_in import TOTAL

STATUS = "sample_browser_login_status"
CODE = "sample_browser_login_qrcode"
POSTS = "sample_browser_list_posts"


async def refusal_of(service: str, tool: str) -> str:
    async with Client(f"{service}/mcp") as client:
        result = await client.call_tool(tool, {})
    assert result.is_error
    return result.content[0].text


async def test_the_tools_are_listed_in_their_order(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
    assert names == [STATUS, CODE, POSTS]


async def test_posts_are_read_while_the_page_scrolls_to_its_end(service: str) -> None:
    async with Client(f"{service}/mcp") as client:
        few = (await client.call_tool(POSTS, {"limit": 3})).structured_content
        every = (await client.call_tool(POSTS, {"limit": 50})).structured_content
    assert (few["count"], few["complete"]) == (3, False)
    assert (every["count"], every["complete"]) == (TOTAL, True)
    assert [post["id"] for post in every["items"]] == [str(number) for number in range(TOTAL)]
    assert few["items"][1] == {
        "id": "1",
        "author": "测试",
        "text": "第 1 条",
        "likes": 12000,
        "published": "2026-01-05T00:00:00Z",
    }


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("limited", "RATE_LIMITED"),
        ("login", "LOGIN_REQUIRED"),
        ("unknown", "ACCESS_RESTRICTED"),
        ("changed", "UPSTREAM_CHANGED"),
        ("deleted", "NOT_FOUND"),
        ("captcha", "CAPTCHA_REQUIRED"),
        ("redirect", "CAPTCHA_REQUIRED"),
    ],
)
async def test_each_refusal_has_its_code(service: str, site: StandIn, case: str, code: str) -> None:
    site.app.state.case = case
    assert (await refusal_of(service, POSTS)).startswith(f"{code}：")


async def test_a_login_by_qr_code_is_seen_when_it_is_confirmed(service: str, site: StandIn) -> None:
    async with Client(f"{service}/mcp") as client:
        before = (await client.call_tool(STATUS, {})).structured_content
        shown = await client.call_tool(CODE, {})
        waiting = (await client.call_tool(STATUS, {})).structured_content
        site.app.state.scanned = True
        while waiting["login_step"] in ("scan", "confirm"):
            await asyncio.sleep(0.1)
            waiting = (await client.call_tool(STATUS, {})).structured_content
        again = (await client.call_tool(CODE, {})).structured_content
    assert (before["logged_in"], CODE in before["next_step"]) == (False, True)
    code = shown.structured_content
    assert (code["url"], code["logged_in"]) == (f"{site.base}/scan?id=1", False)
    assert [part.type for part in shown.content] == ["text", "image", "text"] and "█" in shown.content[-1].text
    assert (waiting["logged_in"], waiting["nickname"], again["logged_in"]) == (True, "an", True)


async def test_two_replicas_share_the_pages_of_a_day_through_redis(
    start: Callable[..., AbstractContextManager[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, password = free_port(), "password-of-the-test"
    monkeypatch.setenv("DYBER_REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("DYBER_REDIS_PORT", str(port))
    monkeypatch.setenv("DYBER_REDIS_PASSWORD", password)
    with (
        redis_server(tmp_path, port, password),
        start(tmp_path / "first", daily_pages=1) as first,
        start(tmp_path / "second", daily_pages=1) as second,
    ):
        async with Client(f"{first}/mcp") as client:
            assert not (await client.call_tool(POSTS, {})).is_error
        assert (await refusal_of(second, POSTS)).startswith("RATE_LIMITED：")


async def test_the_account_is_an_argument_only_where_several_are_configured() -> None:
    for accounts in (("main",), ("main", "second")):
        app = build_app(Settings(port=free_port()), SiteSettings(accounts=accounts))
        tools = {tool.name: tool for tool in await app.mcp.list_tools()}
        assert ("account" in tools[POSTS].input_schema["properties"]) is (len(accounts) > 1)


async def test_a_missing_address_is_named() -> None:
    with running(build_server(build_app(Settings(port=free_port()), SiteSettings()))) as base:
        for tool in (STATUS, CODE, POSTS):
            assert BASE_URL_SETTING in await refusal_of(base, tool)


def test_the_next_step_of_a_refusal_is_in_the_callers_language() -> None:
    refusal = WALLS.of_status(401)
    assert refusal is not None
    error = refusal.error()
    assert error.next_step.startswith(f"请调用 {CODE}")
    with using_language("en"):
        assert error.next_step.startswith(f"Call {CODE}")


def test_an_imported_session_is_kept_and_its_values_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    monkeypatch.setenv(BASE_URL_SETTING, "https://www.example.invalid")
    monkeypatch.setattr("sys.stdin", io.StringIO("member=secret-5f2c"))
    assert session.main(["import"]) == 0
    assert session.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "member" in shown and "secret-5f2c" not in shown
