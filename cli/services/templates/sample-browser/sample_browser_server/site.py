"""Reads the website's pages for the tools."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Visit
from dyber_kit.times import iso_utc
from dyber_kit.upstream.text import clean_text, parse_count, parse_time
from pydantic import TypeAdapter, ValidationError

from sample_browser_server.config import BASE_URL_SETTING, NO_ADDRESS
from sample_browser_server.models import Post, PostList, WirePost
from sample_browser_server.platform import POSTS_CALL, POSTS_PATH, VISITOR_CALL
from sample_browser_server.texts import tr_lazy

_TEXT_CHARS = 500
_NAME_CHARS = 100
_WIRE_POSTS = TypeAdapter(list[WirePost])


class Site:
    """Answers the tools.

    Args:
        pages: Opens pages, and knows the accounts.
    """

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def posts(self, limit: int, account: str) -> PostList:
        """Return the newest posts, at most `limit`.

        Raises ServiceError: the website's refusal, or UPSTREAM_CHANGED when it sends something else than posts.
        """
        async with self._pages.visit(self._pages.account(account), self.url(POSTS_PATH), {}) as visit:
            await visit.answered(POSTS_CALL)
            ended = await visit.grow(lambda _: len(_sent_posts(visit)), lambda page: bool(page["marks"]["end"]), limit)
            if visit.refused:
                raise visit.refused.error()
            sent = _sent_posts(visit)
        try:
            posts = [_post(wire) for wire in _WIRE_POSTS.validate_python(sent)]
        except ValidationError:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED) from None
        items = posts[:limit]
        return PostList(items=items, count=len(items), complete=ended and len(posts) <= limit)

    async def visitor(self, account: str) -> dict[str, str] | None:
        """Return the nickname of the user who is logged in; None for a guest.

        Raises ServiceError: the website's refusal.
        """
        async with self._pages.visit(account, self.url(POSTS_PATH), {}) as visit:
            visitor = await visit.answered(VISITOR_CALL)
        nickname = clean_text(visitor.get("name"), _NAME_CHARS).text
        return {"nickname": nickname} if nickname else None

    def url(self, path: str) -> str:
        """Return an address of the website. Raises ServiceError: NOT_CONFIGURED."""
        base = self._pages.settings.base_url
        if base == NO_ADDRESS:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("The website's address ({setting}) is not set", setting=BASE_URL_SETTING),
                tr_lazy(
                    "Ask the operator to set {setting} in Pulumi.<stack>.yaml, in the environment of this service, and "
                    "to deploy it again",
                    setting=BASE_URL_SETTING,
                ),
            )
        return f"{base}{path}"


def _sent_posts(visit: Visit) -> list[Any]:
    """Return the posts in all answers to the page's calls so far."""
    answers = visit.answers.get(POSTS_CALL, [])
    return [post for answer in answers for post in answer.get("posts") or []]


def _post(wire: WirePost) -> Post:
    likes = parse_count(wire.likes)
    return Post(
        id=wire.id,
        author=clean_text(wire.author, _NAME_CHARS).text or None,
        text=clean_text(wire.text, _TEXT_CHARS).text,
        likes=likes.value if likes else None,
        published=iso_utc(parse_time(wire.time, datetime.now(UTC))),
    )
