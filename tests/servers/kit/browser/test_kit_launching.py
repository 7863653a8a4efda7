"""Tests of the background task that starts the browser.

Probes and calls only read its state, so a failing start is not repeated for each of them.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.launching import Launcher
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.browser.sessions import SessionStore

MakeBrowser = Callable[[str], BrowserSettings]


@pytest.fixture
def make_browser(chromium: str, tmp_path: Path) -> MakeBrowser:
    """Return a function that makes settings with an executable that records each start and then runs a shell script."""

    def make(behaviour: str) -> BrowserSettings:
        script = tmp_path / "chromium"
        script.write_text(f'#!/bin/sh\necho "$$" >> "$0.log"\n{behaviour.format(chromium=chromium)}\n')
        script.chmod(0o755)
        return BrowserSettings(chromium_path=str(script))

    return make


def starts(settings: BrowserSettings) -> list[int]:
    """Return the process ids of the starts so far."""
    log = Path(f"{settings.chromium_path}.log")
    return [int(line) for line in log.read_text().split()] if log.exists() else []


async def error_of_page(pool: BrowserPool) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        async with pool.page():
            pass
    return caught.value


async def text_of_page(pool: BrowserPool) -> str:
    async with pool.page() as page:
        await page.goto("data:text/html,<p>ok")
        return await page.inner_text("p")


async def until(condition: Callable[[], object], seconds: float = 30) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "not within the time"
        await asyncio.sleep(0.05)


async def test_a_browser_that_exits_at_once_is_not_started_for_each_probe_and_call(make_browser):
    settings = make_browser("exit 1")
    pool = BrowserPool(settings)
    async with pool.running():
        before = len(starts(settings))
        problems = [await pool.problem() for _ in range(50)]
        errors = [await error_of_page(pool) for _ in range(10)]
        assert len(starts(settings)) - before <= 1  # the next start by the background task itself
    assert all("浏览器无法启动" in problem for problem in problems)
    assert {error.code for error in errors} == {ErrorCode.INTERNAL}
    assert all(error.retry_after >= 1 for error in errors)


async def test_a_start_that_hangs_delays_neither_probes_nor_calls(make_browser, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.launching._START_SECONDS", 0.2)
    settings = make_browser("exec sleep 600")
    pool = BrowserPool(settings)
    async with pool.running():
        await until(lambda: starts(settings))
        assert await pool.problem() == "浏览器正在启动"
        errors = await asyncio.gather(*(error_of_page(pool) for _ in range(5)))
        assert {error.code for error in errors} == {ErrorCode.BUSY}
        assert all(error.retry_after for error in errors)
        (pid,) = starts(settings)
    await until(lambda: not Path(f"/proc/{pid}").exists())


async def test_a_start_that_hangs_too_long_counts_as_failed(make_browser, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.pool._LAUNCH_SECONDS", 0.3)
    pool = BrowserPool(make_browser("exec sleep 600"))
    async with pool.running():
        assert "浏览器无法启动" in (await pool.problem() or "")
        assert (await error_of_page(pool)).retry_after >= 1


async def test_a_browser_that_starts_after_failures_is_used_without_a_restart_of_the_service(make_browser, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.launching._FIRST_PAUSE_SECONDS", 0.1)
    settings = make_browser('[ -e "$0.mended" ] || exit 1; exec {chromium} "$@"')
    pool = BrowserPool(settings)
    async with pool.running():
        assert await pool.problem() is not None
        Path(f"{settings.chromium_path}.mended").touch()
        await until(lambda: pool._launcher.problem is None)
        assert await text_of_page(pool) == "ok"


async def test_a_crash_under_a_page_is_reported_and_the_browser_starts_again(make_browser):
    settings = make_browser('exec {chromium} "$@"')
    pool = BrowserPool(settings)
    async with pool.running():
        with pytest.raises(ServiceError, match="崩溃") as caught:
            async with pool.page() as page:
                os.kill(starts(settings)[-1], signal.SIGKILL)
                await page.goto("data:text/html,<p>ok")
        assert (caught.value.code, caught.value.retry_after) == (ErrorCode.INTERNAL, 5)
        assert await text_of_page(pool) == "ok"
        assert await pool.problem() is None


async def test_a_browser_that_crashes_repeatedly_is_started_with_pauses(make_browser, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.launching._MAX_EARLY_CRASHES", 1)
    settings = make_browser('exec {chromium} "$@"')
    pool = BrowserPool(settings)
    async with pool.running():
        os.kill(starts(settings)[-1], signal.SIGKILL)
        await until(lambda: pool._launcher._early_crashes)
        assert (await error_of_page(pool)).retry_after >= 1
        assert len(starts(settings)) == 1


async def test_playwrights_own_process_is_started_again_after_a_crash(make_browser, monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.launching._FIRST_PAUSE_SECONDS", 0.1)
    settings = make_browser('exec {chromium} "$@"')
    pool = BrowserPool(settings)
    async with pool.running():
        parent = Path(f"/proc/{starts(settings)[-1]}/stat").read_text().rsplit(") ", 1)[1].split()[1]
        os.kill(int(parent), signal.SIGKILL)
        give_up = time.monotonic() + 30
        while True:
            try:
                assert await text_of_page(pool) == "ok"
                break
            except ServiceError:
                assert time.monotonic() < give_up
                await asyncio.sleep(0.1)


async def test_a_stored_cookie_that_the_browser_refuses_does_not_affect_the_others(make_browser, tmp_path, caplog):
    cookie = {"name": "user", "value": "an", "domain": "site.test", "path": "/", "expires": -1}
    cookie |= {"httpOnly": False, "secure": False, "sameSite": "Lax"}
    invalid = {**cookie, "name": "invalid", "value": "a;b\x00"}
    refused = [{**cookie, "name": "late", "expires": -7}, invalid, {"name": "bare"}]
    store = SessionStore(tmp_path / "data")
    store.path().parent.mkdir()
    store.path().write_text(json.dumps({"cookies": [*refused, cookie], "origins": []}))
    pool = BrowserPool(make_browser('exec {chromium} "$@"'), store)
    async with pool.running(), pool.page() as page:
        assert "user" in {kept["name"] for kept in await page.context.cookies()}
    (record,) = [record for record in caplog.records if record.message == "cookies not usable"]
    assert set(record.cookies) <= {"late", "invalid", "bare"} and record.cookies


class EndedBrowser:
    """Is a browser that ended before a listener for its end was added, so that no event is sent."""

    def on(self, event: str, handler: object) -> None:
        pass

    def is_connected(self) -> bool:
        return False

    async def close(self) -> None:
        pass


class DriverWithoutProcess:
    async def start(self) -> DriverWithoutProcess:
        return self

    async def stop(self) -> None:
        pass


class RunningBrowser(EndedBrowser):
    def is_connected(self) -> bool:
        return True


async def test_a_browser_that_ends_before_its_listener_is_added_is_started_again(monkeypatch):
    monkeypatch.setattr("dyber_kit.browser.launching.async_playwright", DriverWithoutProcess)
    started = []

    async def launch(driver: object) -> EndedBrowser:
        started.append(driver)
        return EndedBrowser() if len(started) == 1 else RunningBrowser()

    launcher = Launcher(launch, "浏览器无法启动", "请稍等")
    async with launcher.running():
        await until(lambda: launcher.problem is None)
    assert len(started) == 2


def disabled_features(arguments: str) -> list[set[str]]:
    """Return the features of each list in Chromium's arguments; Chromium obeys the last one."""
    start = "--disable-features="
    return [set(word.removeprefix(start).split(",")) for word in arguments.split() if word.startswith(start)]


async def test_the_features_that_playwright_disables_stay_disabled(make_browser):
    settings = make_browser('echo "$@" > "$0.arguments"\nexec {chromium} "$@"')
    pool = BrowserPool(settings)
    async with pool.running():
        assert await text_of_page(pool) == "ok"
    playwrights, last = disabled_features(Path(f"{settings.chromium_path}.arguments").read_text())
    assert playwrights
    assert playwrights - last == set()


async def test_only_the_page_that_was_asked_for_is_loaded(chromium):
    pool = BrowserPool(BrowserSettings(chromium_path=chromium))
    async with pool.running(), pool.page() as page:
        await page.goto("data:text/html,<p>ok")
        assert page.context.browser is not None
        session = await page.context.browser.new_browser_cdp_session()
        # Without a filter, Chromium does not list the pages of its own windows.
        listed = await session.send("Target.getTargets", {"filter": [{}]})
    addresses = {target["url"] for target in listed["targetInfos"] if target["type"] != "browser"}
    assert addresses == {page.url}
