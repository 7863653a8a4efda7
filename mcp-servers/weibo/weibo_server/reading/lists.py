"""Reads lists of posts: search results, the posts of a user, and what is popular at present."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.answer_models import Notice
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.walls import platform_words
from dyber_kit.reading.memory import Memory
from dyber_kit.reading.site_pages import PagesPart, Position, SitePage, read_part, start_of
from dyber_kit.times import stamp
from dyber_kit.upstream.values import as_object

from weibo_server.browsing.platform import MOBILE_LIST, POSTS, POSTS_WITH_VIDEO, PROFILE, TIMELINE
from weibo_server.browsing.walls import EMPTY, checked, needs_login, says_empty
from weibo_server.model.answers import PostItem, PostList
from weibo_server.model.references import UserReference
from weibo_server.model.words import search_words
from weibo_server.reading.parse import Parser
from weibo_server.reading.posts import profile_of
from weibo_server.reading.reader import Body, SitePageVisit, SiteReader
from weibo_server.texts import tr_lazy

Sort = Literal["general", "hot", "latest"]
#: Number of each order of search results in the site's addresses.
_SORTS: dict[Sort, int] = {"general": 1, "hot": 60, "latest": 61}
_SEARCH_SECONDS = 300.0
_POSTS_SECONDS = 600.0
_TIMELINE_SECONDS = 120.0
_GROUP = "102803"
#: What the site sends as the cursor of the page after the last.
_NO_CURSORS = ("", "0", "-1")
_AS_GUEST = tr_lazy("Not logged in: Weibo shows guests only the posts with a video")


class ListReader:
    """Answers with lists of posts.

    Args:
        reader: Opens pages.
        pages: Knows the accounts.
        parser: Reads what the site sends.
        memory: Caches answers.
    """

    def __init__(self, reader: SiteReader, pages: Pages, parser: Parser, memory: Memory) -> None:
        self._reader = reader
        self._pages = pages
        self._parser = parser
        self._memory = memory

    async def search(
        self, keyword: str, sort: Sort, limit: int, cursor: str, verbose: bool, account: str = ""
    ) -> PostList:
        """Return posts about a keyword from `cursor` on. Raises ServiceError, such as LOGIN_REQUIRED for guests."""
        account, keyword = self._pages.account(account), search_words("keyword", keyword)
        container = f"100103type={_SORTS[sort]}&q={keyword}"
        kind = f"search {sort} {keyword}"
        start = start_of(kind, cursor)

        async def load() -> PostList:
            async with self._reader.mobile(account, f"/search?containerid={quote(container, safe='')}") as page:

                async def load_page(position: Position) -> SitePage[PostItem]:
                    number = int(position.get("page", 1))
                    params: dict[str, str | int] = {"containerid": container, "page_type": "searchall"}
                    body = (
                        await page.answer(MOBILE_LIST, {**params, "page": 1}, _has_cards)
                        if number == 1
                        else await page.ask(MOBILE_LIST, {**params, "page": number})
                    )
                    cards = _listed(body, "cards")
                    posts = self._parser.posts(_posts_in(cards), datetime.now(UTC))
                    # After the last results, there may be cards of other kinds.
                    if not posts and number == 1 and cards and not any(map(_says_empty, cards)):
                        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
                    return SitePage(posts, {"page": number + 1} if posts else None)

                part = await self._part(kind, cursor, limit, load_page, verbose)
            warnings: list[Notice] = (
                [] if part.items or start.position else [tr_lazy("Weibo found no posts about these words")]
            )
            return _answer(part, {"sort": sort}, warnings)

        key = f"{account}:{kind}:{limit}:{cursor}:{verbose}"
        return await self._memory.answer(PostList, key, _SEARCH_SECONDS, load)

    async def user_posts(
        self, user: UserReference, limit: int, cursor: str, verbose: bool, account: str = ""
    ) -> PostList:
        """Return the posts of a user from `cursor` on; guests get only those with a video, and a warning."""
        account = self._pages.account(account)
        kind = f"posts {user}"
        start = start_of(kind, cursor)

        async def load() -> PostList:
            warnings: list[Notice] = []
            async with self._reader.web(account, user.path) as page:
                uid = user.uid or _uid_of(profile_of(await page.answer(PROFILE, user.query)))

                async def load_page(position: Position) -> SitePage[PostItem]:
                    body, following, as_guest = await self._posts_page(page, uid, position)
                    sent = _listed(body, "list")
                    warnings.extend(new for new in _posts_warnings(body, as_guest) if new not in warnings)
                    posts = self._parser.posts(sent, datetime.now(UTC))
                    return SitePage(posts, following if posts else None)

                part = await self._part(kind, cursor, limit, load_page, verbose)
            if not part.items and not start.position and not warnings:
                warnings.append(tr_lazy("This user shows no posts"))
            return _answer(part, {"user": self._parser.privacy.user_id(uid) or ""}, warnings)

        key = f"{account}:{kind}:{limit}:{cursor}:{verbose}"
        # What guests get is not kept, so that a login has an effect at once.
        return await self._memory.answer(
            PostList, key, _POSTS_SECONDS, load, keep=lambda answer: _AS_GUEST not in answer.warnings
        )

    async def timeline(self, limit: int, verbose: bool, account: str = "") -> PostList:
        """Return the posts that the site recommends to everybody at present."""
        account = self._pages.account(account)

        async def load() -> PostList:
            async with self._reader.web(account, f"/hot/weibo/{_GROUP}") as page:

                async def load_page(position: Position) -> SitePage[PostItem]:
                    max_id = int(position.get("max_id", 0))
                    params: dict[str, str | int] = {
                        "since_id": 0, "refresh": 2 if max_id else 0, "group_id": _GROUP, "containerid": _GROUP,
                        "extparam": "discover|new_feed", "max_id": max_id, "count": 10,
                    }  # fmt: skip
                    body = await page.ask(TIMELINE, params) if max_id else await page.answer(TIMELINE, params)
                    sent = body.get("statuses")
                    if not isinstance(sent, list):
                        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
                    posts = self._parser.posts(sent, datetime.now(UTC))
                    return SitePage(posts, {"max_id": max_id + 1} if posts else None)

                part = await self._part("timeline", "", limit, load_page, verbose)
            # The list is another one at each call, so it cannot be continued.
            warnings: list[Notice] = [] if part.items else [tr_lazy("Weibo recommends nothing at present")]
            return _answer(PagesPart(part.items, False, None), {}, warnings)

        return await self._memory.answer(PostList, f"{account}:timeline:{limit}:{verbose}", _TIMELINE_SECONDS, load)

    async def _part(self, kind: str, cursor: str, limit: int, load: Any, verbose: bool) -> PagesPart[PostItem]:
        start = start_of(kind, cursor)
        return await read_part(
            kind,
            start,
            limit,
            self._memory.max_list_chars,
            load,
            lambda post: post.shown(verbose),
            lambda post: post.post,
        )

    async def _posts_page(
        self, page: SitePageVisit, uid: str, position: Position
    ) -> tuple[Body, Position | None, bool]:
        """Return a page of the posts of a user, where the next one is, and whether it is what guests see."""
        if "cursor" not in position:
            number = int(position.get("page", 1))
            params: dict[str, str | int] = {"uid": uid, "page": number, "feature": 0}
            if number > 1:
                body = await page.ask(POSTS, {**params, "since_id": str(position.get("since_id", ""))})
            else:
                body = await page.raw(POSTS, params)
            # The first page is refused to guests; they see the posts with a video on another tab of the profile.
            if number > 1 or not needs_login(body):
                body = checked(body)
                since = _field(body, "since_id")
                return body, {"page": number + 1, "since_id": since}, False
        body = await page.ask(POSTS_WITH_VIDEO, {"uid": uid, "cursor": str(position.get("cursor", "0"))})
        following = _field(body, "next_cursor")
        return body, None if following in _NO_CURSORS else {"cursor": following}, True


def _listed(body: Body, name: str) -> list[Any]:
    """Return a list of an answer. Raises ServiceError: UPSTREAM_CHANGED when the answer has none."""
    if body is EMPTY:
        return []
    listed = as_object(body.get("data")).get(name)
    if not isinstance(listed, list):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return listed


def _posts_in(cards: list[Any]) -> Iterator[Any]:
    for card in cards:
        if isinstance(card, dict):
            if isinstance(card.get("mblog"), dict):
                yield card["mblog"]
            if isinstance(card.get("card_group"), list):
                yield from _posts_in(card["card_group"])


def _says_empty(card: Any) -> bool:
    if not isinstance(card, dict):
        return False
    group = card.get("card_group")
    words = " ".join(value for value in card.values() if isinstance(value, str))
    return says_empty(words) or (isinstance(group, list) and any(map(_says_empty, group)))


def _has_cards(body: Body) -> bool:
    return str(body.get("ok")) != "1" or "cards" in as_object(body.get("data"))


def _field(body: Body, name: str) -> str:
    return str(as_object(body.get("data")).get(name) or "")


def _uid_of(user: Body) -> str:
    uid = str(user.get("idstr") or user.get("id") or "")
    if not uid.isdecimal():
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return uid


def _posts_warnings(body: Body, as_guest: bool) -> list[Notice]:
    warnings: list[Notice] = [_AS_GUEST] if as_guest else []
    hint = platform_words(_field(body, "bottom_tips_text")) if _field(body, "bottom_tips_visible") else ""
    if hint:
        warnings.append(tr_lazy("Weibo says: {words}", words=hint))
    return warnings


def _answer(part: PagesPart[PostItem], applied: dict[str, str], warnings: list[Notice]) -> PostList:
    return PostList(
        items=part.items,
        count=len(part.items),
        complete=part.complete,
        next_cursor=part.next_cursor,
        applied=applied,
        warnings=warnings,
        fetched_at=stamp(),
    )
