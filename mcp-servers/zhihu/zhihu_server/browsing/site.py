"""Opens the site's pages and returns their raw data: hot list, search, questions, answers, articles, users."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pages import Pages
from dyber_kit.browser.visits import Paths, Snapshot, Visit, visiting

from zhihu_server.browsing.comments import CommentPage, read_comments
from zhihu_server.browsing.platform import HOT_CALL, ME_CALL, PLATFORM, SEARCH_CALL
from zhihu_server.model.references import Reference, References
from zhihu_server.texts import tr_lazy

Raw = dict[str, Any]
Value = TypeVar("Value")

_STATE = "initialState"
_HOT: Paths = {"hot": [_STATE, "topstory", "hotList"], "me": [_STATE, "currentUser"]}
_ENTITIES = {"answer": "answers", "article": "articles"}
# The state is in the page from the start, so a part that is missing after this time does not come.
_MISSING_SECONDS = 3.0
# A page's own call that tells who is logged in may take this long.
_NAME_SECONDS = 3.0


@dataclass(frozen=True)
class ContentPage:
    """Holds an answer or article as its page has it, the comments that were asked for, and why some are missing."""

    item: Raw
    comments: CommentPage = field(default_factory=CommentPage)
    refusal: ServiceError | None = None


@dataclass(frozen=True)
class AnswerPage:
    """Holds a question as its page has it, its first answers, and whether these are all."""

    question: Raw
    answers: list[Raw]
    complete: bool


@dataclass(frozen=True)
class SearchPage:
    """Holds results of a search, whether these are all, and the query that the page sent with its last request."""

    items: list[Raw]
    complete: bool
    sent: dict[str, str]


class SiteReader:
    """Reads one page per method, after waiting for a turn; raises ServiceError when the data cannot be read."""

    def __init__(self, pages: Pages, references: References) -> None:
        self._pages = pages
        self._base = pages.settings.base_url
        self._references = references

    def account(self, name: str) -> str:
        """Return the account that the current caller names; see `Pages.account`."""
        return self._pages.account(name)

    async def hot_list(self, account: str) -> list[Raw]:
        """Return the entries of the hot list."""
        async with self.visit(account, f"{self._base}/hot", _HOT) as visit:

            def ready(snapshot: Snapshot) -> list[Raw] | None:
                listed = _dicts(snapshot["state"]["hot"]) or _dicts(visit.last_answer(HOT_CALL).get("data"))
                return listed or None

            return await visit.until(_soon(visit, ready))

    async def search(self, account: str, query: str, filters: dict[str, str], limit: int) -> SearchPage:
        """Return results of a search; there are none only when the site answered that there are none."""
        address = f"{self._base}/search?{urlencode({'type': 'content', 'q': query, **filters})}"
        requested: list[str] = []
        async with self.visit(account, address, {}, requested) as visit:

            def results() -> list[Raw]:
                answers = visit.answers.get(SEARCH_CALL, [])
                return [entry for answer in answers for entry in _dicts(answer.get("data")) if _is_result(entry)]

            def ended(_: Snapshot) -> bool:
                return _is_end(visit.last_answer(SEARCH_CALL))

            first = await visit.answered(SEARCH_CALL)
            if not isinstance(first.get("data"), list):
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            complete = await visit.grow(lambda _: len(results()), ended, limit)
            listed = results()
            if len(listed) < limit and (wall := visit.refused or visit.call_wall):
                raise wall.error()
            if not listed and not complete:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            return SearchPage(listed, complete, _query_of(SEARCH_CALL, requested))

    async def question(self, account: str, question: Reference, sort: str, limit: int, skip: int = 0) -> AnswerPage:
        """Return a question and up to `limit` of its answers; fewer only when there are more than `skip`."""
        paths = {
            "question": [_STATE, "entities", "questions", question.id],
            "answers": [_STATE, "entities", "answers"],
            "order": [_STATE, "question", "answers", question.id, "ids"],
        }
        address = self._references.url(question) + ("/answers/updated" if sort == "updated" else "")
        async with self.visit(account, address, paths) as visit:

            def ready(snapshot: Snapshot) -> Raw | None:
                raw = snapshot["state"]["question"]
                return raw if isinstance(raw, dict) and raw.get("title") else None

            def answers(snapshot: Snapshot) -> list[Raw]:
                listed = _in_order(snapshot["state"]["answers"], snapshot["state"]["order"], question.id)
                return _merged([*listed, *_called(visit, question.id)])

            raw = await visit.until(_soon(visit, ready))
            total = raw.get("answerCount")
            if limit == 0 or total == 0:
                return AnswerPage(raw, [], total == 0)

            def ended(snapshot: Snapshot) -> bool:
                last = [visit.last_answer(name) for name in _answer_calls(question.id) if name in visit.answers]
                is_last = bool(last) and all(_is_end(answer) for answer in last)
                return is_last or (isinstance(total, int) and len(answers(snapshot)) >= total)

            complete = await visit.grow(lambda snapshot: len(answers(snapshot)), ended, limit)
            snapshot = await visit.snapshot()
            listed = answers(snapshot) if snapshot else _called(visit, question.id)
            too_few = len(listed) <= skip and not complete
            if len(listed) < limit and (wall := visit.refused or (visit.call_wall if too_few else None)):
                raise wall.error()
            if too_few:
                raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            return AnswerPage(raw, listed[:limit], complete and len(listed) <= limit)

    async def content(self, account: str, reference: Reference, comments: int) -> ContentPage:
        """Return an answer or article, and up to `comments` of its comments.

        A refusal of the comments ends the visit, so that a pause follows where it has to; the text is returned.
        """
        paths = {"item": [_STATE, "entities", _ENTITIES[reference.kind], reference.id]}
        page: ContentPage | None = None
        try:
            async with self.visit(account, self._references.url(reference), paths) as visit:

                def ready(snapshot: Snapshot) -> Raw | None:
                    raw = snapshot["state"]["item"]
                    return raw if isinstance(raw, dict) and isinstance(raw.get("content"), str) else None

                page = ContentPage(await visit.until(_soon(visit, ready)))
                if comments:
                    listed = await read_comments(visit, reference, comments, page.item.get("commentCount"))
                    page = replace(page, comments=listed)
                    if listed.wall:
                        raise listed.wall.error()
        except ServiceError as error:
            if page is None:
                raise
            page = replace(page, refusal=error)
        return page

    async def user(self, account: str, user: Reference, tab: str) -> tuple[Raw, list[Raw]]:
        """Return a profile, and the newest answers or articles when `tab` is `answers` or `articles`."""
        paths = {
            "user": [_STATE, "entities", "users", user.id],
            "listed": [_STATE, "entities", tab or "answers"],
        }
        path = {"answers": "/answers", "articles": "/posts"}.get(tab, "")
        async with self.visit(account, self._references.url(user) + path, paths) as visit:

            def ready(snapshot: Snapshot) -> Raw | None:
                raw = snapshot["state"]["user"]
                return raw if isinstance(raw, dict) and raw.get("name") else None

            raw = await visit.until(_soon(visit, ready))
            total = raw.get({"answers": "answerCount", "articles": "articlesCount"}.get(tab, ""))
            if not tab or total == 0:
                return raw, []

            def listed(snapshot: Snapshot) -> list[Raw] | None:
                name = f"/members/{user.id}/{tab}"
                called = [entry for answer in visit.answers.get(name, []) for entry in _dicts(answer.get("data"))]
                entities = snapshot["state"]["listed"]
                written = [entry for entry in _dicts(list((entities or {}).values())) if _is_by(entry, user.id)]
                return _merged([*written, *called]) or None

            return raw, await visit.until(_soon(visit, listed))

    async def visitor(self, account: str) -> str | None:
        """Return the name of the user who is logged in, "" when the site does not tell it, and None for a guest."""
        async with self.visit(account, f"{self._base}/hot", _HOT) as visit:
            member_since: list[float] = []

            def ready(snapshot: Snapshot) -> list[str | None] | None:
                me = visit.last_answer(ME_CALL)
                if me.get("user_type") == "guest":
                    return [None]
                if me.get("name"):
                    return [str(me["name"])]
                # Guests do not get the hot list. The name comes a little later.
                if _dicts(snapshot["state"]["hot"]):
                    member_since.append(time.monotonic())
                    if member_since[-1] - member_since[0] > _NAME_SECONDS:
                        return [""]
                return None

            try:
                return (await visit.until(ready))[0]
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED:
                    return None
                raise

    @asynccontextmanager
    async def visit(
        self, account: str, url: str, paths: Paths, requested: list[str] | None = None
    ) -> AsyncIterator[Visit]:
        """Open `url` in a page of `account`, and add the addresses that the page requests to `requested`.

        See `Pages.visit`.
        """
        seconds = self._pages.settings.page_seconds
        async with self._pages.page(self._pages.account(account)) as page:
            if requested is not None:
                page.on("request", lambda request: requested.append(request.url))
            async with visiting(page, self._pages.platform, url, paths, seconds) as visit:
                yield visit


def _soon(visit: Visit, find: Callable[[Snapshot], Value | None]) -> Callable[[Snapshot], Value | None]:
    """Return `find`, but give up a few seconds after a page without a wall is complete and still lacks the data."""
    since: list[float] = []

    def ready(snapshot: Snapshot) -> Value | None:
        value = find(snapshot)
        if value is None and snapshot["complete"] and snapshot["has_state"] and not visit.wall(snapshot):
            since.append(time.monotonic())
            if since[-1] - since[0] > _MISSING_SECONDS:
                raise ServiceError(
                    ErrorCode.UPSTREAM_CHANGED, tr_lazy("The page opened, but the expected data is not in it")
                )
        return value

    return ready


def _query_of(call: str, requested: Sequence[str]) -> dict[str, str]:
    """Return the query of the last of the requested addresses that is of the call."""
    address = next((url for url in reversed(requested) if PLATFORM.calls.name(url) == call), "")
    return dict(parse_qsl(urlsplit(address).query))


def _dicts(value: Any) -> list[Raw]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _is_end(answer: Raw) -> bool:
    paging = answer.get("paging")
    return isinstance(paging, dict) and paging.get("is_end") is True


def _is_result(entry: Raw) -> bool:
    """Return whether an entry of a search is an answer, an article or a question, and not an advertisement."""
    content = entry.get("object")
    return isinstance(content, dict) and content.get("type") in ("answer", "article", "question")


def _in_order(answers: Any, order: Any, question_id: str) -> list[Raw]:
    """Return the answers of a page's state to the question, in the page's order when the state tells it."""
    known = {
        str(key): raw
        for key, raw in (answers.items() if isinstance(answers, dict) else ())
        if isinstance(raw, dict) and str((raw.get("question") or {}).get("id", question_id)) == question_id
    }
    ids = [_target_id(entry) for entry in order] if isinstance(order, list) else []
    first = [known[each] for each in ids if each in known]
    return _merged([*first, *known.values()])


def _target_id(entry: Any) -> str:
    if isinstance(entry, dict):
        target = entry.get("target")
        return str(target.get("id") if isinstance(target, dict) else target)
    return str(entry)


def _answer_calls(question_id: str) -> tuple[str, str]:
    """Return the names of the calls that bring answers; other calls about a question bring other things."""
    return f"/questions/{question_id}/feeds", f"/questions/{question_id}/answers"


def _called(visit: Visit, question_id: str) -> list[Raw]:
    """Return the answers that the page's own calls brought; the newer of the two calls wraps each in `target`."""
    calls = [answer for name in _answer_calls(question_id) for answer in visit.answers.get(name, [])]
    entries = [entry for answer in calls for entry in _dicts(answer.get("data"))]
    targets = [entry["target"] if isinstance(entry.get("target"), dict) else entry for entry in entries]
    return [target for target in targets if target.get("type", "answer") == "answer"]


def _merged(entries: Sequence[Raw]) -> list[Raw]:
    """Return the entries without later ones of the same id."""
    kept: dict[str, Raw] = {}
    for entry in entries:
        if entry.get("id") is not None:
            kept.setdefault(str(entry["id"]), entry)
    return list(kept.values())


def _is_by(entry: Raw, token: str) -> bool:
    author = entry.get("author")
    return isinstance(author, dict) and token in (author.get("urlToken"), author.get("url_token"), author.get("id"))
