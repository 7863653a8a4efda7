"""Asks GitHub's REST API, caches answers, and explains refusals to agents."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.answer_models import Item
from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.times import iso_utc
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import HeaderKey, identity_of
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.paging import collect, link_header
from dyber_kit.upstream.api.rate_limits import RateLimit
from dyber_kit.upstream.api.requests import ApiLimits, ApiRequest, Parameters, Values
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.privacy import Privacy
from pydantic import ValidationError

from github_server.config import GitHubSettings
from github_server.model.schema import Answer
from github_server.model.wire import Wire, WireUser

#: Largest file that is read.
MAX_FILE_BYTES = 4 * 2**20
# Characters of an answer besides its longest list.
_FRAME_CHARS = 1500
# GitHub asks for one request at a time, else its secondary rate limit refuses requests.
_IN_FLIGHT = 1
_JSON = "application/vnd.github+json"

Model = TypeVar("Model", bound=Answer)
Shape = TypeVar("Shape", bound=Wire)
ItemType = TypeVar("ItemType", bound=Item)


@dataclass(frozen=True)
class Listing:
    """Describes a list that GitHub splits into pages.

    Attributes:
        kind: What is listed, with all arguments; a cursor is valid for the same kind only.
        path: Path with names in braces.
        values: Values of the names.
        params: Query parameters besides `per_page` and `page`.
        items_at: Where a page has its items; empty when the page itself is the list.
        accept: Media type.
    """

    kind: str
    path: str
    values: Values = field(default_factory=dict)
    params: Parameters = field(default_factory=dict)
    items_at: str = ""
    accept: str = _JSON


@dataclass(frozen=True)
class Page(Generic[ItemType]):
    """Holds the items of a page of a list that fit into an answer.

    Attributes:
        items: The items.
        next_cursor: Continues the list; None at its end.
        first: GitHub's first answer, which also has what is beside the list.
    """

    items: list[ItemType]
    next_cursor: str | None
    first: Any


class GitHub:
    """Asks GitHub for the readers of this package.

    Args:
        settings: Where GitHub is, and the token.
        cache: Caches answers, also those that GitHub confirms by their ETag.
        privacy: Hides users.
        metrics: Where requests are counted.
        max_answer_chars: Longest answer, in characters of JSON.
    """

    def __init__(
        self, settings: GitHubSettings, cache: Cache, privacy: Privacy, metrics: Metrics, max_answer_chars: int
    ) -> None:
        self.settings = settings
        self.max_list_chars = max_answer_chars - _FRAME_CHARS
        self._privacy = privacy
        self._cache = cache
        token = settings.token
        account = identity_of(token) if token else "anonymous"
        self._prefix = f"{settings.api_url} {account} {privacy.enabled} "
        self.client = ApiClient(
            settings.api_url,
            name="github",
            signer=HeaderKey(token) if token else None,
            # 409 is what GitHub answers for a repository without commits.
            errors=ErrorRules(statuses={409: ErrorCode.NOT_FOUND}, key_setting="GITHUB_TOKEN"),
            headers={"Accept": _JSON, "X-GitHub-Api-Version": "2022-11-28", "User-Agent": "dyber-github-mcp"},
            limits=ApiLimits(in_flight=_IN_FLIGHT, total_seconds=20, max_bytes=MAX_FILE_BYTES + 2**20),
            cache=cache,
            allowed_hosts=settings.allowed_addresses,
            proxy=settings.proxy,
            metrics=metrics,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end."""
        try:
            yield
        finally:
            await self.client.close()

    @property
    def has_token(self) -> bool:
        """Return whether requests have a token."""
        return self.settings.token is not None

    @property
    def known_limits(self) -> list[RateLimit]:
        """Return the rate limits as GitHub last stated them."""
        return self.client.rate_limits

    async def get(
        self,
        path: str,
        values: Values | None = None,
        params: Parameters | None = None,
        *,
        accept: str = _JSON,
        endpoint: str | None = None,
    ) -> ApiAnswer:
        """Return GitHub's answer to a GET request; raises ServiceError with a next step that fits GitHub."""
        request = ApiRequest("GET", path, values or {}, params or {}, headers={"Accept": accept}, endpoint=endpoint)
        with self._explained():
            return await self.client.send(request)

    async def page(
        self, listing: Listing, limit: int, cursor: str, convert: Callable[[list[Any]], list[ItemType]], room: int = 0
    ) -> Page[ItemType]:
        """Return up to `limit` items of a list from `cursor` on, as many as fit into an answer.

        Args:
            listing: The list.
            limit: Most items. A cursor goes on with the number that its list began with.
            cursor: Where to go on; empty for the start.
            convert: Turns the page's items into as many items of the answer.
            room: Characters of the answer that other parts need.

        Raises:
            ServiceError: GitHub's refusal, or INVALID_ARGUMENT for a cursor of another list.
        """
        start = decode_cursor(listing.kind, cursor) if cursor else None
        size = start.get("size") if start else limit
        if not isinstance(size, int) or not 1 <= size <= 100:
            raise ServiceError(ErrorCode.INVALID_ARGUMENT, "cursor 无法识别", "请不带 cursor 从头开始")
        first: list[Any] = []
        next_link = link_header()

        def next_page(answer: ApiAnswer) -> str | Mapping[str, str | int] | None:
            first.append(answer.json())
            return next_link(answer)

        request = ApiRequest(
            "GET",
            listing.path,
            listing.values,
            {**listing.params, "per_page": size},
            headers={"Accept": listing.accept},
        )
        with self._explained():
            collected = await collect(
                self.client, request, next_page, items_at=listing.items_at, limit=size, max_pages=2, position=start
            )
        items = convert(collected.items)
        kept = fit_items(items, self.max_list_chars - room)
        position = collected.position if len(kept) == len(items) else _after(start, len(kept))
        next_cursor = encode_cursor(listing.kind, {**position, "size": size}) if position else None
        return Page(kept, next_cursor, first[0] if first else None)

    async def cached(self, model: type[Model], key: str, seconds: float, load: Callable[[], Awaitable[Model]]) -> Model:
        """Return what `load` returns, or what it returned less than `seconds` ago with the source `cache`."""
        loaded = False

        async def run() -> Model:
            nonlocal loaded
            loaded = True
            return await load()

        ttl = min(seconds, self.settings.cache_seconds)
        answer = await self._cache.get_or_load_model(model, f"{self._prefix}{model.__name__} {key}", ttl, run)
        return answer if loaded else answer.model_copy(update={"source": "cache"})

    def login(self, user: WireUser | None) -> str | None:
        """Return a user's login, hashed in privacy mode; None for a deleted account."""
        return self._privacy.user_id(user.login) if user else None

    def hides_users(self) -> bool:
        """Return whether privacy mode is on."""
        return self._privacy.enabled

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Add to refusals what the reader can do about them on GitHub."""
        try:
            yield
        except ServiceError as error:
            if error.code is ErrorCode.NOT_FOUND:
                error.lazy_next_step = (
                    "请检查名字；私有的内容要 GITHUB_TOKEN 有权读取"
                    if self.has_token
                    else "请检查名字；私有的内容要管理员设置 GITHUB_TOKEN 才能读取"
                )
            elif error.code is ErrorCode.RATE_LIMITED and not self.has_token:
                error.lazy_next_step = "请先停止操作；管理员设置 GITHUB_TOKEN 后，每小时的次数从 60 增加到 5000"
            elif error.code is ErrorCode.ACCESS_RESTRICTED and self.has_token:
                error.lazy_next_step = "请管理员检查 GITHUB_TOKEN 的权限（组织可能还要求为令牌授权 SSO），或换一个内容"
            raise


def now() -> str:
    """Return the present for `fetched_at`."""
    return iso_utc(datetime.now(UTC)) or ""


def listed(answer: ApiAnswer, path: str = "") -> list[Any]:
    """Return the list that is in an answer.

    Raises:
        ServiceError: UPSTREAM_CHANGED when there is none.
    """
    items = answer.at(path)
    if not isinstance(items, list):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, "平台的回答里没有列表", request_id=answer.request_id)
    return items


def read_all(shape: type[Shape], items: Iterable[Any]) -> list[Shape]:
    """Return the items of a list in their shape.

    Raises:
        ServiceError: UPSTREAM_CHANGED when an item has another shape; the message names the field.
    """
    try:
        return [shape.model_validate(item) for item in items]
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, f"平台的回答与约定不符（{place[:100]}）") from None


def _after(start: dict[str, Any] | None, items: int) -> dict[str, Any]:
    """Return the position that is `items` items after a position."""
    position = start or {"params": {}, "skip": 0}
    return {"params": position["params"], "skip": position["skip"] + items}
