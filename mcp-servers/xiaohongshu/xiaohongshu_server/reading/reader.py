"""Reads the site's pages: searches, notes, profiles, the home feed, suggestions, and the logged-in user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Paths, Snapshot, Visit
from dyber_kit.language import Text
from dyber_kit.upstream.breaker import is_wall
from dyber_kit.upstream.values import Json
from playwright.async_api import Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.model.filters import SearchFilters, Tab
from xiaohongshu_server.model.references import NoteReference, UserReference, home_url, note_url, search_url, user_url
from xiaohongshu_server.reading.comments import NotePage, note_page
from xiaohongshu_server.reading.searches import CLICK_MS, SEARCH_CALL, choose_filter, feeds_of, nothing_found
from xiaohongshu_server.texts import tr_lazy

_USERS_CALL = "/v1/search/usersearch"
_SUGGEST_CALLS = ("/search/recommend", "/search/querytrending")
_SEARCH: Paths = {"feeds": ["search", "feeds"], "keyword": ["search", "searchContext", "keyword"]}
_HOME: Paths = {"feeds": ["feed", "feeds"]}
_USERS: Paths = {**_SEARCH, "users": ["search", "userLists"]}
_USER: Paths = {"page": ["user", "userPageData"], "notes": ["user", "notes"]}
# By tab of a profile: its place in the state's list, its query, and the call that loads its notes.
_TABS: dict[Tab, tuple[int, str, str]] = {
    "posted": (0, "", "/v1/user_posted"),
    "favorites": (1, "tab=fav&subTab=note", "/v2/note/collect/page"),
    "likes": (2, "tab=liked&subTab=note", "/v1/note/like/page"),
}
ME: Paths = {"user": ["user", "userInfo"], "logged_in": ["user", "loggedIn"]}
_USERS_TAB = "#search-type .channel, .channel-list .channel"
_SUGGEST_SECONDS = 8.0


class SiteReader:
    """Reads one page per method, after waiting for a turn; raises ServiceError when the data cannot be read."""

    def __init__(self, pages: Pages, base_url: str, page_seconds: float) -> None:
        self._pages = pages
        self._base_url = base_url
        self.page_seconds = page_seconds

    async def search(self, account: str, keyword: str, filters: SearchFilters, limit: int) -> tuple[list[Any], bool]:
        """Return feed items for `keyword`, and whether the site has no more.

        The list is empty only when the site says that there are no results.
        """
        async with self.visit(account, search_url(keyword, self._base_url), _SEARCH) as visit:

            def ready(snapshot: Snapshot) -> list[Any] | None:
                shown = snapshot["state"]["keyword"]
                if isinstance(shown, str) and shown and shown != keyword:
                    return None  # The state still belongs to an earlier search.
                return feeds_of(snapshot) or ([] if nothing_found(visit, snapshot) else None)

            items = await visit.until(ready)
            for group, word in filters.chosen() if items else []:
                items = await choose_filter(visit, items, group, word)
                if not items:
                    break
            if not items:
                return [], True
            ended = await visit.grow(
                lambda s: len(feeds_of(s)),
                lambda s: s["marks"]["end"] or visit.last_answer(SEARCH_CALL).get("has_more") is False,
                limit,
            )
            if len(items) < limit and visit.refused:
                raise visit.refused.error()
            snapshot = await visit.snapshot()
            return feeds_of(snapshot) if snapshot else items, ended

    async def home(self, account: str, limit: int) -> list[Any]:
        """Return items of the home feed."""
        async with self.visit(account, home_url(self._base_url), _HOME) as visit:
            items = await visit.until(lambda s: feeds_of(s) or None)
            await visit.grow(lambda s: len(feeds_of(s)), lambda s: s["marks"]["end"], limit)
            snapshot = await visit.snapshot()
            return (feeds_of(snapshot) if snapshot else items)[:limit]

    async def search_users(self, account: str, keyword: str, limit: int) -> tuple[list[Any], bool]:
        """Return the user objects that the tab "users" of a search lists, and whether the site has no more."""
        async with self.visit(account, search_url(keyword, self._base_url), _USERS) as visit:
            # The page shows its tabs together with the first notes, or with the words that there are none.
            await visit.until(lambda s: feeds_of(s) or nothing_found(visit, s) or None)
            try:
                await visit.page.locator(_USERS_TAB).filter(has_text="用户").first.click(timeout=CLICK_MS)
            except PlaywrightTimeout as error:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("The search page has no tab “用户”")) from error

            def ended(snapshot: Snapshot) -> bool:
                return snapshot["marks"]["end"] or visit.last_answer(_USERS_CALL).get("has_more") is False

            def ready(snapshot: Snapshot) -> list[Any] | None:
                answer = visit.last_answer(_USERS_CALL)
                nobody = answer.get("has_more") is False and not answer.get("users")
                return _users(snapshot) or ([] if nobody else None)

            users = await visit.until(ready)
            complete = await visit.grow(lambda s: len(_users(s)), ended, limit) if users else True
            if len(users) < limit and visit.refused:
                raise visit.refused.error()
            snapshot = await visit.snapshot()
            users = _users(snapshot) if snapshot else users
            return users[:limit], complete and len(users) <= limit

    async def note(
        self, account: str, reference: NoteReference, comments: int, replies: bool = False, first: int = 0
    ) -> NotePage:
        """Return a note and up to `comments` of its comments.

        With `replies`, the replies behind "show more" are loaded too, from the comment at position `first` on.
        """
        read: NotePage | None = None
        try:
            async with self.visit_note(account, reference) as (visit, note):
                read = await note_page(visit, note, comments, first if replies else None)
                if read.comment_error is not None and is_wall(read.comment_error):
                    # Visits pause only for an error that leaves the visit; the note is known all the same.
                    raise read.comment_error
        except ServiceError as error:
            if read is None:
                raise
            return replace(read, comment_error=error)
        return read

    @asynccontextmanager
    async def visit_note(
        self, account: str, reference: NoteReference, seconds: float | None = None
    ) -> AsyncIterator[tuple[Visit, Json]]:
        """Open a note's page and wait until the note is loaded; see `visit` for `seconds`."""
        place = ["note", "noteDetailMap", reference.note_id]
        paths = {"note": [*place, "note"], "comments": [*place, "comments"], **ME}
        async with self.visit(account, note_url(reference, self._base_url), paths, seconds) as visit:

            def ready(snapshot: Snapshot) -> Json | None:
                note = snapshot["state"]["note"]
                return note if isinstance(note, dict) and note.get("noteId") == reference.note_id else None

            try:
                note = await visit.until(ready)
            except ServiceError as error:
                raise _missing_token(error, reference, tr_lazy("note"), "note_ref") from error
            yield visit, note

    async def user(
        self, account: str, reference: UserReference, limit: int, tab: Tab = "posted"
    ) -> tuple[Json, list[Any], bool]:
        """Return a profile's page object, up to `limit` notes of a tab, and whether these are all."""
        place, query, call = _TABS[tab]
        url = user_url(reference, self._base_url)
        if query:
            url += ("&" if "?" in url else "?") + query
        async with self.visit(account, url, _USER) as visit:

            def ready(snapshot: Snapshot) -> Json | None:
                page = snapshot["state"]["page"]
                basic = page.get("basicInfo") if isinstance(page, dict) else None
                return page if isinstance(basic, dict) and basic.get("nickname") else None

            def ended(snapshot: Snapshot) -> bool:
                return snapshot["marks"]["end"] or visit.last_answer(call).get("has_more") is False

            try:
                page = await visit.until(ready)
            except ServiceError as error:
                raise _missing_token(error, reference, tr_lazy("user"), "user_ref") from error
            if limit == 0:
                return page, [], False
            complete = await visit.grow(lambda s: len(_listed(s, place)), ended, limit)
            snapshot = await visit.snapshot()
            notes = _listed(snapshot, place) if snapshot else []
            if not notes and visit.call_wall:
                raise visit.call_wall.error()
            return page, notes[:limit], complete and len(notes) <= limit

    async def suggestions(self, account: str, keyword: str) -> list[str]:
        """Return the words that the search box suggests after a click on it and after typing `keyword`, if any."""
        async with self.visit(account, home_url(self._base_url), {}) as visit:
            call = _SUGGEST_CALLS[0] if keyword else _SUGGEST_CALLS[1]

            def is_answer(response: Response) -> bool:
                parts = urlsplit(response.url)
                typed = parse_qs(parts.query).get("keyword", [""])[0]
                return parts.path.endswith(call) and typed == keyword

            async def type_keyword() -> None:
                box = visit.page.locator("#search-input").first
                await box.click(timeout=CLICK_MS)
                if keyword:
                    await box.press_sequentially(keyword, delay=60)

            return _words((await visit.answer_to(is_answer, type_keyword, _SUGGEST_SECONDS)).get("data"))

    async def me(self, account: str) -> Json | None:
        """Return the logged-in user's object, or None for a guest."""
        async with self.visit(account, home_url(self._base_url), ME) as visit:
            try:
                return (await visit.until(visitor_of))[0]
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED:
                    return None
                raise

    @asynccontextmanager
    async def visit(self, account: str, url: str, paths: Paths, seconds: float | None = None) -> AsyncIterator[Visit]:
        """Open `url` in a page of `account`; see `Pages.visit`. The default of `seconds` is `page_seconds`."""
        async with self._pages.visit(account, url, paths, seconds or self.page_seconds) as visit:
            yield visit


def visitor_of(snapshot: Snapshot) -> list[Json | None] | None:
    """Return [user] for a member, [None] for a guest, and None while the page does not say."""
    user = snapshot["state"]["user"]
    user = user if isinstance(user, dict) else {}
    if user.get("guest") is True or snapshot["state"]["logged_in"] is False:
        return [None]
    return [user] if user.get("userId") or user.get("user_id") else None


def _listed(snapshot: Snapshot, place: int) -> list[Any]:
    """Return the notes of a profile's tab."""
    tabs = snapshot["state"]["notes"]
    notes = tabs[place] if isinstance(tabs, list) and len(tabs) > place else []
    return [item for item in notes if isinstance(item, dict)] if isinstance(notes, list) else []


def _users(snapshot: Snapshot) -> list[Any]:
    users = snapshot["state"]["users"]
    return [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []


def _words(data: Any) -> list[str]:
    """Return the words in an answer to the search box's calls, from whichever list has them."""
    lists = [value for value in data.values() if isinstance(value, list)] if isinstance(data, dict) else []
    entries = [entry for listed in lists for entry in listed if isinstance(entry, dict)]
    words = [next((e[k] for k in ("search_word", "text", "title", "query", "name") if e.get(k)), None) for e in entries]
    if entries and not any(words):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return [word for word in words if isinstance(word, str)]


def _missing_token(
    error: ServiceError, reference: NoteReference | UserReference, kind: Text, name: str
) -> ServiceError:
    """Return the error to report; without a token the site hides a page as if it were removed, so the error says so."""
    if error.code is ErrorCode.NOT_FOUND and reference.token is None:
        return ServiceError(
            ErrorCode.NOT_FOUND,
            tr_lazy("The {kind} does not exist, or cannot be seen without its xsec_token", kind=kind),
            tr_lazy("Use the complete {name} of a result, or the complete link with xsec_token", name=name),
        )
    return error
