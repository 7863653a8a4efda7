"""Pages of the site, opened at a person's pace: one at a time, with pauses, and none while a wall stands."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.browser.pool import BrowserPool
from dyber_kit.browser.sessions import DEFAULT_ACCOUNT, SessionStore
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer
from playwright.async_api import Page

from xiaohongshu_server.browsing.counting import count_requests
from xiaohongshu_server.browsing.walls import LOGIN_NEXT_STEP
from xiaohongshu_server.config import SiteSettings

PLATFORM = "xiaohongshu"


@dataclass(frozen=True)
class Pause:
    """Why no page is opened now, and until when."""

    code: ErrorCode
    until: datetime


class Pages:
    """Pages of each account. All accounts share one queue and one breaker: what the platform refuses to one of them
    is not tried again with another.

    Args:
        browser: Where pages are opened.
        sessions: Sessions that outlive the process, or None.
        site: Accounts and pace.
        data_dir: Where the day's count and an open pause are kept, or None.
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
        self._names = site.accounts
        self._metrics = metrics
        self._breaker = Breaker(PLATFORM, pause_seconds=site.pause_seconds, data_dir=data_dir, metrics=metrics)
        self._pacer = Pacer(
            PLATFORM,
            min_interval=site.interval_seconds,
            jitter=site.jitter_seconds,
            daily_cap=site.daily_pages,
            queue_seconds=site.queue_seconds,
            data_dir=data_dir,
            breaker=self._breaker,
            metrics=metrics,
        )

    def account(self, name: str) -> str:
        """The account that a caller means; the first one for "".

        Raises:
            ServiceError: INVALID_ARGUMENT for a name that is not configured.
        """
        if not name:
            return self._names[0]
        if name not in self._names:
            known = "、".join(self._names)
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT, f"没有名为 {name} 的账号", f"可用的账号：{known}；不填则用 {self._names[0]}"
            )
        return name

    @property
    def attached(self) -> bool:
        """Whether pages open in the user's own browser."""
        return self._browser.attached

    @property
    def pause(self) -> Pause | None:
        """Return the pause during which no page is opened, or None."""
        cause, left = self._breaker.cause, self._breaker.seconds_left
        return Pause(cause, datetime.now(UTC) + timedelta(seconds=left)) if cause and left else None

    def turn(self) -> AbstractAsyncContextManager[None]:
        """A turn at the site; see `Pacer.turn`."""
        return self._pacer.turn()

    @asynccontextmanager
    async def page(self, account: str) -> AsyncIterator[Page]:
        """A fresh page of the account, in its turn, closed on exit.

        Raises:
            ServiceError: BUSY, or why no page can be opened; RATE_LIMITED when the day's pages are used up;
                LOGIN_EXPIRED in place of LOGIN_REQUIRED when the account has a session.
        """
        async with self._pacer.turn(), self._browser.page(self._kept_as(account)) as page:
            count_requests(page, self._metrics)
            try:
                yield page
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED and self.session_stamp(account) is not None:
                    raise ServiceError(ErrorCode.LOGIN_EXPIRED, next_step=LOGIN_NEXT_STEP) from error
                raise

    @asynccontextmanager
    async def waiting_page(self, account: str) -> AsyncIterator[Page]:
        """A page that may stay open between calls. Take a `turn` before anything is opened in it."""
        async with self._browser.page(self._kept_as(account), in_turn=False) as page:
            count_requests(page, self._metrics)
            yield page

    async def save_session(self, account: str) -> None:
        """Keep what the account's browser is logged in with. Raises OSError."""
        await self._browser.save_session(self._kept_as(account))

    def session_stamp(self, account: str) -> int | None:
        """When the account's session was written, in nanoseconds since 1970, or None without one."""
        return self._sessions.stamp(self._kept_as(account)) if self._sessions else None

    def note_login(self, account: str, logged_in: bool) -> None:
        """Show in the metrics whether the account is logged in."""
        self._metrics.login_state(account, logged_in)

    def _kept_as(self, account: str) -> str:
        """The first account has the plain file name, whatever it is called."""
        return DEFAULT_ACCOUNT if account == self._names[0] else account
