"""Tells clients that listen (`subscriptions/listen`, since 2026-07-28) when a list changes for them.

The hub has no events of services: it compares what a client would get with what it got before, whenever a refresh has
changed any list. So a client hears of changes that it can see, and of nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import anyio
from dyber_kit.serving.mcp.legacy_sse import LegacySessions
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    NotificationParams,
    PromptListChangedNotification,
    ResourceListChangedNotification,
    ServerNotification,
    SubscriptionFilter,
    SubscriptionsAcknowledgedNotification,
    SubscriptionsAcknowledgedNotificationParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    ToolListChangedNotification,
)

from dyber_hub.live import LiveCatalogue
from dyber_hub.scopes import HubScope
from dyber_hub.texts import tr

#: Returns a text that changes when a list changes for a caller, from the list's method, the version and the scope.
Fingerprint = Callable[[str, str, HubScope], str]
ScopeOf = Callable[[ServerRequestContext[Any, Any]], HubScope]

#: Shortest time between two notifications of a kind on a stream.
INTERVAL_SECONDS = 1.0
#: How many streams an address has at most; the gateway limits those of each client.
MOST_STREAMS = 1024


@dataclass(frozen=True)
class _Kind:
    """Describes a kind of change: its name in a client's filter, the lists that it is about, and what is sent."""

    wanted: str
    methods: tuple[str, ...]
    notification: Callable[[NotificationParams], ServerNotification]


_KINDS = (
    _Kind("tools_list_changed", ("tools/list",), lambda params: ToolListChangedNotification(params=params)),
    _Kind("prompts_list_changed", ("prompts/list",), lambda params: PromptListChangedNotification(params=params)),
    _Kind(
        "resources_list_changed",
        ("resources/list", "resources/templates/list"),
        lambda params: ResourceListChangedNotification(params=params),
    ),
)


class ChangeStreams:
    """Answers `subscriptions/listen` at one address; each call is a stream, which lasts until its client leaves.

    The first message acknowledges what is honoured: the three kinds of list changes. Subscriptions to single resources
    are left out, since no service tells of their changes. Of changes in quick succession, a client hears at once, and
    then once in an interval.

    A stream keeps the scope that its client had when it began. Changes that only another scope shows are not told of
    there; what the client may use is decided anew in each of its other requests.

    Args:
        live: The services as they are, whose changes wake the streams.
        fingerprint: Tells whether a list of this address has changed for a caller.
        scope_of: Returns what the caller of a request may use.
    """

    def __init__(self, live: LiveCatalogue, fingerprint: Fingerprint, scope_of: ScopeOf) -> None:
        self._live = live
        self._fingerprint = fingerprint
        self._scope_of = scope_of
        self._closing = anyio.Event()
        self._signals: set[_Signal] = set()
        # What was computed for one caller serves all others with the same scope.
        self._prints: dict[tuple[str, str, str], str] = {}
        self._prints_version = -1

    @property
    def count(self) -> int:
        """Return how many streams are open."""
        return len(self._signals)

    async def __call__(
        self, ctx: ServerRequestContext[Any, Any], params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Serve one stream; return when the hub stops.

        Raises:
            MCPError: The message has no id, or there are too many streams.
        """
        if ctx.request_id is None:
            raise MCPError(INVALID_REQUEST, tr("subscriptions/listen needs an id"))
        if self.count >= MOST_STREAMS:
            raise MCPError(
                INTERNAL_ERROR, tr("Too many clients are listening; call tools/list again from time to time instead")
            )
        scope, meta = self._scope_of(ctx), {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        kinds = [kind for kind in _KINDS if getattr(params.notifications, kind.wanted) is True]
        changed = _Signal()
        end = self._live.subscribe(changed.set)
        self._signals.add(changed)
        try:
            known = self._seen(kinds, ctx.protocol_version, scope)
            await _acknowledge(ctx, kinds, meta)
            while not self._closing.is_set():
                await changed.wait()
                seen = self._seen(kinds, ctx.protocol_version, scope)
                for kind in kinds:
                    if seen[kind.wanted] != known[kind.wanted]:
                        notification = kind.notification(NotificationParams(_meta=meta))
                        await ctx.session.send_notification(notification, related_request_id=ctx.request_id)
                if seen != known:
                    known = seen
                    with anyio.move_on_after(INTERVAL_SECONDS):
                        await self._closing.wait()
        finally:
            self._signals.discard(changed)
            end()
        return SubscriptionsListenResult(_meta=meta)

    def close(self) -> None:
        """End all streams, and those that are opened later at once, each with its result."""
        self._closing.set()
        for signal in self._signals:
            signal.set()

    def _seen(self, kinds: Iterable[_Kind], version: str, scope: HubScope) -> dict[str, str]:
        """Return the fingerprints of the lists of each kind."""
        if self._prints_version != self._live.offers_version:
            self._prints.clear()
            self._prints_version = self._live.offers_version
        return {kind.wanted: " ".join(self._print(method, version, scope) for method in kind.methods) for kind in kinds}

    def _print(self, method: str, version: str, scope: HubScope) -> str:
        place = (method, version, scope.text)
        if place not in self._prints:
            self._prints[place] = self._fingerprint(method, version, scope)
        return self._prints[place]


class _Signal:
    """Remembers that something happened since it was waited for the last time, but not how often."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self) -> None:
        """Let the waiting task go on, or its next wait."""
        self._event.set()

    async def wait(self) -> None:
        """Wait until something has happened."""
        await self._event.wait()
        self._event = anyio.Event()


async def _acknowledge(ctx: ServerRequestContext[Any, Any], kinds: Iterable[_Kind], meta: dict[str, Any]) -> None:
    honoured = SubscriptionFilter(**{kind.wanted: True for kind in kinds})
    params = SubscriptionsAcknowledgedNotificationParams(notifications=honoured, _meta=meta)
    await ctx.session.send_notification(
        SubscriptionsAcknowledgedNotification(params=params), related_request_id=ctx.request_id
    )


class Sessions(LegacySessions):
    """Holds what lasts longer than a request: legacy sessions, and the streams of clients that listen.

    A stopping server ends both after the moment in which it still serves, so that clients that come back at once reach
    another process.

    Attributes:
        streams: The streams of each address.
    """

    def __init__(self) -> None:
        super().__init__()
        self.streams: list[ChangeStreams] = []

    def end_quiet(self) -> bool:
        """End every listening stream and every session that is quiet; return whether all sessions have ended."""
        for streams in self.streams:
            streams.close()
        return super().end_quiet()
