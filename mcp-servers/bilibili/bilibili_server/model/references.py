"""Reads references to videos and users from callers, and makes URLs from them.

A caller's URL is never opened in the browser. Only ids are taken from it, so that no argument can make the browser open
another host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, urlencode

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.website.links import LinkFinder, ShortLinkForm, is_at, split_link, within

from bilibili_server.config import SiteSettings
from bilibili_server.texts import tr_lazy

PLATFORM_DOMAINS = ("bilibili.com", "b23.tv", "bili2233.cn", "acg.tv")
SHORT_LINK_DOMAINS = ("b23.tv", "bili2233.cn", "acg.tv")

_BVID = re.compile(r"BV1[1-9A-HJ-NP-Za-km-z]{9}", re.IGNORECASE)
_AVID = re.compile(r"av(\d{1,17})", re.IGNORECASE)
_MID = re.compile(r"(?:uid|mid)?[:：\s]*(\d{1,17})", re.IGNORECASE)
_LINKS = LinkFinder(["bilibili.com", "b23.tv", "bili2233.cn"], ["bilibili"])
# A link of the same hosts with the id of a video, or with a number, is not a short link.
_SHORT_PATH = rf"/(?!(?i:{_BVID.pattern}|{_AVID.pattern}|\d+)/?$)[A-Za-z0-9]{{5,12}}/?"
_VIDEO_NEXT_STEP = tr_lazy("Give the bvid of a result (BV…), an av number, or the link of a video as people share it")
_USER_NEXT_STEP = tr_lazy("Give the mid of a result, or the link of a user's space")


@dataclass(frozen=True)
class VideoReference:
    """Identifies a video by its id, `BV…` or `av…`, and a part of it."""

    video_id: str
    page: int = 1


def parse_video(text: str, settings: SiteSettings) -> VideoReference:
    """Read a bvid, an av number, or a link or share text of a video.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says which values are accepted.
    """
    if video_id := _video_id(text.strip()):
        return VideoReference(video_id)
    parts = _platform_url(text, settings, _VIDEO_NEXT_STEP)
    query = parse_qs(parts.query)
    if parts.scheme == "bilibili" and parts.netloc == "video" and (digits := re.match(r"/(\d+)", parts.path)):
        video_id = f"av{digits[1]}"
    else:
        named = [*query.get("bvid", []), *(f"av{value}" for key in ("aid", "avid") for value in query.get(key, []))]
        candidates = [*parts.path.split("/"), *named]
        video_id = next((found for each in candidates if (found := _video_id(each))), None)
    if video_id is None:
        if "/bangumi/" in parts.path or "/cheese/" in parts.path:
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("The link is that of an episode of a series or a course, which this service does not read"),
                _VIDEO_NEXT_STEP,
                fields=["video"],
            )
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT, tr_lazy("The link has no video"), _VIDEO_NEXT_STEP, fields=["video"]
        )
    page = query.get("p", ["1"])[0]
    return VideoReference(video_id, int(page) if page.isascii() and page.isdigit() and 0 < int(page) < 10_000 else 1)


def parse_user(text: str, settings: SiteSettings) -> str:
    """Read the number (mid) of a user from the number itself, or from a link of the user's space.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says which values are accepted.
    """
    if match := _MID.fullmatch(text.strip()):
        return str(int(match[1]))
    parts = _platform_url(text, settings, _USER_NEXT_STEP)
    # space.bilibili.com/1, www.bilibili.com/space/1, m.bilibili.com/space/1, bilibili://space/1
    is_space = (
        (parts.hostname or "").startswith("space")
        or parts.path.startswith("/space/")
        or is_at(parts, settings.base_url)
    )
    digits = re.search(r"/(\d{1,17})(?:/|$)", parts.path)
    if not is_space or digits is None:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT, tr_lazy("The link has no user"), _USER_NEXT_STEP, fields=["user"]
        )
    return str(int(digits[1]))


def first_link(text: str) -> str:
    """Return the first link in a pasted text (`【标题-哔哩哔哩】 https://b23.tv/…`), else the text."""
    return _LINKS.first(text) or text.strip()


def short_link_form(settings: SiteSettings) -> ShortLinkForm:
    """Return which links are share links whose redirects must be followed to know their target."""
    serves_all = settings.origin("search") == settings.base_url
    return ShortLinkForm(SHORT_LINK_DOMAINS, _SHORT_PATH, [settings.base_url] if serves_all else [], _SHORT_PATH)


def video_url(video_id: str, settings: SiteSettings, page: int = 1, seconds: int | None = None) -> str:
    """Return the address of a video, at a part and a time of it."""
    query = {**({"p": page} if page > 1 else {}), **({"t": seconds} if seconds is not None else {})}
    return f"{settings.base_url}/video/{video_id}" + (f"?{urlencode(query)}" if query else "")


def user_url(mid: str, settings: SiteSettings) -> str:
    """Return the address of a user's space."""
    return f"{settings.origin('space')}/{mid}"


def search_url(keyword: str, kind: str, order: str, page: int, settings: SiteSettings) -> str:
    """Return the address of a page of search results."""
    query = f"?keyword={quote(keyword, safe='')}"
    query += f"&order={order}" if order else ""
    query += f"&page={page}" if page > 1 else ""
    return f"{settings.origin('search')}/{kind}{query}"


def _video_id(text: str) -> str | None:
    """Return the id of a video in its usual spelling, or None."""
    if match := _BVID.fullmatch(text):
        return "BV" + match[0][2:]
    if match := _AVID.fullmatch(text):
        return f"av{int(match[1])}"
    return None


def _platform_url(text: str, settings: SiteSettings, next_step: Text) -> SplitResult:
    parts = split_link(first_link(text))
    if parts is None or parts.scheme not in ("http", "https", "bilibili") or not parts.hostname:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("This is neither a known id nor a link"), next_step)
    if parts.scheme == "bilibili" or is_at(parts, settings.base_url):
        return parts
    if not within(parts.hostname, PLATFORM_DOMAINS) or parts.port not in (None, 80, 443):
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The link does not belong to Bilibili"), next_step)
    return parts
