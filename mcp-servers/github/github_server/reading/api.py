"""Asks GitHub's REST API, caches answers, and explains refusals to agents."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.answer_models import Item
from dyber_kit.calling.cursors import decode_cursor, encode_cursor, fit_items
from dyber_kit.errors import LocalRefusal
from dyber_kit.language import Text, language
from dyber_kit.times import iso_utc
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import HeaderKey, identity_of
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.paging import collect, link_header
from dyber_kit.upstream.api.rate_limits import RateLimit
from dyber_kit.upstream.api.requests import ApiLimits, ApiRequest, Parameters, Values
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.privacy import Privacy
from pydantic import ValidationError

from github_server.config import GitHubSettings
from github_server.model.schema import Answer
from github_server.model.wire import Wire, WireUser
from github_server.translations import tr_lazy

#: Largest file that is read.
MAX_FILE_BYTES = 4 * 2**20
# Characters of an answer besides its longest list.
_FRAME_CHARS = 1500
# GitHub asks for one request at a time, else its secondary rate limit refuses requests.
_IN_FLIGHT = 1
# First pause after GitHub refused the token; it doubles. Many refusals make GitHub lock out the whole address.
_REFUSED_SECONDS = 60.0
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

    @property
    def fields(self) -> dict[str, Any]:
        """Return what answers with a list have in common."""
        return {
            "items": self.items,
            "count": len(self.items),
            "complete": self.next_cursor is None,
            "next_cursor": self.next_cursor,
            "fetched_at": now(),
        }


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
        # A write changes this, so that it shows in what is read after it.
        self._version = ""
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
            breaker=Breaker(
                "github-token", pause_seconds=_REFUSED_SECONDS, opens_on=_is_token_refused, metrics=metrics
            ),
            allowed_hosts=settings.allowed_addresses,
            proxy=settings.proxy,
            certificates=settings.certificates,
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

    async def post(self, path: str, values: Values, body: Mapping[str, str]) -> ApiAnswer:
        """Return GitHub's answer to a POST request; answers cached before are not used any more.

        Raises:
            ServiceError: GitHub's refusal; OUTCOME_UNKNOWN when its answer was not seen.
        """
        try:
            with self._explained():
                return await self.client.post(path, values, json=dict(body))
        finally:
            self._version = secrets.token_hex(4)

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
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("cursor cannot be read"),
                tr_lazy("Begin anew without a cursor"),
                fields=["cursor"],
            )
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
        # Answers have texts in the caller's language.
        full_key = f"{self._prefix}{self._version} {language()} {model.__name__} {key}"
        answer = await self._cache.get_or_load_model(model, full_key, ttl, run)
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
                    tr_lazy("Check the name; GITHUB_TOKEN needs the permission to read private content")
                    if self.has_token
                    else tr_lazy("Check the name; private content needs the operator to set GITHUB_TOKEN")
                )
            elif error.code is ErrorCode.RATE_LIMITED and not self.has_token:
                error.lazy_next_step = tr_lazy(
                    "Stop for now; once the operator sets GITHUB_TOKEN, there are 5000 requests an hour instead of 60"
                )
            elif error.code is ErrorCode.ACCESS_RESTRICTED and self.has_token:
                error.lazy_next_step = tr_lazy(
                    "Ask the operator to check the permissions of GITHUB_TOKEN (writing needs Issues: Read and write; "
                    "an organization may also ask to authorize the token for SSO), or choose other content"
                )
            raise


def _is_token_refused(error: ServiceError) -> bool:
    return error.code is ErrorCode.LOGIN_EXPIRED and not isinstance(error, LocalRefusal)


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
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED, tr_lazy("GitHub's answer has no list"), request_id=answer.request_id
        )
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
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, not_as_agreed(place[:100])) from None


def not_as_agreed(place: str) -> Text:
    """Return the message that GitHub's answer has another shape at a place."""
    return tr_lazy("GitHub did not answer as documented ({place})", place=place)


def _after(start: dict[str, Any] | None, items: int) -> dict[str, Any]:
    """Return the position that is `items` items after a position."""
    position = start or {"params": {}, "skip": 0}
    return {"params": position["params"], "skip": position["skip"] + items}
