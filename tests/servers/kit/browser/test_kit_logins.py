"""Tests of logins by QR code on a stand-in, with a real Chromium: from the code to the stored session."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.accounts import allowed_accounts
from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.logins import Logins
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from dyber_kit.language import using_language

from tests.servers.kit.browser.conftest import INN
from tests.stand_in.platforms.small_platform import ENDED, MEMBER_COOKIE
from tests.stand_in.platforms.xiaohongshu.login import QR_ROWS
from tests.stand_in.running import StandIn

# One browser serves all tests of this file.
pytestmark = pytest.mark.asyncio(loop_scope="module")
PLATFORM = replace(INN, domains=("inn.example",), login_cookie=MEMBER_COOKIE)
LOGIN = LoginPage(
    path="/login",
    code_tool="inn_login_qrcode",
    status_tool="inn_login_status",
    opener="button",
    code_call="/v1/login/create",
    status_call="/login/status",  # the end of the name suffices
    statuses={1: "confirm", 2: "confirm", 3: "expired"},
)
NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SessionStore:
    return SessionStore(tmp_path_factory.mktemp("data"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(chromium: str, store: SessionStore) -> AsyncIterator[BrowserPool]:
    pool = BrowserPool(BrowserSettings(chromium_path=chromium), store)
    async with pool.running():
        yield pool


@pytest_asyncio.fixture(loop_scope="module")
async def logins(browser: BrowserPool, store: SessionStore, inn: StandIn, tmp_path: Path) -> AsyncIterator[Logins]:
    settings = PlatformSettings(
        base_url=inn.base,
        accounts=("first", "second"),
        page_seconds=20,
        interval_seconds=0,
        jitter_seconds=0,
        login_seconds=30,
    )
    # A new file each time, so that each test starts as a guest.
    store.write({"cookies": [], "origins": []}, "second")
    logins = Logins(Pages(PLATFORM, browser, store, settings, tmp_path, Metrics("inn")), LOGIN)
    yield logins
    await logins.cancel()


async def reaches(logins: Logins, step: str | None) -> bool:
    """Wait until the login is at `step`; None is a login that has succeeded."""
    for _ in range(200):
        progress = logins.progress("second")
        if (progress.step if progress else None) == step:
            return True
        await asyncio.sleep(0.1)
    return False


async def test_a_code_is_returned_as_a_picture_a_drawing_and_an_address(logins):
    code = await logins.start("second")
    assert code.png.startswith(b"\x89PNG")
    assert code.text.count("\n") == (len(QR_ROWS) + 4) // 2
    assert code.url == "https://www.inn.example/scan?id=1"


async def test_a_code_that_is_shown_only_after_a_click_is_returned_too(logins, inn):
    inn.app.state.login = "quiet"
    assert "█" in (await logins.start("second")).text


async def test_a_picture_may_have_an_address(logins, inn):
    inn.app.state.picture_url = f"{inn.base}/code.png"
    code = await logins.start("second")
    assert code.png.startswith(b"\x89PNG")
    assert code.text.count("\n") == (len(QR_ROWS) + 4) // 2


@pytest.mark.parametrize("address", ["http://127.0.0.1:{port}/me", "http://localhost:{port}/code.png"])
async def test_what_is_no_picture_or_of_another_site_is_no_code(logins, inn, address):
    inn.app.state.picture_url = address.format(port=inn.base.rpartition(":")[2])
    with pytest.raises(ServiceError) as refusal:
        await logins.start("second")
    assert refusal.value.code is ErrorCode.UPSTREAM_CHANGED


async def test_the_login_page_may_be_on_another_site_than_the_platform(logins, inn, monkeypatch):
    monkeypatch.setattr(logins, "_settings", replace(logins._settings, base_url="http://127.0.0.1:9"))
    monkeypatch.setattr(logins, "login", replace(LOGIN, origin=inn.base))
    assert (await logins.start("second")).url == "https://www.inn.example/scan?id=1"


async def test_an_address_of_another_site_is_not_passed_on(logins, inn):
    inn.app.state.code_host = "inn.example.attacker.test"
    assert (await logins.start("second")).url is None


async def test_a_confirmed_code_stores_the_session_of_the_account(logins, inn, store):
    await logins.start("second")
    assert logins.progress("second").step == "scan"
    inn.app.state.login = "scanned"
    assert await reaches(logins, "confirm")
    inn.app.state.login = "done"
    assert await reaches(logins, None)
    assert store.cookie_names("second") == [MEMBER_COOKIE]
    assert await logins.start("second") is None


async def test_the_login_page_can_be_on_another_origin_than_the_platform(browser, store, inn, tmp_path):
    settings = PlatformSettings(
        base_url="http://127.0.0.1:9", page_seconds=20, interval_seconds=0, jitter_seconds=0, login_seconds=30
    )
    pages = Pages(PLATFORM, browser, store, settings, tmp_path, Metrics("inn"))
    logins = Logins(pages, replace(LOGIN, origin=inn.base))
    assert (await logins.start(pages.account(""))).text
    await logins.cancel()


async def test_a_second_proof_is_reported(logins, inn):
    await logins.start("second")
    inn.app.state.login = "proof"
    assert await reaches(logins, "sms_code")
    assert logins.progress("second").pending


async def test_an_expired_code_ends_the_login(logins, inn, store):
    await logins.start("second")
    inn.app.state.login = "expired"
    assert await reaches(logins, "expired")
    assert not logins.progress("second").pending
    assert store.cookie_names("second") == []


async def test_a_new_code_replaces_the_code_of_another_account(logins, inn):
    await logins.start("second")
    assert (await logins.start("first")).replaced == "scan"
    assert logins.progress("second") is None


@pytest.fixture
def limited_to_first() -> Callable[[], AbstractContextManager[None]]:
    """Return a function that limits the caller to the first account."""

    @contextmanager
    def limited() -> Iterator[None]:
        token = allowed_accounts.set(("first",))
        try:
            yield
        finally:
            allowed_accounts.reset(token)

    return limited


async def test_a_client_does_not_end_the_login_of_an_account_that_it_may_not_use(logins, limited_to_first):
    await logins.start("second")
    with limited_to_first(), pytest.raises(ServiceError) as refusal:
        await logins.start("first")
    assert refusal.value.code is ErrorCode.BUSY
    assert "second" not in refusal.value.text
    assert 0 < refusal.value.retry_after <= 30
    assert logins.progress("second").pending


async def test_an_ended_login_of_another_client_holds_up_none(logins, inn, limited_to_first):
    await logins.start("second")
    inn.app.state.login = "expired"
    assert await reaches(logins, "expired")
    with limited_to_first():
        assert (await logins.start("first")).replaced is None


async def test_who_has_the_cookie_of_an_ended_session_gets_a_code_and_can_log_in(logins, inn, store):
    cookie = {"name": MEMBER_COOKIE, "value": ENDED, "domain": "127.0.0.1", "path": "/", "expires": -1}
    cookie |= {"httpOnly": True, "secure": False, "sameSite": "Lax"}
    store.write({"cookies": [cookie], "origins": []}, "second")
    assert await logins.start("second") is not None
    inn.app.state.login = "scanned"
    assert await reaches(logins, "confirm")
    inn.app.state.login = "done"
    assert await reaches(logins, None)
    assert [stored["value"] for stored in store.read("second")["cookies"]] == ["an"]


async def test_the_platforms_refusal_of_a_code_is_reported(logins, inn):
    inn.app.state.login = "refused"
    with pytest.raises(ServiceError) as caught:
        await logins.start("second")
    assert (caught.value.code, caught.value.message) == (
        ErrorCode.ACCESS_RESTRICTED,
        "驿站提示：今日次数已用完（代码 -9）",
    )


async def test_the_advice_names_the_platform_and_the_tool():
    assert "驿站还要求：短信验证码" in LOGIN.advice("驿站", "sms_code", NOW, attached=False)
    assert "inn_login_qrcode" in LOGIN.advice("驿站", "expired", NOW, attached=False)
    assert "08:00:00（北京时间）" in LOGIN.advice("驿站", "scan", NOW, attached=True)


@pytest.mark.parametrize("step", ["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"])
@pytest.mark.parametrize("attached", [True, False])
async def test_the_advice_is_in_the_callers_language(step, attached):
    with using_language("en"):
        assert not re.search("[\u4e00-\u9fff]", LOGIN.advice("Inn", step, NOW, attached=attached))
