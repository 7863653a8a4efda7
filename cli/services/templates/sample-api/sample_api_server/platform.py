"""Asks the platform's API for items, and turns what it sends into the answers of the tools."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from dyber_kit import ErrorCode, Metrics, ServiceError, Settings
from dyber_kit.calling.cursors import decode_cursor, encode_cursor
from dyber_kit.times import iso_utc
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.credentials import HeaderKey
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.paging import collect, cursor_at
from dyber_kit.upstream.api.requests import ApiRequest
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.caching import cached
from dyber_kit.upstream.text import clean_text, parse_time
from pydantic import TypeAdapter, ValidationError

from sample_api_server.config import BASE_URL_SETTING, TOKEN_SETTING, ApiSettings
from sample_api_server.models import Item, ItemList, ItemSummary, Limit, Status, WireItem
from sample_api_server.texts import tr_lazy

#: Items that one request asks the platform for.
PAGE_SIZE = 50
_TITLE_CHARS = 100
_SUMMARY_CHARS = 100
#: Characters of JSON that a long summary of an item takes, and an answer besides its items.
_ITEM_CHARS, _FRAME_CHARS = 600, 1200
_SET_THE_ADDRESS = tr_lazy(
    "Ask the operator to set {setting} in Pulumi.<stack>.yaml, in the environment of this service, and to deploy it again",
    setting=BASE_URL_SETTING,
)
_WIRE_ITEMS = TypeAdapter(list[WireItem])


class Platform:
    """Searches and reads the platform's items.

    Args:
        api: The address and the token; without an address, every call raises an error that says what to set.
        settings: The settings that every service has.
        cache: Caches items.
        metrics: Where requests are counted.
    """

    def __init__(self, api: ApiSettings, settings: Settings, cache: Cache, metrics: Metrics) -> None:
        self._api = api
        self._cache = cache
        self._most_items = max(1, (settings.max_answer_chars - _FRAME_CHARS) // _ITEM_CHARS)
        self._client = self._new_client(metrics) if api.base_url else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end; this is the lifespan of the service."""
        try:
            yield
        finally:
            if self._client:
                await self._client.close()
            await self._cache.close()

    async def search(self, query: str, limit: int, cursor: str) -> ItemList:
        """Return up to `limit` items that match `query`, from `cursor` on; fewer where answers have to be short.

        Raises ServiceError: INVALID_ARGUMENT for a cursor of another query, or what the platform's refusal means.
        """
        kind = f"search:{query}"
        listed = await collect(
            self._configured(),
            ApiRequest("GET", "/v1/items", params={"q": query or None, "page_size": PAGE_SIZE}),
            cursor_at("next_cursor"),
            items_at="items",
            limit=min(limit, self._most_items),
            position=decode_cursor(kind, cursor) if cursor else None,
        )
        try:
            items = [_summary(wire) for wire in _WIRE_ITEMS.validate_python(listed.items)]
        except ValidationError:
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("The platform's items are not as agreed")) from None
        next_cursor = encode_cursor(kind, listed.position) if listed.position else None
        return ItemList(items=items, count=len(items), next_cursor=next_cursor)

    async def get(self, item_id: str, max_chars: int) -> Item:
        """Return an item with its text cut after `max_chars`. Raises ServiceError: what the refusal means."""
        wire = await self._load(item_id)
        text = clean_text(wire.body, max_chars)
        return Item(
            id=wire.id,
            title=clean_text(wire.title, _TITLE_CHARS).text,
            author=_author(wire),
            updated=_time(wire),
            url=wire.url,
            text=text.text,
            truncated=text.truncated,
        )

    def status(self) -> Status:
        """Return whether the settings are complete, and the last known rate limits; asks the platform nothing."""
        stated = self._client.rate_limits if self._client else []
        limits = [
            Limit(
                name=limit.resource,
                limit=limit.limit,
                remaining=limit.remaining,
                resets_in_seconds=None if limit.reset_seconds is None else round(limit.reset_seconds),
            )
            for limit in stated
        ]
        return Status(
            configured=self._client is not None,
            token_set=self._api.token is not None,
            limits=limits,
            next_step=None if self._client else str(_SET_THE_ADDRESS),
        )

    @cached(lambda self: self._cache, seconds=lambda self: self._api.cache_seconds)
    async def _load(self, item_id: str) -> WireItem:
        answer = await self._configured().get("/v1/items/{item_id}", {"item_id": item_id})
        return answer.model(WireItem)

    def _configured(self) -> ApiClient:
        if self._client is None:
            raise ServiceError(
                ErrorCode.NOT_CONFIGURED,
                tr_lazy("The address of the platform's API ({setting}) is not set", setting=BASE_URL_SETTING),
                _SET_THE_ADDRESS,
            )
        return self._client

    def _new_client(self, metrics: Metrics) -> ApiClient:
        return ApiClient(
            self._api.base_url or "",
            name="sample-api",
            signer=HeaderKey(self._api.token) if self._api.token else None,
            errors=ErrorRules(key_setting=TOKEN_SETTING),
            cache=self._cache,
            metrics=metrics,
        )


def _summary(wire: WireItem) -> ItemSummary:
    return ItemSummary(
        id=wire.id,
        title=clean_text(wire.title, _TITLE_CHARS).text,
        author=_author(wire),
        updated=_time(wire),
        summary=clean_text(wire.body, _SUMMARY_CHARS).text,
    )


def _author(wire: WireItem) -> str | None:
    return clean_text(wire.author.name, _TITLE_CHARS).text or None if wire.author else None


def _time(wire: WireItem) -> str | None:
    return iso_utc(parse_time(wire.updated_at, datetime.now(UTC), UTC))
