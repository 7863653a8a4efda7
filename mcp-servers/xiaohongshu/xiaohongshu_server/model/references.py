"""Reads references to notes and users from callers, and makes URLs from them.

A caller's URL is never opened in the browser. Only ids and tokens are taken from it, so that no argument can make the
browser open another host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeGuard, TypeVar
from urllib.parse import SplitResult, parse_qs, quote, urlencode

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.website.links import LinkFinder, ShortLinkForm, is_at, split_link, within

from xiaohongshu_server.texts import tr_lazy

PLATFORM_DOMAINS = ("xiaohongshu.com", "rednote.com")
#: The cookie that every logged-in session has.
LOGIN_COOKIE = "web_session"
SHORT_LINK_DOMAINS = ("xhslink.com", "xhslink.cn")

_PROFILE = "/user/profile/"
_ID = re.compile(r"[0-9a-f]{24}")
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{1,200}")
_SOURCE = re.compile(r"[a-z_]{1,32}")
_LINKS = LinkFinder()
_SHORT_PATH = r"/(?:[a-zA-Z]/)?[A-Za-z0-9]{1,32}/?"
_SHORT_PATH_OF_SITE = r"/[a-zA-Z]/[A-Za-z0-9]{1,32}"
_NOTE_NEXT_STEP = tr_lazy(
    "Use note_ref of a search result, or the complete link of the note from the browser's address bar"
)
_USER_NEXT_STEP = tr_lazy("Use user_ref of a result, or the link of the profile from the browser's address bar")


@dataclass(frozen=True)
class NoteReference:
    """Identifies a note by its id and the token without which the platform does not show it."""

    note_id: str
    token: str | None = None
    source: str = "pc_search"

    def __str__(self) -> str:
        return f"{self.note_id}:{self.token}" if self.token else self.note_id


@dataclass(frozen=True)
class UserReference:
    """Identifies a user by the id and the token without which the platform does not show the profile."""

    user_id: str
    token: str | None = None
    source: str = "pc_note"

    def __str__(self) -> str:
        return f"{self.user_id}:{self.token}" if self.token else self.user_id


Reference = TypeVar("Reference", NoteReference, UserReference)


def parse_note(text: str, base_url: str) -> NoteReference:
    """Read a note_ref (`id:token`), a bare id, or a URL of a note on the platform's hosts.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says which values are accepted.
    """
    return _parsed(text, NoteReference) or _note(_platform_url(text, base_url, _NOTE_NEXT_STEP))


def parse_user(text: str, base_url: str) -> UserReference:
    """Read a user_ref (`id:token`), a bare id, or a URL of a profile on the platform's hosts.

    Raises:
        ServiceError: INVALID_ARGUMENT; the message says which values are accepted.
    """
    return _parsed(text, UserReference) or _user(_platform_url(text, base_url, _USER_NEXT_STEP))


def first_link(text: str) -> str:
    """Return the first URL in a pasted text ("标题… http://xhslink.com/o/… 复制后打开"), else the text."""
    return _LINKS.first(text) or text.strip()


def short_link_form(base_url: str) -> ShortLinkForm:
    """Return which links are share links whose redirects must be followed to know their target."""
    return ShortLinkForm(SHORT_LINK_DOMAINS, _SHORT_PATH, [base_url], _SHORT_PATH_OF_SITE)


def note_url(reference: NoteReference, base_url: str) -> str:
    """Return the address of a note on the configured site."""
    return f"{base_url}/explore/{reference.note_id}{_query(reference)}"


def user_url(reference: UserReference, base_url: str) -> str:
    """Return the address of a profile on the configured site."""
    return f"{base_url}/user/profile/{reference.user_id}{_query(reference)}"


def search_url(keyword: str, base_url: str) -> str:
    """Return the address of the search results for `keyword` on the configured site."""
    return f"{base_url}/search_result?keyword={quote(keyword, safe='')}&source=web_explore_feed"


def home_url(base_url: str) -> str:
    """Return the address of the home page of the configured site."""
    return f"{base_url}/explore"


def is_id(value: object) -> TypeGuard[str]:
    """Return whether `value` has the form of an id of the platform's notes and users."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def _query(reference: NoteReference | UserReference) -> str:
    if not reference.token:
        return ""
    return "?" + urlencode({"xsec_token": reference.token, "xsec_source": reference.source})


def _parsed(text: str, kind: type[Reference]) -> Reference | None:
    identifier, _, token = text.strip().partition(":")
    return kind(identifier, token or None) if is_id(identifier) and (not token or _TOKEN.fullmatch(token)) else None


def _platform_url(text: str, base_url: str, next_step: Text) -> SplitResult:
    parts = split_link(first_link(text))
    if parts is None:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The link is not well-formed"), next_step)
    host = (parts.hostname or "").rstrip(".")
    if parts.scheme not in ("http", "https") or not host:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("This is neither a known id nor a link"), next_step)
    allowed = within(host, PLATFORM_DOMAINS) and parts.port in (None, 80, 443)
    if not allowed and not is_at(parts, base_url):
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The link does not belong to Xiaohongshu"), next_step)
    return parts


def _ids(parts: SplitResult) -> list[str]:
    return [segment for segment in parts.path.split("/") if is_id(segment)]


def _note(parts: SplitResult) -> NoteReference:
    ids = _ids(parts)
    if parts.path.startswith(_PROFILE) and len(ids) == 1:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The link leads to a user and not to a note"),
            tr_lazy("Pass the link to xhs_get_user or xhs_user_notes"),
        )
    if not ids:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The link has no id of a note"), _NOTE_NEXT_STEP)
    return NoteReference(ids[-1], *_token_and_source(parts, "pc_search"))


def _user(parts: SplitResult) -> UserReference:
    ids = _ids(parts)
    if ids and not parts.path.startswith(_PROFILE):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The link leads to a note and not to a user"),
            tr_lazy("Pass the link to xhs_get_note; its author.user_ref is the author"),
        )
    if not ids:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The link has no id of a user"), _USER_NEXT_STEP)
    return UserReference(ids[0], *_token_and_source(parts, "pc_note"))


def _token_and_source(parts: SplitResult, default: str) -> tuple[str | None, str]:
    query = parse_qs(parts.query)
    # In a URL that was copied without escaping, "+" is read as a blank.
    token = query.get("xsec_token", [""])[0].replace(" ", "+")
    source = query.get("xsec_source", [""])[0]
    return (token if _TOKEN.fullmatch(token) else None), (source if _SOURCE.fullmatch(source) else default)
