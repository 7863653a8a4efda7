"""One Chromium, one context, one page at a time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from dyber_kit import ErrorCode, ServiceError
from playwright.async_api import Browser, BrowserContext, Error, Page, Playwright, StorageState, async_playwright

from xiaohongshu_server.config import SiteSettings

logger = logging.getLogger("xiaohongshu.browser")

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--disable-breakpad",
    "--no-first-run",
    "--mute-audio",
    "--renderer-process-limit=2",
    # We read text and addresses only; pictures would be most of the traffic and memory.
    "--blink-settings=imagesEnabled=false",
]
_CLOSE_SECONDS = 5.0


class SiteBrowser:
    """Owns the browser process; relaunches it after a crash and reloads the session file when it changes."""

    def __init__(self, settings: SiteSettings) -> None:
        self._settings = settings
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._session_stamp: int | None = None
        self._turn = asyncio.Semaphore(1)
        self._launching = asyncio.Lock()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the browser for the life of the process.

        A browser that cannot start leaves the service up but not ready, with the reason in /ready.
        """
        async with async_playwright() as playwright:
            self._playwright = playwright
            await self.problem()
            try:
                yield
            finally:
                self._playwright = None
                await self._close()

    async def problem(self) -> str | None:
        """None when pages can be opened (launching the browser if need be), else why not, in Chinese."""
        try:
            await self._ensure_browser()
        except Error as error:
            logger.error("browser does not start", extra={"reason": str(error)[:500]})
            return f"浏览器无法启动（{self._settings.chromium_path}），请查看服务日志"
        return None

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A fresh page, closed on exit. Callers take turns.

        Raises:
            ServiceError: BUSY when no turn came within `queue_seconds`; INTERNAL when no browser starts.
        """
        with anyio.move_on_after(self._settings.queue_seconds) as waiting:
            await self._turn.acquire()
        if waiting.cancelled_caught:
            raise ServiceError(ErrorCode.BUSY, "浏览器正在处理其他请求", "请等待十几秒后重试，一次只发一个请求")
        try:
            page = await self._new_page()
            try:
                yield page
            finally:
                with anyio.move_on_after(_CLOSE_SECONDS, shield=True), contextlib.suppress(Error):
                    await page.close()
        finally:
            self._turn.release()

    def session_file_present(self) -> bool:
        """Whether somebody has put a session file in place."""
        return self._session_file_stamp() is not None

    async def _ensure_browser(self) -> Browser:
        async with self._launching:
            if self._browser is not None and self._browser.is_connected():
                return self._browser
            if self._playwright is None:
                raise Error("the browser is shutting down")
            self._context = None
            self._browser = await self._playwright.chromium.launch(
                executable_path=self._settings.chromium_path,
                chromium_sandbox=self._settings.chromium_sandbox,
                args=_FLAGS,
                timeout=30_000,
            )
            logger.info("browser started", extra={"version": self._browser.version})
            return self._browser

    async def _new_page(self) -> Page:
        try:
            try:
                return await (await self._ensure_context()).new_page()
            except Error:
                # A browser that has just died still counts as connected for a moment.
                await self._close()
                return await (await self._ensure_context()).new_page()
        except Error as error:
            raise ServiceError(
                ErrorCode.INTERNAL, "浏览器无法启动", "请查看服务日志，确认容器内存足够后重试"
            ) from error

    async def _ensure_context(self) -> BrowserContext:
        browser = await self._ensure_browser()
        stamp = self._session_file_stamp()
        if self._context is not None and stamp == self._session_stamp:
            return self._context
        if self._context is not None:
            await self._context.close()
            self._context = None
        self._context = await browser.new_context(
            locale="zh-CN",
            timezone_id="Asia/Shanghai",
            viewport={"width": 1280, "height": 900},
            storage_state=self._read_session() if stamp is not None else None,
        )
        self._session_stamp = stamp
        return self._context

    def _read_session(self) -> StorageState:
        try:
            session = json.loads(self._settings.session_file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            session = None
        if not isinstance(session, dict) or not isinstance(session.get("cookies"), list):
            raise ServiceError(
                ErrorCode.LOGIN_REQUIRED,
                "会话文件无法读取",
                "请重新导出会话文件并覆盖 /data/storage_state.json，或删除它",
            )
        return session

    def _session_file_stamp(self) -> int | None:
        if self._settings.session_file is None:
            return None
        try:
            return self._settings.session_file.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    async def _close(self) -> None:
        browser, self._browser, self._context = self._browser, None, None
        if browser is not None:
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True), contextlib.suppress(Error):
                await browser.close()
