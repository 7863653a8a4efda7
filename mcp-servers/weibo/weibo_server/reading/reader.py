"""Opens pages of the site, takes the answers to the pages' own calls, and lets the page ask for what comes after."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Snapshot, Visit
from playwright.async_api import Error

from weibo_server.browsing.platform import MOBILE_CALLS, WEB_CALLS
from weibo_server.browsing.walls import WALLS, checked
from weibo_server.config import WeiboSettings
from weibo_server.texts import tr_lazy

Params = Mapping[str, str | int]
Body = Mapping[str, Any]

# A page that has not made a call by itself for this long is told to make it; the site leaves out some for guests.
_OWN_CALL_SECONDS = 6.0
# Time between calls that a page is told to make.
_BETWEEN_CALLS = 1.5
_ASK = """async (url) => {
  const answer = await fetch(url, {headers: {Accept: "application/json, text/plain, */*",
                                             "X-Requested-With": "XMLHttpRequest"}});
  return {status: answer.status, text: await answer.text()};
}"""


class SitePageVisit:
    """Reads one open page of the site or of the mobile site.

    Args:
        visit: The visit.
        origin: Origin of the site.
        prefix: Start of the paths of the site's calls.
        pause: Seconds between calls that the page is told to make.
    """

    def __init__(self, visit: Visit, origin: str, prefix: str, pause: float) -> None:
        self._visit = visit
        self._host = urlsplit(origin).netloc
        self._prefix = prefix
        self._pause = pause
        self._has_answers = False

    async def raw(self, call: str, params: Params, accept: Callable[[Body], bool] = lambda _: True) -> Body:
        """Return the answer to a call of the page, which may be a refusal.

        Args:
            call: Name of the call.
            params: Its parameters, in case that the page does not make the call by itself.
            accept: Recognises the answer among those to several calls of the same name.

        Raises:
            ServiceError: The wall that the page met.
        """
        give_up = time.monotonic() + _OWN_CALL_SECONDS

        def find(snapshot: Snapshot) -> Body | None:
            own = next((body for body in self._visit.answers.get(call, []) if accept(body)), None)
            if own is not None:
                return own
            refused = self._visit.part_wall if call.endswith(tuple(self._visit.platform.calls.parts)) else None
            if refused is not None:
                raise refused.error()
            return {} if self._is_here(snapshot) and time.monotonic() > give_up else None

        own = await self._visit.until(find)
        if own:
            self._has_answers = True
            return own
        return await self.asked(call, params)

    async def answer(self, call: str, params: Params, accept: Callable[[Body], bool] = lambda _: True) -> Body:
        """Return the answer to a call of the page like `raw`. Raises ServiceError when it is a refusal."""
        return checked(await self.raw(call, params, accept))

    async def ask(self, call: str, params: Params) -> Body:
        """Let the page make a call, and return the answer. Raises ServiceError when it is a refusal."""
        return checked(await self.asked(call, params))

    async def asked(self, call: str, params: Params) -> Body:
        """Let the page make a call, and return the answer, which may be a refusal.

        Raises:
            ServiceError: The wall that the call met by its HTTP status or code.
        """
        await self._visit.until(lambda snapshot: True if self._is_here(snapshot) else None)
        if self._has_answers and self._pause:
            await asyncio.sleep(self._pause * random.uniform(1, 1.5))
        self._has_answers = True
        try:
            sent = await self._visit.page.evaluate(_ASK, f"{self._prefix}{call}?{urlencode(params)}")
        except Error as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("Weibo did not answer a request of its own page")
            ) from error
        try:
            body = json.loads(sent["text"])
        except ValueError:
            body = None
        if wall := WALLS.of_answer(sent["status"], body):
            raise wall.error()
        if sent["status"] == 404:
            raise ServiceError(ErrorCode.NOT_FOUND)
        if not isinstance(body, dict):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return body

    def seen(self, call: str) -> Body:
        """Return the latest answer to a call that the page made by itself, without waiting; {} without one."""
        return self._visit.last_answer(call)

    def _is_here(self, snapshot: Snapshot) -> bool:
        return urlsplit(snapshot["url"]).netloc == self._host


class SiteReader:
    """Opens pages.

    Args:
        pages: Opens pages at a person's pace.
        settings: The addresses.
    """

    def __init__(self, pages: Pages, settings: WeiboSettings) -> None:
        self._pages = pages
        self._settings = settings
        self._pause = min(_BETWEEN_CALLS, settings.interval_seconds)

    @asynccontextmanager
    async def web(self, account: str, path: str) -> AsyncIterator[SitePageVisit]:
        """Open a page of the site. Raises ServiceError like `Pages.visit`."""
        origin = self._settings.base_url
        async with self._pages.visit(account, f"{origin}{path}", {}) as visit:
            yield SitePageVisit(visit, origin, WEB_CALLS, self._pause)

    @asynccontextmanager
    async def mobile(self, account: str, path: str) -> AsyncIterator[SitePageVisit]:
        """Open a page of the mobile site. Raises ServiceError like `Pages.visit`."""
        origin = self._settings.mobile_url
        async with self._pages.visit(account, f"{origin}{path}", {}) as visit:
            yield SitePageVisit(visit, origin, MOBILE_CALLS, self._pause)
