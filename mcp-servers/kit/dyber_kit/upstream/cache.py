"""Caches answers in this process, or in Redis when it is configured, with the same interface and behaviour."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from cachetools import TLRUCache
from pydantic import BaseModel
from pydantic_core import from_json, to_json

from dyber_kit.observing import tracing
from dyber_kit.observing.metrics import Metrics
from dyber_kit.upstream.redis_connection import RedisConnection, service_name
from dyber_kit.upstream.sharing import SharedWork

logger = logging.getLogger("dyber.cache")

_LONGEST_PLAIN_KEY = 200

Model = TypeVar("Model", bound=BaseModel)


class Cache:
    """Caches JSON values under keys of this service and version.

    Returned values are copies, so changing them does not change the cache. When Redis is down, slow or full, calls only
    get slower: after a failure the process's own memory is used for 5 s, then Redis is tried again. `None` is never
    cached.

    Args:
        service: First part of every key.
        version: Second part of every key, so that a new release does not read values of an old one.
        redis: The connection to Redis; None caches in this process only.
        max_bytes: Most memory for values in this process; the least recently used values are removed first.
        metrics: Where hits and misses are counted.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        service: str,
        version: str,
        *,
        redis: RedisConnection | None = None,
        max_bytes: int = 8 * 2**20,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._prefix = f"dyber:{service}:{version}:"
        self._redis = redis
        self._metrics = metrics
        self._clock = clock
        self._memory: TLRUCache[str, tuple[bytes, float]] = TLRUCache(
            maxsize=max_bytes,
            ttu=lambda _key, entry, now: now + entry[1],
            timer=clock,
            getsizeof=lambda entry: len(entry[0]) + 200,
        )
        self._sharing = SharedWork()

    @classmethod
    def from_environment(cls, service: str, version: str, *, metrics: Metrics | None = None) -> Cache:
        """Return a cache in Redis when DYBER_REDIS_HOST is set, else a cache in memory.

        The variables of Redis are DYBER_REDIS_HOST, DYBER_REDIS_PORT, DYBER_REDIS_USER and DYBER_REDIS_PASSWORD (or its
        _FILE). DYBER_SERVICE, when set, replaces `service` in the keys: Redis lets each service use its own keys only.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        redis = RedisConnection.from_environment(metrics=metrics)
        if redis is not None:
            service = service_name(service)
        return cls(service, version, redis=redis, metrics=metrics)

    async def get(self, key: str) -> Any | None:
        """Return the value under `key`, or None when it is missing or has expired."""
        content = await self._read(key)
        return None if content is None else from_json(content)

    async def set(self, key: str, value: Any, ttl: float) -> None:
        """Cache `value` (JSON or a Pydantic model) for `ttl` seconds.

        Raises:
            pydantic_core.PydanticSerializationError: `value` has no JSON form.
        """
        content = to_json(value)
        if value is None or ttl <= 0:
            return
        stored = self._redis and await self._redis.ask(
            lambda client: client.set(self._key(key), content, px=max(1, round(ttl * 1000)))
        )
        if stored is None:
            # TLRUCache raises an error for a value that is larger than the whole cache.
            if len(content) + 200 <= self._memory.maxsize:
                self._memory[key] = (content, ttl)

    async def get_or_load(self, key: str, ttl: float, loader: Callable[[], Awaitable[Any]]) -> Any:
        """Return the value under `key`; when it is missing, cache what `loader()` returns for `ttl` seconds.

        Concurrent callers of one key share one loader. It runs as long as a caller waits for it; its error is raised
        for all of them and is not cached. Returns JSON values even when the loader returns a Pydantic model.
        """
        return from_json(await self._sharing.run(key, lambda: self._load(key, ttl, loader)))

    async def get_or_load_model(
        self, model: type[Model], key: str, ttl: float, loader: Callable[[], Awaitable[Model]]
    ) -> Model:
        """Return a Pydantic model like `get_or_load`; a cached value that no longer fits the model is loaded again."""
        value = await self.get_or_load(key, ttl, loader)
        try:
            return model.model_validate(value)
        except ValueError:
            logger.warning("cached value does not fit", extra={"model": model.__name__})
            fresh = await loader()
            await self.set(key, fresh, ttl)
            return fresh

    async def close(self) -> None:
        """Close the connections to Redis."""
        if self._redis is not None:
            await self._redis.close()

    async def _load(self, key: str, ttl: float, loader: Callable[[], Awaitable[Any]]) -> bytes:
        content = await self._read(key)
        if content is not None:
            return content
        value = await loader()
        await self.set(key, value, ttl)
        return to_json(value)

    async def _read(self, key: str) -> bytes | None:
        with tracing.span("cache get") as span:
            answer = self._redis and await self._redis.ask(lambda client: client.get(self._key(key)), missing=b"")
            if answer is None:
                entry = self._memory.get(key)
                content, backend = (entry[0] if entry else None), "memory"
            else:
                content, backend = (answer or None), "redis"
            span.set_attribute("cache.hit", content is not None)
            span.set_attribute("cache.backend", backend)
        if self._metrics:
            self._metrics.cache_lookup(backend, content is not None)
        return content

    def _key(self, key: str) -> str:
        if len(key) > _LONGEST_PLAIN_KEY:
            key = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
        return self._prefix + key
