"""Logs accounts in by QR code, one at a time; a background task waits for the scan and stores the session."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError

from dyber_kit.accounts import usable_accounts
from dyber_kit.browser.login_steps import LoginPage, Step
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.qr import as_png, as_text, read_rows
from dyber_kit.browser.visits import Snapshot, Visit
from dyber_kit.browser.walls import Wall
from dyber_kit.errors import ErrorCode, LocalRefusal, ServiceError
from dyber_kit.language import tr_lazy

logger = logging.getLogger("dyber.logins")

_POLL_SECONDS = 1.0
_SHOW_POLL_SECONDS = 0.2
# A login box that the page shows unasked appears within this time.
_UNASKED_SECONDS = 4.0
# A page that loaded has shown its login box, or sent a member on, within this time.
_SETTLING_SECONDS = 1.5
_CLICK_MS = 3_000
_MAX_URL_CHARS = 500
_MAX_PICTURE_BYTES = 512 * 1024


@dataclass(frozen=True)
class Code:
    """Holds a QR code and the time until which it can be scanned.

    Attributes:
        png: The picture.
        expires_at: The time when the code becomes invalid.
        text: The code drawn with half blocks, or None when the picture could not be read.
        url: The content of the code, or None when the site did not send it.
        replaced: The last step of an earlier code that this one replaced; None without one.
    """

    png: bytes
    expires_at: datetime
    text: str | None = None
    url: str | None = None
    replaced: Step | None = None

    @property
    def base64(self) -> str:
        """Return the picture as Base64, as MCP sends it."""
        return base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Progress:
    """Describes the login by an account's latest code; it is `pending` while its page is still watched."""

    step: Step
    pending: bool
    expires_at: datetime


class Logins:
    """Gets QR codes and waits until they are scanned.

    Args:
        pages: Opens pages.
        login: The platform's login page.
    """

    def __init__(self, pages: Pages, login: LoginPage) -> None:
        self.login = login
        self._pages = pages
        self._settings = pages.settings
        self._watching: asyncio.Task[None] | None = None
        self._account: str | None = None
        self._progress: Progress | None = None
        #: The login cookie with which the login page opened.
        self._first_cookie = ""
        self._starting = asyncio.Lock()

    def progress(self, account: str) -> Progress | None:
        """Return the progress of this account's latest code; None without one, or after it has logged in."""
        return self._progress if self._account == account else None

    def advice(self, progress: Progress) -> str:
        """Return what to do at this point of a login, in the language of the current request."""
        title, attached = self._pages.platform.title, self._pages.attached
        return self.login.advice(title, progress.step, progress.expires_at, attached)

    async def start(self, account: str) -> Code | None:
        """Return a new code for `account`, which replaces any other; None when the account is already logged in.

        Raises:
            ServiceError: BUSY while a code waits that belongs to an account which the caller may not use; the reason
                why the page cannot be read; or UPSTREAM_CHANGED when it shows no code.
        """
        async with self._starting:
            self._check_pending()
            replaced = self._progress.step if self._progress and self._progress.pending else None
            await self.cancel()
            code: asyncio.Future[Code | None] = asyncio.get_running_loop().create_future()
            self._account, self._progress = account, None
            self._watching = asyncio.create_task(self._run(account, code, replaced))
            try:
                return await code
            except BaseException:
                await self.cancel()
                raise

    def _check_pending(self) -> None:
        """Raise BUSY while a login is pending of which the caller may neither learn nor end it."""
        pending = self._progress if self._progress and self._progress.pending else None
        if pending and self._account not in usable_accounts(self._settings.accounts):
            raise LocalRefusal(
                ErrorCode.BUSY,
                tr_lazy("Another client is logging in with a QR code"),
                tr_lazy("Wait until that login is over, then get a code"),
                retry_after=max(1.0, (pending.expires_at - datetime.now(UTC)).total_seconds()),
            )

    async def cancel(self) -> None:
        """Stop waiting for the current code, if any."""
        watching, self._watching = self._watching, None
        self._progress = None
        if watching is not None:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _run(self, account: str, result: asyncio.Future[Code | None], replaced: Step | None) -> None:
        """Get a code in a separate page, and keep that page open until the code is scanned or has expired."""
        try:
            async with self._pages.waiting_page(account) as page:
                visit = Visit(page, self._pages.platform, self.login.paths, self._settings.page_seconds)
                code = await self._show(account, visit, replaced)
                if code is not None:
                    self._progress = Progress("scan", True, code.expires_at)
                result.set_result(code)
                if code is not None:
                    await self._wait(account, visit, code.expires_at)
        except Exception as error:
            if result.done():
                logger.warning("login given up", extra={"account": account, "reason": str(error)[:200]})
                self._end("failed")
            else:
                result.set_exception(error)
        finally:
            result.cancel()  # Has no effect on a finished future; otherwise `start` would wait for ever.

    async def _show(self, account: str, visit: Visit, replaced: Step | None) -> Code | None:
        async with self._pages.turn(account):
            await visit.open(f"{self.login.origin or self._settings.base_url}{self.login.path}")
            if await self._starts_logged_in(visit):
                return None
            source, png = await self._picture(visit)
            rows = await read_rows(visit.page, source)
        return Code(
            png=as_png(rows) if rows else png,
            expires_at=datetime.now(UTC) + timedelta(seconds=self._settings.login_seconds),
            text=as_text(rows) if rows else None,
            url=self._address(visit.last_answer(self.login.code_call).get(self.login.code_field)),
            replaced=replaced,
        )

    async def _picture(self, visit: Visit) -> tuple[str, bytes]:
        """Return the code's picture as a `data:` URL and as bytes, once the page has loaded it.

        Raises:
            ServiceError: The site's refusal, or UPSTREAM_CHANGED when no picture appears.
        """
        started = time.monotonic()
        clicks_left = 1 if self.login.opener else 0
        while (waited := time.monotonic() - started) < self._settings.page_seconds / 2:
            snapshot = await visit.snapshot()
            source = snapshot["qr"] if snapshot else ""
            if not source and clicks_left and waited > _UNASKED_SECONDS:
                clicks_left = 0
                with contextlib.suppress(PlaywrightError):
                    await visit.page.locator(self.login.opener).first.click(timeout=_CLICK_MS)
            if source.startswith("data:image/"):
                try:
                    return source, base64.b64decode(source.partition("base64,")[2], validate=True)
                except binascii.Error:
                    break
            if source.startswith(("http:", "https:")):
                return await self._fetched(visit, source)
            if wall := visit.call_wall or visit.refused:
                raise wall.error()
            await asyncio.sleep(_SHOW_POLL_SECONDS)
        raise _no_code()

    async def _fetched(self, visit: Visit, url: str) -> tuple[str, bytes]:
        """Return a picture of the platform as a `data:` URL and as bytes; the browser itself loads no pictures.

        Raises:
            ServiceError: UPSTREAM_CHANGED when there is no small picture at the address.
        """
        if self._is_of_platform(url):
            try:
                requests, wait = visit.page.context.request, self._settings.page_seconds * 1000 / 2
                answer = await requests.get(url, timeout=wait, max_redirects=0)
                kind, picture = answer.headers.get("content-type", "").partition(";")[0], await answer.body()
                if answer.ok and kind.startswith("image/") and len(picture) <= _MAX_PICTURE_BYTES:
                    return f"data:{kind};base64,{base64.b64encode(picture).decode()}", picture
            except PlaywrightError:
                logger.warning("the picture of the code was not loaded")
        raise _no_code()

    def _address(self, url: Any) -> str | None:
        """Return the content of the code when it is an address of the platform, else None."""
        if not isinstance(url, str) or len(url) > _MAX_URL_CHARS or not url.isascii() or not url.isprintable():
            return None
        return url if self._is_of_platform(url) else None

    def _is_of_platform(self, url: str) -> bool:
        return self._pages.platform.serves(url, [urlsplit(self._settings.base_url).hostname or ""])

    async def _wait(self, account: str, visit: Visit, until: datetime) -> None:
        """Watch the page until a user is logged in or the code has expired."""
        while datetime.now(UTC) < until:
            await asyncio.sleep(_POLL_SECONDS)
            snapshot = await visit.snapshot()
            if snapshot is None:
                continue
            if await self._is_member(visit, snapshot):
                await self._pages.save_session(account)
                self._pages.note_login(account, True)
                self._progress = None
                logger.info("logged in", extra={"account": account})
                return
            step = self.login.step_of(snapshot, self._status(visit), _is_captcha(visit.refused))
            if step == "expired":
                break
            self._progress = Progress(step, True, until)
        self._end("expired")
        logger.info("the code was not scanned in time", extra={"account": account})

    def _status(self, visit: Visit) -> object:
        """Return the platform's last status of the code; some calls for it have the code's id in their names."""
        end = self.login.status_call
        names = [name for name in visit.answers if end and name.endswith(end)]
        return visit.last_answer(names[-1]).get(self.login.status_field) if names else None

    def _end(self, step: Step) -> None:
        if self._progress is not None:
            self._progress = Progress(step, False, self._progress.expires_at)

    async def _starts_logged_in(self, visit: Visit) -> bool:
        """Wait until the page says whether its visitor is a member; members do not get the login box."""
        member = self.login.member
        if member is None:
            await visit.until(lambda snapshot: _asks_for_login(snapshot) or snapshot["complete"] or None)
            self._first_cookie = await self._login_cookie(visit)
            if not self._first_cookie:
                return False
            # The session of the cookie may have ended, and the page may still be sending a member on.
            await asyncio.sleep(_SETTLING_SECONDS)
            snapshot = await visit.snapshot()
            return snapshot is None or not _asks_for_login(snapshot)

        def known(snapshot: Snapshot) -> bool | None:
            is_member = member(snapshot)
            return False if is_member is None and snapshot["login_box"] else is_member

        return await visit.until(known)

    async def _is_member(self, visit: Visit, snapshot: Snapshot) -> bool:
        if self.login.member is None:
            # A login gives a new session, so the cookie of the ended session says nothing.
            return await self._login_cookie(visit) not in ("", self._first_cookie)
        return self.login.member(snapshot) is True

    async def _login_cookie(self, visit: Visit) -> str:
        """Return the value of the login cookie; "" without one."""
        name, cookies = self._pages.platform.login_cookie, await visit.page.context.cookies()
        return next((cookie.get("value", "") for cookie in cookies if cookie.get("name") == name), "")


def _asks_for_login(snapshot: Snapshot) -> bool:
    """Return whether a page shows a QR code or a login box, which members do not get."""
    return bool(snapshot["qr"] or snapshot["login_box"])


def _no_code() -> ServiceError:
    return ServiceError(
        ErrorCode.UPSTREAM_CHANGED,
        tr_lazy("The login page showed no QR code"),
        tr_lazy("Try again later; or import cookies, see “Log in first” in the README"),
    )


def _is_captcha(wall: Wall | None) -> bool:
    return wall is not None and wall.code is ErrorCode.CAPTCHA_REQUIRED
