"""Connects to the Redis of a service, and keeps calls quick while Redis does not answer."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from dyber_kit.observing.metrics import Metrics
from dyber_kit.settings import environment_number, environment_secret

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger("dyber.redis")

# Waiting longer than this costs more than an answer of Redis saves.
_REDIS_SECONDS = 0.5
_REDIS_PAUSE_SECONDS = 5.0

Value = TypeVar("Value")


class RedisConnection:
    """Sends commands to Redis; after a failure, Redis is not asked for 5 s, and then tried again.

    Args:
        client: A client that connects at the first use.
        metrics: Where is shown whether Redis answers.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, client: Redis, *, metrics: Metrics | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.client = client
        self._metrics = metrics
        self._clock = clock
        self._is_up = True
        self._retry_at = 0.0
        if metrics:
            metrics.redis_up(True)

    @classmethod
    def from_environment(cls, *, metrics: Metrics | None = None) -> RedisConnection | None:
        """Return a connection to the Redis that the environment names, or None without DYBER_REDIS_HOST.

        The variables are DYBER_REDIS_HOST, DYBER_REDIS_PORT, DYBER_REDIS_USER and DYBER_REDIS_PASSWORD (or its _FILE).

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        host = os.environ.get("DYBER_REDIS_HOST", "").strip()
        if not host:
            return None
        # These imports are here so that services without Redis do not load the client.
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        client = Redis(
            host=host,
            port=int(environment_number("DYBER_REDIS_PORT", 6379, 1, 65535)),
            username=os.environ.get("DYBER_REDIS_USER", "").strip() or None,
            password=environment_secret("DYBER_REDIS_PASSWORD"),
            socket_timeout=_REDIS_SECONDS,
            socket_connect_timeout=_REDIS_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=20,
        )
        return cls(client, metrics=metrics)

    async def ask(self, command: Callable[[Redis], Awaitable[Value | None]], missing: Any = True) -> Any | None:
        """Return the answer of Redis (`missing` for nil), or None when Redis cannot be used now."""
        if not self._is_up and self._clock() < self._retry_at:
            return None
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(_REDIS_SECONDS * 2):
                answer = await command(self.client)
        except (RedisError, OSError, TimeoutError) as error:
            self._retry_at = self._clock() + _REDIS_PAUSE_SECONDS
            self._note(False, type(error).__name__)
            return None
        self._note(True)
        return missing if answer is None else answer

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self.client.aclose()

    def _note(self, up: bool, reason: str = "") -> None:
        if up is self._is_up:
            return
        self._is_up = up
        if self._metrics:
            self._metrics.redis_up(up)
        if up:
            logger.info("redis answers again")
        else:
            logger.warning("redis does not answer; working without it", extra={"reason": reason})


def service_name(service: str) -> str:
    """Return the name of the service in its keys: DYBER_SERVICE when set, as Redis allows a service no other keys."""
    return os.environ.get("DYBER_SERVICE", "").strip() or service
