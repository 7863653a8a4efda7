"""Tests of writes in a page: the platform's answer, its refusal, and outcomes that stay unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.submitting import submitted
from dyber_kit.browser.visits import visiting

from tests.servers.kit.browser.conftest import INN
from tests.stand_in.running import StandIn

# One browser serves all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str) -> AsyncIterator[BrowserPool]:
    pool = BrowserPool(BrowserSettings(chromium_path=chromium))
    async with pool.running():
        yield pool


@pytest.fixture
def write(browser: BrowserPool, inn: StandIn) -> Write:
    return Write(browser, inn)


class Write:
    """Posts with an answer that the stand-in chooses, and counts the spent confirmations."""

    def __init__(self, browser: BrowserPool, inn: StandIn) -> None:
        self.browser, self.base, self.spent = browser, inn.base, 0

    def spend(self) -> None:
        self.spent += 1

    async def run(self, answer: str) -> None:
        async with self.browser.page() as page, visiting(page, INN, f"{self.base}/me", {}, 20) as visit:
            async with submitted(visit, "/v1/write", self.spend, refused_step="请换一个标题"):
                await page.evaluate(
                    "(answer) => { fetch('/data/v1/write?answer=' + answer, {method: 'POST'}); }", answer
                )

    async def refusal(self, answer: str) -> ServiceError:
        with pytest.raises(ServiceError) as caught:
            await self.run(answer)
        return caught.value


async def test_an_accepted_write_spends_its_confirmation_once(write):
    await write.run("good")
    assert write.spent == 1


async def test_a_refused_write_has_the_platforms_words_and_the_services_next_step(write):
    error = await write.refusal("refused")
    assert error.code is ErrorCode.ACCESS_RESTRICTED
    assert error.message == "驿站没有接受：标题不合适（代码 -7）"
    assert error.next_step == "请换一个标题"


@pytest.mark.parametrize("answer", ["gateway", "no-json"])
async def test_an_answer_that_says_nothing_leaves_the_outcome_unknown(write, answer):
    assert (await write.refusal(answer)).code is ErrorCode.OUTCOME_UNKNOWN


async def test_a_call_without_time_for_the_answer_submits_nothing(write):
    with anyio.fail_after(5):
        error = await write.refusal("good")
    assert (error.code, write.spent) == (ErrorCode.TIMEOUT, 0)
