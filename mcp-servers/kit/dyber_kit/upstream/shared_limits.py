"""Shares the limits of an account between the replicas of a service through Redis.

Every change is a single transaction of plain commands, because a service may run no scripts in Redis. Durations are
expiry times of keys, so that the clock of Redis counts them and those of the replicas need not agree.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from dyber_kit.observing.metrics import Metrics
from dyber_kit.settings import Settings, environment_number
from dyber_kit.upstream.redis_connection import RedisConnection, service_name

if TYPE_CHECKING:
    from redis.asyncio import Redis
    from redis.asyncio.client import Pipeline

_DAY_SECONDS = 86400
#: Counts of a day are kept until every time zone has left this day.
_COUNT_SECONDS = 3 * _DAY_SECONDS
_MOST_REPLICAS = 64


@dataclass(frozen=True)
class SharedPause:
    """Holds the pause of an account in Redis.

    Attributes:
        seconds: How long the pause still lasts; 0 when none runs.
        running: What was noted with the running pause, or None.
        last: What was noted last, also after the pause has passed; None when Redis knows nothing.
    """

    seconds: float
    running: str | None
    last: str | None


class SharedLimits:
    """Keeps intervals, counts per day and pauses in Redis, under names of platform and account.

    Every method returns None when Redis cannot be used now; the caller then keeps to its own, stricter limits.

    Args:
        service: Second part of every key.
        redis: The connection to Redis.
        replicas: How many replicas the service has; each keeps to its part of a limit while Redis is away.
        call_seconds: How long a call of the service can last; what a killed process holds is free after this time.
    """

    def __init__(self, service: str, redis: RedisConnection, *, replicas: int = 1, call_seconds: float = 60.0) -> None:
        self.replicas = replicas
        self.call_seconds = call_seconds
        #: Tells the counts of this process from those of others.
        self.process = secrets.token_hex(6)
        self._prefix = f"dyber:{service}:limits:"
        self._redis = redis

    @classmethod
    def from_environment(cls, service: str, *, metrics: Metrics | None = None) -> SharedLimits | None:
        """Return the limits in the Redis that the environment names, or None without Redis.

        DYBER_REPLICAS is the number of replicas, by default 1, and MAX_CALL_SECONDS the deadline of a call; the other
        variables are those of RedisConnection.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        redis = RedisConnection.from_environment(metrics=metrics)
        if redis is None:
            return None
        replicas = int(environment_number("DYBER_REPLICAS", 1, 1, _MOST_REPLICAS))
        call_seconds = Settings.from_environment().max_call_seconds
        return cls(service_name(service), redis, replicas=replicas, call_seconds=call_seconds)

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.close()

    async def begin_interval(self, name: str, seconds: float) -> float | None:
        """Begin an interval and return 0, or return how many seconds the running interval still lasts."""
        if seconds <= 0:
            return 0.0
        key = f"{self._prefix}interval:{name}"

        def commands(pipeline: Pipeline) -> None:
            pipeline.set(key, self.process, nx=True, px=_milliseconds(seconds))
            pipeline.pttl(key)

        answers = await self._transaction(commands)
        if answers is None:
            return None
        begun, left = answers
        return 0.0 if begun else max(1, int(left)) / 1000

    async def merge_counts(self, name: str, day: date, counts: Mapping[str, int]) -> dict[str, int] | None:
        """Raise the day's counts to these where they are lower, and return all counts of the day."""
        key = f"{self._prefix}count:{name}:{day.isoformat()}"

        def commands(pipeline: Pipeline) -> None:
            if counts:
                pipeline.zadd(key, dict(counts), gt=True)
                pipeline.expire(key, _COUNT_SECONDS)
            pipeline.zrange(key, 0, -1, withscores=True)

        answers = await self._transaction(commands)
        return None if answers is None else {member.decode(): int(score) for member, score in answers[-1]}

    async def extend_pause(self, name: str, seconds: float, note: str) -> bool | None:
        """Let the pause last at least this long from now, with a note for the other replicas."""
        running, last = self._pause_keys(name)

        def commands(pipeline: Pipeline) -> None:
            if seconds > 0:
                pipeline.set(running, note, nx=True, px=_milliseconds(seconds))
                pipeline.pexpire(running, _milliseconds(seconds), gt=True)
            pipeline.set(last, note, px=_milliseconds(seconds + _DAY_SECONDS))

        return None if await self._transaction(commands) is None else True

    async def pause(self, name: str) -> SharedPause | None:
        """Return the pause."""
        running, last = self._pause_keys(name)

        def commands(pipeline: Pipeline) -> None:
            pipeline.get(running)
            pipeline.pttl(running)
            pipeline.get(last)

        answers = await self._transaction(commands)
        if answers is None:
            return None
        note, left, noted = answers
        return SharedPause(max(0, int(left)) / 1000, _text(note), _text(noted))

    async def begin_trial(self, name: str, seconds: float) -> bool | None:
        """Return whether this process may try whether the platform answers again; others may not for `seconds`."""
        key = f"{self._prefix}trial:{name}"

        def commands(pipeline: Pipeline) -> None:
            pipeline.set(key, self.process, nx=True, px=_milliseconds(seconds))
            pipeline.get(key)

        answers = await self._transaction(commands)
        # The key may be there already, because an earlier answer of Redis was lost.
        return None if answers is None else _text(answers[1]) == self.process

    async def end_trial(self, name: str, note: str | None = None) -> bool | None:
        """End the trial if it is of this process; `note` replaces the last note of the pause, unless it is None."""
        key, (_, last) = f"{self._prefix}trial:{name}", self._pause_keys(name)
        holder = await self._redis.ask(lambda client: client.get(key), missing=b"")
        if holder is None:
            return None

        def commands(pipeline: Pipeline) -> None:
            if _text(holder) == self.process:
                pipeline.delete(key)
            if note is not None:
                pipeline.set(last, note, px=_milliseconds(_DAY_SECONDS))

        return None if await self._transaction(commands) is None else True

    def _pause_keys(self, name: str) -> tuple[str, str]:
        return f"{self._prefix}pause:{name}", f"{self._prefix}noted:{name}"

    async def _transaction(self, commands: Any) -> list[Any] | None:
        async def run(client: Redis) -> list[Any]:
            async with client.pipeline(transaction=True) as pipeline:
                commands(pipeline)
                return await pipeline.execute()

        return await self._redis.ask(run)


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode()
