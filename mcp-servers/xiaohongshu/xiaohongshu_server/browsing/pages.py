"""Opens pages of the site at a person's pace: one at a time, with intervals, and none while the site refuses us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.counting import count_requests
from dyber_kit.browser.pool import BrowserPool
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer
from playwright.async_api import Page

from xiaohongshu_server.browsing.platform import PLATFORM
from xiaohongshu_server.browsing.walls import LOGIN_NEXT_STEP
from xiaohongshu_server.config import SiteSettings


@dataclass(frozen=True)
class Pause:
    """Says why no page is opened at present, and until when."""

    code: ErrorCode
    until: datetime


class Pages:
    """Opens the pages of each account.

    All accounts share one queue and one breaker, so that a request that the platform refuses to one account is not
    tried with another.

    Args:
        browser: Opens the pages.
        sessions: The store of sessions, or None.
        site: The accounts and the pace.
        data_dir: Folder where the day's count and a pause survive a restart, or None.
        metrics: Where queue, breaker, login and requests to the site are shown.
    """

    def __init__(
        self,
        browser: BrowserPool,
        sessions: SessionStore | None,
        site: SiteSettings,
        data_dir: Path | None,
        metrics: Metrics,
    ) -> None:
        self._browser = browser
        self._sessions = sessions
        self._accounts = site.accounts
        self._metrics = metrics
        self._breaker = Breaker(PLATFORM.name, pause_seconds=site.pause_seconds, data_dir=data_dir, metrics=metrics)
        self._pacer = Pacer(
            PLATFORM.name,
            min_interval=site.interval_seconds,
            jitter=site.jitter_seconds,
            daily_cap=site.daily_pages,
            queue_seconds=site.queue_seconds,
            data_dir=data_dir,
            breaker=self._breaker,
            metrics=metrics,
        )

    def account(self, name: str) -> str:
        """Return the account that a caller names; the first account for "".

        Raises:
            ServiceError: INVALID_ARGUMENT for a name that is not configured.
        """
        if not name:
            return self._accounts[0]
        if name not in self._accounts:
            known = "、".join(self._accounts)
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                f"没有名为 {name} 的账号",
                f"可用的账号：{known}；不填则用 {self._accounts[0]}",
            )
        return name

    @property
    def attached(self) -> bool:
        """Return whether pages open in the user's own browser."""
        return self._browser.attached

    @property
    def pause(self) -> Pause | None:
        """Return the pause during which no page is opened, or None."""
        cause, left = self._breaker.cause, self._breaker.seconds_left
        return Pause(cause, datetime.now(UTC) + timedelta(seconds=left)) if cause and left else None

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for a turn at the site and hold it; see `Pacer.turn`."""
        return self._pacer.turn()

    @asynccontextmanager
    async def page(self, account: str) -> AsyncIterator[Page]:
        """Wait for a turn, open a fresh page of the account, and close it on exit.

        Raises:
            ServiceError: BUSY, or the reason why no page can be opened; RATE_LIMITED when the day's pages are used up;
                LOGIN_EXPIRED in place of LOGIN_REQUIRED when the account has a session.
        """
        async with self._pacer.turn(), self._browser.page(self._stored_name(account)) as page:
            count_requests(page, PLATFORM.calls, self._metrics)
            try:
                yield page
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED and self.session_stamp(account) is not None:
                    raise ServiceError(ErrorCode.LOGIN_EXPIRED, next_step=LOGIN_NEXT_STEP) from error
                raise

    @asynccontextmanager
    async def waiting_page(self, account: str) -> AsyncIterator[Page]:
        """Open an empty page that may stay open between calls. Take a `turn` before an address is opened in it."""
        async with self._browser.page(self._stored_name(account), in_turn=False) as page:
            count_requests(page, PLATFORM.calls, self._metrics)
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
