"""What the tools and the REST routes both call."""

from __future__ import annotations

from datetime import UTC, datetime

from cachetools import LRUCache
from dyber_kit import ErrorCode, ServiceError

from xiaohongshu_server.browser import SiteBrowser
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.models import Comments, LoginStatus, Note, SearchResult
from xiaohongshu_server.parse import clean_text, comment_items, note_detail, search_items
from xiaohongshu_server.reader import SiteReader
from xiaohongshu_server.references import NoteReference, parse_reference
from xiaohongshu_server.walls import LOGIN_NEXT_STEP


class Notes:
    """Search, notes, comments and login state as models."""

    def __init__(self, reader: SiteReader, browser: SiteBrowser, settings: SiteSettings) -> None:
        self._reader = reader
        self._browser = browser
        self._base_url = settings.base_url
        # Agents drop tokens; the ones from recent searches are remembered so that a bare id still works.
        self._tokens: LRUCache[str, str] = LRUCache(maxsize=2000)

    async def search(self, keyword: str, limit: int) -> SearchResult:
        """Notes for `keyword`; raises ServiceError."""
        feeds, complete = await self._reader.search(keyword, limit)
        now = datetime.now(UTC)
        items = search_items(feeds, self._base_url, now)
        if feeds and not items:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        for item in items:
            note_id, _, token = item.note_ref.partition(":")
            if token:
                self._tokens[note_id] = token
        return SearchResult(keyword=keyword, items=items, count=len(items), complete=complete, fetched_at=_stamp())

    async def note(self, note: str, comments: int, include_replies: bool, max_chars: int) -> Note:
        """One note with up to `comments` comments; raises ServiceError."""
        reference = self._reference(note)
        page = await self._reader.note(reference, comments)
        detail = note_detail(page.note, reference, self._base_url, max_chars, _stamp())
        detail.comments = comment_items(page.comments, comments, include_replies)
        detail.comments_complete = page.complete
        if page.comment_wall is not None:
            detail.warnings.append(f"评论没有全部加载：{page.comment_wall.error().text}")
        elif comments and not detail.comments and not page.complete:
            detail.warnings.append("评论没有加载出来；笔记内容不受影响")
        return detail

    async def comments(self, note: str, limit: int, include_replies: bool) -> Comments:
        """Up to `limit` comments of a note; raises ServiceError, also when none loaded though there are some."""
        reference = self._reference(note)
        page = await self._reader.note(reference, limit)
        if not page.comments and not page.complete:
            if page.comment_wall is not None:
                raise page.comment_wall.error()
            raise ServiceError(ErrorCode.TIMEOUT, "评论没有加载出来", "请稍后重试；若一直如此，请登录后再试")
        items = comment_items(page.comments, limit, include_replies)
        return Comments(
            note_ref=str(reference),
            items=items,
            count=len(items),
            total=page.total,
            complete=page.complete,
            fetched_at=_stamp(),
        )

    async def login_status(self) -> LoginStatus:
        """Whether the browser is logged in; raises ServiceError."""
        user = await self._reader.login_state()
        return LoginStatus(
            logged_in=user is not None,
            nickname=clean_text(user.get("nickname")) or None if user else None,
            user_id=(user.get("userId") or user.get("user_id")) if user else None,
            session_file_present=self._browser.session_file_present(),
            next_step=None if user else LOGIN_NEXT_STEP,
            checked_at=_stamp(),
        )

    def _reference(self, note: str) -> NoteReference:
        reference = parse_reference(note, self._base_url)
        if reference.token is None and (token := self._tokens.get(reference.note_id)):
            return NoteReference(reference.note_id, token)
        return reference


def _stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
