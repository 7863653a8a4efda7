"""Answers the lists of an address from what is known; no list waits for a service.

Lists are encoded once for each scope and era and stored until something changes, because clients ask for them often and
their encoding is most of the work.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cachetools import LRUCache
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, SERVER_INFO_META_KEY
from mcp.types.methods import serialize_server_result
from mcp.types.version import LATEST_HANDSHAKE_VERSION, LATEST_MODERN_VERSION, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError
from pydantic_core import to_json

from dyber_hub.catalogue import Item
from dyber_hub.lists.cursors import Cursors
from dyber_hub.live import State
from dyber_hub.scopes import ALL_SERVICES, HubScope
from dyber_hub.texts import tr
from dyber_hub.views import View

logger = logging.getLogger("dyber.hub")

#: Key in the `_meta` of a list with the state of each service that the list has something of.
STATES_META = "cn.dyberpet/services"
#: How long clients may keep a list, in milliseconds: when every service has answered, and when one has not.
FRESH_TTL_MS, STALE_TTL_MS = 60_000, 5_000

_MOST_ITEMS = 200
_MOST_BYTES = 256_000
_STORED_BYTES = 24 * 2**20
_RETRY_SECONDS = 5


@dataclass(frozen=True)
class _Kind:
    """Describes one of the four lists: its name in the answer, and the field that names an item."""

    field: str
    key: str
    items: Callable[[View, HubScope], list[tuple[str, Item]]]


_KINDS: Mapping[str, _Kind] = {
    "tools/list": _Kind("tools", "name", lambda view, scope: [(tool.name, tool.entry) for tool in view.tools(scope)]),
    "prompts/list": _Kind(
        "prompts",
        "name",
        lambda view, scope: [
            (key, offer.entry) for key, offer in view.contents.prompts.items() if offer.allowed(scope)
        ],
    ),
    "resources/list": _Kind(
        "resources",
        "uri",
        lambda view, scope: [
            (key, offer.entry) for key, offer in view.contents.resources.items() if offer.allowed(scope)
        ],
    ),
    "resources/templates/list": _Kind(
        "resourceTemplates",
        "uriTemplate",
        lambda view, scope: [
            (key, offer.entry) for key, offer in view.contents.templates.items() if offer.allowed(scope)
        ],
    ),
}
LIST_METHODS = frozenset(_KINDS)

#: Encoded lists by address, method, scope, era and first item.
ListStore = LRUCache[tuple[str, str, str, bool, int], bytes]


def list_store() -> ListStore:
    """Return a store for the lists of all addresses, which drops those that were not asked for when it is full."""
    return LRUCache(_STORED_BYTES, getsizeof=len)


class Lists:
    """Answers the lists of one address.

    Args:
        view: The address.
        server_info: What clients are told about the server with each answer.
        cursors: Makes and checks the cursors of long lists.
        store: Keeps encoded lists.
    """

    def __init__(self, view: View, server_info: Item, cursors: Cursors, store: ListStore) -> None:
        self._view = view
        self._server_info = server_info
        self._cursors = cursors
        self._store = store
        self._stored_version = -1
        self._items: dict[tuple[str, bool, str], tuple[Item, bytes | None]] = {}
        self._items_version = -1

    def answer(self, method: str, params: Mapping[str, Any] | None, version: str, scope: HubScope) -> bytes:
        """Return the result of a list as JSON.

        Args:
            method: One of LIST_METHODS.
            params: The parameters of the request, of which only `cursor` counts.
            version: The protocol version of the request.
            scope: What the caller may use.

        Raises:
            MCPError: The cursor is not valid, or nothing at all is known yet.
        """
        if self._stored_version != self._view.live.version:
            for place in [place for place in self._store if place[0] == self._view.place]:
                del self._store[place]
            self._stored_version = self._view.live.version
        is_modern = version in MODERN_PROTOCOL_VERSIONS
        cursor = (params or {}).get("cursor")
        if cursor is None:
            stored = self._store.get((self._view.place, method, scope.text, is_modern, 0))
            if stored is not None:
                return stored
        kind = _KINDS[method]
        items = [
            (key, encoded)
            for key, item in kind.items(self._view, scope)
            if (encoded := self._encoded(method, kind, is_modern, key, item)) is not None
        ]
        start = 0 if cursor is None else self._start(method, cursor, [key for key, _ in items])
        if not items:
            self._check_known(scope)
        result = self._page(method, items[start:], is_modern, scope)
        self._store[(self._view.place, method, scope.text, is_modern, start)] = result
        return result

    def fingerprint(self, method: str, version: str, scope: HubScope) -> str:
        """Return a text that changes when the items of a list change for a caller, but not with states and times."""
        kind = _KINDS[method]
        is_modern = version in MODERN_PROTOCOL_VERSIONS
        sha256 = hashlib.sha256()
        for key, item in kind.items(self._view, scope):
            sha256.update(self._encoded(method, kind, is_modern, key, item) or b"")
        return sha256.hexdigest()

    def _start(self, method: str, cursor: Any, keys: Sequence[str]) -> int:
        start = self._cursors.start(self._cursor_kind(method), cursor, keys) if isinstance(cursor, str) else None
        if start is None:
            raise MCPError(INVALID_PARAMS, tr("The cursor is not valid for this list; list again without a cursor"))
        return start

    def _cursor_kind(self, method: str) -> str:
        return f"{method} {self._view.place}"

    def _check_known(self, scope: HubScope) -> None:
        """Refuse to answer with an empty list when that would only say that nothing is known yet."""
        visible = self._view.visible_services(scope)
        if visible and all(service.tools is None for service in visible):
            raise MCPError(
                INTERNAL_ERROR,
                tr(
                    "Nothing is known yet, because none of these services has answered: {services}. Try again in "
                    "{seconds} s",
                    services=", ".join(service.name for service in visible),
                    seconds=_RETRY_SECONDS,
                ),
            )

    def _page(self, method: str, items: Sequence[tuple[str, bytes]], is_modern: bool, scope: HubScope) -> bytes:
        """Return the result with the first items, as many as a page has."""
        count, size = 0, 0
        for _, encoded in items[:_MOST_ITEMS]:
            size += len(encoded) + 1
            if count and size > _MOST_BYTES:
                break
            count += 1
        states = {service.name: self._view.live.state(service.name) for service in self._view.visible_services(scope)}
        head: Item = {"_meta": {STATES_META: states}}
        if is_modern:
            head["_meta"][SERVER_INFO_META_KEY] = self._server_info
            is_fresh = all(state is State.OK for state in states.values())
            head |= {
                "resultType": "complete",
                "ttlMs": FRESH_TTL_MS if is_fresh else STALE_TTL_MS,
                "cacheScope": "private",
            }
        if count < len(items):
            head["nextCursor"] = self._cursors.after(self._cursor_kind(method), items[count - 1][0])
        listed = b",".join(encoded for _, encoded in items[:count])
        return b'%b,"%b":[%b]}' % (to_json(head)[:-1], _KINDS[method].field.encode(), listed)

    def _forget_unlisted(self) -> None:
        """Drop the encoded items that are in no list any more."""
        listed = {method: {key for key, _ in kind.items(self._view, ALL_SERVICES)} for method, kind in _KINDS.items()}
        self._items = {place: known for place, known in self._items.items() if place[2] in listed[place[0]]}

    def _encoded(self, method: str, kind: _Kind, is_modern: bool, key: str, item: Item) -> bytes | None:
        """Return an item as clients of an era get it; None when they could not read it."""
        if self._items_version != self._view.live.offers_version:
            self._forget_unlisted()
            self._items_version = self._view.live.offers_version
        place = (method, is_modern, key)
        known = self._items.get(place)
        if known is None or known[0] is not item:
            known = self._items[place] = (item, _encode(method, kind.field, is_modern, item))
        return known[1]


def _encode(method: str, field: str, is_modern: bool, item: Item) -> bytes | None:
    """Return an item with the fields that the era knows.

    Clients of 2025-11-25 and before refuse a whole list when a tool's output is described as no object; they get the tool
    without that description.
    """
    version = LATEST_MODERN_VERSION if is_modern else LATEST_HANDSHAKE_VERSION
    forms = [item]
    if "outputSchema" in item:
        forms.append({name: value for name, value in item.items() if name != "outputSchema"})
    for form in forms:
        result: Item = {field: [form]}
        if is_modern:
            result |= {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
        try:
            return to_json(serialize_server_result(method, version, result)[field][0])
        except ValidationError:
            continue
    logger.error("item left out", extra={"list": method, "item": str(item.get("name") or item.get("uri"))[:100]})
    return None


def decoded(result: bytes) -> Item:
    """Return a stored result as a JSON object, for transports that encode it themselves."""
    value: Item = json.loads(result)
    return value
