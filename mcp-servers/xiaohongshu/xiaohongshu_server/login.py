"""Logging in by a QR code: one at a time, noticed in the background, kept as the account's session."""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from playwright.async_api import Error

from xiaohongshu_server.pages import Pages
from xiaohongshu_server.reader import ME, who
from xiaohongshu_server.references import home_url
from xiaohongshu_server.visit import Snapshot, Visit

logger = logging.getLogger("xiaohongshu.login")

_QR = ".login-container .qrcode-img"
_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Code:
    """A QR code as PNG, and until when a scan of it counts."""

    png: bytes
    expires_at: datetime

    @property
    def base64(self) -> str:
        """The picture as MCP sends it."""
        return base64.b64encode(self.png).decode()


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
        self._starting = asyncio.Lock()

    def pending(self, account: str) -> bool:
        """Whether a code of this account waits to be scanned."""
        return self._account == account and self._waiting is not None and not self._waiting.done()

    async def start(self, account: str) -> Code | None:
        """A new code for `account`, in place of any other; None when the account is logged in already.

        Raises:
            ServiceError: What stands before the page, or UPSTREAM_CHANGED when it shows no code.
        """
        async with self._starting:
            await self.cancel()
            shown: asyncio.Future[Code | None] = asyncio.get_running_loop().create_future()
            self._account = account
            self._waiting = asyncio.create_task(self._run(account, shown))
            try:
                return await shown
            except BaseException:
                await self.cancel()
                raise

    async def cancel(self) -> None:
        """Give up the code that waits, if any."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting

    @staticmethod
    def _member(snapshot: Snapshot) -> list[dict[str, Any] | None] | None:
        """Who visits, as `who` tells; a login box is only shown to guests."""
        found = who(snapshot)
        return [None] if found is None and snapshot["login_box"] else found

    async def _picture(self, visit: Visit) -> bytes:
        """The code's picture; it fills some time after its element is there."""
        picture = visit.page.locator(f"{_QR}[src^='data:image/']").first
        try:
            await picture.wait_for(state="attached", timeout=self._page_seconds * 1000 / 2)
            source = await picture.get_attribute("src") or ""
            return base64.b64decode(source.partition("base64,")[2], validate=True)
        except (Error, binascii.Error) as error:
            snapshot = await visit.snapshot()
            if snapshot and (refused := visit.refused):
                raise refused.error() from error
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED, "登录页面没有显示二维码", "请稍后重试；或导入 Cookie，见 README 的“先登录”"
            ) from error

    async def _run(self, account: str, shown: asyncio.Future[Code | None]) -> None:
        """Show a code in a page of its own, and keep that page until the code is scanned or too old."""
        try:
            async with self._pages.waiting_page(account) as page:
                visit = Visit(page, ME, self._page_seconds)
                code = await self._show(visit)
                shown.set_result(code)
                if code is not None:
                    await self._wait(account, visit, code.expires_at)
        except Exception as error:
            if shown.done():
                logger.warning("login given up", extra={"account": account, "reason": str(error)[:200]})
            else:
                shown.set_exception(error)
        finally:
            shown.cancel()  # Without effect once something was shown; else nobody may wait for it for ever.

    async def _show(self, visit: Visit) -> Code | None:
        async with self._pages.turn():
            await visit.open(home_url(self._base_url))
            if (await visit.until(self._member))[0] is not None:
                return None
            png = await self._picture(visit)
        return Code(png, datetime.now(UTC) + timedelta(seconds=self._valid_seconds))

    async def _wait(self, account: str, visit: Visit, until: datetime) -> None:
        while datetime.now(UTC) < until:
            await asyncio.sleep(_POLL_SECONDS)
            snapshot = await visit.snapshot()
            found = who(snapshot) if snapshot else None
            if found and found[0] is not None:
                await self._pages.save_session(account)
                self._pages.note_login(account, True)
                logger.info("logged in", extra={"account": account})
                return
        logger.info("the code was not scanned in time", extra={"account": account})
