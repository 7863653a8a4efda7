"""Reports whether accounts are logged in, and gets QR codes to log them in, for the login tools."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.login_steps import LoginPage
from dyber_kit.browser.logins import Code, Logins, Progress
from dyber_kit.browser.pages import Pages
from dyber_kit.times import iso_local, stamp
from dyber_kit.upstream.sharing import SharedWork

from weibo_server.browsing.platform import MOBILE_CONFIG, MOBILE_LIST
from weibo_server.browsing.walls import LOGIN_STEP, WALLS
from weibo_server.model.answers import LoginStatus, Risk
from weibo_server.model.references import UserReference
from weibo_server.reading.official import OfficialApi
from weibo_server.reading.parse import Parser
from weibo_server.reading.reader import SitePageVisit, SiteReader

_RISKS: dict[ErrorCode, Risk] = {
    ErrorCode.CAPTCHA_REQUIRED: "captcha",
    ErrorCode.RATE_LIMITED: "limited",
    ErrorCode.ACCESS_RESTRICTED: "restricted",
}
_LOGIN = (ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_EXPIRED)


class Accounts:
    """Answers the login tools.

    Args:
        reader: Reads which user is logged in.
        pages: Knows the accounts and the pause.
        logins: Gets QR codes and watches their logins.
        login: The page with the code.
        official: Knows what is left of the official API.
        parser: Hides users.
    """

    def __init__(
        self,
        reader: SiteReader,
        pages: Pages,
        logins: Logins,
        login: LoginPage,
        official: OfficialApi,
        parser: Parser,
    ) -> None:
        self._reader = reader
        self._pages = pages
        self._logins = logins
        self._login = login
        self._official = official
        self._parser = parser
        self._sharing = SharedWork()

    async def status(self, account: str = "") -> LoginStatus:
        """Return whether the account is logged in.

        While a QR code waits for its scan, no other page is opened. During a pause, the answer says when it ends.
        Raises ServiceError when the page cannot be read for another reason.
        """
        account = self._pages.account(account)
        progress = self._logins.progress(account)
        if progress is not None and progress.pending:
            return await self._answer(
                account,
                logged_in=False,
                login_step=progress.step,
                login_expires_at=iso_local(progress.expires_at),
                next_step=self._advice(progress),
            )
        try:
            member = await self._sharing.run(account, lambda: self._member(account))
        except ServiceError as error:
            if error.code not in _RISKS or error.retry_after is None:
                raise
            until = iso_local(datetime.now(UTC) + timedelta(seconds=error.retry_after))
            return await self._answer(
                account, risk=_RISKS[error.code], paused_until=until, next_step=f"{error.message}。{error.next_step}"
            )
        self._pages.note_login(account, member is not None)
        if member is not None:
            uid, name = member
            return await self._answer(
                account,
                logged_in=True,
                user_id=self._parser.privacy.user_id(uid),
                nickname=self._parser.privacy.nickname(name),
            )
        return await self._answer(
            account,
            logged_in=False,
            login_step=progress.step if progress else None,
            next_step=self._advice(progress) if progress else LOGIN_STEP,
        )

    async def code(self, account: str = "") -> tuple[str, Code | None]:
        """Return the full name of the account, and a QR code to log it in or None when it is logged in."""
        account = self._pages.account(account)
        return account, await self._logins.start(account)

    async def me(self, account: str = "") -> UserReference:
        """Return the user who is logged in. Raises ServiceError (LOGIN_REQUIRED) for a guest."""
        account = self._pages.account(account)
        member = await self._sharing.run(account, lambda: self._member(account))
        if member is None:
            raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
        return UserReference(uid=member[0])

    async def _member(self, account: str) -> tuple[str, str | None] | None:
        """Return number and nickname of the user who is logged in; None for a guest."""
        try:
            async with self._reader.mobile(account, "/") as page:
                data = (await page.ask(MOBILE_CONFIG, {})).get("data")
                if not isinstance(data, dict) or "login" not in data:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
                uid = str(data.get("uid") or "")
                if data["login"] is not True or not uid:
                    return None
                return uid, await _nickname(page, uid)
        except ServiceError as error:
            if error.code in _LOGIN:
                return None
            raise

    def _advice(self, progress: Progress) -> str:
        return self._login.advice(self._pages.platform.title, progress.step, progress.expires_at, self._pages.attached)

    async def _answer(self, account: str, **more: Any) -> LoginStatus:
        if "risk" not in more and (pause := self._pages.pause(account)) is not None:
            more |= {"risk": _RISKS.get(pause.code, "limited"), "paused_until": iso_local(pause.until)}
        return LoginStatus(
            account=account,
            official_api=self._official.configured,
            official_left_today=await self._official.left_today(),
            fetched_at=stamp(),
            **more,
        )


async def _nickname(page: SitePageVisit, uid: str) -> str | None:
    try:
        data = (await page.ask(MOBILE_LIST, {"type": "uid", "value": uid})).get("data")
    except ServiceError as error:
        if error.code in _RISKS:
            raise
        return None
    user = data.get("userInfo") if isinstance(data, dict) else None
    name = user.get("screen_name") if isinstance(user, dict) else None
    return name if isinstance(name, str) else None
