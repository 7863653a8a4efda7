"""Reads how callers name posts and users: ids, names, links of the site, of its apps and of texts that people share.

A caller's link is never opened in the browser; only ids and names are taken from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qs, quote, unquote

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.website.links import LinkFinder, ShortLinkForm, is_at, split_link

from weibo_server.config import WEB_URL
from weibo_server.texts import tr_lazy

_LINKS = LinkFinder(["weibo.com", "weibo.cn", "t.cn"], ["sinaweibo"])
_HOSTS = {
    "weibo.com", "www.weibo.com", "m.weibo.com", "weibo.cn", "www.weibo.cn", "m.weibo.cn", "share.api.weibo.cn",
    "card.weibo.com", "h5.video.weibo.com", "s.weibo.com", "passport.weibo.com",
}  # fmt: skip
_MID = re.compile(r"\d{15,18}")
_BID = re.compile(r"[0-9A-Za-z]{8,10}")
_UID = re.compile(r"\d{5,12}")
_NAME = re.compile(r"[\w\u00b7-]{1,30}")
_CUSTOM = re.compile(r"[A-Za-z][A-Za-z0-9_-]{2,30}")
_CONTAINER = re.compile(r"(?:100505|107603|230283)(\d{5,12})")
_SHORT_PATH = r"/[A-Za-z0-9]{4,12}/*"
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# First segments of paths on the site that are no names of users.
_NO_NAMES = {
    "ajax", "api", "at", "chat", "client", "comment", "compose", "detail", "friends", "home", "hot", "login", "logout",
    "message", "mygroups", "newlogin", "notice", "opinion", "repost", "search", "settings", "share", "signup", "sorry",
    "status", "statuses", "status-detail", "topic", "ttarticle", "tv", "video", "visitor", "weibo",
}  # fmt: skip


@dataclass(frozen=True)
class PostReference:
    """Names a post by its number; `uid` is the author's, when known."""

    mid: str
    uid: str = ""

    @property
    def path(self) -> str:
        """Return the path of the post's page."""
        return f"/{self.uid}/{bid_of(self.mid)}" if self.uid else f"/detail/{self.mid}"


@dataclass(frozen=True)
class UserReference:
    """Names a user by exactly one of number, nickname and the name in the address of the profile."""

    uid: str = ""
    name: str = ""
    custom: str = ""

    @property
    def path(self) -> str:
        """Return the path of the profile's page."""
        if self.uid:
            return f"/u/{self.uid}"
        return f"/n/{quote(self.name, safe='')}" if self.name else f"/{self.custom}"

    @property
    def query(self) -> Mapping[str, str]:
        """Return the parameter by which the site's call for profiles names the user."""
        if self.uid:
            return {"uid": self.uid}
        return {"screen_name": self.name} if self.name else {"custom": self.custom}


def parse_post(text: str, base_url: str) -> PostReference:
    """Read the number or the short id of a post, `user/post`, a link to it, or a text with such a link.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says what is accepted.
    """
    parts = _link(text, base_url)
    if parts is None:
        plain = text.strip().strip("/")
        uid, _, last = plain.rpartition("/")
        if not _UID.fullmatch(uid):
            uid, last = "", plain
        if mid := _mid(last):
            return PostReference(mid, uid)
        raise _unknown_post()
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    if parts.scheme == "sinaweibo" or parts.hostname == "share.api.weibo.cn":
        values = [query.get(name, "") for name in ("mblogid", "weibo_id", "id", "mid")]
        values += re.findall(r"\d{15,18}", parts.path)
        if mid := next((mid for value in values if (mid := _mid(value))), None):
            return PostReference(mid)
        raise _unknown_post()
    segments = _segments(parts)
    if segments[:1] in (["detail"], ["status"], ["statuses"], ["comment"], ["repost"]) and len(segments) > 1:
        if mid := _mid(segments[1]):
            return PostReference(mid)
    elif len(segments) >= 2 and _UID.fullmatch(segments[0]) and (mid := _mid(segments[-1])):
        return PostReference(mid, segments[0])
    raise _unknown_post()


def parse_user(text: str, base_url: str) -> UserReference:
    """Read the number or the nickname of a user, a link to the profile, or a text with such a link.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says what is accepted.
    """
    parts = _link(text, base_url)
    if parts is None:
        plain = text.strip().removeprefix("@").strip()
        if _UID.fullmatch(plain):
            return UserReference(uid=plain)
        if _NAME.fullmatch(plain):
            return UserReference(name=plain)
        raise _unknown_user()
    segments = _segments(parts)
    if parts.scheme == "sinaweibo":
        uid = parse_qs(parts.query).get("uid", [""])[0]
        if _UID.fullmatch(uid):
            return UserReference(uid=uid)
    elif segments[:1] in (["u"], ["profile"]) and len(segments) > 1 and _UID.fullmatch(segments[1]):
        return UserReference(uid=segments[1])
    elif segments[:1] == ["n"] and len(segments) > 1 and _NAME.fullmatch(unquote(segments[1])):
        return UserReference(name=unquote(segments[1]))
    elif segments[:1] == ["p"] and len(segments) > 1 and (match := _CONTAINER.match(segments[1])):
        return UserReference(uid=match[1])
    elif segments and _UID.fullmatch(segments[0]):
        return UserReference(uid=segments[0])
    elif len(segments) == 1 and _CUSTOM.fullmatch(segments[0]) and segments[0].lower() not in _NO_NAMES:
        return UserReference(custom=segments[0])
    raise _unknown_user()


def first_link(text: str) -> str:
    """Return the first link in a text, with its scheme; the text itself when it has none."""
    return _LINKS.first(text) or text


def short_link_form(base_url: str) -> ShortLinkForm:
    """Return which links have to be followed to know what they lead to; a stand-in for the site serves them itself."""
    sites = [] if base_url == WEB_URL else [base_url]
    return ShortLinkForm(["t.cn"], _SHORT_PATH, sites, rf"/t\.cn{_SHORT_PATH}")


def bid_of(mid: str) -> str:
    """Return the short id, as in addresses, of a post's number: each seven digits are four letters to base 62."""
    parts = []
    while mid:
        mid, last = mid[:-7], mid[-7:]
        digits, number = "", int(last)
        while number:
            number, rest = divmod(number, 62)
            digits = _LETTERS[rest] + digits
        parts.append(digits.rjust(4, "0") if mid else digits)
    return "".join(reversed(parts))


def mid_of(bid: str) -> str:
    """Return the number of a post's short id."""
    parts = []
    while bid:
        bid, last = bid[:-4], bid[-4:]
        number = 0
        for letter in last:
            number = number * 62 + _LETTERS.index(letter)
        parts.append(str(number).rjust(7, "0") if bid else str(number))
    return "".join(reversed(parts))


def _mid(value: str) -> str | None:
    if _MID.fullmatch(value):
        return value
    if not _BID.fullmatch(value) or value.isdecimal():
        return None
    mid = mid_of(value)
    return mid if _MID.fullmatch(mid) and bid_of(mid) == value else None


def _link(text: str, base_url: str) -> SplitResult | None:
    """Return the first link in a text; None without one. Raises ServiceError (INVALID_ARGUMENT) for other sites."""
    url = _LINKS.first(text)
    if url is None:
        return None
    parts = split_link(url)
    if parts is None:
        raise _other_site()
    if parts.scheme != "sinaweibo" and parts.hostname not in _HOSTS and not is_at(parts, base_url):
        raise _other_site()
    return parts


def _segments(parts: SplitResult) -> list[str]:
    return [segment for segment in parts.path.removesuffix(".html").split("/") if segment]


def _unknown_post() -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("This is no post of Weibo"),
        tr_lazy(
            "Pass `post` of an earlier answer, or a link such as https://weibo.com/1234567890/Nabcd1234 or "
            "https://m.weibo.cn/status/4467107636950632; articles, videos without a post and topics are not read"
        ),
        fields=["post"],
    )


def _unknown_user() -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("This is no user of Weibo"),
        tr_lazy("Pass the user's number, the exact nickname, or a link such as https://weibo.com/u/1234567890"),
        fields=["user"],
    )


def _other_site() -> ServiceError:
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        tr_lazy("The link does not lead to Weibo"),
        tr_lazy("Pass a link of weibo.com, m.weibo.cn, weibo.cn or t.cn"),
    )
