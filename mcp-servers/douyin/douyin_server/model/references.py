"""Reads references to videos and users from callers, and makes addresses from them.

A caller's address is never opened, except the short links of the platform. Only ids are taken from it, so that no
argument can make the service open another host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal
from urllib.parse import SplitResult, parse_qs, quote, urlencode

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.website.links import ShortLinkForm, is_at, split_link, within

from douyin_server.browsing.platform import DOMAINS
from douyin_server.model.filters import SearchFilters
from douyin_server.texts import tr_lazy

SHORT_LINK_HOST = "v.douyin.com"
Kind = Literal["video", "note", "slides"]

_VIDEO_ID = re.compile(r"\d{15,21}")
_USER_ID = re.compile(r"MS4w[A-Za-z0-9_-]{20,120}")
_END = r"[^\s<>\"'，。！；、】）》]*"
_PLATFORM_LINK = re.compile(
    rf"(?:https?://|(?<![a-z0-9.@/-]))(?:[a-z0-9-]+\.)*(?:ies)?douyin\.com/{_END}", re.IGNORECASE
)
_ANY_LINK = re.compile(rf"[a-z][a-z0-9]*://{_END}", re.IGNORECASE)
_SHORT_PATH = r"/[A-Za-z0-9_-]{4,32}/?"
_SHORT_PATH_OF_SITE = r"/s/[A-Za-z0-9_-]{1,32}/?"
_APP_SCHEMES = ("snssdk1128", "aweme", "douyin")
_VIDEO_PARAMETERS = ("modal_id", "aweme_id", "vid", "item_id")
_USER_PARAMETERS = ("sec_uid", "sec_user_id")
_VIDEO_STEP = tr_lazy("Give a video_id from a result, the address of a video or note, or the whole share text")
_USER_STEP = tr_lazy("Give a user_ref from a result, or the address of a profile")


@dataclass(frozen=True)
class VideoReference:
    """Identifies a video or a set of pictures; `kind` is how the link called it, or None."""

    video_id: str
    kind: Kind | None = None


@dataclass(frozen=True)
class UserReference:
    """Identifies a user by the id in the address of the profile (`sec_uid`)."""

    user_ref: str


class References:
    """Reads references on the configured site and on the platform's hosts."""

    def __init__(self, base_url: str, api_url: str) -> None:
        self._base_url = base_url
        self._sites = (base_url, api_url)
        #: Share links whose redirects must be followed to know their target.
        self.short_links = ShortLinkForm([SHORT_LINK_HOST], _SHORT_PATH, self._sites, _SHORT_PATH_OF_SITE)

    def video(self, text: str) -> VideoReference:
        """Read a video's id, or a text with the link of a video. Raises ServiceError (INVALID_ARGUMENT)."""
        text = text.strip()
        if _VIDEO_ID.fullmatch(text):
            return VideoReference(text)
        reference = _video(self._platform_address(text, _VIDEO_STEP, "video"))
        if reference is None:
            raise _refused(tr_lazy("The link does not lead to a video or note"), _VIDEO_STEP, "video")
        return reference

    def user(self, text: str) -> UserReference:
        """Read a user's id, or a text with the link of a profile. Raises ServiceError (INVALID_ARGUMENT)."""
        text = text.strip()
        if is_user_id(text):
            return UserReference(text)
        reference = _user(self._platform_address(text, _USER_STEP, "user"))
        if reference is None:
            raise _refused(tr_lazy("The link does not lead to a profile"), _USER_STEP, "user")
        return reference

    def target(self, text: str) -> VideoReference | UserReference:
        """Read the link of a video or of a profile. Raises ServiceError (INVALID_ARGUMENT)."""
        parts = self._platform_address(text, _VIDEO_STEP, "url")
        reference = _video(parts) or _user(parts)
        if reference is None:
            raise _refused(tr_lazy("The link leads neither to a video nor to a profile"), _VIDEO_STEP, "url")
        return reference

    def video_url(self, video_id: str, kind: str = "video") -> str:
        """Return the address of a video, or of a set of pictures when `kind` is another."""
        return f"{self._base_url}/{'video' if kind == 'video' else 'note'}/{video_id}"

    def user_url(self, user_ref: str) -> str:
        """Return the address of a profile."""
        return f"{self._base_url}/user/{user_ref}"

    def hot_url(self, sentence_id: str) -> str:
        """Return the address of an entry of the hot list."""
        return f"{self._base_url}/hot/{quote(sentence_id, safe='')}"

    def search_url(self, keyword: str, filters: SearchFilters) -> str:
        """Return the address of the results of a search."""
        query = urlencode({"type": "general", **filters.parameters})
        return f"{self._base_url}/search/{quote(keyword, safe='')}?{query}"

    def _platform_address(self, text: str, next_step: Text, field: str) -> SplitResult:
        parts = split_link(first_link(text))
        if parts is None or not parts.scheme or not parts.hostname:
            raise _refused(tr_lazy("No id and no link was recognised"), next_step, field)
        known_host = within(parts.hostname, DOMAINS) and parts.port in (None, 80, 443)
        known = parts.scheme in ("http", "https") and (known_host or any(is_at(parts, site) for site in self._sites))
        if not known and parts.scheme not in _APP_SCHEMES:
            raise _refused(tr_lazy("The link is not one of Douyin"), next_step, field)
        return parts


def first_link(text: str) -> str:
    """Return the first link of the platform in a pasted text, else its first link, else the text."""
    match = _PLATFORM_LINK.search(text)
    if match and (other := _ANY_LINK.search(text)) and other.start() < match.start() < other.end():
        match = other
    match = match or _ANY_LINK.search(text)
    link = match[0] if match else text.strip()
    return link if "://" in link or not match else f"https://{link}"


def is_user_id(value: object) -> bool:
    """Return whether `value` has the form of a user's id in addresses."""
    return isinstance(value, str) and _USER_ID.fullmatch(value) is not None


def is_video_id(value: object) -> bool:
    """Return whether `value` has the form of the id of a video."""
    return isinstance(value, str) and _VIDEO_ID.fullmatch(value) is not None


def _video(parts: SplitResult) -> VideoReference | None:
    segments = [segment for segment in parts.path.split("/") if segment]
    words = [parts.hostname or "", *segments]
    for before, segment in zip(words, segments, strict=False):
        if before in ("video", "note", "slides", "detail") and is_video_id(segment):
            kind: Kind | None = before if before in ("video", "note", "slides") else None  # type: ignore[assignment]
            return VideoReference(segment, kind)
    video_id = _parameter(parts, _VIDEO_PARAMETERS)
    return VideoReference(video_id) if is_video_id(video_id) else None


def _user(parts: SplitResult) -> UserReference | None:
    named = _parameter(parts, _USER_PARAMETERS)
    if is_user_id(named):
        return UserReference(named)
    segments = [segment for segment in parts.path.split("/") if segment]
    for before, segment in pairwise(segments):
        if before == "user" and is_user_id(segment):
            return UserReference(segment)
    return None


def _parameter(parts: SplitResult, names: tuple[str, ...]) -> str:
    query = parse_qs(parts.query)
    return next((query[name][0] for name in names if name in query), "")


def _refused(message: Text, next_step: Text, field: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step, fields=[field])
