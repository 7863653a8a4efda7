"""What callers may name a note by, and the URLs made from it.

A caller's URL is never opened: only the note's id and token are taken from it, so that no argument can
send the browser to another host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from dyber_kit import ErrorCode, ServiceError

PLATFORM_DOMAINS = ("xiaohongshu.com", "rednote.com")
SHORT_LINK_DOMAINS = ("xhslink.com", "xhslink.cn")

_NOTE_ID = re.compile(r"[0-9a-f]{24}")
_TOKEN = re.compile(r"[A-Za-z0-9_+/=-]{1,200}")
_SOURCE = re.compile(r"[a-z_]{1,32}")
_HOW = "请使用搜索结果里的 note_ref，或从浏览器地址栏复制的笔记完整链接"


@dataclass(frozen=True)
class NoteReference:
    """One note: its id, and the token without which the platform hides it."""

    note_id: str
    token: str | None = None
    source: str = "pc_search"

    def __str__(self) -> str:
        return f"{self.note_id}:{self.token}" if self.token else self.note_id


def parse_reference(text: str, base_url: str) -> NoteReference:
    """Read a note_ref (`id:token`), a bare id, or a URL on the platform's hosts.

    Raises:
        ServiceError: INVALID_ARGUMENT, saying what would be accepted.
    """
    text = text.strip()
    note_id, _, token = text.partition(":")
    if _NOTE_ID.fullmatch(note_id) and (not token or _TOKEN.fullmatch(token)):
        return NoteReference(note_id, token or None)
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "链接格式不正确", _HOW) from None
    if parts.scheme not in ("http", "https") or not host:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "无法识别的笔记编号或链接", _HOW)
    if _within(host, SHORT_LINK_DOMAINS):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT, "暂不支持短链接", "请在浏览器里打开短链接，再复制地址栏里的完整链接"
        )
    base = urlsplit(base_url)
    is_base = (host, port) == (base.hostname, base.port)
    if not is_base and not (_within(host, PLATFORM_DOMAINS) and port in (None, 80, 443)):
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "链接不属于小红书", _HOW)
    ids = [segment for segment in parts.path.split("/") if _NOTE_ID.fullmatch(segment)]
    if not ids:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, "链接里没有笔记编号", _HOW)
    query = parse_qs(parts.query)
    token = query.get("xsec_token", [""])[0].replace(" ", "+")
    source = query.get("xsec_source", [""])[0]
    return NoteReference(
        ids[-1],
        token if _TOKEN.fullmatch(token) else None,
        source if _SOURCE.fullmatch(source) else "pc_search",
    )


def note_url(reference: NoteReference, base_url: str) -> str:
    """Address of a note on the configured site."""
    query = {"xsec_token": reference.token, "xsec_source": reference.source} if reference.token else {}
    return f"{base_url}/explore/{reference.note_id}" + (f"?{urlencode(query)}" if query else "")


def search_url(keyword: str, base_url: str) -> str:
    """Address of the search results for `keyword` on the configured site."""
    return f"{base_url}/search_result?keyword={quote(keyword, safe='')}&source=web_explore_feed"


def _within(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith("." + domain) for domain in domains)
