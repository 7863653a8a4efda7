"""Reads single posts, their comments, and profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.upstream.breaker import is_wall
from dyber_kit.website.links import ShortLinks

from weibo_server.browsing.platform import COMMENTS, LONG_TEXT, PROFILE, SHOW
from weibo_server.browsing.walls import EMPTY
from weibo_server.config import WeiboSettings
from weibo_server.model.answers import Comment, CommentList, Post, User
from weibo_server.model.references import PostReference, UserReference, bid_of, first_link, parse_post, parse_user
from weibo_server.model.schema import Notice
from weibo_server.reading.memory import Memory, stamp
from weibo_server.reading.paging import Part, Position, SitePage, read_part, start_of
from weibo_server.reading.parse import Parser, count_of, is_cut, long_text, number_id, post_url, user_id, verified
from weibo_server.reading.reader import Body, SitePageVisit, SiteReader
from weibo_server.texts import tr_lazy

CommentSort = Literal["hot", "time"]
_POST_SECONDS = 600.0
_USER_SECONDS = 1800.0
_PER_PAGE = 20


class PostReader:
    """Answers questions about a post or a user.

    Args:
        reader: Opens pages.
        pages: Knows the accounts.
        links: Follows short links.
        parser: Reads what the site sends.
        memory: Caches answers.
        settings: The address of the site.
    """

    def __init__(
        self,
        reader: SiteReader,
        pages: Pages,
        links: ShortLinks,
        parser: Parser,
        memory: Memory,
        settings: WeiboSettings,
    ) -> None:
        self._reader = reader
        self._pages = pages
        self._links = links
        self._parser = parser
        self._memory = memory
        self._base_url = settings.base_url

    async def post(self, post: str, comments: int, max_chars: int, verbose: bool, account: str = "") -> Post:
        """Return a post with up to `comments` comments; what went wrong with the comments alone is a warning."""
        account = self._pages.account(account)
        reference = await self.post_reference(post, account)

        async def load() -> Post:
            async with self._reader.web(account, reference.path) as page:
                raw = await self._show(page, reference)
                whole, warnings = await self._whole_text(page, raw)
                listed: Part[Comment] | None = None
                if comments:
                    try:
                        listed = await self._comments(page, raw, reference, "hot", "", comments, "", verbose)
                    except ServiceError as error:
                        if is_wall(error):
                            raise
                        warnings.append(tr_lazy("The comments could not be read: {cause}", cause=error))
            return self._post(raw, whole, max_chars, listed, warnings)

        key = f"{account}:{reference.mid}:{comments}:{max_chars}:{verbose}"
        return await self._memory.answer(Post, key, _POST_SECONDS, load, keep=lambda answer: not answer.warnings)

    async def comments(
        self,
        post: str,
        sort: CommentSort,
        reply_to: str,
        limit: int,
        cursor: str,
        verbose: bool,
        account: str = "",
    ) -> CommentList:
        """Return comments on a post, or the replies to one of them, from `cursor` on."""
        account = self._pages.account(account)
        reference = await self.post_reference(post, account)
        start_of(_kind(reference, sort, reply_to), cursor)

        async def load() -> CommentList:
            async with self._reader.web(account, reference.path) as page:
                raw = await self._show(page, reference)
                part = await self._comments(page, raw, reference, sort, reply_to, limit, cursor, verbose)
            total = None if reply_to else count_of(raw.get("comments_count"))
            missing = bool(total) and not part.items and not cursor
            return CommentList(
                post=reference.mid,
                items=part.items,
                count=len(part.items),
                total=total,
                complete=part.complete,
                next_cursor=part.next_cursor,
                applied={"sort": sort} | ({"reply_to": reply_to} if reply_to else {}),
                warnings=[tr_lazy("Weibo counts {total} comments, but shows none here", total=total)]
                if missing
                else [],
                fetched_at=stamp(),
            )

        key = f"{account}:{reference.mid}:{sort}:{reply_to}:{limit}:{cursor}:{verbose}"
        return await self._memory.answer(CommentList, key, _POST_SECONDS, load)

    async def user(self, user: UserReference, account: str = "") -> User:
        """Return a profile."""
        account = self._pages.account(account)

        async def load() -> User:
            async with self._reader.web(account, user.path) as page:
                raw = profile_of(await page.answer(PROFILE, user.query))
            return User(**self._parser.user(raw), fetched_at=stamp())

        return await self._memory.answer(User, f"{account}:{user}", _USER_SECONDS, load)

    async def post_reference(self, post: str, account: str) -> PostReference:
        """Return the post that a caller names. Raises ServiceError: INVALID_ARGUMENT, or like `ShortLinks.follow`."""
        return parse_post(await self._expanded(post, account), self._base_url)

    async def user_reference(self, user: str, account: str) -> UserReference:
        """Return the user that a caller names. Raises like `post_reference`."""
        return parse_user(await self._expanded(user, account), self._base_url)

    async def _expanded(self, text: str, account: str) -> str:
        """Return the target of the first link of a text when it is a short link, else the text."""
        link = first_link(text)
        return await self._links.expand(link, account) if self._links.form.matches(link) else text

    async def _show(self, page: SitePageVisit, reference: PostReference) -> Body:
        raw = await page.answer(SHOW, {"id": reference.mid, "locale": "zh-CN", "isGetLongText": "true"})
        if not number_id(raw):
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        return raw

    async def _whole_text(self, page: SitePageVisit, raw: Body) -> tuple[str, list[Notice]]:
        """Return the whole text of a long post, and why it could not be read; empty for others."""
        if not is_cut(raw):
            return "", []
        if whole := long_text(raw):
            return whole, []
        try:
            whole = long_text(await page.ask(LONG_TEXT, {"id": raw.get("mblogid") or bid_of(number_id(raw))}))
        except ServiceError as error:
            if is_wall(error):
                raise
            return "", [tr_lazy("Only the beginning of the text could be read: {cause}", cause=error)]
        return whole, [] if whole else [tr_lazy("Only the beginning of the text could be read")]

    async def _comments(
        self,
        page: SitePageVisit,
        raw: Body,
        reference: PostReference,
        sort: CommentSort,
        reply_to: str,
        limit: int,
        cursor: str,
        verbose: bool,
    ) -> Part[Comment]:
        author = user_id(raw)

        async def load(position: Position) -> SitePage[Comment]:
            max_id = str(position.get("max_id", ""))
            params: dict[str, str | int] = {
                "is_reload": 1,
                "id": reply_to or number_id(raw),
                "is_show_bulletin": 2,
                "is_mix": 1 if reply_to else 0,
                "count": _PER_PAGE,
                "uid": author,
                "fetch_level": 1 if reply_to else 0,
                "locale": "zh-CN",
                "flow": 0 if sort == "hot" else 1,
            }
            is_own = not (max_id or reply_to) and sort == "hot"
            body = (
                await page.answer(COMMENTS, params)
                if is_own
                else await page.ask(COMMENTS, {**params, "max_id": max_id or 0})
            )
            sent = [] if body is EMPTY else body.get("data")
            if not isinstance(sent, list):
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            following = str(body.get("max_id") or "0")
            items = self._parser.comments(sent, datetime.now(UTC), author)
            return SitePage(items, {"max_id": following} if following != "0" and following != max_id else None)

        kind = _kind(reference, sort, reply_to)
        return await read_part(
            kind,
            start_of(kind, cursor),
            limit,
            self._memory.max_list_chars,
            load,
            lambda comment: comment.shown(verbose),
            lambda comment: comment.comment_id,
        )

    def _post(
        self, raw: Body, whole: str, max_chars: int, listed: Part[Comment] | None, warnings: list[Notice]
    ) -> Post:
        item = self._parser.post(raw, datetime.now(UTC), max_chars, whole)
        if item is None:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
        sender = raw.get("user")
        values: dict[str, Any] = {
            name: getattr(item, name)
            for name in (
                "post", "author", "user_id", "text", "created_at", "region", "device", "likes", "reposts",
                "lower_bounds", "tags", "picture_urls", "media",
            )
        }  # fmt: skip
        return Post(
            **values,
            url=item.url or post_url(item.post, ""),
            text_truncated=item.truncated,
            verified=verified(sender) if isinstance(sender, dict) else None,
            edited=bool(raw.get("edit_count")),
            comments_total=item.comments,
            repost_of=item.repost_of.shown(False) if item.repost_of else None,
            comments=listed.items if listed else [],
            comments_complete=listed.complete if listed else False,
            warnings=warnings,
            fetched_at=stamp(),
        )


def profile_of(body: Body) -> Body:
    """Return the user of an answer to the site's call for a profile. Raises ServiceError: UPSTREAM_CHANGED."""
    data = body.get("data")
    user = data.get("user") if isinstance(data, dict) else None
    if not isinstance(user, dict):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return user


def _kind(reference: PostReference, sort: CommentSort, reply_to: str) -> str:
    return f"comments {reference.mid} {sort} {reply_to}"
