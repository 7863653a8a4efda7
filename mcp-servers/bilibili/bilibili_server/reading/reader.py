"""Reads the site's pages: lists, searches, videos with comments, spaces, and who is logged in.

Pages sign their own calls; this module only opens them and takes what they receive.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Paths, Snapshot, Visit
from dyber_kit.upstream.values import Json, as_list, as_object, number

from bilibili_server.browsing.platform import (
    COMMENT_CALLS,
    LOGIN_COOKIE,
    NAV_CALL,
    PLAYER_CALLS,
    POPULAR_CALL,
    PROFILE_CALLS,
    RANKING_CALL,
    RELATION_CALL,
    SEARCH_CALLS,
    UPLOAD_CALLS,
)
from bilibili_server.browsing.walls import RISK, WALLS
from bilibili_server.config import SiteSettings
from bilibili_server.model.references import VideoReference, search_url, user_url, video_url
from bilibili_server.reading.parse import bvid_of, identity
from bilibili_server.texts import tr_lazy

_VIDEO: Paths = {
    "video": ["__INITIAL_STATE__", "videoData"],
    "tags": ["__INITIAL_STATE__", "tags"],
    "owner": ["__INITIAL_STATE__", "upData"],
    "error": ["__INITIAL_STATE__", "error"],
}
_SEARCH: Paths = {"found": ["__pinia", "searchTypeResponse", "searchTypeResponse"]}
#: A page that has loaded but shows none of its data for this part of the visit's time has another layout.
_UNKNOWN_PART = 0.3
# Numbers of fans come in a call of their own, which a profile can do without.
_RELATION_SECONDS = 3.0
#: A page of results without any counts as filled after this time.
_EMPTY_SECONDS = 2.0
# A page with a session's cookie counts as a member's when the site has not said who visits after this time.
_VISITOR_SECONDS = 2.0

Value = TypeVar("Value")


@dataclass(frozen=True)
class SitePage:
    """Holds one page of a list.

    Attributes:
        items: The objects of the page.
        last: Whether the site has no page after this one.
        total: The site's number of all objects.
        profile: The user whose list this is.
        relation: The numbers of the user's fans and of followed users.
    """

    items: list[Any]
    last: bool
    total: int | None = None
    profile: Json = field(default_factory=dict)
    relation: Json = field(default_factory=dict)


@dataclass(frozen=True)
class VideoPage:
    """Holds what one page of a video shows.

    Attributes:
        video: The video object.
        tags: Tag objects.
        owner: The object of the user who made the video.
        comments: Comment objects in the site's order, each with whether it is pinned.
        comments_complete: Whether the site offers no further comments.
        comments_total: The site's number of comments.
        comment_error: Why comments did not load, or None.
        player: The answer to the player's call, which lists the subtitles; {} without an answer.
        guest: Whether nobody was logged in.
    """

    video: Json
    tags: list[Any]
    owner: Json
    comments: list[tuple[Any, bool]]
    comments_complete: bool
    comments_total: int | None
    comment_error: ServiceError | None
    player: Json
    guest: bool


class SiteReader:
    """Reads one page per method, after waiting for a turn; raises ServiceError when the data cannot be read."""

    def __init__(self, pages: Pages, settings: SiteSettings) -> None:
        self._pages = pages
        self._settings = settings

    async def popular(self, account: str, limit: int) -> SitePage:
        """Return popular videos, which the page loads while it scrolls."""
        async with self._pages.visit(account, f"{self._settings.base_url}/v/popular/all", {}) as visit:
            await _read(visit, lambda _: _data(visit, (POPULAR_CALL,)))
            ended = await visit.grow(
                lambda _: len(_joined(visit, POPULAR_CALL)),
                lambda _: visit.last_answer(POPULAR_CALL).get("no_more") is True,
                limit,
            )
            items = _joined(visit, POPULAR_CALL)
            wall = visit.call_wall or visit.refused
            if len(items) < limit and wall:
                raise wall.error()
            return SitePage(items, ended)

    async def ranking(self, account: str) -> SitePage:
        """Return the ranking of all videos, which has 100 places."""
        async with self._pages.visit(account, f"{self._settings.base_url}/v/popular/rank/all", {}) as visit:
            answer = await _read(visit, lambda _: _data(visit, (RANKING_CALL,)))
            return SitePage(_entries(answer, "list"), last=True)

    async def search(self, account: str, keyword: str, kind: str, order: str, page: int) -> SitePage:
        """Return a page of search results; `kind` and `order` are the site's own words.

        The list is empty only when the site says that there are no results.
        """
        url = search_url(keyword, kind, order, page, self._settings)
        async with self._pages.visit(account, url, _SEARCH) as visit:
            empty_since: float | None = None

            def ready(snapshot: Snapshot) -> Json | None:
                nonlocal empty_since
                state = as_object(snapshot["state"]["found"])
                if state.get("result"):
                    return state
                if answer := _data(visit, SEARCH_CALLS):
                    return answer if answer.keys() & {"result", "numResults"} else None
                # The state is there, without results, before the page has filled it.
                is_empty = "numResults" in state and snapshot["complete"]
                empty_since = (empty_since or time.monotonic()) if is_empty else None
                return state if empty_since and time.monotonic() - empty_since > _EMPTY_SECONDS else None

            answer = await _read(visit, ready)
        total, last_page = number(answer.get("numResults")), number(answer.get("numPages"))
        if not answer.get("result"):
            if total or (page == 1 and total is None):
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            return SitePage([], last=True, total=total)
        shown = number(answer.get("page"))
        if shown is not None and shown != page:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED, tr_lazy("The site showed another page than page {page}", page=page)
            )
        return SitePage(_entries(answer, "result"), last=last_page is not None and page >= last_page, total=total)

    async def video(
        self, account: str, reference: VideoReference, comments: int = 0, *, player: bool = False
    ) -> VideoPage:
        """Return a video with up to `comments` comments, and with `player` the list of its subtitles."""
        url = video_url(reference.video_id, self._settings, reference.page)
        read: VideoPage | None = None
        try:
            async with self._pages.visit(account, url, _VIDEO) as visit:
                read = await self._video_page(visit, reference, comments, player=player)
                if read.comment_error is not None and _stops_visits(read.comment_error):
                    # The pause begins with this error; the video is known all the same.
                    raise read.comment_error
        except ServiceError as error:
            if read is None:
                raise
            return replace(read, comment_error=error)
        return read

    async def uploads(self, account: str, mid: str, page: int) -> SitePage:
        """Return a user with a page of videos, the newest first."""
        url = f"{user_url(mid, self._settings)}/upload/video" + (f"?pn={page}" if page > 1 else "")
        async with self._pages.visit(account, url, {}) as visit:
            since: float | None = None

            def ready(_: Snapshot) -> tuple[Json, Json] | None:
                nonlocal since
                profile, uploads = _data(visit, PROFILE_CALLS), _data(visit, UPLOAD_CALLS)
                if not profile or not uploads:
                    return None
                since = since or time.monotonic()
                known = RELATION_CALL in visit.answers or RELATION_CALL in visit.refusals
                return (profile, uploads) if known or time.monotonic() - since > _RELATION_SECONDS else None

            profile, uploads = await _read(visit, ready)
            relation = visit.last_answer(RELATION_CALL)
        if identity(profile.get("mid")) != mid:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        paging = as_object(uploads.get("page"))
        total, size, shown = (number(paging.get(name)) for name in ("count", "ps", "pn"))
        if shown is not None and shown != page:
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED, tr_lazy("The site showed another page than page {page}", page=page)
            )
        items = _entries(as_object(uploads.get("list")), "vlist")
        if not items and total and page == 1:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        last = not items or (total is not None and size is not None and page * size >= total)
        return SitePage(items, last, total, profile, relation)

    async def visitor(self, account: str) -> Json | None:
        """Return the user who is logged in, as the page's own call describes them; None for a guest."""
        async with self._pages.visit(account, f"{self._settings.base_url}/v/popular/all", {}) as visit:

            def known(_: Snapshot) -> Json | None:
                if _says_member(visit) is False:
                    return {"isLogin": False}
                return _answer(visit, (NAV_CALL,)) or _refused(visit, (NAV_CALL,))

            visitor = await _read(visit, known)
        return visitor if visitor.get("isLogin") is True else None

    async def _video_page(self, visit: Visit, reference: VideoReference, comments: int, *, player: bool) -> VideoPage:
        state = await _read(visit, lambda snapshot: _video_state(snapshot, reference))
        ended = False
        if comments:
            ended = await visit.grow(lambda _: len(_comments(visit)), lambda _: _comments_end(visit), comments)
        answer: Json = {}
        if player:
            answer = await _read(visit, lambda _: _data(visit, PLAYER_CALLS) or _refused(visit, PLAYER_CALLS))
        last = _answer(visit, COMMENT_CALLS)
        wall = visit.part_wall or (WALLS.wall(RISK) if _is_voucher(last) else None)
        loaded = _comments(visit)
        return VideoPage(
            video=as_object(state["video"]),
            tags=as_list(state["tags"]),
            owner=as_object(state["owner"]),
            comments=loaded[:comments],
            comments_complete=ended and len(loaded) <= comments,
            comments_total=number(as_object(last.get("cursor")).get("all_count")),
            comment_error=wall.error() if wall else None,
            player=answer,
            guest=not await _is_member(visit),
        )


async def _read(visit: Visit, find: Callable[[Snapshot], Value | None]) -> Value:
    """Wait for data like `Visit.until`.

    Raises:
        ServiceError: Also UPSTREAM_CHANGED, when the page has loaded but does not show or load its data for long.
    """
    complete_since: float | None = None

    def found(snapshot: Snapshot) -> Value | None:
        nonlocal complete_since
        value = find(snapshot)
        # An empty object is no data either.
        if value is not None and value != {}:
            return value
        complete_since = (complete_since or time.monotonic()) if snapshot["complete"] else None
        waited = complete_since is not None and time.monotonic() - complete_since > visit.seconds * _UNKNOWN_PART
        if waited and visit.wall(snapshot) is None:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return None

    return await visit.until(found)


def _answer(visit: Visit, calls: Sequence[str]) -> Json:
    """Return the latest answer to a call that has one of several names; {} without an answer."""
    return next((visit.last_answer(call) for call in calls if visit.answers.get(call)), {})


def _data(visit: Visit, calls: Sequence[str]) -> Json:
    """Return the latest answer like `_answer`. Raises ServiceError when the site sent a task for people in its place."""
    answer = _answer(visit, calls)
    if _is_voucher(answer):
        raise WALLS.wall(RISK).error()
    return answer


def _is_voucher(answer: Json) -> bool:
    """Return whether an answer without an error code only asks for a check that a person has to pass."""
    return set(answer) == {"v_voucher"}


def _stops_visits(error: ServiceError) -> bool:
    """Return whether a refusal concerns the visitor, and not just the comments of this video."""
    return error.whole_account or error.code in (ErrorCode.RATE_LIMITED, ErrorCode.CAPTCHA_REQUIRED)


def _refused(visit: Visit, calls: Sequence[str]) -> Json:
    """Raise the error of a refused call; return {} when none was refused."""
    refusal = next((visit.refusals[call] for call in calls if call in visit.refusals), None)
    if refusal is not None:
        raise refusal.error()
    return {}


def _entries(answer: Json, name: str) -> list[Any]:
    """Return a list of an answer. Raises ServiceError (UPSTREAM_CHANGED) when it is no list."""
    entries = answer.get(name)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return entries


def _joined(visit: Visit, call: str) -> list[Any]:
    """Return the videos in all answers to a call, each only once."""
    videos = [video for answer in visit.answers.get(call, []) for video in _entries(answer, "list")]
    return list({as_object(video).get("bvid") or place: video for place, video in enumerate(videos)}.values())


def _video_state(snapshot: Snapshot, reference: VideoReference) -> dict[str, Any] | None:
    """Return the state of a video's page once it has the video. Raises ServiceError for another video, or none."""
    if "/bangumi/" in snapshot["url"]:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The video belongs to a series, which this service does not read"),
            fields=["video"],
        )
    state: dict[str, Any] = snapshot["state"]
    video, error = as_object(state["video"]), as_object(state["error"])
    if not bvid_of(video):
        if error.get("code") and (wall := WALLS.of_answer(200, dict(error))):
            raise wall.error()
        return None
    wanted = {bvid_of(video), f"av{identity(video.get('aid'))}"}
    if reference.video_id not in wanted:
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("The site showed another video"))
    return state


def _comments(visit: Visit) -> list[tuple[Any, bool]]:
    """Return the comments in all answers, each only once and with whether it is pinned; the pinned ones come first."""
    comments: dict[Any, tuple[Any, bool]] = {}
    for answer in (answer for call in COMMENT_CALLS for answer in visit.answers.get(call, [])):
        for name, pinned in (("top_replies", True), ("replies", False)):
            for comment in _entries(answer, name):
                rpid = identity(as_object(comment).get("rpid"))
                if rpid:
                    comments.setdefault(rpid, (comment, pinned))
    return list(comments.values())


def _comments_end(visit: Visit) -> bool:
    return as_object(_answer(visit, COMMENT_CALLS).get("cursor")).get("is_end") is True


async def _is_member(visit: Visit) -> bool:
    """Return whether the page's visitor is logged in, as the site says; an expired session still has its cookie."""
    cookies = await visit.page.context.cookies()
    if not any(cookie.get("name") == LOGIN_COOKIE and cookie.get("value") for cookie in cookies):
        return False
    started = time.monotonic()
    while (known := _says_member(visit)) is None and time.monotonic() - started < _VISITOR_SECONDS:
        await asyncio.sleep(0.1)
    return known is not False


def _says_member(visit: Visit) -> bool | None:
    """Return whether the site's answer to the question who visits names a user; None without an answer."""
    refusal = visit.refusals.get(NAV_CALL)
    if refusal is not None and refusal.code is ErrorCode.LOGIN_REQUIRED:
        return False
    answer = visit.last_answer(NAV_CALL)
    return answer.get("isLogin") is True if answer else None
