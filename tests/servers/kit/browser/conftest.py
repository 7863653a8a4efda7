"""Runs a small stand-in for any platform, and describes it to the browser layer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import uvicorn
from dyber_kit import ErrorCode
from dyber_kit.browser.platforms import Calls, Layout, Platform
from dyber_kit.browser.walls import COMMON_STATUSES, Refusal, Walls

from tests.stand_in.platforms import small_platform
from tests.stand_in.running import StandIn, free_port, running

INN = Platform(
    name="inn",
    walls=Walls(
        title="驿站",
        login_step="请调用 inn_login_qrcode",
        statuses={**COMMON_STATUSES, 432: Refusal(ErrorCode.RATE_LIMITED, pause=3600)},
        codes={
            "-352": Refusal(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
            "101": ErrorCode.LOGIN_REQUIRED,
        },
        addresses={"/account/unhuman": ErrorCode.CAPTCHA_REQUIRED},
        notices=(".gone",),
        notice_texts={"deleted": ErrorCode.NOT_FOUND},
        boxes={"#captcha": ErrorCode.CAPTCHA_REQUIRED},
        login_box=".login",
    ),
    calls=Calls(
        prefixes=("/data",), data=("/posts", "/login/create"), parts=("/comments",), counted=("posts", "suggest")
    ),
    layout=Layout(state="APP", marks={"end": "#end"}, login_code="#code"),
)


@pytest.fixture
def inn() -> Iterator[StandIn]:
    """Return a running stand-in."""
    site = small_platform.create_site()
    with running(uvicorn.Server(uvicorn.Config(site, port=free_port(), log_level="warning"))) as base:
        yield StandIn(base, site)
