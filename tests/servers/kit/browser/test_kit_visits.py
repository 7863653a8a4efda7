"""Tests of reading pages of a platform with a real Chromium: state, calls, walls, and the end of a visit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.counting import count_requests
from dyber_kit.browser.platforms import Calls, Layout, Platform
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.visits import Paths, Snapshot, Visit, visiting
from prometheus_client import generate_latest

from tests.servers.kit.browser.conftest import INN
from tests.stand_in.platforms.small_platform import TOTAL
from tests.stand_in.running import StandIn

# One browser serves all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")
LIST: Paths = {"list": ["list"]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[BrowserPool]:
    pool = BrowserPool(BrowserSettings(chromium_path=chromium, max_pages=2))
    async with pool.running():
        yield pool


@asynccontextmanager
async def visit(
    browser: BrowserPool, inn: StandIn, case: str = "", *, platform: Platform = INN, seconds: float = 20
) -> AsyncIterator[Visit]:
    url = f"{inn.base}/posts?case={case}"
    async with browser.page() as page, visiting(page, platform, url, LIST, seconds) as opened:
        yield opened


def listed(snapshot: Snapshot) -> list[dict] | None:
    return snapshot["state"]["list"]


async def refusal(browser: BrowserPool, inn: StandIn, case: str, **options: object) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        async with visit(browser, inn, case, **options) as opened:
            await opened.until(listed)
    return caught.value


async def test_a_visit_returns_the_state_of_the_page_once_it_is_there(browser, inn):
    async with visit(browser, inn) as opened:
        posts = await opened.until(listed)
    assert posts[0] == {"id": 0, "text": "post 0"}


async def test_a_state_in_a_script_is_read_also_when_it_is_url_encoded(browser, inn):
    platform = replace(INN, layout=Layout(state="script#data"))
    async with visit(browser, inn, "in-script", platform=platform) as opened:
        assert await opened.until(listed) == [{"id": 1, "text": "百分号"}]


async def test_the_answer_to_a_call_of_the_page_is_captured(browser, inn):
    platform = replace(INN, layout=Layout(state=""))
    async with visit(browser, inn, platform=platform) as opened:
        answer = await opened.answered("/v1/posts")
    assert (len(answer["posts"]), answer["more"]) == (10, True)


async def test_a_platform_without_envelopes_gets_whole_answers(browser, inn):
    platform = replace(INN, calls=Calls(prefixes=("/data",), content=""), layout=Layout(state=""))
    async with visit(browser, inn, platform=platform) as opened:
        assert set(await opened.answered("/v1/posts")) == {"code", "data"}


async def test_a_list_grows_by_scrolling_to_its_end(browser, inn):
    async with visit(browser, inn) as opened:
        await opened.until(listed)
        ended = await opened.grow(lambda s: len(listed(s) or []), lambda s: s["marks"]["end"], target=1000)
        snapshot = await opened.snapshot()
    assert ended and len(listed(snapshot)) == TOTAL


async def test_a_list_grows_no_further_than_asked(browser, inn):
    async with visit(browser, inn) as opened:
        await opened.until(listed)
        assert not await opened.grow(lambda s: len(listed(s) or []), lambda s: s["marks"]["end"], target=5)
        assert len(listed(await opened.snapshot())) == 10


@pytest.mark.parametrize(
    ("case", "code", "message"),
    [
        ("limited", ErrorCode.RATE_LIMITED, "平台限制了访问频率"),
        ("unknown", ErrorCode.ACCESS_RESTRICTED, "驿站提示：今日客满（代码 -4711）"),
        ("no-account", ErrorCode.ACCESS_RESTRICTED, "驿站提示：风控"),
        ("deleted", ErrorCode.NOT_FOUND, "驿站提示：This post was deleted"),
        ("captcha", ErrorCode.CAPTCHA_REQUIRED, "平台要求人工验证"),
        ("redirect", ErrorCode.CAPTCHA_REQUIRED, "平台要求人工验证"),
        ("status", ErrorCode.RATE_LIMITED, "平台限制了访问频率"),
        ("stateless", ErrorCode.UPSTREAM_CHANGED, "平台页面结构已变化，无法读取"),
    ],
)
async def test_a_wall_is_reported_by_its_code_and_never_as_an_empty_list(browser, inn, case, code, message):
    error = await refusal(browser, inn, case)
    assert (error.code, error.message) == (code, message)


async def test_a_refusal_with_a_pause_tells_it(browser, inn):
    assert (await refusal(browser, inn, "status")).retry_after == 3600


async def test_a_refused_part_leaves_the_rest_of_the_page_usable(browser, inn):
    async with visit(browser, inn, "comments") as opened:
        await opened.answered("/v1/posts")
        await opened.until(lambda _: opened.part_wall)
        assert opened.part_wall.code is ErrorCode.LOGIN_REQUIRED


async def test_a_refused_call_that_the_page_works_without_is_known_by_its_name(browser, inn):
    async with visit(browser, inn) as opened:
        await opened.until(listed)
        await opened.page.locator("input").fill("x")
        refusal = await opened.until(lambda _: opened.refusals.get("/v1/suggest"))
        assert (refusal.code, opened.call_wall) == (ErrorCode.LOGIN_REQUIRED, None)
        assert await opened.until(listed)


async def test_an_action_returns_the_answer_to_the_call_that_it_causes(browser, inn):
    async with visit(browser, inn) as opened:
        box = opened.page.locator("input")
        answer = await opened.answer_to("/suggest", lambda: box.press_sequentially("t"), 10)
    assert answer["data"] == {"words": ["t?"]}


async def test_an_action_whose_call_is_refused_reports_the_wall(browser, inn):
    async with visit(browser, inn) as opened:
        box = opened.page.locator("input")
        with pytest.raises(ServiceError) as caught:
            await opened.answer_to("/suggest", lambda: box.press_sequentially("x"), 10)
    assert caught.value.code is ErrorCode.LOGIN_REQUIRED


async def test_an_action_without_a_call_means_that_the_page_has_changed(browser, inn):
    async with visit(browser, inn) as opened:
        with pytest.raises(ServiceError) as caught:
            await opened.answer_to("/suggest", lambda: opened.page.locator("body").click(), 0.5)
    assert caught.value.code is ErrorCode.UPSTREAM_CHANGED


async def test_a_page_without_data_ends_at_its_deadline_and_says_so(browser, inn):
    error = await refusal(browser, inn, "silent", seconds=2)
    assert (error.code, error.message) == (ErrorCode.TIMEOUT, "驿站页面在 2 秒内没有加载出内容")


async def test_a_visit_ends_before_its_call_does(browser, inn):
    with anyio.fail_after(4):
        error = await refusal(browser, inn, "silent", seconds=60)
    assert error.code is ErrorCode.TIMEOUT


async def test_a_call_without_time_opens_no_page(browser, inn):
    with anyio.fail_after(0.9):
        error = await refusal(browser, inn, "")
    assert (error.code, inn.app.state.visitors) == (ErrorCode.TIMEOUT, [])


async def test_a_cancelled_call_closes_its_page(browser, inn):
    async with anyio.create_task_group() as tasks:

        async def read() -> None:
            async with visit(browser, inn, "silent") as opened:
                pages.append(opened.page)
                loaded.set()
                await opened.until(listed)

        pages: list = []
        loaded = anyio.Event()
        tasks.start_soon(read)
        await loaded.wait()
        tasks.cancel_scope.cancel()
    assert pages[0].is_closed()


async def test_a_site_that_cannot_be_reached_is_named(browser, inn):
    with pytest.raises(ServiceError) as caught:
        async with browser.page() as page, visiting(page, INN, "http://127.0.0.1:1/", {}, 10):
            pass
    assert (caught.value.code, caught.value.message) == (ErrorCode.UPSTREAM_UNREACHABLE, "无法连接驿站")


async def test_pages_and_their_data_calls_are_counted_by_name_and_status(browser, inn):
    metrics = Metrics("inn")
    async with browser.page() as page:
        count_requests(page, INN.calls, metrics)
        async with visiting(page, INN, f"{inn.base}/posts?case=comments", LIST, 20) as opened:
            await opened.until(lambda _: opened.part_wall and opened.last_answer("/v1/posts"))
    counted = generate_latest(metrics.registry).decode()
    for endpoint in ("page", "posts", "other"):
        assert f'upstream_requests_total{{endpoint="{endpoint}",service="inn",status="200"}} 1.0' in counted


async def test_calls_to_another_site_are_neither_data_nor_a_wall(browser, inn):
    other = inn.base.replace("127.0.0.1", "localhost")
    fetch = "(url) => fetch(url, {mode: 'no-cors'}).then(() => null)"
    async with visit(browser, inn, "silent") as opened:
        await opened.page.evaluate(fetch, f"{other}/data/v1/posts?case=limited")
        await opened.page.evaluate(fetch, f"{other}/data/v1/posts?start=0")
        await opened.page.evaluate(fetch, f"{inn.base}/data/v1/suggest?word=a")
        await opened.answered("/v1/suggest")
        assert (opened.call_wall, opened.last_answer("/v1/posts")) == (None, {})


@pytest.mark.parametrize(
    ("url", "counts"),
    [
        ("https://inn.example/data/v1/posts", True),
        ("https://api.inn.example/data/v1/posts", True),
        ("https://not-inn.example/data/v1/posts", False),
        ("https://inn.example.other.test/data/v1/posts", False),
        ("ftp://inn.example/data/v1/posts", False),
        ("https://[inn.example/data/v1/posts", False),
    ],
)
async def test_an_address_is_of_the_platform_at_its_domains_and_below(url, counts):
    assert replace(INN, domains=("inn.example",)).serves(url) is counts


async def test_the_name_of_a_call_has_no_slash_at_its_end():
    calls = Calls(prefixes=("/data",), counted=("posts",))
    assert calls.name("https://inn.example/data/v1/posts/?page=2") == "/v1/posts"
    assert calls.endpoint("https://inn.example/data/v1/posts/", navigates=False) == "posts"
