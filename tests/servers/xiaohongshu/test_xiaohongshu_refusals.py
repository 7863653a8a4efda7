"""Tests of the site's refusals in a real Chromium: they are reported at once, with the site's message."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, stand_in_settings
from tests.stand_in.running import free_port, running

#: Longer than the time limit of a test, so that a test that waits for the page's deadline fails.
PAGE_SECONDS = 300


def ref(note: str) -> str:
    return f"{note}:{data.TOKEN}"


@pytest.fixture(scope="module")
def client(chromium: str, site: str) -> Iterator[Caller]:
    app = build_app(
        Settings(port=free_port()),
        stand_in_settings(site, page_seconds=PAGE_SECONDS),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        yield Caller(base)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("xhs_search_notes", {"keyword": "没有权限"}),
        ("xhs_get_note", {"note": ref(data.FORBIDDEN_NOTE)}),
        ("xhs_get_user", {"user": f"{data.FORBIDDEN_USER}:{data.USER_TOKEN}"}),
    ],
)
async def test_a_missing_permission_is_reported_at_once_with_the_sites_message(client, tool, arguments):
    text = await client.refusal(tool, **arguments)
    assert text.startswith(f"ACCESS_RESTRICTED：小红书提示：{data.REFUSALS[-104]}")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("xhs_search_notes", {"keyword": "陌生代码"}),
        ("xhs_get_note", {"note": ref(data.STRANGE_NOTE)}),
        ("xhs_suggest", {"keyword": "陌生代码"}),
    ],
)
async def test_an_unknown_code_is_reported_at_once_with_the_sites_message(client, tool, arguments):
    text = await client.refusal(tool, **arguments)
    assert text.startswith("ACCESS_RESTRICTED：小红书提示：系统开小差了，请稍后再来")
    assert "（代码 -9999）" in text


@pytest.mark.parametrize("keyword", ["接口故障", "接口断线"])
async def test_a_failed_data_call_is_reported_at_once(client, keyword):
    assert (await client.refusal("xhs_search_notes", keyword=keyword)).startswith("UPSTREAM_UNREACHABLE：")


async def test_a_refused_qr_code_is_reported_as_a_refusal_and_not_as_a_changed_page(client, stand_in):
    stand_in.app.state.login = "refused"
    try:
        text = await client.refusal("xhs_login_qrcode")
    finally:
        stand_in.app.state.login = None
    assert text.startswith("ACCESS_RESTRICTED：小红书提示：今日获取二维码次数已达上限（代码 -9998）")


async def test_the_english_page_is_a_temporary_rate_limit(client, stand_in):
    stand_in.app.state.seen_english = False
    text = await client.refusal("xhs_get_note", note=ref(data.ENGLISH_NOTE))
    assert text.startswith("RATE_LIMITED：")
    assert "Available Right Now" in text
    note = await client("xhs_get_note", note=ref(data.ENGLISH_NOTE), comments=0)
    assert note["title"] == "手冲咖啡入门"


@pytest.fixture
def paused(chromium: str, site: str, tmp_path: Path) -> Iterator[Caller]:
    """Return a caller of a service that pauses for ten minutes after a refusal."""
    app = build_app(
        Settings(port=free_port(), data_dir=tmp_path, read_only=False),
        stand_in_settings(site, tmp_path, pause_seconds=600),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        yield Caller(base)


async def test_a_pause_is_reported_from_the_first_error_on_and_survives_a_restart(
    paused, chromium, stand_in, tmp_path, site
):
    first = await paused.refusal("xhs_get_note", note=ref(data.AWAY_NOTE))
    assert first.startswith("RATE_LIMITED：")
    assert "已暂停访问平台" in first
    stand_in.app.state.pages.clear()
    status = await paused("xhs_login_status")
    assert ("logged_in" in status, status["risk"]) == (False, "limited")
    assert status["paused_until"] > status["checked_at"]
    assert "已暂停访问平台" in status["next_step"]
    planned = await paused.refusal("xhs_like", note=ref(data.NORMAL_NOTE))
    assert planned.startswith("RATE_LIMITED：")
    app = build_app(
        Settings(port=free_port(), data_dir=tmp_path),
        stand_in_settings(site, tmp_path, pause_seconds=600),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        assert (await Caller(base).refusal("xhs_search_notes", keyword="咖啡")).startswith("RATE_LIMITED：")
    assert stand_in.app.state.pages == []


async def test_a_captcha_for_comments_begins_a_pause_and_the_note_is_shown(paused, stand_in):
    note = await paused("xhs_get_note", note=ref(data.GUARDED_NOTE), comments=5)
    assert note["title"] == "手冲咖啡入门" and "CAPTCHA_REQUIRED" in note["warnings"][0]
    stand_in.app.state.pages.clear()
    assert (await paused.refusal("xhs_search_notes", keyword="咖啡")).startswith("CAPTCHA_REQUIRED：")
    assert stand_in.app.state.pages == []


async def test_a_captcha_in_place_of_comments_begins_a_pause(paused):
    text = await paused.refusal("xhs_get_comments", note=ref(data.GUARDED_NOTE))
    assert text.startswith("CAPTCHA_REQUIRED：") and "已暂停访问平台" in text
