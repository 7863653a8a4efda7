"""Reads the site for the tools and REST routes, and caches the answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.sharing import SharedWork
from pydantic import BaseModel

from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.model.answers import (
    Comments,
    Note,
    NoteList,
    NoteSummary,
    ResolvedLink,
    Source,
    Suggestions,
    User,
)
from xiaohongshu_server.model.arguments import search_words
from xiaohongshu_server.model.filters import SearchFilters
from xiaohongshu_server.model.references import (
    NoteReference,
    UserReference,
    first_link,
    is_short_link,
    note_url,
    parse_note,
    parse_user,
    user_url,
)
from xiaohongshu_server.reading.hints import search_warnings
from xiaohongshu_server.reading.links import Links
from xiaohongshu_server.reading.parse import Parser, comment_tokens, feed_tokens, stamp, text
from xiaohongshu_server.reading.reader import SiteReader

#: Most results of one search; each page of results scrolls through all results before it again.
MAX_SEARCHED = 200
_SEARCH_SECONDS = _SUGGEST_SECONDS = 300.0
_HOME_SECONDS = 120.0
_NOTE_SECONDS = 600.0
_USER_SECONDS = 1800.0
# Tokens stay valid for a long time, and agents often leave them out.
_TOKEN_SECONDS = 86_400.0
# Characters of an answer besides its list.
_FRAME_CHARS = 1500

Model = TypeVar("Model", bound=BaseModel)


class _Results(BaseModel):
    """Holds the notes that a search has read so far."""

    items: list[NoteSummary]
    complete: bool
    fetched_at: str


class Site:
    """Returns the answers of the reading tools; every method raises ServiceError when the data cannot be read.

    Args:
        reader: Reads pages.
        pages: Knows the accounts.
        links: Follows share links.
        parser: Turns the site's objects into models.
        cache: Caches answers and tokens.
        site: The addresses, and how long answers are cached.
        max_answer_chars: Longest answer, in characters of JSON; lists are shortened to it.
    """

    def __init__(
        self,
        reader: SiteReader,
        pages: Pages,
        links: Links,
        parser: Parser,
        cache: Cache,
        site: SiteSettings,
        max_answer_chars: int,
    ) -> None:
        self._reader = reader
        self._pages = pages
        self._links = links
        self._parser = parser
        self._cache = cache
        self._sharing = SharedWork()
        self._site = site
        self._max_list_chars = max_answer_chars - _FRAME_CHARS

    async def search(
        self, keyword: str, filters: SearchFilters, limit: int, cursor: str = "", account: str = ""
    ) -> NoteList:
        """Return up to `limit` notes for `keyword`, from `cursor` on."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword)
        kind = f"search:{self._parser.names}:{account}:{filters}:{keyword}"
        start = _offset(decode_cursor(kind, cursor)) if cursor else 0
        target = min(start + limit, MAX_SEARCHED)
        source: Source = "cache"
        kept = await self._cache.get(kind)
        results = _Results.model_validate(kept) if kept else None
        if results is None or (len(results.items) < target and not results.complete):
            results = await self._sharing.run(
                f"{kind}:{target}", lambda: self._search(kind, account, keyword, filters, target)
            )
            source = "browser"
        page = fit_items(results.items[start:target], self._max_list_chars)
        end = start + len(page)
        more = bool(page) and end < MAX_SEARCHED and not (results.complete and end >= len(results.items))
        return NoteList(
            items=page,
            count=len(page),
            complete=results.complete and end >= len(results.items),
            next_cursor=encode_cursor(kind, {"start": end}) if more else None,
            applied=filters.applied(),
            warnings=search_warnings(filters, page, nothing=not results.items, now=datetime.now(UTC)),
            source=source,
            fetched_at=results.fetched_at,
        )

    async def _search(self, kind: str, account: str, keyword: str, filters: SearchFilters, target: int) -> _Results:
        feeds, complete = await self._reader.search(account, keyword, filters, target)
        now = datetime.now(UTC)
        items = self._parser.notes(feeds, now)
        if feeds and not items:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        await self._remember(feed_tokens(feeds))
        results = _Results(items=items, complete=complete, fetched_at=stamp(now))
        await self._cache.set(kind, results, self._ttl(_SEARCH_SECONDS))
        return results

    async def home(self, limit: int, account: str = "") -> NoteList:
        """Return the home feed of the account."""
        account = self._pages.account(account)

        async def load() -> NoteList:
            feeds = await self._reader.home(account, limit)
            now = datetime.now(UTC)
            await self._remember(feed_tokens(feeds))
            items = fit_items(self._parser.notes(feeds, now), self._max_list_chars)
            return NoteList(items=items, count=len(items), complete=False, fetched_at=stamp(now))

        return await self._cached(NoteList, f"home:{account}:{limit}", _HOME_SECONDS, load)

    async def note(
        self, note: str, comments: int = 0, include_replies: bool = False, max_chars: int = 20_000, account: str = ""
    ) -> Note:
        """Return one note with up to `comments` comments."""
        account = self._pages.account(account)
        reference = await self.note_reference(note)

        async def load() -> Note:
            page = await self._reader.note(account, reference, comments, include_replies and comments > 0)
            now = datetime.now(UTC)
            await self._remember(comment_tokens(page.comments))
            detail = self._parser.note(page.note, reference, max_chars, now)
            detail.comments = self._parser.comments(page.comments, comments, include_replies, now)
            detail.comments_complete = page.complete
            if page.comment_wall is not None:
                detail.warnings.append(f"评论没有全部加载：{page.comment_wall.error().text}")
            elif comments and not detail.comments and not page.complete:
                detail.warnings.append("评论没有加载出来；笔记内容不受影响")
            return detail

        key = f"note:{account}:{reference}:{comments}:{include_replies}:{max_chars}"
        return await self._cached(Note, key, _NOTE_SECONDS, load, keep=lambda detail: not detail.warnings)

    async def comments(self, note: str, limit: int, include_replies: bool = False, account: str = "") -> Comments:
        """Return up to `limit` comments of a note; raise an error when the note has comments but none loaded."""
        account = self._pages.account(account)
        reference = await self.note_reference(note)

        async def load() -> Comments:
            page = await self._reader.note(account, reference, limit, include_replies)
            if not page.comments and not page.complete:
                if page.comment_wall is not None:
                    raise page.comment_wall.error()
                raise ServiceError(ErrorCode.TIMEOUT, "评论没有加载出来", "请稍后重试；若一直如此，请登录后再试")
            now = datetime.now(UTC)
            await self._remember(comment_tokens(page.comments))
            read = self._parser.comments(page.comments, limit, include_replies, now)
            items = fit_items(read, self._max_list_chars)
            return Comments(
                note_ref=str(reference),
                items=items,
                count=len(items),
                total=page.total,
                complete=page.complete and len(items) == len(read),
                truncated=len(items) < len(read),
                fetched_at=stamp(now),
            )

        key = f"comments:{account}:{reference}:{limit}:{include_replies}"
        return await self._cached(Comments, key, _NOTE_SECONDS, load)

    async def user(self, user: str, notes: int, account: str = "") -> User:
        """Return a profile with up to `notes` of its notes."""
        account = self._pages.account(account)
        reference = await self.user_reference(user)

        async def load() -> User:
            page, feeds, complete = await self._reader.user(account, reference, notes)
            now = datetime.now(UTC)
            await self._remember(feed_tokens(feeds))
            read = self._parser.notes(feeds, now)
            kept = fit_items(read, self._max_list_chars)
            profile = self._parser.user(page, kept, reference, now)
            profile.notes_complete = complete and len(kept) == len(read)
            return profile

        return await self._cached(User, f"user:{account}:{reference}:{notes}", _USER_SECONDS, load)

    async def suggestions(self, keyword: str, account: str = "") -> Suggestions:
        """Return the words that the search box suggests for `keyword`, or before typing for ""."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword, empty=True)

        async def load() -> Suggestions:
            words = [word for word in map(text, await self._reader.suggestions(account, keyword)) if word]
            return Suggestions(keyword=keyword, words=list(dict.fromkeys(words)), fetched_at=stamp(datetime.now(UTC)))

        return await self._cached(Suggestions, f"suggest:{account}:{keyword}", _SUGGEST_SECONDS, load)

    async def resolve(self, link: str) -> ResolvedLink:
        """Return the note or user that a link, or a text with a link, points to."""
        reference = await self._links.resolve(link)
        await self._remember({_id(reference): reference.token} if reference.token else {})
        is_note = isinstance(reference, NoteReference)
        base = self._site.base_url
        url = note_url(reference, base) if isinstance(reference, NoteReference) else user_url(reference, base)
        return ResolvedLink(
            kind="note" if is_note else "user", ref=str(reference), url=url, has_token=reference.token is not None
        )

    async def note_reference(self, note: str) -> NoteReference:
        """Return the note that a caller names; without a token from the caller, the token last seen is used."""
        if is_short_link(first_link(note), self._site.base_url):
            note = await self._links.expand(note)
        reference = parse_note(note, self._site.base_url)
        return NoteReference(reference.note_id, await self._token(reference), reference.source)

    async def user_reference(self, user: str) -> UserReference:
        """Return the user that a caller names; without a token from the caller, the token last seen is used."""
        if is_short_link(first_link(user), self._site.base_url):
            user = await self._links.expand(user)
        reference = parse_user(user, self._site.base_url)
        return UserReference(reference.user_id, await self._token(reference), reference.source)

    async def _token(self, reference: NoteReference | UserReference) -> str | None:
        if reference.token:
            return reference.token
        kept = await self._cache.get(f"token:{_id(reference)}")
        return kept if isinstance(kept, str) else None

    async def _remember(self, tokens: dict[str, str]) -> None:
        for identifier, token in tokens.items():
            await self._cache.set(f"token:{identifier}", token, _TOKEN_SECONDS)

    async def _cached(
        self,
        model: type[Model],
        key: str,
        seconds: float,
        load: Callable[[], Awaitable[Model]],
        keep: Callable[[Model], bool] = lambda _: True,
    ) -> Model:
        """Return the answer cached under `key`, else the result of `load`; concurrent equal calls share one `load`."""
        key = f"{self._parser.names}:{key}"
        kept = await self._cache.get(key)
        if kept is not None:
            return model.model_validate(kept | {"source": "cache"})

        async def load_and_keep() -> Model:
            loaded = await load()
            if keep(loaded):
                await self._cache.set(key, loaded, self._ttl(seconds))
            return loaded

        return await self._sharing.run(key, load_and_keep)

    def headline(self, note: dict[str, Any]) -> str:
        """Return title and author of a note object, by which people recognise it."""
        return self._parser.headline(note)

    def comment_line(self, comment: dict[str, Any]) -> str:
        """Return author and text of a comment object, by which people recognise it."""
        return self._parser.comment_line(comment)

    def _ttl(self, seconds: float) -> float:
        return min(seconds, self._site.cache_seconds)


def _offset(position: dict[str, object]) -> int:
    start = position.get("start")
    return start if isinstance(start, int) and 0 <= start < MAX_SEARCHED else 0


def _id(reference: NoteReference | UserReference) -> str:
    return reference.note_id if isinstance(reference, NoteReference) else reference.user_id
