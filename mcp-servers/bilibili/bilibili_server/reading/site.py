"""Reads the site for the tools and REST routes, and caches the answers."""

from __future__ import annotations

from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.calling.cursors import answer_chars, fit_items
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.text import clean_text

from bilibili_server.config import SiteSettings
from bilibili_server.model.answers import (
    Comment,
    Comments,
    Hit,
    HotEntry,
    HotList,
    SearchResults,
    User,
    Video,
    VideoDetail,
)
from bilibili_server.model.references import VideoReference, user_url, video_url
from bilibili_server.reading.http import HttpReader
from bilibili_server.reading.kept import KeptVideo, UserPage, VideoComments, problem_of, problem_text
from bilibili_server.reading.memory import Listing, Memory
from bilibili_server.reading.parse import (
    Parser,
    address,
    as_object,
    bvid_of,
    clock,
    identity,
    moment,
    number,
    plain,
    stamp,
)
from bilibili_server.reading.reader import SitePage, SiteReader, VideoPage
from bilibili_server.reading.shares import Shares
from bilibili_server.texts import tr, tr_lazy

HotKind = Literal["popular", "ranking", "hot_words"]
SearchKind = Literal["video", "user", "article"]
Order = Literal["relevance", "most_viewed", "newest", "most_danmaku", "most_favorited"]

#: By kind of results: the site's path.
_PATHS: dict[SearchKind, str] = {"video": "video", "user": "upuser", "article": "article"}
#: By order of videos: the site's word, and the count by which the list is sorted.
ORDERS: dict[Order, tuple[str, str]] = {
    "relevance": ("", ""),
    "most_viewed": ("click", "views"),
    "newest": ("pubdate", "date"),
    "most_danmaku": ("dm", "danmaku"),
    "most_favorited": ("stow", "favorites"),
}
#: Most comments of a video, and most entries of a hot list.
MOST_COMMENTS, MOST_HOT = 100, 100
_HOT_SECONDS = 180.0
_SEARCH_SECONDS = 300.0
_VIDEO_SECONDS = 600.0
_USER_SECONDS = 1800.0
_MOST_PARTS = 50
# Characters of an answer besides its list.
_FRAME_CHARS = 2000
# Characters for what is added when comments do not fit.
_RESERVED_CHARS = 200


class Site:
    """Returns the answers of the reading tools; every method raises ServiceError when the data cannot be read.

    Args:
        reader: Reads pages.
        http: Reads hot words.
        shares: Reads which video or user a caller names.
        pages: Knows the accounts.
        parser: Turns the site's objects into models.
        cache: Caches answers.
        settings: The addresses, and how long answers are cached.
        max_answer_chars: Longest answer, in characters of JSON; lists are shortened to it.
    """

    def __init__(
        self,
        reader: SiteReader,
        http: HttpReader,
        shares: Shares,
        pages: Pages,
        parser: Parser,
        cache: Cache,
        settings: SiteSettings,
        max_answer_chars: int,
    ) -> None:
        self.settings = settings
        self.shares = shares
        self._reader = reader
        self._http = http
        self._pages = pages
        self._parser = parser
        self._max_answer_chars = max_answer_chars
        self._memory = Memory(cache, parser.names, settings.cache_seconds, max_answer_chars - _FRAME_CHARS)

    async def hot(self, kind: HotKind, limit: int, cursor: str, verbose: bool, account: str = "") -> HotList:
        """Return entries of a hot list from `cursor` on."""
        account = self._pages.account(account)

        async def load(target: int) -> Listing[HotEntry]:
            if kind == "hot_words":
                async with self._pages.turn(account):
                    words = await self._http.hot_words(50)
                entries, sent, complete = self._parser.hot_words(words), len(words), True
            else:
                page = await (
                    self._reader.popular(account, target) if kind == "popular" else self._reader.ranking(account)
                )
                entries, sent, complete = self._parser.hot(page.items), len(page.items), page.last
            # These lists never are empty.
            if not entries or not sent:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            return Listing[HotEntry](items=entries, complete=complete, fetched_at=stamp())

        part = await self._memory.part(
            Listing[HotEntry], f"hot:{account}:{kind}", cursor, limit, MOST_HOT, _HOT_SECONDS, load,
            lambda entry: entry.shown(verbose), lambda entry: entry.bvid or entry.keyword,
            "web" if kind == "hot_words" else "browser",
        )  # fmt: skip
        if not part.items and not part.complete:
            raise ServiceError(ErrorCode.TIMEOUT, tr_lazy("The rest of the list did not load"))
        return HotList(
            items=part.items,
            count=len(part.items),
            complete=part.complete,
            next_cursor=part.next_cursor,
            kind=kind,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def search(
        self,
        keyword: str,
        kind: SearchKind = "video",
        order: Order = "relevance",
        limit: int = 10,
        cursor: str = "",
        verbose: bool = False,
        account: str = "",
    ) -> SearchResults:
        """Return up to `limit` results for `keyword`, from `cursor` on."""
        account, keyword = self._pages.account(account), _keyword(keyword)
        word, count = ORDERS[order] if kind == "video" else ("", "")

        async def load(page: int) -> Listing[Hit]:
            read = await self._reader.search(account, keyword, _PATHS[kind], word, page)
            found = {
                "video": self._parser.found_videos,
                "user": self._parser.found_users,
                "article": self._parser.found_articles,
            }[kind](read.items)
            _check(read, found)
            return Listing[Hit](items=found, complete=read.last, total=read.total, fetched_at=stamp())

        part = await self._memory.page_part(
            Listing[Hit], f"search:{account}:{kind}:{word}:{keyword}", cursor, limit, _SEARCH_SECONDS, load,
            lambda hit: hit.shown(verbose, count=count),
        )  # fmt: skip
        return SearchResults(
            items=part.items,
            count=len(part.items),
            total=part.listing.total,
            complete=part.complete,
            next_cursor=part.next_cursor,
            applied={"type": kind, **({"order": order} if kind == "video" else {})},
            warnings=_search_warnings(kind, order, part.items, count, part.complete),
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def video(
        self,
        video: str,
        comments: int = 0,
        max_chars: int = 2000,
        verbose: bool = False,
        account: str = "",
    ) -> VideoDetail:
        """Return a video with up to `comments` comments."""
        account = self._pages.account(account)
        reference = await self.shares.video(video, account)

        async def load() -> KeptVideo:
            page = await self._reader.video(account, VideoReference(reference.video_id), comments)
            error = page.comment_error
            detail = self._detail(page)
            missing = comments > 0 and not page.comments and not page.comments_complete
            problem = problem_of(error) if error else "" if missing else None
            return KeptVideo(detail=detail, guest=page.guest, comment_problem=problem)

        key = f"video:{account}:{reference.video_id}:{comments}"
        kept, was_kept = await self._memory.kept(
            KeptVideo, key, _VIDEO_SECONDS, load, keep=lambda read: read.comment_problem is None
        )
        detail = kept.detail
        text = detail.description[:max_chars]
        warnings = []
        if kept.comment_problem:
            warnings.append(tr("Comments were not read: {problem}", problem=problem_text(kept.comment_problem)))
        elif kept.comment_problem is not None:
            warnings.append(tr("The comments did not load; the rest is not affected"))
        elif comments and kept.guest:
            warnings.append(_guest_comments())
        shown = detail.model_copy(
            update={
                "description": text,
                "truncated": len(text) < len(detail.description),
                "comments": [],
                "cover": detail.cover if verbose else None,
                "aid": detail.aid if verbose else None,
                "warnings": warnings,
                "source": "cache" if was_kept else "browser",
            }
        )
        left = self._max_answer_chars - _RESERVED_CHARS - answer_chars(shown)
        fitting = fit_items([comment.shown(verbose) for comment in detail.comments], left)
        if len(fitting) < len(detail.comments):
            warnings.append(
                tr(
                    "Only the first {count} comments fit into the answer; bilibili_get_comments reads the others",
                    count=len(fitting),
                )
            )
            shown = shown.model_copy(update={"comments_complete": False, "warnings": warnings})
        return shown.model_copy(update={"comments": fitting})

    async def comments(self, video: str, limit: int, cursor: str, verbose: bool, account: str = "") -> Comments:
        """Return comments of a video from `cursor` on; raise an error when there are comments but none loaded."""
        account = self._pages.account(account)
        reference = await self.shares.video(video, account)

        async def load(target: int) -> Listing[Comment]:
            page = await self._reader.video(account, VideoReference(reference.video_id), target)
            if not page.comments and not page.comments_complete:
                if page.comment_error:
                    raise page.comment_error
                raise ServiceError(ErrorCode.TIMEOUT, tr_lazy("The comments did not load"))
            return VideoComments(
                bvid=bvid_of(page.video) or reference.video_id,
                guest=page.guest,
                problem=problem_of(page.comment_error) if page.comment_error else None,
                items=self._parser.comments(page.comments),
                complete=page.comments_complete,
                total=page.comments_total,
                fetched_at=stamp(),
            )

        part = await self._memory.part(
            VideoComments, f"comments:{account}:{reference.video_id}", cursor, limit, MOST_COMMENTS, _VIDEO_SECONDS,
            load, lambda comment: comment.shown(verbose), lambda comment: comment.comment_id,
        )  # fmt: skip
        listing = part.listing
        assert isinstance(listing, VideoComments)
        warnings = [_guest_comments()] if listing.guest else []
        if listing.problem:
            warnings.append(tr("Comments were not read: {problem}", problem=problem_text(listing.problem)))
        elif not part.items and not part.complete:
            raise ServiceError(ErrorCode.TIMEOUT, tr_lazy("The comments did not load"))
        elif not part.items and part.listing.total:
            warnings.append(
                tr("No further comments loaded, although the site counts {total}", total=part.listing.total)
            )
        return Comments(
            bvid=listing.bvid,
            items=part.items,
            count=len(part.items),
            total=part.listing.total,
            complete=part.complete,
            next_cursor=part.next_cursor,
            warnings=warnings,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def user(self, user: str, videos: int, cursor: str, verbose: bool, account: str = "") -> User:
        """Return a user with up to `videos` videos from `cursor` on."""
        account = self._pages.account(account)
        mid = await self.shares.user(user, account)

        async def load(page: int) -> Listing[Video]:
            return await self._user_page(account, mid, page)

        part = await self._memory.page_part(
            UserPage, f"user:{account}:{mid}", cursor, max(videos, 1), _USER_SECONDS, load,
            lambda video: video.shown(verbose, author=False),
        )  # fmt: skip
        profile = part.listing
        assert isinstance(profile, UserPage)
        items = part.items if videos else []
        warnings = [] if part.items else [tr("The user shows no videos")]
        if profile.fans is None:
            warnings.append(tr("The numbers of fans and of followed users were not read"))
        return User(
            mid=self._parser.mid(mid) or mid,
            name=profile.name,
            url=user_url(mid, self.settings) if self._parser.names == "plain" else None,
            sign=profile.sign,
            level=profile.level,
            verified=profile.verified,
            fans=profile.fans,
            following=profile.following,
            videos_total=part.listing.total,
            videos=items,
            complete=part.complete and len(items) == len(part.items),
            next_cursor=part.next_cursor if videos else None,
            warnings=warnings,
            source=part.source,
            fetched_at=part.listing.fetched_at,
        )

    async def _user_page(self, account: str, mid: str, page: int) -> UserPage:
        read = await self._reader.uploads(account, mid, page)
        videos = self._parser.uploads(read.items)
        _check(read, videos)
        profile, parser = read.profile, self._parser
        return UserPage(
            items=videos,
            complete=read.last,
            total=read.total,
            fetched_at=stamp(),
            name=parser.name(profile.get("name")) or "",
            sign=parser.described(profile.get("sign")),
            level=number(profile.get("level")),
            verified=parser.described(as_object(profile.get("official")).get("title")),
            fans=number(read.relation.get("follower")),
            following=number(read.relation.get("following")),
        )

    def _detail(self, page: VideoPage) -> VideoDetail:
        video, stat, owner = page.video, as_object(page.video.get("stat")), as_object(page.video.get("owner"))
        bvid = bvid_of(video) or ""
        parts = self._parser.parts(video)
        tags = [plain(as_object(tag).get("tag_name"), 40) for tag in page.tags]
        return VideoDetail(
            bvid=bvid,
            aid=identity(video.get("aid")),
            url=video_url(bvid, self.settings),
            title=plain(video.get("title"), 200),
            author=self._parser.author(owner.get("name"), owner.get("mid"), page.owner.get("fans")),
            description=plain(video.get("desc")),
            truncated=False,
            category=plain(video.get("tname"), 40) or plain(video.get("tname_v2"), 40) or None,
            tags=[tag for tag in tags if tag],
            published_at=moment(video.get("pubdate")),
            duration=clock(video.get("duration")),
            views=number(stat.get("view")),
            danmaku=number(stat.get("danmaku")),
            likes=number(stat.get("like")),
            coins=number(stat.get("coin")),
            favorites=number(stat.get("favorite")),
            shares=number(stat.get("share")),
            comments_total=page.comments_total if page.comments_total is not None else number(stat.get("reply")),
            parts=parts[:_MOST_PARTS],
            parts_total=max(1, len(parts)),
            cover=address(video.get("pic")),
            comments=self._parser.comments(page.comments),
            comments_complete=page.comments_complete,
            fetched_at=stamp(),
        )


def _keyword(value: str) -> str:
    """Return the words of a search. Raises ServiceError (INVALID_ARGUMENT) for a text without visible characters."""
    words = " ".join(clean_text(value, html=False).text.split())
    if not words:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("keyword has no visible characters"), fields=["keyword"])
    return words


def _check(read: SitePage, found: list[Any]) -> None:
    """Raise ServiceError (UPSTREAM_CHANGED) when the site sent entries but none could be read."""
    if read.items and not found:
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)


def _search_warnings(kind: SearchKind, order: Order, items: list[Hit], count: str, complete: bool) -> list[str]:
    warnings = []
    if not items:
        warnings.append(
            tr("Bilibili found nothing for these words") if complete else tr("This page of Bilibili's results is empty")
        )
    if kind != "video" and order != "relevance":
        warnings.append(tr("order is only for videos; these results are in the site's order"))
    values = [value for item in items if (value := getattr(item, count, None)) is not None] if count else []
    if values != sorted(values, reverse=True):
        warnings.append(tr("The order that Bilibili gave is not strictly by {count}", count=count))
    return warnings


def _guest_comments() -> str:
    return tr("Nobody is logged in; Bilibili shows guests only the first few comments")
