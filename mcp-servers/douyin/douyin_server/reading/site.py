"""Reads the site for the tools and REST routes, and caches the answers."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from typing import Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.cursors import answer_chars, fit_items
from dyber_kit.times import iso_local
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.text import clean_text, parse_time
from dyber_kit.website.links import ShortLinks

from douyin_server.analysis import analyze
from douyin_server.config import SiteSettings
from douyin_server.model.analysis import Analysis
from douyin_server.model.answers import (
    Comment,
    Comments,
    HotList,
    ResolvedLink,
    SearchResults,
    User,
    Video,
    VideoList,
    VideoSummary,
)
from douyin_server.model.filters import Board, SearchFilters
from douyin_server.model.references import References, UserReference, VideoReference, first_link
from douyin_server.reading.hints import no_comments_warning, search_warnings, short_list_warning
from douyin_server.reading.memory import Listing, Memory
from douyin_server.reading.pages import PageReader, VideoPage
from douyin_server.reading.parse import Json, Parser, as_list, stamp
from douyin_server.reading.shares import Shares
from douyin_server.texts import tr, tr_lazy

#: Most entries of one list; each part of a list scrolls through all entries before it again.
MAX_LISTED = 200
_HOT_SECONDS = _SEARCH_SECONDS = 300.0
_VIDEO_SECONDS = 600.0
_USER_SECONDS = 1800.0
# Characters of an answer besides its list.
_FRAME_CHARS = 1500
#: Failures of a page after which the share pages may still have the video.
_OTHER_WAY = (
    ErrorCode.LOGIN_REQUIRED,
    ErrorCode.LOGIN_EXPIRED,
    ErrorCode.TIMEOUT,
    ErrorCode.UPSTREAM_CHANGED,
    ErrorCode.UPSTREAM_UNREACHABLE,
    ErrorCode.ACCESS_RESTRICTED,
)


class Site:
    """Returns the answers of the reading tools; every method raises ServiceError when the data cannot be read.

    Args:
        reader: Reads pages in the browser.
        shares: Reads shared videos over HTTP.
        links: Follows short links.
        pages: Knows the accounts and their pace.
        references: Reads references.
        parser: Turns the site's objects into models.
        cache: Caches answers.
        settings: How long answers are cached.
        max_answer_chars: Longest answer, in characters of JSON; lists are shortened to it.
    """

    def __init__(
        self,
        reader: PageReader,
        shares: Shares,
        links: ShortLinks,
        pages: Pages,
        references: References,
        parser: Parser,
        cache: Cache,
        settings: SiteSettings,
        max_answer_chars: int,
    ) -> None:
        self._reader = reader
        self._shares = shares
        self._links = links
        self._pages = pages
        self._references = references
        self._parser = parser
        self._max_list_chars = max_answer_chars - _FRAME_CHARS
        self._memory = Memory(cache, parser.names, settings.cache_seconds, self._max_list_chars)

    async def hot(self, board: Board, limit: int, account: str = "", verbose: bool = True) -> HotList:
        """Return the first entries of a hot list."""
        account = self._pages.account(account)

        async def load() -> HotList:
            data = await self._reader.hot(account)
            now = datetime.now(UTC)
            entries = self._parser.hot(as_list(data.get("trending_list" if board == "rising" else "word_list")), now)
            if not entries:
                # The hot list is never empty, so an empty one is a change of the page.
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            as_of = iso_local(parse_time(data.get("active_time"), now))
            return HotList(board=board, items=entries, count=len(entries), as_of=as_of, fetched_at=stamp(now))

        hot = await self._memory.answer(HotList, f"hot:{board}", _HOT_SECONDS, load)
        items = fit_items([entry.shown(verbose) for entry in hot.items[:limit]], self._max_list_chars)
        return hot.model_copy(update={"items": items, "count": len(items)})

    async def video(
        self, video: str, comments: int = 0, max_chars: int = 20_000, account: str = "", verbose: bool = True
    ) -> Video:
        """Return one video with up to `comments` comments.

        Without comments, the share pages are asked first, which is quicker and needs no login.
        """
        account = self._pages.account(account)
        reference = await self._video_reference(account, video)

        async def load() -> Video:
            if comments == 0 and (shared := await self._shared(account, reference)):
                return self._described(shared, max_chars, verbose)
            try:
                page = await self._reader.video(account, reference, comments)
            except ServiceError as error:
                if comments == 0 or error.code not in _OTHER_WAY or error.whole_account:
                    raise
                shared = await self._shared(account, reference)
                if shared is None:
                    raise
                detail = self._described(shared, max_chars, verbose)
                detail.warnings.append(tr("The comments could not be read: {reason}", reason=error.text))
                return detail
            now = datetime.now(UTC)
            detail = self._parser.video(page.aweme, max_chars, verbose, now)
            read = self._parser.comments(page.comments, now)
            detail.warnings += _comment_warnings(page, comments)
            detail.warnings += no_comments_warning(page.total if comments else 0, len(read), page.complete)
            # The comments get the room that the video leaves.
            room = self._max_list_chars - answer_chars(detail)
            detail.comments = fit_items([comment.shown(verbose) for comment in read], room)
            detail.comments_complete = page.complete and len(detail.comments) == len(read)
            return detail

        key = f"video:{account}:{reference.video_id}:{comments}:{max_chars}:{verbose}"
        return await self._memory.answer(Video, key, _VIDEO_SECONDS, load)

    async def comments(
        self, video: str, limit: int, cursor: str = "", account: str = "", verbose: bool = True
    ) -> Comments:
        """Return comments of a video from `cursor` on; raise an error when it has comments but none were loaded."""
        account = self._pages.account(account)
        reference = await self._video_reference(account, video)

        async def load(start: int, target: int) -> Listing[Comment]:
            page = await self._reader.video(account, reference, target)
            if len(page.comments) <= start and page.comment_error is not None:
                raise page.comment_error
            now = datetime.now(UTC)
            return Listing[Comment](
                items=self._parser.comments(page.comments, now),
                complete=page.complete,
                total=page.total,
                fetched_at=stamp(now),
                warnings=[
                    *_comment_warnings(page, target),
                    *no_comments_warning(page.total, len(page.comments), page.complete),
                ],
            )

        part = await self._memory.part(
            Listing[Comment], f"comments:{account}:{reference.video_id}", cursor, limit, MAX_LISTED, _VIDEO_SECONDS,
            load, lambda comment: comment.shown(verbose), lambda comment: comment.comment_id,
        )  # fmt: skip
        return Comments(
            video_id=reference.video_id,
            items=part.items,
            count=len(part.items),
            total=part.listing.total,
            complete=part.complete,
            next_cursor=part.next_cursor,
            warnings=part.listing.warnings,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def user(self, user: str, videos: int, account: str = "", verbose: bool = True) -> User:
        """Return a profile with up to `videos` of its videos, without their author."""
        account = self._pages.account(account)
        reference = await self._user_reference(account, user)

        async def load() -> User:
            found, awemes, complete = await self._reader.user(account, reference, videos)
            now = datetime.now(UTC)
            profile = self._parser.user(found, reference.user_ref, now)
            listed = self._parser.videos(awemes, now)
            kept = fit_items([video.shown(verbose, author=False) for video in listed], self._max_list_chars)
            profile.videos = kept
            profile.videos_complete = complete and len(kept) == len(listed)
            profile.warnings += [] if profile.private else short_list_warning(len(listed), videos, complete)
            return profile

        return await self._memory.answer(
            User, f"user:{account}:{reference.user_ref}:{videos}:{verbose}", _USER_SECONDS, load
        )

    async def user_videos(
        self, user: str, limit: int, cursor: str = "", account: str = "", verbose: bool = True
    ) -> VideoList:
        """Return videos of a profile from `cursor` on."""
        account = self._pages.account(account)
        reference = await self._user_reference(account, user)

        async def load(_: int, target: int) -> Listing[VideoSummary]:
            found, awemes, complete = await self._reader.user(account, reference, target)
            if not awemes and not complete and self._parser.user(found, reference.user_ref, datetime.now(UTC)).private:
                raise ServiceError(ErrorCode.ACCESS_RESTRICTED, tr_lazy("The account is private and shows no videos"))
            listing = self._listing(awemes, complete)
            listing.warnings = short_list_warning(len(listing.items), target, complete)
            return listing

        part = await self._memory.part(
            Listing[VideoSummary], f"videos:{account}:{reference.user_ref}", cursor, limit, MAX_LISTED, _USER_SECONDS,
            load, lambda video: video.shown(verbose, author=False), lambda video: video.video_id,
        )  # fmt: skip
        return VideoList(
            items=part.items,
            count=len(part.items),
            complete=part.complete,
            next_cursor=part.next_cursor,
            warnings=part.listing.warnings,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def search(
        self,
        keyword: str,
        filters: SearchFilters,
        limit: int,
        cursor: str = "",
        account: str = "",
        verbose: bool = True,
    ) -> SearchResults:
        """Return up to `limit` videos for `keyword`, from `cursor` on."""
        account, keyword = self._pages.account(account), search_words(keyword)

        async def load(_: int, target: int) -> Listing[VideoSummary]:
            page = await self._reader.search(account, keyword, filters, target)
            listing = self._listing(page.awemes, page.complete)
            listing.sent = page.sent
            return listing

        part = await self._memory.part(
            Listing[VideoSummary], f"search:{account}:{filters}:{keyword}", cursor, limit, MAX_LISTED,
            _SEARCH_SECONDS, load, lambda video: video.shown(verbose), lambda video: video.video_id,
        )  # fmt: skip
        applied = filters.applied(part.listing.sent)
        return SearchResults(
            items=part.items,
            count=len(part.items),
            complete=part.complete,
            next_cursor=part.next_cursor,
            applied=applied,
            warnings=search_warnings(
                filters, applied, part.entries, nothing=not part.listing.items, now=datetime.now(UTC)
            ),
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def analyze(self, keyword: str, user: str, sample: int, account: str = "") -> Analysis:
        """Return the statistics of up to `sample` videos of a search, or of a user's latest videos.

        Raises ServiceError: INVALID_ARGUMENT unless exactly one of `keyword` and `user` is given.
        """
        if bool(keyword.strip()) == bool(user.strip()):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Exactly one of keyword and user is needed"),
                tr_lazy("Give a keyword to search for, or a user"),
                fields=["keyword", "user"],
            )
        by_search = bool(keyword.strip())
        listed: VideoList
        if by_search:
            listed = await self.search(keyword, SearchFilters(), sample, account=account)
        else:
            listed = await self.user_videos(user, sample, account=account)
        partial = listed.count < sample and not listed.complete
        return analyze(listed.items, listed.source, listed.fetched_at, ranked=by_search, partial=partial)

    async def resolve(self, link: str) -> ResolvedLink:
        """Return the video or user that a link, or a text with a link, points to."""
        source: Literal["web", "cache"] = "web"
        fetched_at, address = datetime.now(UTC), first_link(link)
        if self._links.form.matches(address):
            followed = await self._links.follow(address)
            link, fetched_at, source = followed.url, followed.fetched_at, "cache" if followed.kept else "web"
        target = self._references.target(link)
        kind: Literal["video", "user"]
        if isinstance(target, VideoReference):
            kind, ref = "video", target.video_id
            url = self._references.video_url(target.video_id, target.kind or "video")
        else:
            kind, ref = "user", target.user_ref
            url = self._references.user_url(target.user_ref)
        return ResolvedLink(kind=kind, ref=ref, url=url, source=source, fetched_at=stamp(fetched_at))

    async def _video_reference(self, account: str, video: str) -> VideoReference:
        """Return the video that a caller names."""
        return self._references.video(await self._expanded(account, video))

    async def _user_reference(self, account: str, user: str) -> UserReference:
        """Return the user that a caller names."""
        return self._references.user(await self._expanded(account, user))

    async def _expanded(self, account: str, text: str) -> str:
        """Return the target of a text's short link, which is followed in a turn of the account; else the text."""
        link = first_link(text)
        return await self._links.expand(link, account) if self._links.form.matches(link) else text

    async def _shared(self, account: str, reference: VideoReference) -> Json | None:
        """Return the site's object of a shared video; None when the share pages do not have it or do not answer."""
        try:
            async with self._pages.turn(account):
                return await self._shares.video(reference)
        except ServiceError as error:
            # Caught outside the turn, because no answer does not show that the site accepts calls again.
            if error.code not in (ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.UPSTREAM_CHANGED):
                raise
            return None

    def _described(self, aweme: Json, max_chars: int, verbose: bool) -> Video:
        detail = self._parser.video(aweme, max_chars, verbose, datetime.now(UTC))
        detail.source = "web"
        detail.comments_complete = detail.comments_total == 0
        return detail

    def _listing(self, awemes: list[Json], complete: bool) -> Listing[VideoSummary]:
        now = datetime.now(UTC)
        return Listing[VideoSummary](items=self._parser.videos(awemes, now), complete=complete, fetched_at=stamp(now))


def _comment_warnings(page: VideoPage, wanted: int) -> list[str]:
    """Return a warning when fewer comments than `wanted` were read, although there may be more."""
    if page.comment_error is not None:
        return [tr("Not all comments were read: {reason}", reason=page.comment_error.text)]
    return short_list_warning(len(page.comments), wanted, page.complete)


def search_words(keyword: str) -> str:
    """Return the words to search for, on one line. Raises ServiceError (INVALID_ARGUMENT) for an invisible text."""
    words = " ".join(keyword.split())
    if not clean_text(words, html=False).text or any(unicodedata.category(char) in ("Cc", "Cs") for char in words):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("keyword has no visible text, or has control characters"),
            tr_lazy("Write the words to search for, such as 手冲咖啡"),
            fields=["keyword"],
        )
    return words
