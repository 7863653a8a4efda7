"""Tests of the status of accounts where no page needs to be opened: refusals, pauses, guests, and further facts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dyber_kit import ErrorCode, ServiceError, Settings
from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.walls import Walls
from dyber_kit.website.accounts import Accounts
from dyber_kit.website.app import Website
from dyber_kit.website.login_answers import LoginQrCode, LoginState

PLATFORM = Platform(name="inn", walls=Walls(title="驿站", login_step="请调用 inn_login_qrcode"))
LOGIN = LoginPage(path="/login", code_tool="inn_login_qrcode", status_tool="inn_login_status")


class Status(LoginState):
    fetched_at: str
    quota: int | None = None


async def facts(_account: str) -> dict[str, Any]:
    return {"quota": 7, "next_step": "先设置密钥", "unknown": "left out"}


@pytest.fixture
def accounts(tmp_path: Path) -> Callable[..., Accounts[Status]]:
    """Return a function that makes accounts of which `visitor` tells who is logged in."""
    config = PlatformSettings(base_url="http://127.0.0.1:9", interval_seconds=0, jitter_seconds=0)
    website = Website(PLATFORM, LOGIN, "1.0.0", Settings(data_dir=tmp_path), config)

    def made(visitor: Any, in_turn: bool = False) -> Accounts[Status]:
        async def read(account: str) -> Any:
            if in_turn:
                async with website.pages.turn(account):
                    return visitor()
            return visitor()

        return Accounts(website.pages, website.logins, read, Status, LoginQrCode, facts)

    return made


def raising(code: ErrorCode, **values: Any) -> Any:
    """Return a function that raises the error."""

    def fail() -> None:
        raise ServiceError(code, **values)

    return fail


async def test_a_member_is_shown_with_what_the_model_declares(accounts):
    status = await accounts(lambda: {"nickname": "阿明", "uid": "1"}).status()
    assert (status.logged_in, status.nickname, status.account, status.quota) == (True, "阿明", "default", 7)
    assert status.next_step == "先设置密钥" and status.fetched_at.endswith("+08:00") and status.risk == "ok"


@pytest.mark.parametrize("visitor", [lambda: None, raising(ErrorCode.LOGIN_REQUIRED), raising(ErrorCode.LOGIN_EXPIRED)])
async def test_a_guest_is_told_how_to_log_in(accounts, visitor):
    status = await accounts(visitor).status()
    assert (status.logged_in, status.next_step) == (False, "请调用 inn_login_qrcode")


@pytest.mark.parametrize(
    ("code", "risk"),
    [
        (ErrorCode.CAPTCHA_REQUIRED, "captcha"),
        (ErrorCode.RATE_LIMITED, "limited"),
        (ErrorCode.ACCESS_RESTRICTED, "restricted"),
    ],
)
async def test_a_refusal_is_told_and_whether_the_account_is_logged_in_stays_open(accounts, code, risk):
    status = await accounts(raising(code, message="被拒绝", next_step="等一等")).status()
    assert (status.logged_in, status.risk, status.next_step) == (None, risk, "被拒绝。等一等")
    assert status.paused_until is None and status.quota == 7


async def test_a_pause_says_when_it_ends_also_where_no_page_may_be_opened(accounts):
    refused = accounts(raising(ErrorCode.CAPTCHA_REQUIRED), in_turn=True)
    first = await refused.status()
    later = await refused.status(check_login=False)
    assert first.risk == later.risk == "captcha"
    assert first.paused_until == later.paused_until and later.paused_until.endswith("+08:00")


async def test_other_errors_are_raised(accounts):
    with pytest.raises(ServiceError) as refusal:
        await accounts(raising(ErrorCode.UPSTREAM_CHANGED)).status()
    assert refusal.value.code is ErrorCode.UPSTREAM_CHANGED
