"""Reads the site's pages in the browser: hot list, videos, profiles, searches, and the logged-in user."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.visits import Snapshot, Visit, visiting
from dyber_kit.browser.walls import platform_words
from dyber_kit.upstream.breaker import is_wall
from dyber_kit.upstream.values import Json, as_list, as_object, number

from douyin_server.browsing.platform import (
    COMMENTS_CALL,
    DETAIL_CALL,
    HOT_CALL,
    LOGIN_FLAG,
    OPEN_PLATFORM,
    PLATFORM,
    POSTS_CALL,
    PROFILE_CALL,
    SELF_CALL,
    is_member,
)
from douyin_server.browsing.walls import WALLS
from douyin_server.model.filters import SearchFilters
from douyin_server.model.references import References, UserReference, VideoReference
from douyin_server.reading.parse import id_of
from douyin_server.reading.search_answers import VERIFY, SearchAnswers

# A login box counts as a refusal when the data of an open page has not come for this long.
_LOGIN_BOX_SECONDS = 8.0
# The page may repeat a search that was answered with nothing, so this is a refusal only after some time.
_REFUSAL_SECONDS = 3.0
# A page that has loaded and does not say who its visitor is shows a guest.
_SILENCE_SECONDS = 3.0
# Parts of the site's reasons for hiding a video that only some people may see.
_PRIVATE_REASONS = ("self_see", "private", "friend", "copyright", "region")

Value = TypeVar("Value")


@dataclass(frozen=True)
class VideoPage:
    """Holds the content of the page of a video.

    Attributes:
        aweme: The site's object of the video.
        comments: The site's objects of comments, in its order.
        complete: Whether those are all the comments that the site offers.
        total: The site's number of comments.
        comment_error: The refusal that kept comments from loading, or None.
    """

    aweme: Json
    comments: list[Json]
    complete: bool
    total: int | None
    comment_error: ServiceError | None = None


@dataclass(frozen=True)
class SearchPage:
    """Holds the results of a search, whether these are all, and the filters that the page sent."""

    awemes: list[Json]
    complete: bool
    sent: dict[str, str]


class PageReader:
    """Reads one page per method, after waiting for a turn; raises ServiceError when the data cannot be read."""

    def __init__(self, pages: Pages, references: References) -> None:
        self._pages = pages
        self._references = references

    async def hot(self, account: str) -> Json:
        """Return the site's object of the hot list."""
        async with self._visit(account, f"{self._pages.settings.base_url}/hot", OPEN_PLATFORM) as (visit, _):
            answer = await _until(visit, lambda _: visit.last_answer(HOT_CALL) or None)
            return as_object(answer.get("data"))

    async def video(self, account: str, reference: VideoReference, comments: int) -> VideoPage:
        """Return a video and up to `comments` of its comments."""
        url = self._references.video_url(reference.video_id, reference.kind or "video")
        read: VideoPage | None = None
        try:
            async with self._visit(account, url, OPEN_PLATFORM) as (visit, _):
                read = await _video_page(visit, reference.video_id, comments)
                if read.comment_error is not None and is_wall(read.comment_error):
                    # Visits pause only for an error that leaves the visit; the video is known all the same.
                    raise read.comment_error
        except ServiceError as error:
            if read is None:
                raise
            return replace(read, comment_error=error)
        return read

    async def user(self, account: str, reference: UserReference, limit: int) -> tuple[Json, list[Json], bool]:
        """Return a profile's object, up to `limit` of its videos, and whether these are all."""
        async with self._visit(account, self._references.user_url(reference.user_ref), OPEN_PLATFORM) as (visit, _):
            user = await _until(visit, lambda _: _profile(visit, reference.user_ref))
            if limit == 0:
                return user, [], number(user.get("aweme_count")) == 0
            complete = await visit.grow(
                lambda _: len(_posts(visit)), lambda _: _has_ended(visit.last_answer(POSTS_CALL)), limit
            )
            posts = _posts(visit)
            if len(posts) < limit and not complete and visit.call_wall:
                raise visit.call_wall.error()
            return user, posts[:limit], complete and len(posts) <= limit

    async def search(self, account: str, keyword: str, filters: SearchFilters, limit: int) -> SearchPage:
        """Return up to `limit` videos of a search; the list is empty only when the site says so to a member."""
        url = self._references.search_url(keyword, filters)
        async with self._visit(account, url, PLATFORM) as (visit, answers):
            refused_since: float | None = None

            def answered(_: Snapshot) -> bool | None:
                nonlocal refused_since
                if answers.has_entries:
                    return True
                if answers.wall:
                    refused_since = refused_since or time.monotonic()
                    if answers.wall.certain or time.monotonic() - refused_since > _REFUSAL_SECONDS:
                        raise answers.wall.error()
                _refuse_nothing(answers)
                if answers.documents and not any("data" in document for document in answers.documents):
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
                return False if answers.ended else None

            if not await visit.until(answered):
                if not await _has_login(visit):
                    raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
                return SearchPage([], True, answers.sent)
            ended = await visit.grow(
                lambda _: len(answers.videos()), lambda _: answers.ended or bool(answers.wall), limit
            )
            awemes = list(answers.videos().values())
            if answers.wall and len(awemes) < limit:
                raise answers.wall.error()
            _refuse_nothing(answers)
            if not awemes and not answers.ended:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            return SearchPage(awemes[:limit], ended and answers.ended and len(awemes) <= limit, answers.sent)

    async def me(self, account: str) -> tuple[bool, Json]:
        """Return whether a user is logged in, and the user's object as far as the page has read it."""
        async with self._visit(account, f"{self._pages.settings.base_url}/", OPEN_PLATFORM) as (visit, _):
            silent_since: float | None = None

            def known(snapshot: Snapshot) -> bool | None:
                nonlocal silent_since
                member = is_member(snapshot)
                if member is not None or snapshot["marks"]["login"]:
                    return bool(member)
                silent_since = silent_since or (time.monotonic() if snapshot["complete"] else None)
                return False if silent_since and time.monotonic() - silent_since > _SILENCE_SECONDS else None

            member = await visit.until(known) or await _has_login(visit)
            user = as_object(visit.last_answer(SELF_CALL).get("user"))
            if member and not user:
                started = time.monotonic()

                def named(_: Snapshot) -> Json | None:
                    user = as_object(visit.last_answer(SELF_CALL).get("user"))
                    return user if user or time.monotonic() - started > _SILENCE_SECONDS else None

                user = await visit.until(named)
            return member, user

    @asynccontextmanager
    async def _visit(self, account: str, url: str, platform: Platform) -> AsyncIterator[tuple[Visit, SearchAnswers]]:
        seconds = self._pages.settings.page_seconds
        async with self._pages.page(account) as page:
            answers = SearchAnswers(page)
            async with visiting(page, platform, url, LOGIN_FLAG, seconds) as visit:
                yield visit, answers


async def _until(visit: Visit, find: Callable[[Snapshot], Value | None]) -> Value:
    """Poll an open page like `Visit.until`; a login box in place of the data is a refusal after some time."""
    since: float | None = None

    def find_or_refuse(snapshot: Snapshot) -> Value | None:
        nonlocal since
        value = find(snapshot)
        if value is None and snapshot["marks"]["login"]:
            since = since or time.monotonic()
            if time.monotonic() - since > _LOGIN_BOX_SECONDS:
                raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
        return value

    return await visit.until(find_or_refuse)


def _refuse_nothing(answers: SearchAnswers) -> None:
    """Raise the refusal that the site writes as an answer without results."""
    if "login" in answers.reason_for_nothing:
        raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
    if answers.reason_for_nothing == VERIFY:
        raise WALLS.wall(ErrorCode.CAPTCHA_REQUIRED).error()


async def _has_login(visit: Visit) -> bool:
    """Return whether the browser holds a sign of a login."""
    snapshot = await visit.snapshot()
    if snapshot and is_member(snapshot) is not None:
        return bool(is_member(snapshot))
    cookies = await visit.page.context.cookies(visit.page.url)
    return any(cookie.get("name") == "LOGIN_STATUS" and cookie.get("value") == "1" for cookie in cookies)


async def _video_page(visit: Visit, video_id: str, comments: int) -> VideoPage:
    """Return the video of an open page with up to `comments` of its comments."""
    aweme = await _until(visit, lambda _: _detail(visit, video_id))
    total = number(as_object(aweme.get("statistics")).get("comment_count"))
    if total == 0 or comments == 0:
        return VideoPage(aweme, [], total == 0, total)
    listed: list[Json] = []

    def count(_: Snapshot) -> int:
        listed[:] = _comments(visit, video_id)
        return len(listed)

    ended = await visit.grow(count, lambda _: _has_ended(visit.last_answer(COMMENTS_CALL)), comments)
    wall = None if ended or len(listed) >= comments else visit.part_wall
    return VideoPage(
        aweme=aweme,
        comments=listed[:comments],
        complete=ended and len(listed) <= comments,
        total=total,
        comment_error=wall.error() if wall else None,
    )


def _detail(visit: Visit, video_id: str) -> Json | None:
    for answer in reversed(visit.answers.get(DETAIL_CALL, [])):
        aweme = as_object(answer.get("aweme_detail"))
        if id_of(aweme) == video_id:
            return aweme
        if "aweme_detail" not in answer and "filter_detail" not in answer:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        if not aweme:
            raise _hidden(as_object(answer.get("filter_detail")))
    return None


def _hidden(hidden: Json) -> ServiceError:
    """Return the error for a video that the site does not show, from the site's explanation."""
    reason = str(hidden.get("filter_reason") or "")
    # Without a reason, the site may have refused the visitor.
    private = not reason or any(part in reason for part in _PRIVATE_REASONS)
    shown = platform_words(hidden.get("detail_msg") or hidden.get("notice")) or reason
    return WALLS.wall(ErrorCode.ACCESS_RESTRICTED if private else ErrorCode.NOT_FOUND, shown=shown).error()


def _profile(visit: Visit, user_ref: str) -> Json | None:
    for answer in reversed(visit.answers.get(PROFILE_CALL, [])):
        user = as_object(answer.get("user"))
        if user.get("sec_uid") == user_ref or (user.get("nickname") and not user.get("sec_uid")):
            return user
        if "user" not in answer:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        if not user.get("nickname"):
            raise WALLS.wall(ErrorCode.NOT_FOUND, shown=platform_words(answer.get("status_msg"))).error()
    return None


def _comments(visit: Visit, video_id: str) -> list[Json]:
    listed: dict[str, Json] = {}
    for answer in visit.answers.get(COMMENTS_CALL, []):
        for comment in map(as_object, as_list(answer.get("comments"))):
            if comment.get("cid") and str(comment.get("aweme_id") or video_id) == video_id:
                listed.setdefault(str(comment["cid"]), comment)
    return list(listed.values())


def _posts(visit: Visit) -> list[Json]:
    listed: dict[str, Json] = {}
    for answer in visit.answers.get(POSTS_CALL, []):
        for aweme in map(as_object, as_list(answer.get("aweme_list"))):
            if video_id := id_of(aweme):
                listed.setdefault(video_id, aweme)
    return list(listed.values())


def _has_ended(answer: Json) -> bool:
    return "has_more" in answer and str(answer["has_more"]) in ("0", "False")
