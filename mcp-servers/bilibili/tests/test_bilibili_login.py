"""Tests of logging in: by QR code, and with imported cookies."""

from __future__ import annotations

import asyncio
import io

import pytest

from bilibili_server import session


async def reaches(ask, step: str | None, *base: str, account: str = "scanning") -> dict:
    for _ in range(100):
        answer = await ask("login_status", *base, account=account)
        if answer.get("login_step") == step:
            return answer
        await asyncio.sleep(0.2)
    raise AssertionError(f"the login did not reach {step}")


async def test_a_login_by_qr_code_goes_through_its_steps(call, ask, site):
    code = await call("login_qrcode", account="scanning")
    pictures = [part for part in code.content if part.type == "image"]
    assert [picture.mime_type for picture in pictures] == ["image/png"] and "█" in code.content[-1].text
    assert code.structured_content["url"].startswith(f"{site.base}/h5-app/passport/login/scan")
    waiting = await ask("login_status", account="scanning")
    assert (waiting["login_step"], waiting["login_pending"]) == ("scan", True)
    assert waiting["login_expires_at"].endswith("+08:00") and "重新获取" in waiting["next_step"]
    site.app.state.scan = 86090
    await reaches(ask, "confirm")
    site.app.state.scan = 0
    done = await reaches(ask, None)
    assert (done["logged_in"], done["nickname"]) == (True, "测试用户") and done["session_age_s"] >= 0
    again = await call("login_qrcode", account="scanning")
    assert (
        again.structured_content["logged_in"] is True and again.structured_content["next_step"] == "已经登录，不必扫码"
    )


async def test_a_new_code_makes_the_earlier_one_void_and_an_old_one_expires(serve, site, tmp_path, call, ask):
    with serve(tmp_path) as base:
        await call("login_qrcode", base, account="scanning")
        second = (await call("login_qrcode", base, account="scanning")).structured_content
        site.app.state.scan = 86038
        expired = await reaches(ask, "expired", base)
    assert second["replaced"] and second["next_step"].startswith("之前的二维码已作废。")
    assert expired["logged_in"] is False and "bilibili_login_qrcode" in expired["next_step"]


async def test_a_session_that_the_site_has_ended_gets_a_new_code(serve, site, tmp_path, call, ask):
    site.app.state.case = "expired"
    with serve(tmp_path) as base:
        code = await call("login_qrcode", base, account="member")
        # The watched page is read every second.
        await asyncio.sleep(2)
        waiting = await ask("login_status", base, account="member")
        site.app.state.case, site.app.state.scan = "", 0
        done = await reaches(ask, None, base, account="member")
    assert code.structured_content["logged_in"] is False and "image" in {part.type for part in code.content}
    assert (waiting["login_step"], waiting["logged_in"], done["logged_in"]) == ("scan", False, True)


async def test_a_refused_code_is_an_error(refused, site):
    site.app.state.case = "no_codes"
    assert (await refused("login_qrcode")).startswith("RATE_LIMITED：")


async def test_no_answer_has_the_value_of_a_cookie(ask):
    assert "member-5f2c" not in str(await ask("login_status", account="member"))


def test_an_imported_session_is_kept_and_its_values_are_not_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DYBER_DATA", str(tmp_path))
    monkeypatch.setattr("sys.stdin", io.StringIO("SESSDATA=secret-5f2c; bili_jct=b; DedeUserID=1"))
    assert session.main(["import"]) == 0
    assert session.main(["show"]) == 0
    shown = capsys.readouterr().out
    assert "SESSDATA" in shown and "secret-5f2c" not in shown
    assert session.main(["delete"]) == 0
    assert list(tmp_path.glob("storage_state*")) == []


@pytest.mark.parametrize("name", ["nobody", "Guest"])
async def test_an_unknown_account_is_refused_with_those_that_exist(refused, name):
    assert "guest、member、scanning" in await refused("login_status", account=name)
