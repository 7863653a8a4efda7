"""Tests of logins: QR codes, session files, imported cookies, several accounts, and the user's own browser."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.browser.login_steps import PROOFS
from dyber_kit.browser.pool import BrowserSettings
from dyber_kit.browser.qr import as_text
from dyber_kit.serving.server import build_server
from xiaohongshu_server import session
from xiaohongshu_server.service import build_app

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.calls import Caller, logged_in, stand_in_settings
from tests.stand_in.platforms.xiaohongshu.login import QR_ROWS, QR_URL, picture
from tests.stand_in.running import SERVERS, free_port, running

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


async def scan(site: str, name: str) -> None:
    """Scan every code that the stand-in shows, as the user `name`."""
    async with httpx2.AsyncClient() as http:
        await http.post(f"{site}/stand-in/scan", params={"name": name})


async def until_logged_in(client: Caller, account: str = "") -> dict:
    give_up = time.monotonic() + 30
    while True:
        status = await client("xhs_login_status", account=account)
        if (status["logged_in"] and not status["login_pending"]) or time.monotonic() > give_up:
            return status
        await asyncio.sleep(0.3)


@pytest.fixture
def no_session(xiaohongshu_data: Path, site: str) -> Iterator[Path]:
    """Return the data folder without a session; afterwards delete all sessions and let the codes expire."""
    yield xiaohongshu_data
    httpx2.post(f"{site}/stand-in/scan", params={"then": "old"})
    for file in xiaohongshu_data.glob("storage_state*.json"):
        file.unlink()


async def test_a_scanned_code_logs_in_and_the_session_is_stored(client, site, no_session):
    assert (await client("xhs_login_status"))["logged_in"] is False
    result = await client.result("xhs_login_qrcode")
    code = result.structured_content
    assert (code["logged_in"], code["account"]) == (False, "default")
    assert code["expires_at"].endswith("+08:00")
    text, image, drawing = result.content
    assert json.loads(text.text) == code
    assert drawing.text == as_text(QR_ROWS)
    assert image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    pending = await client("xhs_login_status")
    assert (pending["logged_in"], pending["login_pending"], pending["login_step"]) == (False, True, "scan")
    assert pending["login_expires_at"] == code["expires_at"]
    assert "不要重新获取" in pending["next_step"]
    assert "xhs_login_qrcode" not in pending["next_step"]
    await scan(site, "fresh")
    status = await until_logged_in(client)
    assert (status["logged_in"], status["nickname"], status.get("next_step")) == (True, "账号fresh", None)
    assert 0 <= status["session_age_s"] < 60
    stored = no_session / "storage_state.json"
    assert stat.S_IMODE(stored.stat().st_mode) == 0o600
    assert "session-fresh" in stored.read_text()
    assert "session-fresh" not in str(status)
    second_answer = await client("xhs_login_qrcode")
    assert (second_answer["logged_in"], second_answer.get("expires_at")) == (True, None)


async def test_notes_are_read_while_a_code_waits(client, no_session):
    await client("xhs_login_qrcode")
    assert (await client("xhs_get_note", note=REF, comments=0))["note_ref"] == REF


@pytest.fixture
def require_proof(stand_in) -> Iterator[Callable[[str], None]]:
    """Return a function that sets the second proof that the stand-in requires after a scan."""

    def require(proof: str) -> None:
        stand_in.app.state.login = proof

    yield require
    stand_in.app.state.login = None


async def status_at_step(client: Caller, step: str) -> dict:
    """Wait until the login is at `step`, and return the status."""
    give_up = time.monotonic() + 30
    while True:
        status = await client("xhs_login_status")
        if status["login_step"] == step or time.monotonic() > give_up:
            return status
        await asyncio.sleep(0.2)


def test_the_drawn_code_has_the_modules_of_the_picture():
    """Check that the halves of each character are two modules, one above the other, and that there is a margin."""
    halves = {"█": "00", "▀": "01", "▄": "10", " ": "11"}
    lines = as_text(QR_ROWS).split("\n")
    rows = ["".join(halves[char][half] for char in line) for line in lines for half in (0, 1)]
    assert [row[2:-2] for row in rows[2 : 2 + len(QR_ROWS)]] == QR_ROWS
    assert set(rows[:2] + rows[2 + len(QR_ROWS) :]) == {"0" * (len(QR_ROWS) + 4)}


async def test_a_client_without_pictures_gets_the_code_as_text_and_as_an_address(client, no_session):
    result = await client.result("xhs_login_qrcode")
    assert result.structured_content["url"] == QR_URL
    texts = [part.text for part in result.content if part.type == "text"]
    assert texts[1] == as_text(QR_ROWS)
    (image,) = [part for part in result.content if part.type == "image"]
    assert len(base64.b64decode(image.data)) < 1024 < len(picture())


async def test_a_picture_that_is_not_a_plain_code_is_passed_on_unchanged(client, no_session, monkeypatch):
    framed = picture(["1" * 30] * 30)
    monkeypatch.setattr("tests.stand_in.platforms.xiaohongshu.login.picture", lambda: framed)
    result = await client.result("xhs_login_qrcode")
    assert [part.type for part in result.content] == ["text", "image"]
    assert result.content[1].data == framed.partition(",")[2]


@pytest.mark.parametrize("url", ["http://evil.test/x", "javascript:alert(1)", "https://xiaohongshu.com.evil.test/", 3])
async def test_a_foreign_address_is_not_passed_on(client, no_session, monkeypatch, url):
    monkeypatch.setattr("tests.stand_in.platforms.xiaohongshu.login.QR_URL", url)
    assert "url" not in await client("xhs_login_qrcode")


@pytest.mark.parametrize(
    ("proof", "step", "message"),
    [("sms", "sms_code", "短信验证码"), ("slider", "captcha", "滑块"), ("captcha", "second_code", "再扫一个")],
)
async def test_a_required_second_proof_is_reported_at_once_with_the_next_step(
    client, site, no_session, require_proof, proof, step, message
):
    require_proof(proof)
    await client("xhs_login_qrcode")
    await scan(site, "proof")
    status = await status_at_step(client, step)
    assert (status["logged_in"], status["login_pending"], status["login_step"]) == (False, True, step)
    assert message in status["next_step"]
    assert "自己的浏览器" in status["next_step"]
    require_proof(None)
    second_answer = await client("xhs_login_qrcode")
    assert second_answer["replaced"] is True
    assert f"之前的二维码已作废（它停在：{PROOFS[step]}）" in second_answer["next_step"]
    assert (await client("xhs_login_status"))["login_step"] == "scan"


async def test_a_scan_that_waits_for_its_confirmation_is_reported(client, site, no_session):
    await client("xhs_login_qrcode")
    async with httpx2.AsyncClient() as http:
        await http.post(f"{site}/stand-in/scan", params={"then": "scanned"})
    assert "确认登录" in (await status_at_step(client, "confirm"))["next_step"]
    await scan(site, "slow")
    assert (await until_logged_in(client))["nickname"] == "账号slow"


async def test_an_expired_code_is_reported(client, site, no_session):
    await client("xhs_login_qrcode")
    async with httpx2.AsyncClient() as http:
        await http.post(f"{site}/stand-in/scan", params={"then": "old"})
    status = await status_at_step(client, "expired")
    assert status["login_pending"] is False
    assert "再调用 xhs_login_qrcode" in status["next_step"]


async def test_the_status_while_a_code_waits_opens_no_page(client, stand_in, no_session):
    await client("xhs_login_qrcode")
    stand_in.app.state.pages.clear()
    await client("xhs_login_status")
    assert stand_in.app.state.pages == []


async def test_a_second_code_replaces_the_first(client, site, stand_in, no_session):
    await client("xhs_login_qrcode")
    second = await client("xhs_login_qrcode", account="second")
    assert second["replaced"] is True
    assert "之前的二维码已作废" in second["next_step"]
    assert (await client("xhs_login_status"))["login_pending"] is False
    assert (await client("xhs_login_status", account="second"))["login_pending"] is True
    await scan(site, "two")
    status = await until_logged_in(client, "second")
    assert (status["account"], status["nickname"]) == ("second", "账号two")
    assert (await client("xhs_login_status"))["logged_in"] is False


async def test_a_code_that_is_not_scanned_expires(chromium, site, tmp_path):
    app = build_app(
        Settings(port=free_port(), data_dir=tmp_path),
        stand_in_settings(site, login_seconds=0.1),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        await client("xhs_login_qrcode")
        await asyncio.sleep(1.2)
        assert (await client("xhs_login_status"))["login_pending"] is False
    assert not (tmp_path / "storage_state.json").exists()


async def test_a_session_file_logs_the_browser_in_without_a_restart(client, site, xiaohongshu_data):
    assert "session_age_s" not in await client("xhs_login_status")
    with logged_in(xiaohongshu_data, site):
        result = await client.result("xhs_login_status")
        status = result.structured_content
        assert (status["logged_in"], status["nickname"]) == (True, "测试账号")
        assert "SECRET" not in result.content[0].text
        assert (await client("xhs_search_notes", keyword="登录墙", limit=1))["count"] == 1
    assert (await client("xhs_login_status"))["logged_in"] is False


async def test_a_session_that_the_site_does_not_accept_is_reported_as_expired(client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site) as session_file:
        session_file.write_text(session_file.read_text().replace("session-SECRET", "guest-old"))
        text = await client.refusal("xhs_search_notes", keyword="登录墙")
        assert text.startswith("LOGIN_EXPIRED：")
        assert "xhs_login_qrcode" in text
        assert (await client("xhs_login_status"))["logged_in"] is False


async def test_accounts_have_separate_sessions(client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site, "eins"), logged_in(xiaohongshu_data, site, "zwei", "second"):
        first, second = await client("xhs_login_status"), await client("xhs_login_status", account="second")
        assert (first["nickname"], second["nickname"]) == ("账号eins", "账号zwei")
        assert (await client("xhs_login_status", account="default"))["nickname"] == "账号eins"


async def test_the_error_for_an_unknown_account_lists_the_accounts(client):
    text = await client.refusal("xhs_search_notes", keyword="咖啡", account="third")
    assert text.startswith("INVALID_ARGUMENT：没有名为 third 的账号")
    assert "default、second、widget" in text


@pytest.mark.parametrize("content", ["{", '{"cookies": 3}'])
async def test_a_damaged_session_file_is_renamed_and_calls_continue_as_a_guest(client, xiaohongshu_data, content):
    stored = xiaohongshu_data / "storage_state.json"
    damaged = xiaohongshu_data / "storage_state.json.damaged"
    stored.write_text(content)
    try:
        assert (await client("xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1
        assert (stored.exists(), damaged.read_text()) == (False, content)
    finally:
        damaged.unlink(missing_ok=True)


async def test_the_login_state_is_in_the_metrics(xiaohongshu, client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site):
        await client("xhs_login_status")
        async with httpx2.AsyncClient() as http:
            metrics = (await http.get(f"{xiaohongshu}/metrics")).text
    assert 'login_state{account="default",service="xiaohongshu"} 1.0' in metrics


def run_command(monkeypatch, capsys, data_dir: Path, site: str, typed: str, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setenv("DYBER_DATA", str(data_dir))
    monkeypatch.setenv("XHS_BASE_URL", site)
    monkeypatch.setenv("XHS_ACCOUNTS", "default,second")
    monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
    status = session.main(list(arguments))
    return status, *capsys.readouterr()


async def test_imported_cookies_log_the_account_in(client, site, xiaohongshu_data, monkeypatch, capsys):
    host = httpx2.URL(site).host
    export = json.dumps([
        {"name": "web_session", "value": "session-import", "domain": host, "path": "/"},
        {"name": "SID", "value": "other", "domain": ".example.com", "path": "/"},
    ])  # fmt: skip
    status, printed, _ = run_command(monkeypatch, capsys, xiaohongshu_data, site, export, "import")
    assert (status, printed) == (0, "账号 default：已从JSON 列表导入 web_session\n")
    assert (await client("xhs_login_status"))["nickname"] == "账号import"
    status, printed, _ = run_command(monkeypatch, capsys, xiaohongshu_data, site, "", "delete")
    assert (status, printed) == (0, "账号 default：已删除会话\n")
    assert (await client("xhs_login_status"))["logged_in"] is False


def test_an_import_for_a_further_account_is_stored_in_its_own_file(site, tmp_path, monkeypatch, capsys):
    header = "a1=x; web_session=y"
    assert run_command(monkeypatch, capsys, tmp_path, site, header, "import", "--account", "second")[0] == 0
    stored = json.loads((tmp_path / "storage_state.second.json").read_text())
    assert {cookie["domain"] for cookie in stored["cookies"]} == {".xiaohongshu.com"}
    shown = run_command(monkeypatch, capsys, tmp_path, site, "", "show", "--account", "second")
    assert shown == (0, "账号 second：a1、web_session\n", "")


@pytest.mark.parametrize(
    ("typed", "arguments", "reason"),
    [
        ("not a cookie", ["import"], "无法导入 Cookie"),
        ("curl https://example.com/ -H 'cookie: a=b'", ["import"], "这是发给 example.com 的 cURL 命令"),
        ("a=b", ["import", "--account", "third"], "没有名为 third 的账号"),
    ],
)
def test_a_failed_import_gives_the_reason(site, tmp_path, monkeypatch, capsys, typed, arguments, reason):
    status, printed, message = run_command(monkeypatch, capsys, tmp_path, site, typed, *arguments)
    assert (status, printed) == (1, "")
    assert reason in message
    assert list(tmp_path.iterdir()) == []


def test_an_import_without_the_login_cookie_warns_and_never_replaces_a_login(site, tmp_path, monkeypatch, capsys):
    status, printed, _ = run_command(monkeypatch, capsys, tmp_path, site, '{"a1": "x", "webId": "y"}', "import")
    assert status == 0
    assert "没有 web_session" in printed and "不会是登录状态" in printed
    assert run_command(monkeypatch, capsys, tmp_path, site, "a1=x; web_session=y", "import")[0] == 0
    status, printed, message = run_command(monkeypatch, capsys, tmp_path, site, "a1=z", "import")
    assert (status, printed) == (1, "")
    assert "没有用它替换" in message
    assert "web_session" in (tmp_path / "storage_state.json").read_text()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_export_in_the_encodings_of_windows_is_read(site, tmp_path, encoding):
    path = os.pathsep.join(str(SERVERS / folder) for folder in ("kit", "xiaohongshu"))
    done = subprocess.run(
        [sys.executable, "-m", "xiaohongshu_server.session", "import"], input="Cookie: web_session=y".encode(encoding),
        env={**os.environ, "PYTHONPATH": path, "DYBER_DATA": str(tmp_path)}, capture_output=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert "web_session" in (tmp_path / "storage_state.json").read_text()


def test_the_command_of_the_readme_works(tmp_path, site):
    path = os.pathsep.join(str(SERVERS / folder) for folder in ("kit", "xiaohongshu"))
    done = subprocess.run(
        [sys.executable, "-m", "xiaohongshu_server.session", "show"],
        env={**os.environ, "PYTHONPATH": path, "DYBER_DATA": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "账号 default：没有会话\n", "")


@pytest.fixture
def users_browser(chromium: str, tmp_path: Path) -> Iterator[str]:
    """Run a second Chromium with a debugging port, as a user would, and return its CDP address."""
    port = free_port()
    browser = subprocess.Popen(
        [
            chromium, "--headless=new", "--no-sandbox", "--no-first-run", "--disable-gpu", "--disable-quic",
            f"--remote-debugging-port={port}", f"--user-data-dir={tmp_path / 'profile'}", "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    try:
        give_up = time.monotonic() + 30
        while True:
            try:
                httpx2.get(f"{address}/json/version", timeout=2)
                break
            except httpx2.HTTPError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.1)
        yield address
    finally:
        browser.terminate()
        browser.wait(20)


async def test_the_users_own_browser_is_used_with_its_login_and_stays_open(users_browser, site):
    app = build_app(Settings(port=free_port()), stand_in_settings(site), BrowserSettings(cdp_url=users_browser))
    with running(build_server(app)) as base:
        client = Caller(base)
        assert (await client("xhs_login_status"))["logged_in"] is False
        code = await client("xhs_login_qrcode")
        assert code["logged_in"] is False
        await scan(site, "mine")
        assert (await until_logged_in(client))["nickname"] == "账号mine"
        assert (await client("xhs_search_notes", keyword="登录墙", limit=2))["count"] == 2
    pages = httpx2.get(f"{users_browser}/json/list", timeout=5).json()
    assert [page["url"] for page in pages if page["type"] == "page"] == ["about:blank"]
