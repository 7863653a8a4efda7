"""Tests of logins: by QR code in a real Chromium on the stand-in, and by imported cookies."""

from __future__ import annotations

import asyncio
import io

import pytest
from dyber_kit import Settings

from tests.stand_in.platforms.weibo.state import MEMBER
from tests.stand_in.platforms.xiaohongshu.login import QR_ROWS
from tests.stand_in.running import free_port

from weibo_server import session


@pytest.fixture
def own_service(serve, state, tmp_path):
    """Return the base URL of a service that nobody has logged in to."""
    with serve(Settings(port=free_port(), data_dir=tmp_path)) as base:
        yield base


async def test_a_login_by_qr_code_is_seen_when_it_is_confirmed(own_service, ask, call, state, tmp_path):
    result = await call(own_service, "login_qrcode", {})
    assert not result.is_error, result.content
    picture = next(part for part in result.content if part.type == "image")
    drawing = next(part for part in result.content if "█" in getattr(part, "text", ""))
    assert not result.is_error, result.content
    assert (result.structured_content["logged_in"], picture.mime_type) == (False, "image/png")
    assert drawing.text.count("\n") == (len(QR_ROWS) + 4) // 2
    waiting = await ask("login_status", at=own_service)
    assert (waiting["login_step"], "不要重新获取" in waiting["next_step"]) == ("scan", True)
    state.scan = 50114002
    await reaches(ask, own_service, "confirm")
    state.scan = 20000000
    await reaches(ask, own_service, None)
    status = await ask("login_status", at=own_service)
    assert (status["logged_in"], status["nickname"], status["user_id"]) == (True, "测试博主", "1795308214")
    again = await call(own_service, "login_qrcode", {})
    assert again.structured_content["logged_in"] and MEMBER not in str(result) + str(again)
    stored = tmp_path / "storage_state.json"
    assert MEMBER in stored.read_text() and stored.stat().st_mode & 0o777 == 0o600
    assert (await ask("search_posts", at=own_service, keyword="手机", limit=1))["count"] == 1


async def test_an_expired_code_is_told_and_another_one_replaces_it(own_service, ask, call, state):
    await call(own_service, "login_qrcode", {})
    second = await call(own_service, "login_qrcode", {})
    assert second.structured_content["replaced"] and "已作废" in second.structured_content["next_step"]
    state.scan = 50114004
    await reaches(ask, own_service, "expired")
    status = await ask("login_status", at=own_service)
    assert (status["logged_in"], "weibo_login_qrcode" in status["next_step"]) == (False, True)


async def test_a_code_that_loads_slowly_is_waited_for(own_service, call, state):
    state.code_seconds = 2.0
    result = await call(own_service, "login_qrcode", {})
    assert not result.is_error, result.content
    assert any(part.type == "image" for part in result.content)


async def test_a_refused_code_has_the_words_of_the_site(own_service, refusal, state):
    state.case = "no_code"
    text = await refusal("login_qrcode", at=own_service)
    assert text.startswith("ACCESS_RESTRICTED：") and "今日获取二维码次数已达上限" in text


def test_imported_cookies_are_kept_and_their_values_are_not_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    cookies = "SUB=secret-5f2c; SUBP=0033; domain-of-others=1"
    monkeypatch.setattr("sys.stdin", io.StringIO(cookies))
    assert session.main(["import"]) == 0
    assert session.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "SUB" in shown and "secret-5f2c" not in shown
    assert session.main(["delete"]) == 0


async def reaches(ask, base: str, step: str | None) -> None:
    """Wait until the login is at `step`; None is a login that has succeeded."""
    for _ in range(150):
        status = await ask("login_status", at=base)
        if status.get("login_step") == step and (step is not None or status["logged_in"]):
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"the login did not reach {step}")
