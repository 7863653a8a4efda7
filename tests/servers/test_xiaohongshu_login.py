"""Logging in: QR code, session files, cookies from the command line, several accounts, the user's own browser."""

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
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from dyber_kit import Settings
from dyber_kit.browser import BrowserSettings
from dyber_kit.server import build_server
from stand_in import xiaohongshu_data as data
from stand_in.running import SERVERS, free_port, running
from stand_in.xiaohongshu_calls import Caller, logged_in, unhurried
from xiaohongshu_server import session
from xiaohongshu_server.service import build_app

REF = f"{data.NORMAL_NOTE}:{data.TOKEN}"


@pytest.fixture
def client(xiaohongshu: str) -> Caller:
    return Caller(xiaohongshu)


async def scan(site: str, name: str) -> None:
    """Scan every code that the stand-in shows, as `name`."""
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
def no_session(xiaohongshu_data: Path) -> Iterator[Path]:
    """The data folder, with no session before and none left after."""
    yield xiaohongshu_data
    for file in xiaohongshu_data.glob("storage_state*.json"):
        file.unlink()


async def test_a_scanned_code_logs_in_and_the_session_is_kept(client, site, no_session):
    assert (await client("xhs_login_status"))["logged_in"] is False
    result = await client.result("xhs_login_qrcode")
    code = result.structured_content
    assert (code["logged_in"], code["account"]) == (False, "default")
    assert code["expires_at"].endswith("Z")
    text, image = result.content
    assert json.loads(text.text) == code
    assert image.mime_type == "image/png"
    assert base64.b64decode(image.data).startswith(b"\x89PNG")
    pending = await client("xhs_login_status")
    assert (pending["logged_in"], pending["login_pending"]) == (False, True)
    await scan(site, "fresh")
    status = await until_logged_in(client)
    assert (status["logged_in"], status["nickname"], status["next_step"]) == (True, "账号fresh", None)
    assert 0 <= status["session_age_s"] < 60
    kept = no_session / "storage_state.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "session-fresh" in kept.read_text()
    assert "session-fresh" not in str(status)
    again = await client("xhs_login_qrcode")
    assert (again["logged_in"], again["expires_at"]) == (True, None)


async def test_notes_are_read_while_a_code_waits(client, no_session):
    await client("xhs_login_qrcode")
    assert (await client("xhs_get_note", note=REF, comments=0))["note_ref"] == REF


async def test_a_second_code_replaces_the_first(client, site, stand_in, no_session):
    await client("xhs_login_qrcode")
    await client("xhs_login_qrcode", account="second")
    assert (await client("xhs_login_status"))["login_pending"] is False
    assert (await client("xhs_login_status", account="second"))["login_pending"] is True
    await scan(site, "two")
    status = await until_logged_in(client, "second")
    assert (status["account"], status["nickname"]) == ("second", "账号two")
    assert (await client("xhs_login_status"))["logged_in"] is False


async def test_a_code_that_nobody_scans_is_given_up(chromium, site, tmp_path):
    app = build_app(
        Settings(port=free_port(), data_dir=tmp_path),
        unhurried(site, login_seconds=0.1),
        BrowserSettings(chromium_path=chromium),
    )
    with running(build_server(app)) as base:
        client = Caller(base)
        await client("xhs_login_qrcode")
        await asyncio.sleep(1.2)
        assert (await client("xhs_login_status"))["login_pending"] is False
    assert not (tmp_path / "storage_state.json").exists()


async def test_a_session_file_logs_the_browser_in_without_a_restart(client, site, xiaohongshu_data):
    assert (await client("xhs_login_status"))["session_age_s"] is None
    with logged_in(xiaohongshu_data, site):
        result = await client.result("xhs_login_status")
        status = result.structured_content
        assert (status["logged_in"], status["nickname"]) == (True, "测试账号")
        assert "SECRET" not in result.content[0].text
        assert (await client("xhs_search_notes", keyword="登录墙", limit=1))["count"] == 1
    assert (await client("xhs_login_status"))["logged_in"] is False


async def test_a_session_that_the_site_no_longer_knows_has_expired(client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site) as session_file:
        session_file.write_text(session_file.read_text().replace("session-SECRET", "guest-old"))
        text = await client.refusal("xhs_search_notes", keyword="登录墙")
        assert text.startswith("LOGIN_EXPIRED：")
        assert "xhs_login_qrcode" in text
        assert (await client("xhs_login_status"))["logged_in"] is False


async def test_accounts_have_sessions_of_their_own(client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site, "eins"), logged_in(xiaohongshu_data, site, "zwei", "second"):
        first, second = await client("xhs_login_status"), await client("xhs_login_status", account="second")
        assert (first["nickname"], second["nickname"]) == ("账号eins", "账号zwei")
        assert (await client("xhs_login_status", account="default"))["nickname"] == "账号eins"


async def test_an_unknown_account_names_the_known_ones(client):
    text = await client.refusal("xhs_search_notes", keyword="咖啡", account="third")
    assert text.startswith("INVALID_ARGUMENT：没有名为 third 的账号")
    assert "default、second、widget" in text


@pytest.mark.parametrize("content", ["{", '{"cookies": 3}'])
async def test_a_broken_session_file_is_named_and_does_no_lasting_harm(client, xiaohongshu_data, content):
    kept = xiaohongshu_data / "storage_state.json"
    try:
        kept.write_text(content)
        assert "会话文件无法读取" in await client.refusal("xhs_search_notes", keyword="咖啡")
    finally:
        kept.unlink()
    assert (await client("xhs_search_notes", keyword="咖啡", limit=1))["count"] == 1


async def test_the_login_state_is_in_the_metrics(xiaohongshu, client, site, xiaohongshu_data):
    with logged_in(xiaohongshu_data, site):
        await client("xhs_login_status")
        async with httpx2.AsyncClient() as http:
            metrics = (await http.get(f"{xiaohongshu}/metrics")).text
    assert 'login_state{account="default",service="xiaohongshu"} 1.0' in metrics


def command(monkeypatch, capsys, data_dir: Path, site: str, given: str, *arguments: str) -> tuple[int, str, str]:
    monkeypatch.setenv("DYBER_DATA", str(data_dir))
    monkeypatch.setenv("XHS_BASE_URL", site)
    monkeypatch.setenv("XHS_ACCOUNTS", "default,second")
    monkeypatch.setattr(sys, "stdin", io.StringIO(given))
    status = session.main(list(arguments))
    return status, *capsys.readouterr()


async def test_imported_cookies_log_the_account_in(client, site, xiaohongshu_data, monkeypatch, capsys):
    host = httpx2.URL(site).host
    export = json.dumps([
        {"name": "web_session", "value": "session-import", "domain": host, "path": "/"},
        {"name": "SID", "value": "other", "domain": ".example.com", "path": "/"},
    ])  # fmt: skip
    status, printed, _ = command(monkeypatch, capsys, xiaohongshu_data, site, export, "import")
    assert (status, printed) == (0, "账号 default：已导入 web_session\n")
    assert (await client("xhs_login_status"))["nickname"] == "账号import"
    status, printed, _ = command(monkeypatch, capsys, xiaohongshu_data, site, "", "delete")
    assert (status, printed) == (0, "账号 default：已删除会话\n")
    assert (await client("xhs_login_status"))["logged_in"] is False


def test_an_import_for_a_further_account_goes_into_its_own_file(site, tmp_path, monkeypatch, capsys):
    header = "a1=x; web_session=y"
    assert command(monkeypatch, capsys, tmp_path, site, header, "import", "--account", "second")[0] == 0
    kept = json.loads((tmp_path / "storage_state.second.json").read_text())
    assert {cookie["domain"] for cookie in kept["cookies"]} == {".xiaohongshu.com"}
    shown = command(monkeypatch, capsys, tmp_path, site, "", "show", "--account", "second")
    assert shown == (0, "账号 second：a1、web_session\n", "")


@pytest.mark.parametrize(
    ("given", "arguments", "reason"),
    [
        ("not a cookie", ["import"], "无法导入 Cookie"),
        ("a=b", ["import", "--account", "third"], "没有名为 third 的账号"),
    ],
)
def test_an_import_that_cannot_be_done_says_why(site, tmp_path, monkeypatch, capsys, given, arguments, reason):
    status, printed, said = command(monkeypatch, capsys, tmp_path, site, given, *arguments)
    assert (status, printed) == (1, "")
    assert reason in said
    assert list(tmp_path.iterdir()) == []


def test_the_command_runs_as_the_readme_says(tmp_path, site):
    path = os.pathsep.join(str(SERVERS / folder) for folder in ("kit", "xiaohongshu"))
    done = subprocess.run(
        [sys.executable, "-m", "xiaohongshu_server.session", "show"],
        env={**os.environ, "PYTHONPATH": path, "DYBER_DATA": str(tmp_path)}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "账号 default：没有会话\n", "")


@pytest.fixture
def users_browser(chromium: str, tmp_path: Path) -> Iterator[str]:
    """A second real Chromium with a debugging port, as a user would start it; its CDP address."""
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
    app = build_app(Settings(port=free_port()), unhurried(site), BrowserSettings(cdp_url=users_browser))
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
