"""Opens pages in the one browser of a process: its own Chromium, or the user's browser over CDP.

Needs `playwright`, which only services with a browser install; nothing else of the kit imports this module.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import anyio
from playwright.async_api import Browser, BrowserContext, BrowserType, Error, Page, Playwright

from dyber_kit.browser.chromium_flags import chromium_flags
from dyber_kit.browser.launching import CLOSE_SECONDS, Launcher
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore, StorageState
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr, tr_lazy
from dyber_kit.observing import tracing
from dyber_kit.observing.metrics import Metrics
from dyber_kit.settings import environment_flag, environment_number

logger = logging.getLogger("dyber.browser")

_NO_SANDBOX = re.compile(r"No usable sandbox|Failed to move to new namespace|zygote_host_impl|without --no-sandbox")
_GONE = re.compile(r"has been closed|Connection closed|crashed", re.IGNORECASE)
_LAUNCH_SECONDS = 30.0


@dataclass(frozen=True)
class BrowserSettings:
    """Holds the settings of the browser.

    Attributes:
        chromium_path: Chromium's executable (CHROMIUM_PATH).
        chromium_sandbox: Whether Chromium uses its own sandbox (CHROMIUM_SANDBOX); None uses it where it works. It
            needs user namespaces, which engines permit only with a special seccomp profile; without the sandbox, only
            the container isolates pages.
        cdp_url: Attach to the user's browser here, for example `http://host:9222` (BROWSER_CDP_URL), or None.
        max_pages: Most pages open at once (BROWSER_MAX_PAGES).
        queue_seconds: Longest wait for a page before BUSY, in seconds.
        recycle_pages: Restart an idle browser after this many pages, because its memory grows.
        images: Whether pictures are loaded; they take most of a page's traffic and memory.
        locale: Language of the pages.
        timezone: Time zone of the pages.
    """

    chromium_path: str = "/usr/bin/chromium"
    chromium_sandbox: bool | None = None
    cdp_url: str | None = None
    max_pages: int = 1
    queue_seconds: float = 15.0
    recycle_pages: int = 500
    images: bool = False
    locale: str = "zh-CN"
    timezone: str = "Asia/Shanghai"

    @classmethod
    def from_environment(cls) -> BrowserSettings:
        """Read the settings from environment variables.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        cdp_url = os.environ.get("BROWSER_CDP_URL", "").strip() or None
        if cdp_url is not None:
            check_cdp_url(cdp_url)
        return cls(
            chromium_path=os.environ.get("CHROMIUM_PATH") or "/usr/bin/chromium",
            chromium_sandbox=environment_flag("CHROMIUM_SANDBOX", True) if os.environ.get("CHROMIUM_SANDBOX") else None,
            cdp_url=cdp_url,
            max_pages=int(environment_number("BROWSER_MAX_PAGES", 1, 1, 8)),
        )


class BrowserPool:
    """Opens pages in one browser, which a `Launcher` keeps running, and reloads a session that has changed.

    Each account has a context of its own, with the session that `sessions` keeps for it. The user's own browser has
    one account, the one logged in there, and is never closed.

    Args:
        settings: The settings of the browser.
        sessions: Kept sessions, or None to start without one.
        metrics: Where `browser_pages_open` is shown.
    """

    def __init__(
        self, settings: BrowserSettings, sessions: SessionStore | None = None, metrics: Metrics | None = None
    ) -> None:
        self._settings = settings
        self._sessions = sessions
        self._launcher = Launcher(self._start, self._failure(), self._next_step())
        self._contexts_browser: Browser | None = None
        self._contexts: dict[str, _Context] = {}
        self._turns = asyncio.Semaphore(settings.max_pages)
        self._context_lock = asyncio.Lock()
        self._open_pages = 0
        self._pages_served = 0
        self._sandboxed: bool | None = None
        if metrics:
            metrics.watch_pages(lambda: self._open_pages)

    @property
    def attached(self) -> bool:
        """Return whether this is the user's own browser."""
        return self._settings.cdp_url is not None

    def about(self) -> dict[str, str]:
        """Return what /ready reports of the browser: whose it is and what isolates its pages."""
        if self.attached:
            return {"browser": "user's own"}
        sandbox = {None: "not started", True: "own sandbox", False: "container only"}[self._sandboxed]
        return {"browser": "chromium", "browser_sandbox": sandbox}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run the browser for the life of the process.

        When the browser cannot start, the service runs but is not ready, with the reason in /ready; further starts are
        attempted in the background.
        """
        async with self._launcher.running():
            yield

    async def problem(self) -> str | None:
        """Return why no page can be opened now, or None; starts nothing and waits for nothing."""
        return self._launcher.problem

    @asynccontextmanager
    async def page(self, account: str = DEFAULT_ACCOUNT, *, in_turn: bool = True) -> AsyncIterator[Page]:
        """Open a fresh page of the account and close it on exit; callers take turns.

        Args:
            account: Whose session the page has.
            in_turn: False opens the page without waiting for a turn; for a page that stays open between calls, such as
                one that waits for a login.

        Raises:
            ServiceError: BUSY when no turn came within `queue_seconds`; INTERNAL when no browser starts, or when it
                crashed under the page; LOGIN_REQUIRED when the kept session cannot be read.
        """
        async with self._turn() if in_turn else contextlib.nullcontext():
            with tracing.span("browser page"):
                with tracing.span("browser new page"):
                    context, page = await self._new_page(account)
                self._open_pages += 1
                self._pages_served += 1
                try:
                    yield page
                except Exception as error:
                    if not is_gone(error, page):
                        raise
                    raise crashed() from error
                finally:
                    self._open_pages -= 1
                    with anyio.CancelScope(shield=True), tracing.span("browser close page"):
                        await _close(page)
                        await self._release(context)

    async def save_session(self, account: str = DEFAULT_ACCOUNT) -> None:
        """Store the session of the account's context, so that the login survives a restart.

        Without a store, or with the user's own browser, this does nothing. Raises OSError.
        """
        current = self._contexts.get(account)
        if self._sessions is None or self.attached or current is None:
            return
        state = await current.context.storage_state()
        self._sessions.write({**state}, account)
        current.stamp = self._sessions.stamp(account)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        with tracing.waiting("browser"):
            with anyio.move_on_after(self._settings.queue_seconds) as waiting:
                await self._turns.acquire()
            if waiting.cancelled_caught:
                raise ServiceError(ErrorCode.BUSY, tr_lazy("The browser is busy with other requests"), retry_after=15)
        try:
            yield
        finally:
            self._turns.release()

    async def _new_page(self, account: str) -> tuple[_Context, Page]:
        # This wait is outside the lock, so that several callers wait for a start at the same time.
        with tracing.span("browser start", at_least=0.001):
            await self._launcher.browser()
        async with self._context_lock:
            if self._pages_served >= self._settings.recycle_pages and not self._open_pages and not self.attached:
                await self._launcher.discard(await self._launcher.browser())
            for last_try in (False, True):
                browser = await self._launcher.browser()
                try:
                    context = await self._ensure_context(browser, account)
                    page = await context.context.new_page()
                    context.pages += 1
                    return context, page
                except Exception as error:
                    if not isinstance(error, (Error, OSError)) and not is_gone(error):
                        raise
                    # A browser that has just crashed still counts as connected for a moment.
                    await self._launcher.discard(browser, crashed=True)
                    if last_try:
                        raise crashed() from error
        raise AssertionError("unreachable")

    async def _ensure_context(self, browser: Browser, account: str) -> _Context:
        if self.attached and account != DEFAULT_ACCOUNT:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("With the user's own browser there is only one account"),
                tr_lazy("Name no account; the account is the one that is logged in in that browser"),
            )
        if browser is not self._contexts_browser:
            self._contexts.clear()
            self._contexts_browser, self._pages_served = browser, 0
            logger.info("browser ready", extra={"version": browser.version, **self.about()})
        stamp = self._sessions.stamp(account) if self._sessions and not self.attached else None
        current = self._contexts.get(account)
        if current is not None and current.stamp == stamp:
            return current
        if current is not None:
            del self._contexts[account]
            current.stale = True
            if not current.pages:
                await _close(current.context)
        if self.attached and browser.contexts:
            opened = _Context(browser.contexts[0], None)
        else:
            state = self._sessions.read(account) if self._sessions and stamp is not None else None
            context = await self._new_context(browser, account, state)
            opened = _Context(context, stamp)
        self._contexts[account] = opened
        return opened

    async def _release(self, context: _Context) -> None:
        context.pages -= 1
        if context.stale and not context.pages:
            await _close(context.context)

    async def _new_context(self, browser: Browser, account: str, state: StorageState | None) -> BrowserContext:
        """Make a context with the stored session; cookies that the browser refuses are left out and logged by name."""
        options: dict[str, Any] = {
            "locale": self._settings.locale,
            "timezone_id": self._settings.timezone,
            "viewport": {"width": 1280, "height": 900},
        }
        try:
            return await browser.new_context(**options, storage_state=state)  # type: ignore[arg-type]
        except Error:
            if state is None or not browser.is_connected():
                raise
        context = await browser.new_context(**options)
        refused = []
        for cookie in state["cookies"]:
            try:
                await context.add_cookies([cookie])
            except (Error, TypeError, ValueError):
                refused.append(str(cookie.get("name")) if isinstance(cookie, dict) else "?")
        logger.error("cookies not usable", extra={"account": account, "cookies": refused})
        return context

    async def _start(self, playwright: Playwright) -> Browser:
        if self._settings.cdp_url is not None:
            address = await _with_ip_address(self._settings.cdp_url)
            return await playwright.chromium.connect_over_cdp(address, timeout=_LAUNCH_SECONDS * 1000)
        return await self._launch(playwright.chromium)

    async def _launch(self, chromium: BrowserType) -> Browser:
        configured = self._settings.chromium_sandbox
        tries = [configured] if configured is not None else [True, False]
        # Chromium refuses to use its sandbox as root. Where the sandbox failed once, it fails while the process lives.
        if configured is None and (os.geteuid() == 0 or self._sandboxed is False):
            tries = [False]
        for sandbox in tries:
            try:
                browser = await chromium.launch(
                    executable_path=self._settings.chromium_path,
                    chromium_sandbox=sandbox,
                    args=chromium_flags(images=self._settings.images),
                    timeout=_LAUNCH_SECONDS * 1000,
                )
            except Error as error:
                if sandbox is tries[-1] or not _NO_SANDBOX.search(str(error)):
                    raise
                logger.warning("chromium's own sandbox is not permitted here; the container alone confines its pages")
                continue
            self._sandboxed = sandbox
            return browser
        raise AssertionError("unreachable")

    def _failure(self) -> Text:
        if self.attached:
            return tr_lazy("The user's browser cannot be reached ({address})", address=self._settings.cdp_url)
        return tr_lazy(
            "The browser ({file}) does not start; look at the service's log", file=self._settings.chromium_path
        )

    def _next_step(self) -> Text:
        if self.attached:
            return tr_lazy(
                "Check that the browser was started with --remote-debugging-port, and that BROWSER_CDP_URL is correct "
                "and can be reached from the container; then try again"
            )
        return tr_lazy("Look at the service's log, check that the container has enough memory, then try again")


def crashed() -> ServiceError:
    """Return the failure to report when the browser or its page crashed in the middle of a call."""
    return ServiceError(
        ErrorCode.INTERNAL,
        tr_lazy("The browser crashed during the operation and is restarting"),
        tr_lazy("Try once more"),
        retry_after=5,
    )


def is_gone(error: Exception, page: Page | None = None) -> bool:
    """Tell whether the error says that the browser, its page or Playwright's own process is gone."""
    if isinstance(error, ServiceError):
        return False
    # Playwright has no exception class for the end of its own process, so the message is searched.
    if _GONE.search(str(error)):
        return True
    return isinstance(error, Error) and page is not None and page.is_closed()


@dataclass(eq=False)
class _Context:
    context: BrowserContext
    stamp: int | None
    pages: int = 0
    stale: bool = False


def check_cdp_url(url: str) -> None:
    """Raise ValueError when `url` cannot be the address of a browser's debugging port."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https", "ws", "wss") and parts.hostname and parts.port
    except ValueError:
        usable = False
    if not usable:
        raise ValueError(
            tr(
                "The value {value} of the environment variable {name} is not usable; it must be like {example}",
                name="BROWSER_CDP_URL",
                value=repr(url),
                example="http://host:9222",
            )
        )


async def _with_ip_address(url: str) -> str:
    """Return the URL with its host as an IP address: browsers refuse debugging requests to names except localhost."""
    parts = urlsplit(url)
    entries = await asyncio.get_running_loop().getaddrinfo(parts.hostname, parts.port, type=socket.SOCK_STREAM)
    # By default, debugging ports listen on IPv4.
    address = str(min(entries, key=lambda entry: entry[0] != socket.AF_INET)[4][0])
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=f"{host}:{parts.port}").geturl()


async def _close(closable: Page | BrowserContext) -> None:
    with anyio.move_on_after(CLOSE_SECONDS), contextlib.suppress(Exception):
        await closable.close()
