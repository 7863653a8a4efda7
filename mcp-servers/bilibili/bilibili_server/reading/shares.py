"""Reads which video or user a caller names, and follows short links for that."""

from __future__ import annotations

from dyber_kit.website.links import ShortLinks

from bilibili_server.config import SiteSettings
from bilibili_server.model.references import VideoReference, first_link, parse_user, parse_video


class Shares:
    """Reads ids, links, short links and share texts."""

    def __init__(self, links: ShortLinks, settings: SiteSettings) -> None:
        self._links = links
        self._settings = settings

    async def video(self, text: str, account: str) -> VideoReference:
        """Return the video that a caller names. Raises ServiceError when it names none, or cannot be followed."""
        return parse_video(await self._links.expand(first_link(text), account), self._settings)

    async def user(self, text: str, account: str) -> str:
        """Return the number of the user that a caller names. Raises ServiceError like `video`."""
        return parse_user(await self._links.expand(first_link(text), account), self._settings)
