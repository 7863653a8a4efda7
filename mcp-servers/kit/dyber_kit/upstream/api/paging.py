"""Reads lists that a platform splits into pages, up to a number of pages and items."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import httpx2

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.requests import ApiRequest, joined

#: Returns where the next page is: a URL, query parameters that change, or None after the last page.
NextPage = Callable[[ApiAnswer], str | Mapping[str, str | int] | None]


@dataclass(frozen=True)
class Items:
    """Holds the items of several pages.

    Attributes:
        items: The items, in the platform's order.
        complete: Whether these are the last items.
        position: Where to go on, as a small JSON object for `encode_cursor`; None when complete.
        pages: How many pages were read.
    """

    items: list[Any]
    complete: bool
    position: dict[str, Any] | None
    pages: int


def link_header(relation: str = "next") -> NextPage:
    """Return a NextPage for platforms that send a `Link` header (RFC 8288), such as GitHub."""

    def next_page(answer: ApiAnswer) -> str | None:
        links = httpx2.Response(answer.status, headers=answer.headers).links
        target = links.get(relation, {}).get("url")
        return str(joined(answer.url, target)) if target else None

    return next_page


def url_at(path: str, *, ended_at: str | None = None) -> NextPage:
    """Return a NextPage for platforms whose JSON has the URL of the next page.

    Args:
        path: Where the URL is, such as `paging.next`.
        ended_at: Where a true value says that there are no more pages, such as `paging.is_end`.
    """

    def next_page(answer: ApiAnswer) -> str | None:
        target = answer.at(path)
        if (ended_at and answer.at(ended_at)) or not isinstance(target, str) or not target:
            return None
        return str(joined(answer.url, target))

    return next_page


def cursor_at(path: str, parameter: str = "cursor", *, more_at: str | None = None) -> NextPage:
    """Return a NextPage for platforms whose JSON has a cursor.

    Args:
        path: Where the cursor is, such as `data.cursor`.
        parameter: The query parameter that takes it.
        more_at: Where a false value says that there are no more pages, such as `data.has_more`.
    """

    def next_page(answer: ApiAnswer) -> dict[str, str | int] | None:
        cursor = answer.at(path)
        if (more_at and not answer.at(more_at)) or not isinstance(cursor, (str, int)) or cursor == "":
            return None
        return {parameter: cursor}

    return next_page


def page_number(more_at: str, parameter: str = "page", *, first: int = 1) -> NextPage:
    """Return a NextPage for platforms that count pages.

    Args:
        more_at: Where a true value, or a list with items, says that there may be more pages.
        parameter: The query parameter with the number.
        first: Number of the first page.
    """

    def next_page(answer: ApiAnswer) -> dict[str, str | int] | None:
        shown = answer.url.params.get(parameter, "")
        number = int(shown) if shown.isdecimal() else first
        return {parameter: number + 1} if answer.at(more_at) else None

    return next_page


async def read_pages(
    client: ApiClient, request: ApiRequest, next_page: NextPage, *, max_pages: int = 10
) -> AsyncIterator[ApiAnswer]:
    """Yield the pages of a list, at most `max_pages`; ends early when the platform names a page that was read already.

    Raises:
        ServiceError: What `ApiClient.send` raises; UPSTREAM_CHANGED when the next page is on another host.
    """
    seen = set()
    current: ApiRequest | None = request
    for _ in range(max_pages):
        if current is None:
            return
        seen.add(_where(current))
        answer = await client.send(current)
        yield answer
        current = _following(current, next_page(answer))
        if current is not None and _where(current) in seen:
            return


async def collect(
    client: ApiClient,
    request: ApiRequest,
    next_page: NextPage,
    *,
    items_at: str = "",
    limit: int,
    max_pages: int = 10,
    position: Mapping[str, Any] | None = None,
) -> Items:
    """Return up to `limit` items of a list, and where to go on.

    Args:
        client: Client of the platform.
        request: Request of the first page.
        next_page: Finds the next page.
        items_at: Where a page has its items; empty when the page itself is a list.
        limit: Most items.
        max_pages: Most pages; when they are read, `complete` is false although there are fewer items than `limit`.
        position: Where to go on, from an earlier result with the same request.

    Raises:
        ServiceError: What `ApiClient.send` raises; UPSTREAM_CHANGED when a page has no list; INVALID_ARGUMENT for a
            `position` that is not from an earlier result.
    """
    parameters, skip = _read_position(position)
    current: ApiRequest | None = replace(request, params={**request.params, **parameters})
    items: list[Any] = []
    seen = set()
    pages = 0
    while current is not None and pages < max_pages and _where(current) not in seen:
        seen.add(_where(current))
        answer = await client.send(current)
        pages += 1
        page = answer.at(items_at)
        if not isinstance(page, list):
            raise ServiceError(
                ErrorCode.UPSTREAM_CHANGED,
                tr_lazy("The platform's answer has no list"),
                request_id=answer.request_id,
            )
        taken = page[skip : skip + limit - len(items)]
        items += taken
        if skip + len(taken) < len(page):
            return Items(items, False, _position(request, current, skip + len(taken)), pages)
        skip = max(0, skip - len(page))
        current = _following(current, next_page(answer))
        if len(items) >= limit:
            break
    if current is None:
        return Items(items, True, None, pages)
    # A platform that names the same page again and again has no further items to offer.
    repeats = _where(current) in seen
    return Items(items, False, None if repeats else _position(request, current, 0), pages)


def _following(current: ApiRequest, target: str | Mapping[str, str | int] | None) -> ApiRequest | None:
    if target is None:
        return None
    if isinstance(target, str):
        return replace(current, path=target, values={}, params={}, endpoint=current.label)
    if "://" in current.path:
        url = httpx2.URL(current.path).copy_merge_params({name: str(value) for name, value in target.items()})
        return replace(current, path=str(url))
    return replace(current, params={**current.params, **target})


def _where(request: ApiRequest) -> tuple[str, frozenset[tuple[str, Any]]]:
    return request.path, frozenset(request.params.items())


def _position(first: ApiRequest, current: ApiRequest, skip: int) -> dict[str, Any]:
    """Return the query parameters that differ from the first page's, and how many items of the page were returned.

    The path is left out, because agents hand the position back, and must not be able to choose what is read with the
    platform's credentials.
    """
    if "://" in current.path:
        shown: dict[str, Any] = dict(httpx2.URL(current.path).params.items())
    else:
        shown = dict(current.params)
    known = {name: str(value) for name, value in first.params.items() if value is not None}
    changed = {name: value for name, value in shown.items() if value is not None and known.get(name) != str(value)}
    return {"params": changed, "skip": skip}


def _read_position(position: Mapping[str, Any] | None) -> tuple[dict[str, str | int], int]:
    if position is None:
        return {}, 0
    parameters, skip = position.get("params"), position.get("skip")
    if (
        not isinstance(parameters, dict)
        or not all(isinstance(value, (str, int)) for value in parameters.values())
        or not isinstance(skip, int)
        or skip < 0
    ):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("The cursor is not readable"),
            tr_lazy("Begin anew without a cursor"),
            fields=["cursor"],
        )
    return {str(name): value for name, value in parameters.items()}, skip
