"""Reads the website's pages, and logs accounts in, for the tools."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.logins import Logins
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Visit
from dyber_kit.times import iso_utc
from dyber_kit.upstream.text import clean_text, parse_count, parse_time
from pydantic import TypeAdapter, ValidationError

from sample_browser_server.config import BASE_URL_SETTING, NO_ADDRESS
from sample_browser_server.models import LoginCode, LoginStatus, Post, PostList, WirePost
from sample_browser_server.platform import LOGIN, POSTS_CALL, POSTS_PATH, VISITOR_CALL
from sample_browser_server.texts import tr, tr_lazy
from sample_browser_server.walls import LOGIN_STEP

_TEXT_CHARS = 500
_NAME_CHARS = 100
_WIRE_POSTS = TypeAdapter(list[WirePost])


class Site:
    """Answers the tools.

    Args:
        pages: Opens pages, and knows the accounts.
        logins: Gets QR codes and watches their logins.
    """

    def __init__(self, pages: Pages, logins: Logins) -> None:
        self._pages = pages
        self._logins = logins

    async def posts(self, limit: int, account: str) -> PostList:
        """Return the newest posts, at most `limit`.

        Raises ServiceError: the website's refusal, or UPSTREAM_CHANGED when it sends something else than posts.
        """
        async with self._pages.visit(self._pages.account(account), self._url(POSTS_PATH), {}) as visit:
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

    async def login_status(self, account: str) -> LoginStatus:
        """Return whether the account is logged in.

        While a QR code waits for its scan, no other page is opened. Raises ServiceError: the website's refusal.
        """
        account = self._pages.account(account)
        progress = self._logins.progress(account)
        advice = None
        if progress:
            title, attached = self._pages.platform.title, self._pages.attached
            advice = LOGIN.advice(title, progress.step, progress.expires_at, attached)
            if progress.pending:
                return _status(account, None, progress.step, advice)
        async with self._pages.visit(account, self._url(POSTS_PATH), {}) as visit:
            visitor = await visit.answered(VISITOR_CALL)
        nickname = clean_text(visitor.get("name"), _NAME_CHARS).text or None
        self._pages.note_login(account, nickname is not None)
        if nickname:
            return _status(account, nickname, None, None)
        return _status(account, None, progress.step if progress else None, advice or str(LOGIN_STEP))

    async def login_code(self, account: str) -> LoginCode:
        """Return a QR code that logs the account in. Raises ServiceError: the website's refusal."""
        account = self._pages.account(account)
        self._url(LOGIN.path)
        code = await self._logins.start(account)
        if code is None:
            return LoginCode(
                account=account,
                logged_in=True,
                url=None,
                drawing=None,
                expires_at=None,
                next_step=tr("The account is logged in; there is nothing to scan"),
            )
        return LoginCode(
            account=account,
            logged_in=False,
            url=code.url,
            drawing=code.text,
            expires_at=iso_utc(code.expires_at),
            next_step=tr(
                "Have the user scan the code and confirm on the phone, then look with {tool}; get no other code before",
                tool="sample_browser_login_status",
            ),
        )

    def _url(self, path: str) -> str:
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


def _status(account: str, nickname: str | None, step: str | None, next_step: str | None) -> LoginStatus:
    return LoginStatus(
        account=account,
        logged_in=nickname is not None,
        nickname=nickname,
        login_step=step,
        next_step=next_step,
    )
