"""Tests of the browser pool with a real Chromium, and with the user's own browser over CDP."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import dyber_kit
import pytest
import uvicorn
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore
from prometheus_client import generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.stand_in.running import free_port, running
from tests.support.patching import replace_in_this_thread


async def login(request: Request) -> Response:
    answer = PlainTextResponse("welcome")
    answer.set_cookie("user", request.query_params["name"], max_age=3600)
    return answer


async def whoami(request: Request) -> Response:
    return PlainTextResponse(request.cookies.get("user", "guest"))


@pytest.fixture(scope="module")
def platform() -> Iterator[str]:
    """Return the base URL of a site that recognises its users by a cookie."""
    app = Starlette(routes=[Route("/login", login), Route("/me", whoami)])
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield base


@pytest.fixture
def settings(chromium: str) -> BrowserSettings:
    return BrowserSettings(chromium_path=chromium, queue_seconds=20)


def with_settings(settings: BrowserSettings, **values: object) -> BrowserSettings:
    return BrowserSettings(**{**settings.__dict__, **values})


async def logged_in_user(pool: BrowserPool, platform: str, account: str = "default") -> str:
    async with pool.page(account) as page:
        await page.goto(f"{platform}/me")
        return await page.inner_text("body")


async def log_in(pool: BrowserPool, platform: str, name: str, account: str = "default") -> None:
    async with pool.page(account) as page:
        await page.goto(f"{platform}/login?name={name}")


def session_of(name: str) -> dict:
    cookie = {"name": "user", "value": name, "domain": "127.0.0.1", "path": "/", "expires": -1, "httpOnly": False}
    return {"cookies": [{**cookie, "secure": False, "sameSite": "Lax"}], "origins": []}


async def test_accounts_share_one_browser_but_have_separate_sessions(platform, settings, tmp_path):
    pool = BrowserPool(settings, SessionStore(tmp_path))
    async with pool.running():
        await log_in(pool, platform, "an")
        assert [await logged_in_user(pool, platform), await logged_in_user(pool, platform, "second")] == ["an", "guest"]


async def test_a_saved_session_survives_a_restart(platform, settings, tmp_path):
    store = SessionStore(tmp_path)
    for expected in ("guest", "an"):
        pool = BrowserPool(settings, store)
        async with pool.running():
            assert await logged_in_user(pool, platform) == expected
            await log_in(pool, platform, "an")
            await pool.save_session()
    assert store.cookie_names() == ["user"]


async def test_a_new_session_file_is_used_without_a_restart(platform, settings, tmp_path):
    store = SessionStore(tmp_path)
    pool = BrowserPool(with_settings(settings, max_pages=2), store)
    async with pool.running(), pool.page() as open_page:
        await open_page.goto(f"{platform}/me")
        store.write(session_of("imported"))
        assert await logged_in_user(pool, platform) == "imported"
        # The page that was opened before stays in its old context.
        assert await open_page.inner_text("body") == "guest"
        store.delete()
        assert await logged_in_user(pool, platform) == "guest"


async def test_with_a_damaged_session_pages_open_as_a_guest(settings, tmp_path):
    (tmp_path / "storage_state.json").write_text("{")
    pool = BrowserPool(settings, SessionStore(tmp_path))
    async with pool.running(), pool.page() as page:
        assert await page.context.cookies() == []
    assert (tmp_path / "storage_state.json.damaged").read_text() == "{"


async def test_a_session_that_cannot_be_read_requires_a_login(settings, tmp_path):
    (tmp_path / "storage_state.json").mkdir()
    pool = BrowserPool(settings, SessionStore(tmp_path))
    async with pool.running():
        with pytest.raises(ServiceError) as caught:
            async with pool.page():
                pass
    assert caught.value.code is ErrorCode.LOGIN_REQUIRED


def chromium_of_this_process() -> set[int]:
    """Return the ids of the main processes of browsers that were started by this process."""
    pids = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                environment = (entry / "environ").read_bytes()
            except OSError:
                continue
            is_child = f"PYTEST_RUN={os.getpid()}".encode() in environment
            if (
                is_child
                and any(b"--mute-audio" in word for word in words)
                and not any(b"--type=" in word for word in words)
            ):
                pids.add(int(entry.name))
    return pids


@pytest.fixture
def mark_child_processes(monkeypatch) -> None:
    monkeypatch.setenv("PYTEST_RUN", str(os.getpid()))


async def test_a_crashed_browser_is_started_again(platform, settings, mark_child_processes):
    pool = BrowserPool(settings)
    async with pool.running():
        assert await logged_in_user(pool, platform) == "guest"
        for pid in chromium_of_this_process():
            os.kill(pid, signal.SIGKILL)
        assert await logged_in_user(pool, platform) == "guest"
        assert await pool.problem() is None


async def test_a_browser_is_restarted_after_many_pages_but_not_while_a_page_is_open(
    platform, settings, mark_child_processes
):
    pool = BrowserPool(with_settings(settings, recycle_pages=2, max_pages=2))
    async with pool.running():
        await logged_in_user(pool, platform)
        first = chromium_of_this_process()
        async with pool.page() as open_page:
            await logged_in_user(pool, platform)
            await open_page.goto(f"{platform}/me")
        assert chromium_of_this_process() == first
        await logged_in_user(pool, platform)
        assert chromium_of_this_process().isdisjoint(first)


async def test_no_process_of_the_browser_is_left_at_the_end(platform, settings, mark_child_processes):
    pool = BrowserPool(settings)
    async with pool.running():
        await logged_in_user(pool, platform)
        assert chromium_of_this_process()
    assert not chromium_of_this_process()


async def test_when_all_pages_are_in_use_the_next_caller_gets_busy(settings):
    pool = BrowserPool(with_settings(settings, queue_seconds=0.05))
    async with pool.running(), pool.page():
        with pytest.raises(ServiceError) as caught:
            async with pool.page():
                pass
        assert caught.value.code is ErrorCode.BUSY


async def test_a_page_that_waits_for_a_login_does_not_occupy_a_turn(platform, settings):
    pool = BrowserPool(with_settings(settings, queue_seconds=1))
    async with pool.running(), pool.page(in_turn=False):
        assert await logged_in_user(pool, platform) == "guest"


async def test_open_pages_are_in_the_metrics(settings):
    metrics = Metrics("x")
    pool = BrowserPool(settings, metrics=metrics)
    async with pool.running():
        async with pool.page():
            during = generate_latest(metrics.registry).decode()
        after = generate_latest(metrics.registry).decode()
    assert 'browser_pages_open{service="x"} 1.0' in during
    assert 'browser_pages_open{service="x"} 0.0' in after


async def test_the_error_for_a_browser_that_cannot_start_names_its_path(settings):
    pool = BrowserPool(with_settings(settings, chromium_path="/nonexistent/chromium"))
    async with pool.running():
        assert "/nonexistent/chromium" in (await pool.problem() or "")
        with pytest.raises(ServiceError) as caught:
            async with pool.page():
                pass
    assert caught.value.code is ErrorCode.INTERNAL


def get_json(cdp_url: str, path: str) -> object:
    with urllib.request.urlopen(cdp_url + path, timeout=10) as answer:
        return json.load(answer)


@pytest.fixture
def users_browser(chromium: str, tmp_path: Path, platform: str) -> Iterator[str]:
    """Run a browser outside the pool, with one page open, and return its debugging address."""
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", f"{platform}/login?name=owner"]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port_file = tmp_path / "profile" / "DevToolsActivePort"
        give_up = time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text().strip():
            if child.poll() is not None or time.monotonic() > give_up:
                pytest.fail("the user's browser did not start")
            time.sleep(0.05)
        base = f"http://127.0.0.1:{port_file.read_text().split()[0]}"
        while not any("welcome" in page["title"] or "/login" in page["url"] for page in get_json(base, "/json/list")):
            time.sleep(0.05)
        yield base
    finally:
        child.terminate()
        child.wait(30)


async def test_the_users_own_browser_is_used_with_its_login_and_its_pages_stay(platform, users_browser, tmp_path):
    before = get_json(users_browser, "/json/list")
    pool = BrowserPool(BrowserSettings(cdp_url=users_browser), SessionStore(tmp_path / "data"))
    async with pool.running():
        assert pool.attached
        assert await logged_in_user(pool, platform) == "owner"
        with pytest.raises(ServiceError, match="只有一个账号"):
            async with pool.page("second"):
                pass
        await pool.save_session()
    assert [page["url"] for page in get_json(users_browser, "/json/list")] == [page["url"] for page in before]
    assert SessionStore(tmp_path / "data").accounts() == []


async def test_a_users_browser_with_a_host_name_is_called_by_its_ip_address(platform, users_browser, monkeypatch):
    port = int(users_browser.rsplit(":", 1)[1])

    async def resolve(_loop, *_args, **_options):
        return [(10, 1, 6, "", ("::1", port, 0, 0)), (2, 1, 6, "", ("127.0.0.1", port))]

    replace_in_this_thread(monkeypatch, asyncio.BaseEventLoop, "getaddrinfo", resolve)
    pool = BrowserPool(BrowserSettings(cdp_url=f"http://host.docker.internal:{port}"))
    async with pool.running():
        assert await logged_in_user(pool, platform) == "owner"


async def test_the_error_for_an_unreachable_users_browser_says_what_to_check():
    pool = BrowserPool(BrowserSettings(cdp_url=f"http://127.0.0.1:{free_port()}"))
    async with pool.running():
        assert "无法连接用户的浏览器" in (await pool.problem() or "")
        with pytest.raises(ServiceError) as caught:
            async with pool.page():
                pass
    assert "--remote-debugging-port" in caught.value.next_step


@pytest.mark.parametrize("url", ["localhost:9222", "http://host", "ftp://host:1", "http://:9222", "http://host:99999"])
def test_the_error_for_an_invalid_debugging_address_names_the_variable(url, monkeypatch):
    monkeypatch.setenv("BROWSER_CDP_URL", url)
    with pytest.raises(ValueError, match="BROWSER_CDP_URL"):
        BrowserSettings.from_environment()


def test_the_browsers_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("CHROMIUM_PATH", "/x/chromium")
    monkeypatch.setenv("BROWSER_CDP_URL", "http://host:9222")
    monkeypatch.setenv("BROWSER_MAX_PAGES", "3")
    settings = BrowserSettings.from_environment()
    assert (settings.chromium_path, settings.cdp_url, settings.max_pages) == ("/x/chromium", "http://host:9222", 3)


def test_the_kit_does_not_need_playwright():
    code = "import dyber_kit, sys; assert not any(name.startswith('playwright') for name in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(dyber_kit.__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


async def test_callers_wait_for_a_free_page_within_the_limit(platform, settings):
    pool = BrowserPool(settings)
    async with pool.running():
        assert await asyncio.gather(*(logged_in_user(pool, platform) for _ in range(4))) == ["guest"] * 4
