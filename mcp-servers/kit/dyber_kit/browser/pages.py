"""Opens pages of a platform at a person's pace: with intervals, and none while the platform refuses us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.async_api import Page

from dyber_kit.accounts import choose_account
from dyber_kit.browser.counting import count_requests
from dyber_kit.browser.platform_settings import PlatformSettings
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.pool import BrowserPool
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore
from dyber_kit.browser.visits import Paths, Visit, visiting
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.observing.metrics import Metrics
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits


@dataclass(frozen=True)
class Pause:
    """Says why no page is opened at present, and until when."""

    code: ErrorCode
    until: datetime


class Pages:
    """Opens the pages of each account.

    Each account has its own session, queue, daily count and pause, which survive a restart; with `shared_pace`, all
    accounts share the last three.

    Args:
        platform: The platform.
        browser: Opens the pages.
        sessions: The store of sessions, or None.
        settings: The accounts and the pace.
        data_dir: Folder where the day's count and a pause survive a restart, or None.
        metrics: Where queue, breaker, login and requests to the platform are shown.
        shared: The limits of all replicas of the service, or None when this process is alone.
    """

    def __init__(
        self,
        platform: Platform,
        browser: BrowserPool,
        sessions: SessionStore | None,
        settings: PlatformSettings,
        data_dir: Path | None,
        metrics: Metrics,
        shared: SharedLimits | None = None,
    ) -> None:
        self.platform = platform
        self.settings = settings
        self._browser = browser
        self._sessions = sessions
        self._accounts = settings.accounts
        self._metrics = metrics
        if settings.shared_pace:
            self._paces = dict.fromkeys(self._accounts, _Pace(platform.name, settings, data_dir, metrics, shared))
        else:
            self._paces = {
                account: _Pace(f"{platform.name}-{account}", settings, data_dir, metrics, shared)
                for account in self._accounts
            }

    def account(self, name: str) -> str:
        """Return the account that the current caller names; see `choose_account`."""
        return choose_account(name, self._accounts)

    @property
    def attached(self) -> bool:
        """Return whether pages open in the user's own browser."""
        return self._browser.attached

    def pause(self, account: str) -> Pause | None:
        """Return the pause during which no page of the account is opened, or None."""
        breaker = self._paces[account].breaker
        cause, left = breaker.cause, breaker.seconds_left
        return Pause(cause, datetime.now(UTC) + timedelta(seconds=left)) if cause and left else None

    def turn(self, account: str = "") -> AbstractAsyncContextManager[None]:
        """Wait for a turn of the account, by default the first, and hold it; see `Pacer.turn`."""
        return self._paces[self.account(account)].pacer.turn()

    @asynccontextmanager
    async def visit(self, account: str, url: str, paths: Paths, seconds: float | None = None) -> AsyncIterator[Visit]:
        """Wait for a turn, open `url` in a page of `account`, and close the page on exit.

        Raises:
            ServiceError: Like `page` and `visiting`; a visit lasts `seconds`, by default `page_seconds`.
        """
        seconds = seconds or self.settings.page_seconds
        async with self.page(account) as page, visiting(page, self.platform, url, paths, seconds) as visit:
            yield visit

    @asynccontextmanager
    async def page(self, account: str) -> AsyncIterator[Page]:
        """Wait for a turn, open a fresh page of the account, and close it on exit.

        Raises:
            ServiceError: BUSY, or the reason why no page can be opened; RATE_LIMITED when the day's pages are used up;
                LOGIN_EXPIRED in place of LOGIN_REQUIRED when the account has a session.
        """
        async with self.turn(account), self._browser.page(self._stored_name(account)) as page:
            count_requests(page, self.platform.calls, self._metrics)
            try:
                yield page
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED and self.session_stamp(account) is not None:
                    raise ServiceError(ErrorCode.LOGIN_EXPIRED, next_step=self.platform.walls.login_step) from error
                raise

    @asynccontextmanager
    async def waiting_page(self, account: str) -> AsyncIterator[Page]:
        """Open an empty page that may stay open between calls. Take a `turn` before an address is opened in it."""
        async with self._browser.page(self._stored_name(account), in_turn=False) as page:
            count_requests(page, self.platform.calls, self._metrics)
            yield page

    async def save_session(self, account: str) -> None:
        """Store the session of the account's browser. Raises OSError."""
        await self._browser.save_session(self._stored_name(account))

    def session_stamp(self, account: str) -> int | None:
        """Return when the account's session was written, in nanoseconds since 1970; None without a session."""
        return self._sessions.stamp(self._stored_name(account)) if self._sessions else None

    def note_login(self, account: str, logged_in: bool) -> None:
        """Show in the metrics whether the account is logged in."""
        self._metrics.login_state(account, logged_in)

    def _stored_name(self, account: str) -> str:
        """Return the name under which an account's session is stored; that of the first account is DEFAULT_ACCOUNT."""
        return DEFAULT_ACCOUNT if account == self._accounts[0] else account


class _Pace:
    """Holds the queue and the breaker of an account, or of all accounts."""

    def __init__(
        self,
        name: str,
        settings: PlatformSettings,
        data_dir: Path | None,
        metrics: Metrics,
        shared: SharedLimits | None,
    ) -> None:
        self.breaker = Breaker(
            name, pause_seconds=settings.pause_seconds, data_dir=data_dir, shared=shared, metrics=metrics
        )
        self.pacer = Pacer(
            name,
            min_interval=settings.interval_seconds,
            jitter=settings.jitter_seconds,
            daily_cap=settings.daily_pages,
            queue_seconds=settings.queue_seconds,
            data_dir=data_dir,
            breaker=self.breaker,
            shared=shared,
            metrics=metrics,
        )
