"""Tests of the login: its status, the QR code, sessions from exported cookies."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest
from dyber_kit import Settings
from dyber_kit.serving.server import build_server

from tests.stand_in.platforms.douyin import data
from tests.stand_in.running import free_port, running

from douyin_server import session


async def test_a_guest_is_told_how_to_log_in(ask):
    answer = await ask("login_status")
    assert (answer["logged_in"], answer["risk"]) == (False, "ok") and "douyin_login_qrcode" in answer["next_step"]


@pytest.mark.usefixtures("member")
async def test_a_member_is_named_and_needs_no_code(ask, result):
    answer = await ask("login_status")
    assert (answer["logged_in"], answer["nickname"], answer["user_ref"]) == (True, "测试账号", data.OTHER_USER)
    code = await result("login_qrcode")
    assert code.structured_content["logged_in"] and "image" not in [part.type for part in code.content]


@pytest.mark.usefixtures("member")
async def test_a_session_that_is_no_longer_valid_is_not_logged_in(ask, state):
    state.expired = True
    assert (await ask("login_status"))["logged_in"] is False


@pytest.mark.parametrize("quiet", [False, True])
async def test_a_login_by_qr_code_is_seen_when_it_is_confirmed(ask, result, state, make, tmp_path: Path, quiet):
    state.quiet_login = quiet
    with running(build_server(make(Settings(port=free_port(), data_dir=tmp_path)))) as base:
        code = await result("login_qrcode", base)
        waiting = await ask("login_status", base)
        state.scanned = True
        while (now := await ask("login_status", base)).get("login_pending"):
            await asyncio.sleep(0.1)
        found = await ask("search", base, keyword="手冲", limit=2)
    assert "image" in [part.type for part in code.content] and "█" in code.content[-1].text
    assert code.structured_content["expires_at"].endswith("+08:00")
    assert (waiting["login_pending"], waiting["login_step"]) == (True, "scan")
    assert (now["logged_in"], now["nickname"], found["count"]) == (True, "测试账号", 2)
    assert (tmp_path / "storage_state.json").stat().st_mode & 0o777 == 0o600


async def test_a_second_code_makes_the_first_void(result):
    await result("login_qrcode")
    second = await result("login_qrcode")
    assert second.structured_content["replaced"] and "之前的二维码已作废" in second.structured_content["next_step"]


def test_an_imported_session_is_kept_and_its_values_are_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("sessionid=secret-5f2c; ttwid=other-7a1b"))
    assert session.main(["import"]) == 0
    assert session.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "sessionid" in shown and "secret-5f2c" not in shown and "other-7a1b" not in shown
