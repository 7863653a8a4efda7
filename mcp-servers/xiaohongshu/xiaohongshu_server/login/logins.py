"""Logging in by a QR code: one at a time, noticed in the background, kept as the account's session."""

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

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.qr import as_png, as_text, read_rows

from xiaohongshu_server.browsing.pages import Pages
from xiaohongshu_server.browsing.visit import Snapshot, Visit
from xiaohongshu_server.browsing.walls import Wall
from xiaohongshu_server.login.steps import Step, step_of
from xiaohongshu_server.model.references import PLATFORM_DOMAINS, home_url, within
from xiaohongshu_server.reading.reader import ME, who

logger = logging.getLogger("xiaohongshu.login")

CODE_CALL = "/v1/login/qrcode/create"
STATUS_CALL = "/v1/login/qrcode/status"
_POLL_SECONDS = 1.0
_SHOW_POLL_SECONDS = 0.2
_MOST_URL_CHARS = 500


@dataclass(frozen=True)
class Code:
    """A QR code, and until when a scan of it counts.

    Attributes:
        png: The picture.
        expires_at: When it is given up.
        text: The code drawn with half blocks, or None when the picture could not be read.
        url: What the code says, or None when the site did not tell.
        replaced: The step at which an earlier code, given up for this one, stood; None without one.
    """

    png: bytes
    expires_at: datetime
    text: str | None = None
    url: str | None = None
    replaced: Step | None = None

    @property
    def base64(self) -> str:
        """The picture as MCP sends it."""
        return base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Progress:
    """How far the login by the latest code of an account is; `pending` while its page is still watched."""

    step: Step
    pending: bool
    expires_at: datetime


class Logins:
    """Shows QR codes and waits for them to be scanned.

    Args:
        pages: Where pages are opened.
        base_url: The site's origin.
        page_seconds: How long a code may take to appear.
        valid_seconds: How long a code is waited for.
    """

    def __init__(self, pages: Pages, base_url: str, page_seconds: float, valid_seconds: float) -> None:
        self._pages = pages
        self._base_url = base_url
        self._page_seconds = page_seconds
        self._valid_seconds = valid_seconds
        self._waiting: asyncio.Task[None] | None = None
        self._account: str | None = None
        self._progress: Progress | None = None
        self._starting = asyncio.Lock()

    def progress(self, account: str) -> Progress | None:
        """Return how far the latest code of this account is; None without one, or once it has logged in."""
        return self._progress if self._account == account else None

    async def start(self, account: str) -> Code | None:
        """Show a new code for `account`, in place of any other; None when the account is logged in already.

        Raises:
            ServiceError: What stands before the page, or UPSTREAM_CHANGED when it shows no code.
        """
        async with self._starting:
            replaced = self._progress.step if self._progress and self._progress.pending else None
            await self.cancel()
            shown: asyncio.Future[Code | None] = asyncio.get_running_loop().create_future()
            self._account, self._progress = account, None
            self._waiting = asyncio.create_task(self._run(account, shown, replaced))
            try:
                return await shown
            except BaseException:
                await self.cancel()
                raise

    async def cancel(self) -> None:
        """Give up the code that waits, if any."""
        waiting, self._waiting = self._waiting, None
        self._progress = None
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    async def _run(self, account: str, shown: asyncio.Future[Code | None], replaced: Step | None) -> None:
        """Show a code in a page of its own, and keep that page until the code is scanned or too old."""
        try:
            async with self._pages.waiting_page(account) as page:
                visit = Visit(page, ME, self._page_seconds)
                code = await self._show(visit, replaced)
                if code is not None:
                    self._progress = Progress("scan", True, code.expires_at)
                shown.set_result(code)
                if code is not None:
                    await self._wait(account, visit, code.expires_at)
        except Exception as error:
            if shown.done():
                logger.warning("login given up", extra={"account": account, "reason": str(error)[:200]})
                self._end("failed")
            else:
                shown.set_exception(error)
        finally:
            shown.cancel()  # Without effect once something was shown; else nobody may wait for it for ever.

    async def _show(self, visit: Visit, replaced: Step | None) -> Code | None:
        async with self._pages.turn():
            await visit.open(home_url(self._base_url))
            if (await visit.until(_member))[0] is not None:
                return None
            source, png = await self._picture(visit)
            rows = await read_rows(visit.page, source)
        return Code(
            png=as_png(rows) if rows else png,
            expires_at=datetime.now(UTC) + timedelta(seconds=self._valid_seconds),
            text=as_text(rows) if rows else None,
            url=self._address(visit.last_answer(CODE_CALL).get("url")),
            replaced=replaced,
        )

    async def _picture(self, visit: Visit) -> tuple[str, bytes]:
        """Return the code's picture as the page has it and as bytes; it fills some time after its element is there.

        Raises:
            ServiceError: What the site refuses with, or UPSTREAM_CHANGED.
        """
        give_up = time.monotonic() + self._page_seconds / 2
        while time.monotonic() < give_up:
            snapshot = await visit.snapshot()
            source = snapshot["qr"] if snapshot else ""
            if source.startswith("data:image/"):
                try:
                    return source, base64.b64decode(source.partition("base64,")[2], validate=True)
                except binascii.Error:
                    break
            if refused := visit.call_wall or visit.refused:
                raise refused.error()
            await asyncio.sleep(_SHOW_POLL_SECONDS)
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED, "登录页面没有显示二维码", "请稍后重试；或导入 Cookie，见 README 的“先登录”"
        )

    def _address(self, url: Any) -> str | None:
        """Return what the code says, when it is an address of the platform."""
        if not isinstance(url, str) or len(url) > _MOST_URL_CHARS or not url.isascii() or not url.isprintable():
            return None
        try:
            parts = urlsplit(url)
        except ValueError:
            return None
        host = parts.hostname or ""
        ours = within(host, PLATFORM_DOMAINS) or host == urlsplit(self._base_url).hostname
        return url if parts.scheme in ("http", "https") and ours else None

    async def _wait(self, account: str, visit: Visit, until: datetime) -> None:
        """Watch the page until somebody is logged in, or until the code is too old."""
        while datetime.now(UTC) < until:
            await asyncio.sleep(_POLL_SECONDS)
            snapshot = await visit.snapshot()
            if snapshot is None:
                continue
            found = who(snapshot)
            if found and found[0] is not None:
                await self._pages.save_session(account)
                self._pages.note_login(account, True)
                self._progress = None
                logger.info("logged in", extra={"account": account})
                return
            step = step_of(snapshot, visit.last_answer(STATUS_CALL).get("code_status"), self._captcha(visit.refused))
            if step == "expired":
                break
            self._progress = Progress(step, True, until)
        self._end("expired")
        logger.info("the code was not scanned in time", extra={"account": account})

    def _end(self, step: Step) -> None:
        if self._progress is not None:
            self._progress = Progress(step, False, self._progress.expires_at)

    @staticmethod
    def _captcha(wall: Wall | None) -> bool:
        return wall is not None and wall.code is ErrorCode.CAPTCHA_REQUIRED


def _member(snapshot: Snapshot) -> list[dict[str, Any] | None] | None:
    """Return the visitor, as `who` tells; the login box is only shown to guests."""
    found = who(snapshot)
    return [None] if found is None and snapshot["login_box"] else found
