"""Reports whether accounts are logged in, and gets QR codes to log them in, for the login tools."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.logins import Code, Logins, Progress
from dyber_kit.browser.pages import Pages
from dyber_kit.times import iso_local, stamp
from dyber_kit.upstream.sharing import SharedWork
from dyber_kit.upstream.values import Json

from douyin_server.browsing.platform import LOGIN
from douyin_server.browsing.walls import LOGIN_NEXT_STEP
from douyin_server.model.answers import LoginStatus
from douyin_server.reading.pages import PageReader
from douyin_server.reading.parse import Parser

Risk = Literal["ok", "captcha", "limited", "restricted"]

_RISKS: dict[ErrorCode, Risk] = {
    ErrorCode.CAPTCHA_REQUIRED: "captcha",
    ErrorCode.RATE_LIMITED: "limited",
    ErrorCode.ACCESS_RESTRICTED: "restricted",
}


class Accounts:
    """Answers the login tools.

    Args:
        reader: Reads which user is logged in.
        pages: Knows the accounts, their sessions and the pause.
        logins: Gets QR codes and watches their logins.
        parser: Names users.
    """

    def __init__(self, reader: PageReader, pages: Pages, logins: Logins, parser: Parser) -> None:
        self._reader = reader
        self._pages = pages
        self._logins = logins
        self._parser = parser
        self._sharing = SharedWork()

    async def status(self, account: str = "") -> LoginStatus:
        """Return whether the account's browser is logged in.

        While a QR code waits for its scan, the page with the code is read and no other page is opened. During a pause,
        the answer says when it ends. Raises ServiceError when the page cannot be read for another reason.
        """
        account = self._pages.account(account)
        progress = self._logins.progress(account)
        if progress is not None and progress.pending:
            return self._answer(
                account,
                logged_in=False,
                login_pending=True,
                login_step=progress.step,
                login_expires_at=iso_local(progress.expires_at),
                next_step=self._advice(progress),
            )
        try:
            member, user = await self._sharing.run(account, lambda: self._reader.me(account))
        except ServiceError as error:
            if error.code not in _RISKS or error.retry_after is None:
                raise
            return self._paused(account, error)
        self._pages.note_login(account, member)
        if member:
            return self._answer(account, logged_in=True, user=user)
        ended = self._advice(progress) if progress else None
        step = progress.step if progress else None
        return self._answer(account, logged_in=False, login_step=step, next_step=ended or LOGIN_NEXT_STEP)

    async def code(self, account: str = "") -> tuple[str, Code | None]:
        """Return the full name of the account, and a QR code to log it in or None when it is logged in."""
        account = self._pages.account(account)
        return account, await self._logins.start(account)

    def _advice(self, progress: Progress) -> str:
        return LOGIN.advice(self._pages.platform.title, progress.step, progress.expires_at, self._pages.attached)

    def _paused(self, account: str, error: ServiceError) -> LoginStatus:
        until = datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
        return self._answer(
            account,
            logged_in=None,
            risk=_RISKS[error.code],
            paused_until=iso_local(until),
            next_step=error.text,
        )

    def _answer(self, account: str, logged_in: bool | None, user: Json | None = None, **more: Any) -> LoginStatus:
        user = user or {}
        written = self._pages.session_stamp(account)
        if "risk" not in more and (pause := self._pages.pause(account)) is not None:
            more |= {"risk": _RISKS[pause.code], "paused_until": iso_local(pause.until)}
        named = self._parser.user(user, str(user.get("sec_uid") or ""), datetime.now(UTC))
        return LoginStatus(
            account=account,
            logged_in=logged_in,
            nickname=named.name or None,
            user_ref=named.user_ref or None,
            session_age_s=max(0, int(time.time() - written / 1e9)) if written else None,
            fetched_at=stamp(),
            **more,
        )
