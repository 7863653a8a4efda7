"""Reads the site's pages: searches, notes, profiles, the home feed, suggestions, and the logged-in user."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import STALL_SECONDS, Paths, Snapshot, Visit
from dyber_kit.language import Text
from dyber_kit.upstream.breaker import is_wall
from playwright.async_api import Error, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browsing.walls import NO_RESULT_TEXTS, WALLS
from xiaohongshu_server.model.filters import SearchFilters, Tab
from xiaohongshu_server.model.references import NoteReference, UserReference, home_url, note_url, search_url, user_url
from xiaohongshu_server.reading.parse import number
from xiaohongshu_server.texts import tr_lazy

_SEARCH_CALL = "/v1/search/notes"
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
# More clicks on "show more replies" would take too long.
_MAX_REPLY_CLICKS = 8
_CLICK_MS = 5_000
_USERS_TAB = "#search-type .channel, .channel-list .channel"
_SUGGEST_SECONDS = 8.0


@dataclass(frozen=True)
class NotePage:
    """Holds the content of one note page.

    Attributes:
        note: The note object of the page's state.
        comments: Comment objects, in the site's order.
        complete: Whether those are all the comments the site offers.
        total: The site's number of comments.
        comment_error: The refusal that kept comments from loading, or None.
    """

    note: dict[str, Any]
    comments: list[Any]
    complete: bool
    total: int | None
    comment_error: ServiceError | None = None


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
                return _feeds(snapshot) or ([] if _nothing_found(visit, snapshot) else None)

            items = await visit.until(ready)
            for group, word in filters.chosen() if items else []:
                items = await _filter(visit, items, group, word)
                if not items:
                    break
            if not items:
                return [], True
            ended = await visit.grow(
                lambda s: len(_feeds(s)),
                lambda s: s["marks"]["end"] or visit.last_answer(_SEARCH_CALL).get("has_more") is False,
                limit,
            )
            if len(items) < limit and visit.refused:
                raise visit.refused.error()
            snapshot = await visit.snapshot()
            return _feeds(snapshot) if snapshot else items, ended

    async def home(self, account: str, limit: int) -> list[Any]:
        """Return items of the home feed."""
        async with self.visit(account, home_url(self._base_url), _HOME) as visit:
            items = await visit.until(lambda s: _feeds(s) or None)
            await visit.grow(lambda s: len(_feeds(s)), lambda s: s["marks"]["end"], limit)
            snapshot = await visit.snapshot()
            return (_feeds(snapshot) if snapshot else items)[:limit]

    async def search_users(self, account: str, keyword: str, limit: int) -> tuple[list[Any], bool]:
        """Return the user objects that the tab "users" of a search lists, and whether the site has no more."""
        async with self.visit(account, search_url(keyword, self._base_url), _USERS) as visit:
            # The page shows its tabs together with the first notes, or with the words that there are none.
            await visit.until(lambda s: _feeds(s) or _nothing_found(visit, s) or None)
            try:
                await visit.page.locator(_USERS_TAB).filter(has_text="用户").first.click(timeout=_CLICK_MS)
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
                read = await _note_page(visit, note, comments, first if replies else None)
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
    ) -> AsyncIterator[tuple[Visit, dict[str, Any]]]:
        """Open a note's page and wait until the note is loaded; see `visit` for `seconds`."""
        place = ["note", "noteDetailMap", reference.note_id]
        paths = {"note": [*place, "note"], "comments": [*place, "comments"], **ME}
        async with self.visit(account, note_url(reference, self._base_url), paths, seconds) as visit:

            def ready(snapshot: Snapshot) -> dict[str, Any] | None:
                note = snapshot["state"]["note"]
                return note if isinstance(note, dict) and note.get("noteId") == reference.note_id else None

            try:
                note = await visit.until(ready)
            except ServiceError as error:
                raise _missing_token(error, reference, tr_lazy("note"), "note_ref") from error
            yield visit, note

    async def user(
        self, account: str, reference: UserReference, limit: int, tab: Tab = "posted"
    ) -> tuple[dict[str, Any], list[Any], bool]:
        """Return a profile's page object, up to `limit` notes of a tab, and whether these are all."""
        place, query, call = _TABS[tab]
        url = user_url(reference, self._base_url)
        if query:
            url += ("&" if "?" in url else "?") + query
        async with self.visit(account, url, _USER) as visit:

            def ready(snapshot: Snapshot) -> dict[str, Any] | None:
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
                await box.click(timeout=_CLICK_MS)
                if keyword:
                    await box.press_sequentially(keyword, delay=60)

            return _words((await visit.answer_to(is_answer, type_keyword, _SUGGEST_SECONDS)).get("data"))

    async def me(self, account: str) -> dict[str, Any] | None:
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


async def _note_page(visit: Visit, note: dict[str, Any], comments: int, replies_from: int | None) -> NotePage:
    """Return the note of an open page with up to `comments` of its comments.

    The replies of the comments from position `replies_from` on are loaded too, unless that is None.
    """
    total = number((note.get("interactInfo") or {}).get("commentCount"))
    if total == 0:
        return NotePage(note, [], True, 0)
    if comments == 0:
        return NotePage(note, [], False, total)
    ended = await visit.grow(_comment_count, _comments_ended, comments)
    if replies_from is not None:
        await _open_replies(visit, replies_from, comments)
    snapshot = await visit.snapshot()
    listed = _comment_list(snapshot) if snapshot else []
    wall = visit.part_wall or (WALLS.of_page(snapshot) if snapshot and not listed else None)
    return NotePage(
        note=note,
        comments=listed[:comments],
        complete=ended and len(listed) <= comments,
        total=total,
        comment_error=wall.error() if wall and not ended else None,
    )


def visitor_of(snapshot: Snapshot) -> list[dict[str, Any] | None] | None:
    """Return [user] for a member, [None] for a guest, and None while the page does not say."""
    user = snapshot["state"]["user"]
    user = user if isinstance(user, dict) else {}
    if user.get("guest") is True or snapshot["state"]["logged_in"] is False:
        return [None]
    return [user] if user.get("userId") or user.get("user_id") else None


async def _filter(visit: Visit, before: list[Any], group: str, word: str) -> list[Any]:
    """Choose the label `word` of `group` in the filter panel, and return the items that the site then lists."""
    visit.forget(_SEARCH_CALL)
    try:
        try:
            await _click_filter(visit, group, word)
        except PlaywrightTimeout:
            # The panel disappears when the page draws its results again.
            await _click_filter(visit, group, word)
    except PlaywrightTimeout as error:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED,
            tr_lazy("The search page has no filter “{group}：{word}”", group=group, word=word),
            tr_lazy("Try again without this filter, or update this service"),
        ) from error
    old_ids = {item.get("id") for item in before}

    def refilled(snapshot: Snapshot) -> list[Any] | None:
        feeds = _feeds(snapshot)
        answers = visit.answers.get(_SEARCH_CALL)
        if answers is None:
            # Without a call, only a list without any old item is certainly the new one.
            return feeds if feeds and not old_ids & {item.get("id") for item in feeds} else None
        answered = {
            item.get("id") for answer in answers for item in answer.get("items") or [] if isinstance(item, dict)
        }
        if feeds and all(item.get("id") in answered for item in feeds):
            return feeds
        return [] if not feeds and _nothing_found(visit, snapshot) else None

    return await visit.until(refilled)


async def _open_replies(visit: Visit, first: int, comments: int) -> None:
    """Click "show more replies" below the comments from `first` to `comments`, up to the maximum of clicks."""
    for _ in range(_MAX_REPLY_CLICKS):
        rows = visit.page.locator(".parent-comment")
        last = min(await rows.count(), comments)
        more = None
        for row in range(first, last):
            button = rows.nth(row).locator(".show-more")
            if await button.count():
                more = button.first
                break
        if more is None or visit.part_wall or visit.refused:
            return
        snapshot = await visit.snapshot()
        before = _reply_count(snapshot) if snapshot else 0
        try:
            await more.click(timeout=_CLICK_MS)
        except Error:
            return
        give_up = time.monotonic() + STALL_SECONDS
        while time.monotonic() < give_up:
            snapshot = await visit.snapshot()
            if snapshot and _reply_count(snapshot) > before:
                break
            await anyio.sleep(0.2)


async def _click_filter(visit: Visit, group: str, word: str) -> None:
    await visit.page.locator("div.filter").first.hover(timeout=_CLICK_MS)
    filters = visit.page.locator("div.filter-panel div.filters")
    exactly = re.compile(rf"^\s*{re.escape(word)}\s*$")
    row = filters.filter(has=visit.page.locator(f"xpath=./span[normalize-space()='{group}']"))
    await row.locator("div.tags").filter(has_text=exactly).first.click(timeout=_CLICK_MS)


def _feeds(snapshot: Snapshot) -> list[Any]:
    items = snapshot["state"]["feeds"]
    listed = items if isinstance(items, list) else []
    return [item for item in listed if isinstance(item, dict) and item.get("modelType") == "note"]


def _listed(snapshot: Snapshot, place: int) -> list[Any]:
    """Return the notes of a profile's tab."""
    tabs = snapshot["state"]["notes"]
    notes = tabs[place] if isinstance(tabs, list) and len(tabs) > place else []
    return [item for item in notes if isinstance(item, dict)] if isinstance(notes, list) else []


def _users(snapshot: Snapshot) -> list[Any]:
    users = snapshot["state"]["users"]
    return [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []


def _nothing_found(visit: Visit, snapshot: Snapshot) -> bool:
    answer = visit.last_answer(_SEARCH_CALL)
    by_answer = answer.get("has_more") is False and not answer.get("items")
    return by_answer or any(text in snapshot["text"] for text in NO_RESULT_TEXTS)


def _comment_list(snapshot: Snapshot) -> list[Any]:
    comments = snapshot["state"]["comments"]
    listed = comments.get("list") if isinstance(comments, dict) else None
    return listed if isinstance(listed, list) else []


def _comment_count(snapshot: Snapshot) -> int:
    return len(_comment_list(snapshot))


def _reply_count(snapshot: Snapshot) -> int:
    return sum(
        len(comment.get("subComments") or []) for comment in _comment_list(snapshot) if isinstance(comment, dict)
    )


def _comments_ended(snapshot: Snapshot) -> bool:
    if snapshot["marks"]["no_comments"] or snapshot["marks"]["end"]:
        return True
    comments = snapshot["state"]["comments"]
    return bool(_comment_list(snapshot)) and comments.get("hasMore") is False


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
