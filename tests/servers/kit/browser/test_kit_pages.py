"""Tests of several accounts on one platform: session, pace, daily maximum and pause of each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from dyber_kit.calling.scopes import CallerScope, applied_scope

from tests.servers.kit.browser.conftest import INN
from tests.servers.kit.browser.test_kit_browser import session_of
from tests.stand_in.platforms.small_platform import MEMBER_COOKIE
from tests.stand_in.running import StandIn

# One browser serves all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")
SETTINGS = PlatformSettings(
    accounts=("first", "second"), page_seconds=20, interval_seconds=0, jitter_seconds=0, pause_seconds=600
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str, data_dir: Path) -> AsyncIterator[BrowserPool]:
    pool = BrowserPool(BrowserSettings(chromium_path=chromium), SessionStore(data_dir))
    async with pool.running():
        yield pool


@pytest.fixture
def make_pages(browser: BrowserPool, tmp_path: Path, data_dir: Path) -> Callable[..., Pages]:
    """Return a function that makes pages with some settings; each call is a restart of the service."""

    def make(**settings: object) -> Pages:
        return Pages(INN, browser, SessionStore(data_dir), replace(SETTINGS, **settings), tmp_path, Metrics("inn"))

    return make


async def read(pages: Pages, inn: StandIn, account: str, case: str = "") -> None:
    async with pages.visit(account, f"{inn.base}/posts?case={case}", {"list": ["list"]}) as visit:
        await visit.until(lambda snapshot: snapshot["state"]["list"])


async def refusal(pages: Pages, inn: StandIn, account: str, case: str = "") -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        await read(pages, inn, account, case)
    return caught.value


async def test_each_account_has_a_session_of_its_own(make_pages, inn, data_dir):
    session = session_of("an")
    session["cookies"][0]["name"] = MEMBER_COOKIE
    SessionStore(data_dir).write(session, "second")
    pages = make_pages()
    await read(pages, inn, "first")
    await read(pages, inn, "second")
    assert inn.app.state.visitors == ["", "an"]


async def test_a_refused_account_pauses_while_another_goes_on(make_pages, inn):
    pages = make_pages()
    await refusal(pages, inn, "first", "captcha")
    assert (await refusal(pages, inn, "first")).code is ErrorCode.CAPTCHA_REQUIRED
    assert pages.pause("first").code is ErrorCode.CAPTCHA_REQUIRED
    await read(pages, inn, "second")
    assert pages.pause("second") is None


async def test_with_a_shared_pace_a_refused_account_pauses_all(make_pages, inn):
    pages = make_pages(shared_pace=True)
    await refusal(pages, inn, "first", "captcha")
    assert (await refusal(pages, inn, "second")).code is ErrorCode.CAPTCHA_REQUIRED
    assert len(inn.app.state.visitors) == 1


async def test_a_wall_of_the_table_sets_the_length_of_the_pause(make_pages, inn):
    assert 3500 < (await refusal(make_pages(), inn, "first", "limited")).retry_after <= 3600
    assert 500 < (await refusal(make_pages(), inn, "second", "captcha")).retry_after <= 600


async def test_a_pause_survives_a_restart(make_pages, inn):
    await refusal(make_pages(), inn, "first", "no-account")
    error = await refusal(make_pages(), inn, "first")
    assert (error.code, "风控" in error.message) == (ErrorCode.ACCESS_RESTRICTED, True)
    await read(make_pages(), inn, "second")


async def test_the_pages_of_a_day_are_counted_for_each_account_and_survive_a_restart(make_pages, inn):
    await read(make_pages(daily_pages=1), inn, "first")
    assert (await refusal(make_pages(daily_pages=1), inn, "first")).code is ErrorCode.RATE_LIMITED
    await read(make_pages(daily_pages=1), inn, "second")


async def test_a_login_that_is_required_in_spite_of_a_session_has_expired(make_pages, inn, data_dir):
    SessionStore(data_dir).write(session_of("old"), "second")
    pages = make_pages()
    with pytest.raises(ServiceError) as caught:
        async with pages.visit("second", f"{inn.base}/posts", {}):
            raise INN.walls.wall(ErrorCode.LOGIN_REQUIRED).error()
    assert (caught.value.code, caught.value.next_step) == (ErrorCode.LOGIN_EXPIRED, "请调用 inn_login_qrcode")


async def test_an_unknown_account_is_refused_with_the_known_names(make_pages):
    with pytest.raises(ServiceError, match="first、second"):
        make_pages().account("third")


async def test_no_page_is_opened_of_an_account_that_the_caller_may_not_use(make_pages, inn):
    pages = make_pages()
    with applied_scope(CallerScope("all", accounts=("second",))):
        assert pages.account("") == "second"
        await read(pages, inn, "second")
        for name in ("first", "third"):
            refused = await refusal(pages, inn, name)
            assert refused.code is ErrorCode.INVALID_ARGUMENT
            assert (
                f"{refused.message} {refused.next_step}"
                == f"没有名为 {name} 的账号 可用的账号：second；不填则用 second"
            )
    assert len(inn.app.state.visitors) == 1
