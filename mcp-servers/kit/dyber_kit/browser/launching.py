"""Keeps one browser running in the background.

It is started with the service and again after a crash, with pauses between failed starts.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
from playwright.async_api import Browser, Playwright, async_playwright

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, joined_sentences, tr, tr_lazy
from dyber_kit.times import duration

logger = logging.getLogger("dyber.browser")

CLOSE_SECONDS = 5.0
#: How long the start of the service, and of a call, waits for a browser that is being started.
_START_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 60.0
# A crash within this time is an early crash; so many early crashes in a row count as a failed start.
_EARLY_SECONDS = 30.0
_MAX_EARLY_CRASHES = 3
_STARTING = tr_lazy("The browser is starting")

Launch = Callable[[Playwright], Awaitable[Browser]]


class Launcher:
    """Owns the connection to one browser.

    Only its background task starts browsers, however many calls and probes need one. After a failed start the task
    waits 2 s, then twice as long each time up to 60 s; meanwhile every call is refused at once. A browser that crashes
    repeatedly soon after its start is treated as one that fails to start.

    Args:
        launch: Starts a browser or connects to one; raises Playwright's Error or OSError.
        failure: The error message when that fails.
        next_step: What people should do then.
    """

    def __init__(self, launch: Launch, failure: Text, next_step: Text) -> None:
        self._launch = launch
        self._failure = failure
        self._next_step = next_step
        self._browser: Browser | None = None
        self._failed = False
        self._retry_at = 0.0
        self._start_needed = asyncio.Event()
        self._start_attempted = asyncio.Event()
        self._stopping = True
        self._early_crashes = 0
        self._started_at = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep the browser running; wait a moment for the first start, so that a healthy service is ready at once."""
        self._stopping = self._failed = False
        self._early_crashes = 0
        self._start_attempted.clear()
        self._start_needed.set()
        task = asyncio.create_task(self._keep_running())
        try:
            await self._wait_for_start()
            yield
        finally:
            self._stopping = True
            task.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([task])

    @property
    def problem(self) -> str | None:
        """Return why no page can be opened now; None when pages can be opened."""
        if self._current() is not None:
            return None
        if not self._failed:
            return str(_STARTING)
        return joined_sentences([self._failure, self._retry_text()])

    async def browser(self) -> Browser:
        """Return the running browser; wait for one that is being started, unless the last start failed.

        Raises:
            ServiceError: INTERNAL, at once, when the last start failed; BUSY when a start takes long. Both have
                `retry_after`.
        """
        if (current := self._current()) is not None:
            return current
        self._start_needed.set()
        if not self._failed:
            await self._wait_for_start()
        if (current := self._current()) is not None:
            return current
        seconds = max(1.0, self._retry_at - time.monotonic())
        if self._failed:
            raise ServiceError(ErrorCode.INTERNAL, self._failure, self._next_step, retry_after=seconds)
        raise ServiceError(ErrorCode.BUSY, _STARTING, tr_lazy("Wait a moment"), retry_after=_START_SECONDS)

    async def discard(self, browser: Browser, *, crashed: bool = False) -> None:
        """Close our Chromium, or only the connection to the user's browser; the background task starts the next one.

        Args:
            browser: A browser that `browser()` returned; if another one runs by now, that one keeps running.
            crashed: Whether the browser is discarded because it no longer works.
        """
        self._on_lost(browser, crashed=crashed)
        with anyio.CancelScope(shield=True):
            await _close(browser)

    def _current(self) -> Browser | None:
        return self._browser if self._browser is not None and self._browser.is_connected() else None

    def _retry_text(self) -> str:
        seconds = self._retry_at - time.monotonic()
        if seconds <= 0:
            return tr("another try is running")
        return tr("the next try is in {duration}", duration=duration(seconds))

    def _on_lost(self, browser: Browser, crashed: bool = True) -> None:
        if browser is not self._browser or self._stopping:
            return
        self._browser = None
        self._start_attempted.clear()
        self._start_needed.set()
        if crashed:
            early = time.monotonic() - self._started_at < _EARLY_SECONDS
            self._early_crashes = self._early_crashes + 1 if early else 0
            logger.warning("browser lost", extra={"early_crashes": self._early_crashes})

    async def _wait_for_start(self) -> None:
        with anyio.move_on_after(_START_SECONDS):
            await self._start_attempted.wait()

    async def _keep_running(self) -> None:
        driver: Playwright | None = None
        pause = _FIRST_PAUSE_SECONDS
        try:
            while True:
                await self._start_needed.wait()
                self._start_needed.clear()
                if self._current() is not None:
                    continue
                if self._early_crashes >= _MAX_EARLY_CRASHES:
                    pause = await self._pause(pause, "the browser crashes again and again")
                try:
                    driver = driver or await async_playwright().start()
                    browser = await self._launch(driver)
                except Exception as error:
                    # Playwright's own process may have failed, so that is restarted too.
                    await _stop(driver)
                    driver = None
                    pause = await self._pause(pause, str(error)[:500])
                    self._start_needed.set()
                    continue
                browser.on("disconnected", self._on_lost)
                self._browser, self._started_at = browser, time.monotonic()
                self._failed = False
                self._start_attempted.set()
                if not browser.is_connected():
                    # The browser ended before the listener was added, so there will be no event.
                    self._on_lost(browser)
                    continue
                if not self._early_crashes:
                    pause = _FIRST_PAUSE_SECONDS
        finally:
            with anyio.CancelScope(shield=True):
                if self._browser is not None:
                    await _close(self._browser)
                    self._browser = None
                await _stop(driver)

    async def _pause(self, seconds: float, reason: str) -> float:
        """Refuse calls for `seconds` after a failed start, and return the length of the next such pause."""
        self._failed = True
        self._retry_at = time.monotonic() + seconds
        self._start_attempted.set()
        logger.error("browser does not start", extra={"reason": reason, "pause_seconds": seconds})
        await asyncio.sleep(seconds)
        return min(seconds * 2, _LONGEST_PAUSE_SECONDS)


async def _close(browser: Browser) -> None:
    with anyio.move_on_after(CLOSE_SECONDS), contextlib.suppress(Exception):
        await browser.close()


async def _stop(driver: Playwright | None) -> None:
    if driver is not None:
        with anyio.move_on_after(CLOSE_SECONDS), contextlib.suppress(Exception):
            await driver.stop()
