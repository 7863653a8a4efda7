"""Reads the site for the tools and REST routes, and caches the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.cursors import fit_items
from dyber_kit.upstream.cache import Cache
from dyber_kit.website.links import ShortLinks

from xiaohongshu_server.browsing.walls import WALLS
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.model.answers import (
    Comment,
    Comments,
    Note,
    NoteList,
    NoteSummary,
    SearchResults,
    Suggestions,
    User,
    UserList,
)
from xiaohongshu_server.model.arguments import search_words
from xiaohongshu_server.model.filters import SearchFilters, Tab
from xiaohongshu_server.model.references import (
    NoteReference,
    UserReference,
    first_link,
    parse_note,
    parse_user,
)
from xiaohongshu_server.reading.hints import ORDERS, search_warnings, tab_warnings
from xiaohongshu_server.reading.memory import Listing, Memory
from xiaohongshu_server.reading.parse import Parser, comment_tokens, feed_tokens, stamp, text, user_tokens
from xiaohongshu_server.reading.reader import SiteReader
from xiaohongshu_server.texts import tr, tr_lazy

#: Most entries of one list; each part of a list scrolls through all entries before it again.
MAX_SEARCHED = 200
#: The name by which callers mean the user who is logged in.
ME = "me"
_SEARCH_SECONDS = _SUGGEST_SECONDS = 300.0
_HOME_SECONDS = 120.0
_NOTE_SECONDS = 600.0
_USER_SECONDS = 1800.0
# Characters of an answer besides its list.
_FRAME_CHARS = 1500


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
        links: ShortLinks,
        parser: Parser,
        cache: Cache,
        site: SiteSettings,
        max_answer_chars: int,
    ) -> None:
        self._reader = reader
        self._pages = pages
        self._links = links
        self._parser = parser
        self._site = site
        self._max_list_chars = max_answer_chars - _FRAME_CHARS
        self._memory = Memory(cache, parser.names, site.cache_seconds, self._max_list_chars)

    async def search(
        self,
        keyword: str,
        filters: SearchFilters,
        limit: int,
        cursor: str = "",
        account: str = "",
        verbose: bool = True,
    ) -> SearchResults:
        """Return up to `limit` notes for `keyword`, from `cursor` on."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword)

        async def load(_: int, target: int) -> Listing[NoteSummary]:
            feeds, complete = await self._reader.search(account, keyword, filters, target)
            return await self._notes(feeds, complete)

        part = await self._memory.part(
            Listing[NoteSummary], f"search:{account}:{filters}:{keyword}", cursor, limit, MAX_SEARCHED,
            _SEARCH_SECONDS, load, lambda note: note.shown(verbose, count=ORDERS.get(filters.sort, "")),
        )  # fmt: skip
        return SearchResults(
            items=part.items,
            count=len(part.items),
            complete=part.complete,
            next_cursor=part.next_cursor,
            applied=filters.applied(),
            warnings=search_warnings(filters, part.entries, nothing=not part.listing.items, now=datetime.now(UTC)),
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def search_users(self, keyword: str, limit: int, account: str = "") -> UserList:
        """Return up to `limit` users for `keyword`."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword)

        async def load() -> UserList:
            read, complete = await self._reader.search_users(account, keyword, limit)
            users = self._parser.users(read)
            if read and not users:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            await self._memory.remember(user_tokens(read))
            items = fit_items(users, self._max_list_chars)
            return UserList(
                items=items,
                count=len(items),
                complete=complete and len(items) == len(users),
                fetched_at=stamp(datetime.now(UTC)),
            )

        answer = await self._memory.answer(UserList, f"users:{account}:{keyword}:{limit}", _SEARCH_SECONDS, load)
        warnings = [] if answer.items else [tr("Xiaohongshu has no users for these words")]
        return answer.model_copy(update={"warnings": warnings})

    async def home(self, limit: int, account: str = "", verbose: bool = True) -> NoteList:
        """Return the home feed of the account."""
        account = self._pages.account(account)

        async def load() -> NoteList:
            feeds = await self._reader.home(account, limit)
            listing = await self._notes(feeds, complete=False)
            items = fit_items([note.shown(verbose) for note in listing.items], self._max_list_chars)
            return NoteList(items=items, count=len(items), complete=False, fetched_at=listing.fetched_at)

        return await self._memory.answer(NoteList, f"home:{account}:{limit}:{verbose}", _HOME_SECONDS, load)

    async def note(
        self,
        note: str,
        comments: int = 0,
        include_replies: bool = False,
        max_chars: int = 20_000,
        account: str = "",
        verbose: bool = True,
    ) -> Note:
        """Return one note with up to `comments` comments."""
        account = self._pages.account(account)
        reference = await self.note_reference(note)

        async def load() -> Note:
            page = await self._reader.note(account, reference, comments, include_replies and comments > 0)
            now = datetime.now(UTC)
            await self._memory.remember(comment_tokens(page.comments))
            detail = self._parser.note(page.note, reference, max_chars, now)
            read = self._parser.comments(page.comments, include_replies, now)
            detail.comments = [comment.shown(verbose) for comment in read]
            detail.comments_complete = page.complete
            if page.comment_error is not None:
                reason = page.comment_error.text
                detail.warnings.append(tr("Not all comments were loaded: {reason}", reason=reason))
            elif comments and not detail.comments and not page.complete:
                detail.warnings.append(tr("The comments did not load; the note itself is complete"))
            return detail

        key = f"note:{account}:{reference}:{comments}:{include_replies}:{max_chars}:{verbose}"
        return await self._memory.answer(Note, key, _NOTE_SECONDS, load, keep=lambda detail: not detail.warnings)

    async def comments(
        self,
        note: str,
        limit: int,
        include_replies: bool = False,
        cursor: str = "",
        account: str = "",
        verbose: bool = True,
    ) -> Comments:
        """Return comments of a note from `cursor` on; raise an error when the note has comments but none loaded."""
        account = self._pages.account(account)
        reference = await self.note_reference(note)

        async def load(start: int, target: int) -> Listing[Comment]:
            page = await self._reader.note(account, reference, target, include_replies, start)
            if len(page.comments) <= start and not page.complete:
                if page.comment_error is not None:
                    raise page.comment_error
                raise ServiceError(
                    ErrorCode.TIMEOUT,
                    tr_lazy("The comments did not load"),
                    tr_lazy("Try again later; if it stays like this, log in and try again"),
                )
            now = datetime.now(UTC)
            await self._memory.remember(comment_tokens(page.comments))
            items = self._parser.comments(page.comments, include_replies, now)
            return Listing[Comment](items=items, complete=page.complete, total=page.total, fetched_at=stamp(now))

        part = await self._memory.part(
            Listing[Comment], f"comments:{account}:{reference}:{include_replies}", cursor, limit, MAX_SEARCHED,
            _NOTE_SECONDS, load, lambda comment: comment.shown(verbose), keep_parts=include_replies,
        )  # fmt: skip
        return Comments(
            note_ref=str(reference),
            items=part.items,
            count=len(part.items),
            total=part.listing.total,
            complete=part.complete,
            next_cursor=part.next_cursor,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def user(self, user: str, notes: int, account: str = "", verbose: bool = True) -> User:
        """Return a profile with up to `notes` of its notes, without their author; `user` may be ME."""
        account = self._pages.account(account)
        reference = await self.user_reference(user, account)

        async def load() -> User:
            page, feeds, complete = await self._reader.user(account, reference, notes)
            listing = await self._notes(feeds, complete)
            kept = fit_items([note.shown(verbose, author=False) for note in listing.items], self._max_list_chars)
            profile = self._parser.user(page, kept, reference, datetime.now(UTC))
            profile.notes_complete = complete and len(kept) == len(listing.items)
            return profile

        key = f"user:{account}:{reference}:{notes}:{verbose}"
        return await self._memory.answer(User, key, _USER_SECONDS, load)

    async def user_notes(
        self, user: str, tab: Tab, limit: int, cursor: str = "", account: str = "", verbose: bool = True
    ) -> NoteList:
        """Return notes of a tab of a profile from `cursor` on; `user` may be ME."""
        account = self._pages.account(account)
        reference = await self.user_reference(user, account)

        async def load(_: int, target: int) -> Listing[NoteSummary]:
            _page, feeds, complete = await self._reader.user(account, reference, target, tab)
            return await self._notes(feeds, complete)

        part = await self._memory.part(
            Listing[NoteSummary], f"tab:{account}:{reference.user_id}:{tab}", cursor, limit, MAX_SEARCHED,
            _USER_SECONDS, load, lambda note: note.shown(verbose, author=tab != "posted"),
        )  # fmt: skip
        return NoteList(
            items=part.items,
            count=len(part.items),
            complete=part.complete,
            next_cursor=part.next_cursor,
            warnings=[] if part.listing.items else tab_warnings(tab, part.complete),
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def suggestions(self, keyword: str, account: str = "") -> Suggestions:
        """Return the words that the search box suggests for `keyword`, or before typing for ""."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword, empty=True)

        async def load() -> Suggestions:
            words = [word for word in map(text, await self._reader.suggestions(account, keyword)) if word]
            return Suggestions(keyword=keyword, words=list(dict.fromkeys(words)), fetched_at=stamp(datetime.now(UTC)))

        return await self._memory.answer(Suggestions, f"suggest:{account}:{keyword}", _SUGGEST_SECONDS, load)

    async def note_reference(self, note: str) -> NoteReference:
        """Return the note that a caller names; without a token from the caller, the token last seen is used."""
        reference = parse_note(await self._links.expand(first_link(note)), self._site.base_url)
        return NoteReference(reference.note_id, await self._memory.token(reference), reference.source)

    async def user_reference(self, user: str, account: str = "") -> UserReference:
        """Return the user that a caller names; without a token from the caller, the token last seen is used."""
        if user.strip() == ME:
            return UserReference(await self._own_id(self._pages.account(account)))
        reference = parse_user(await self._links.expand(first_link(user)), self._site.base_url)
        return UserReference(reference.user_id, await self._memory.token(reference), reference.source)

    async def _own_id(self, account: str) -> str:
        """Return the id of the user who is logged in. Raises ServiceError (LOGIN_REQUIRED) for a guest."""
        key = f"me:{account}:{self._pages.session_stamp(account)}"
        if kept := await self._memory.kept_text(key):
            return kept
        user = await self._reader.me(account)
        user_id = (user or {}).get("userId") or (user or {}).get("user_id")
        if not isinstance(user_id, str):
            raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
        await self._memory.keep_text(key, user_id, _USER_SECONDS)
        return user_id

    async def _notes(self, feeds: list[Any], complete: bool) -> Listing[NoteSummary]:
        """Return the notes of feed items, and keep their tokens."""
        now = datetime.now(UTC)
        notes = self._parser.notes(feeds, now)
        if feeds and not notes:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        await self._memory.remember(feed_tokens(feeds))
        return Listing[NoteSummary](items=notes, complete=complete, fetched_at=stamp(now))

    def headline(self, note: dict[str, Any]) -> str:
        """Return title and author of a note object, by which people recognise it."""
        return self._parser.headline(note)

    def comment_line(self, comment: dict[str, Any]) -> str:
        """Return author and text of a comment object, by which people recognise it."""
        return self._parser.comment_line(comment)
