"""Reads which video or user a caller names, and follows short links for that."""

from __future__ import annotations

from dyber_kit.browser.pages import Pages
from dyber_kit.reading.memory import Memory
from pydantic import BaseModel

from bilibili_server.config import SiteSettings
from bilibili_server.model.references import VideoReference, first_link, is_short_link, parse_user, parse_video
from bilibili_server.reading.http import HttpReader

_LINK_SECONDS = 86_400.0


class Link(BaseModel):
    """Holds where a short link leads."""

    url: str


class Shares:
    """Reads ids, links, short links and share texts; a short link is followed once, and in a turn of the account."""

    def __init__(self, http: HttpReader, pages: Pages, memory: Memory, settings: SiteSettings) -> None:
        self._http = http
        self._pages = pages
        self._memory = memory
        self._settings = settings

    async def video(self, text: str, account: str) -> VideoReference:
        """Return the video that a caller names. Raises ServiceError when it names none, or cannot be followed."""
        return parse_video(await self._expanded(text, account), self._settings)

    async def user(self, text: str, account: str) -> str:
        """Return the number of the user that a caller names. Raises ServiceError like `video`."""
        return parse_user(await self._expanded(text, account), self._settings)

    async def _expanded(self, text: str, account: str) -> str:
        """Return the first link in `text`, or where it leads when it is a short link."""
        link = first_link(text)
        if not is_short_link(link, self._settings):
            return link

        async def load() -> Link:
            async with self._pages.turn(account):
                return Link(url=await self._http.expand(link))

        expanded, _ = await self._memory.kept(Link, f"link:{link}", _LINK_SECONDS, load)
        return expanded.url
