"""Reports whether accounts are logged in, and gets QR codes to log them in, for the login tools."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.login_steps import PROOFS, LoginPage, Step
from dyber_kit.browser.logins import Logins, Progress
from dyber_kit.browser.pages import Pages
from dyber_kit.times import iso_local, stamp
from dyber_kit.upstream.sharing import SharedWork
from mcp.types import CallToolResult, ImageContent, TextContent

from bilibili_server.browsing.walls import LOGIN_STEP
from bilibili_server.model.answers import LoginCode, LoginStatus
from bilibili_server.reading.parse import Parser
from bilibili_server.reading.reader import SiteReader
from bilibili_server.texts import tr

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
        login: The login page.
        parser: Names users.
    """

    def __init__(self, reader: SiteReader, pages: Pages, logins: Logins, login: LoginPage, parser: Parser) -> None:
        self._reader = reader
        self._pages = pages
        self._logins = logins
        self._login = login
        self._parser = parser
        self._sharing = SharedWork()

    async def status(self, account: str = "") -> LoginStatus:
        """Return whether the account's browser is logged in.

        While a QR code waits for its scan, no other page is opened. During a pause, the answer says when it ends.
        Raises ServiceError when the page cannot be read for another reason.
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
            visitor = await self._sharing.run(account, lambda: self._reader.visitor(account))
        except ServiceError as error:
            pause = self._pages.pause(account)
            if error.code not in _RISKS or (error.retry_after is None and pause is None):
                raise
            until = pause.until if pause else datetime.now(UTC) + timedelta(seconds=error.retry_after or 0)
            return self._answer(
                account,
                logged_in=None,
                risk=_RISKS[error.code],
                paused_until=iso_local(until),
                next_step=error.next_step,
            )
        self._pages.note_login(account, visitor is not None)
        if visitor is not None:
            return self._answer(
                account,
                logged_in=True,
                nickname=self._parser.name(visitor.get("uname")),
                mid=self._parser.mid(visitor.get("mid")),
            )
        return self._answer(
            account,
            logged_in=False,
            login_step=progress.step if progress else None,
            next_step=self._advice(progress) if progress else str(LOGIN_STEP),
        )

    async def code(self, account: str = "") -> CallToolResult:
        """Return a QR code as a picture and as text, with its structured description."""
        account = self._pages.account(account)
        code = await self._logins.start(account)
        if code is None:
            known = LoginCode(
                account=account,
                logged_in=True,
                next_step=tr("Already logged in; no scan is needed"),
                fetched_at=stamp(),
            )
            return CallToolResult(content=[], structured_content=known.model_dump(mode="json"))
        steps = [
            tr(
                "Let the user scan the code with the Bilibili app and confirm there, then call bilibili_login_status; "
                "until then get no other code. Where pictures are not shown, put the drawing below unchanged into a "
                "monospaced block on a dark background, or make a QR code of url"
            )
        ]
        if code.replaced:
            steps.insert(0, _void(code.replaced))
        answer = LoginCode(
            account=account,
            logged_in=False,
            url=code.url,
            replaced=code.replaced is not None,
            expires_at=iso_local(code.expires_at),
            next_step=" ".join(steps),
            fetched_at=stamp(),
        )
        parts: list[ImageContent | TextContent] = [ImageContent(type="image", data=code.base64, mime_type="image/png")]
        if code.text:
            parts.append(TextContent(type="text", text=code.text))
        return CallToolResult(content=parts, structured_content=answer.model_dump(mode="json"))

    def _advice(self, progress: Progress) -> str:
        return self._login.advice(self._pages.platform.title, progress.step, progress.expires_at, self._pages.attached)

    def _answer(self, account: str, logged_in: bool | None, **more: Any) -> LoginStatus:
        written = self._pages.session_stamp(account)
        if "risk" not in more and (pause := self._pages.pause(account)) is not None:
            more |= {"risk": _RISKS[pause.code], "paused_until": iso_local(pause.until)}
        return LoginStatus(
            account=account,
            logged_in=logged_in,
            session_age_s=max(0, int(time.time() - written / 1e9)) if written else None,
            fetched_at=stamp(),
            **more,
        )


def _void(step: Step) -> str:
    """Return that the code before this one is void, and which second proof it waited for."""
    if step in PROOFS:
        return tr("The earlier code is void; it waited for: {proof}.", proof=PROOFS[step])
    return tr("The earlier code is void.")
