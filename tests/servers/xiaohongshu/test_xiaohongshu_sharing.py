"""Tests that concurrent equal calls open one page, and that answers in privacy mode are cached separately."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.serving.server import build_server
from dyber_kit.upstream.cache import Cache
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, stand_in_settings
from tests.stand_in.running import free_port, running

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"
SLOW = f"{data.SLOW_NOTE}:{data.TOKEN}"


def service(
    chromium: str, site: str, folder: Path, privacy: bool = False, **values: float
) -> AbstractContextManager[str]:
    """Run a further service with these settings; yields its base URL."""
    settings = Settings(port=free_port(), data_dir=folder, privacy=privacy)
    app = build_app(settings, stand_in_settings(site, folder, **values), BrowserSettings(chromium_path=chromium))
    return running(build_server(app))


@pytest.fixture
def client(xiaohongshu: str, stand_in) -> Iterator[Caller]:
    stand_in.app.state.pages.clear()
    yield Caller(xiaohongshu)


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("xhs_get_note", {"note": SLOW, "comments": 0}),
        ("xhs_get_comments", {"note": REF, "limit": 5}),
        ("xhs_search_notes", {"keyword": "慢", "limit": 2}),
        ("xhs_get_user", {"user": f"{data.USER}:{data.USER_TOKEN}", "notes": 2}),
        ("xhs_home_feed", {"limit": 2}),
        ("xhs_suggest", {"keyword": "咖啡"}),
        ("xhs_login_status", {}),
    ],
)
async def test_five_equal_calls_open_one_page(client, stand_in, tool, arguments):
    answers = await asyncio.gather(*(client(tool, **arguments) for _ in range(5)))
    assert len(stand_in.app.state.pages) == 1
    times = {"fetched_at", "checked_at"}
    assert len({str({key: value for key, value in answer.items() if key not in times}) for answer in answers}) == 1


async def test_a_caller_that_leaves_does_not_end_the_visit_of_the_others(client, stand_in):
    leaving = asyncio.create_task(client("xhs_get_note", note=SLOW, comments=0))
    staying = asyncio.create_task(client("xhs_get_note", note=SLOW, comments=0))
    while not stand_in.app.state.pages:
        await asyncio.sleep(0.02)
    leaving.cancel()
    assert (await staying)["title"] == "手冲咖啡入门"
    assert len(stand_in.app.state.pages) == 1


async def test_an_error_of_the_shared_page_reaches_all(client, stand_in):
    gone = f"{data.REMOVED_NOTE}:{data.TOKEN}"
    texts = await asyncio.gather(*(client.refusal("xhs_get_note", note=gone) for _ in range(3)))
    assert all(text.startswith("NOT_FOUND：") for text in texts)
    assert len(stand_in.app.state.pages) == 1


async def test_privacy_mode_does_not_use_answers_that_were_cached_with_names(chromium, site, tmp_path, monkeypatch):
    shared = Cache("xiaohongshu", "x")
    monkeypatch.setattr("dyber_kit.website.app.Cache.from_environment", lambda *_, **__: shared)
    expected = {False: ["用户7", "用户0", "用户7"], True: ["用**"] * 3}
    for privacy, names in expected.items():
        with service(chromium, site, tmp_path, privacy=privacy, cache_seconds=600) as base:
            client = Caller(base)
            note = await client("xhs_get_note", note=REF, comments=0)
            result = await client("xhs_search_notes", keyword="隐私", limit=1)
            user = await client("xhs_get_user", user=f"{data.USER}:{data.USER_TOKEN}", notes=0)
        assert [note["author"]["name"], result["items"][0]["author"], user["name"]] == names


async def test_an_analysis_in_privacy_mode_counts_masked_authors_separately(chromium, site, tmp_path):
    with service(chromium, site, tmp_path, privacy=True) as base:
        result = await Caller(base)("xhs_analyze", keyword="咖啡", sample=8, detail_sample=0)
    authors = result["top_authors"]
    assert {author["name"] for author in authors} == {"用**"}
    assert [author["notes"] for author in authors] == [1] * 5
    assert len({author["user_ref"] for author in authors}) == 5
