"""Reports whether accounts are logged in, and gets QR codes to log them in, for the login tools of every platform."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel

from dyber_kit.browser.login_steps import PROOFS
from dyber_kit.browser.logins import Code, Logins
from dyber_kit.browser.pages import Pages
from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import tr
from dyber_kit.times import iso_local
from dyber_kit.upstream.sharing import SharedWork
from dyber_kit.website.login_answers import RISKS

#: Values of an answer by the names of its fields.
Values = Mapping[str, Any]
#: Returns what an answer tells of the user who is logged in, such as `{"nickname": "…"}`; None for a guest.
ReadVisitor = Callable[[str], Awaitable[Values | None]]
#: Returns further values of a status, which do not depend on the login.
ReadFacts = Callable[[str], Awaitable[Values]]
StatusModel = TypeVar("StatusModel", bound=BaseModel)

_GUEST = (ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_EXPIRED)


class Accounts(Generic[StatusModel]):
    """Answers the login tools.

    Args:
        pages: Knows the accounts, their sessions and the pause.
        logins: Gets QR codes and watches their logins.
        read_visitor: Opens a page of an account and returns who is logged in.
        status_model: The answer of the status tool, usually derived from `LoginState`.
        code_model: The answer of the tool for QR codes, usually derived from `LoginQrCode`.
        read_facts: Returns what else the status tells, such as quotas.

    The models take the values that they declare, also `fetched_at` (the present); other values are left out.
    """

    def __init__(
        self,
        pages: Pages,
        logins: Logins,
        read_visitor: ReadVisitor,
        status_model: type[StatusModel],
        code_model: type[BaseModel],
        read_facts: ReadFacts | None = None,
    ) -> None:
        self._pages = pages
        self._logins = logins
        self._read_visitor = read_visitor
        self._status_model = status_model
        self._code_model = code_model
        self._read_facts = read_facts
        self._sharing = SharedWork()

    async def status(self, account: str = "", *, check_login: bool = True) -> StatusModel:
        """Return whether the account's browser is logged in.

        While a QR code waits for its scan, its page is read and no other page is opened. While the platform refuses
        requests, the answer says why, and until when no page is opened.

        Args:
            account: The name of the account, or "" for the first.
            check_login: Whether a page may be opened to see who is logged in.

        Raises:
            ServiceError: The page cannot be read for another reason than a refusal.
        """
        account = self._pages.account(account)
        facts = await self._read_facts(account) if self._read_facts else {}
        state = await self._login_state(account, check_login)
        return self._status_model(**{**facts, **self._about(account), **state})

    async def code(self, account: str = "") -> CallToolResult:
        """Return a QR code that logs the account in, as a picture and as text, with its structured description."""
        account = self._pages.account(account)
        code = await self._logins.start(account)
        if code is None:
            next_step = tr("The account is logged in already; no scan is needed")
            return self._coded(account, [], logged_in=True, next_step=next_step)
        parts: list[ImageContent | TextContent] = [ImageContent(type="image", data=code.base64, mime_type="image/png")]
        if code.text:
            parts.append(TextContent(type="text", text=code.text))
        return self._coded(
            account,
            parts,
            logged_in=False,
            url=code.url,
            replaced=code.replaced is not None,
            expires_at=iso_local(code.expires_at),
            next_step=self._scanning_step(code),
        )

    async def _visitor(self, account: str) -> Values | None:
        try:
            return await self._sharing.run(account, lambda: self._read_visitor(account))
        except ServiceError as error:
            if error.code in _GUEST:
                return None
            raise

    async def _login_state(self, account: str, check_login: bool) -> dict[str, Any]:
        """Return the values that depend on the login."""
        progress = self._logins.progress(account)
        at_step: dict[str, Any] = {}
        if progress is not None:
            at_step = {"login_step": progress.step, "next_step": self._logins.advice(progress)}
            if progress.pending:
                expires_at = iso_local(progress.expires_at)
                return {**at_step, "logged_in": False, "login_pending": True, "login_expires_at": expires_at}
        if not check_login:
            return at_step
        try:
            visitor = await self._visitor(account)
        except ServiceError as error:
            return self._refused(account, error)
        self._pages.note_login(account, visitor is not None)
        if visitor is not None:
            return {**visitor, "logged_in": True}
        login_step = self._pages.platform.walls.login_step or KINDS[ErrorCode.LOGIN_REQUIRED].lazy_next_step
        return {"next_step": str(login_step), **at_step, "logged_in": False}

    def _refused(self, account: str, error: ServiceError) -> dict[str, Any]:
        """Return the values while the platform refuses requests. Raises the error when it is another."""
        if error.code not in RISKS:
            raise error
        pause = self._pages.pause(account)
        ends_at = pause.until if pause else None
        if ends_at is None and error.retry_after is not None:
            ends_at = datetime.now(UTC) + timedelta(seconds=error.retry_after)
        return {
            "risk": RISKS[error.code],
            "paused_until": iso_local(ends_at),
            "next_step": tr("{message}. {next_step}", message=error.message, next_step=error.next_step),
        }

    def _about(self, account: str) -> dict[str, Any]:
        """Return the values that are known without a page."""
        written = self._pages.session_stamp(account)
        values: dict[str, Any] = {
            "account": account,
            "session_age_s": max(0, int(time.time() - written / 1e9)) if written else None,
            "fetched_at": iso_local(datetime.now(UTC)),
        }
        if (pause := self._pages.pause(account)) is not None:
            values |= {"risk": RISKS.get(pause.code, "limited"), "paused_until": iso_local(pause.until)}
        return values

    def _scanning_step(self, code: Code) -> str:
        login, title = self._logins.login, self._pages.platform.title
        sentences = [
            tr(
                "Have the user scan the code with the {app} app and confirm on the phone, then look with {tool}; do "
                "not get another code before that",
                app=login.app or title,
                tool=login.status_tool,
            )
        ]
        if code.replaced:
            sentences.insert(0, _void_notice(code))
        drawing = tr(
            "Where pictures are not shown, put the drawing below unchanged into a block with a fixed-width font and a "
            "dark background"
        )
        if code.url:
            drawing = tr("{drawing}, or make a QR code of url", drawing=drawing)
        return tr(". ").join([*sentences, drawing])

    def _coded(self, account: str, parts: list[ImageContent | TextContent], **values: Any) -> CallToolResult:
        answer = self._code_model(account=account, fetched_at=iso_local(datetime.now(UTC)), **values)
        return CallToolResult(content=list(parts), structured_content=answer.model_dump(mode="json"))


def _void_notice(code: Code) -> str:
    """Return that the code before this one is void, and which second proof it waited for."""
    if code.replaced in PROOFS:
        return tr("The earlier code is void; it waited for: {proof}", proof=PROOFS[code.replaced])
    return tr("The earlier code is void")
