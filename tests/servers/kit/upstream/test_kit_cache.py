"""Tests of the cache in this process and in a real Redis, and of failures of Redis."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream import redis_connection
from dyber_kit.upstream.cache import Cache
from prometheus_client import generate_latest
from pydantic import BaseModel

from tests.stand_in.redis_server import redis_server
from tests.stand_in.running import free_port

PASSWORD = "cache-password"


class Words(BaseModel):
    words: list[str]


@pytest.fixture(scope="module")
def redis(tmp_path_factory) -> Iterator[int]:
    """Return the port of a running Redis."""
    port = free_port()
    with redis_server(tmp_path_factory.mktemp("redis"), port, PASSWORD):
        yield port


def redis_cache(
    monkeypatch, port: int, metrics: Metrics | None = None, service: str = "x", version: str = "1"
) -> Cache:
    monkeypatch.setenv("DYBER_REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("DYBER_REDIS_PORT", str(port))
    monkeypatch.setenv("DYBER_REDIS_PASSWORD", PASSWORD)
    return Cache.from_environment(service, version, metrics=metrics)


@pytest.fixture(params=["memory", "redis"])
async def cache(request, monkeypatch) -> AsyncIterator[Cache]:
    """Return a cache; tests run once per backend."""
    if request.param == "redis":
        port = request.getfixturevalue("redis")
        backend = redis_cache(monkeypatch, port, service=request.node.name[:60])
    else:
        backend = Cache("x", "1")
    yield backend
    await backend.close()


async def test_a_value_that_was_set_is_returned(cache):
    await cache.set("热搜", {"words": ["茶"], "n": 1.5}, 60)
    assert await cache.get("热搜") == {"words": ["茶"], "n": 1.5}


async def test_a_value_that_was_never_set_is_missing(cache):
    assert await cache.get("nothing") is None


async def test_a_value_expires_after_its_time_to_live(cache):
    await cache.set("key", 1, 0.05)
    await asyncio.sleep(0.1)
    assert await cache.get("key") is None


async def test_a_value_without_a_time_to_live_is_not_cached(cache):
    await cache.set("key", 1, 0)
    assert await cache.get("key") is None


async def test_a_long_key_can_be_used(cache):
    await cache.set("k" * 5000, 1, 60)
    assert await cache.get("k" * 5000) == 1
    assert await cache.get("k" * 5001) is None


async def test_changing_a_returned_value_does_not_change_the_cache(cache):
    await cache.set("key", [1], 60)
    (await cache.get("key")).append(2)
    assert await cache.get("key") == [1]


async def test_concurrent_callers_share_one_loader(cache):
    loads = 0

    async def load() -> dict[str, int]:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.02)
        return {"n": loads}

    values = await asyncio.gather(*(cache.get_or_load("key", 60, load) for _ in range(50)))
    assert (loads, values) == (1, [{"n": 1}] * 50)
    assert await cache.get_or_load("key", 60, load) == {"n": 1}


async def test_an_error_reaches_every_caller_and_is_not_cached(cache):
    loads = 0

    async def fail() -> None:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0.02)
        raise ServiceError(ErrorCode.NOT_FOUND)

    failures = await asyncio.gather(*(cache.get_or_load("key", 60, fail) for _ in range(3)), return_exceptions=True)
    assert [failure.code for failure in failures] == [ErrorCode.NOT_FOUND] * 3
    with pytest.raises(ServiceError):
        await cache.get_or_load("key", 60, fail)
    assert loads == 2


async def test_a_caller_that_leaves_does_not_stop_the_loader_for_the_others(cache):
    started = asyncio.Event()

    async def load() -> str:
        started.set()
        await asyncio.sleep(0.05)
        return "loaded"

    first = asyncio.create_task(cache.get_or_load("key", 60, load))
    await started.wait()
    second = asyncio.create_task(cache.get_or_load("key", 60, load))
    await asyncio.sleep(0.01)
    first.cancel()
    assert await second == "loaded"


async def test_a_loader_without_waiting_callers_is_cancelled(cache):
    started, stopped = asyncio.Event(), asyncio.Event()

    async def load() -> None:
        started.set()
        try:
            await asyncio.sleep(30)
        finally:
            stopped.set()

    call = asyncio.create_task(cache.get_or_load("key", 60, load))
    await started.wait()
    call.cancel()
    await asyncio.wait_for(stopped.wait(), 5)


async def test_a_caller_that_arrives_while_a_loader_is_cancelled_gets_an_answer(cache):
    started = asyncio.Event()

    async def hang() -> None:
        started.set()
        await asyncio.sleep(30)

    async def load() -> str:
        return "loaded"

    call = asyncio.create_task(cache.get_or_load("key", 60, hang))
    await started.wait()
    call.cancel()
    await asyncio.wait([call])
    assert await cache.get_or_load("key", 60, load) == "loaded"


async def test_models_are_returned_as_models(cache):
    async def load() -> Words:
        return Words(words=["茶"])

    for _ in range(2):
        assert await cache.get_or_load_model(Words, "hot", 60, load) == Words(words=["茶"])


async def test_a_cached_value_that_no_longer_fits_the_model_is_loaded_again(cache):
    await cache.set("hot", {"old": "shape"}, 60)

    async def load() -> Words:
        return Words(words=["茶"])

    assert await cache.get_or_load_model(Words, "hot", 60, load) == Words(words=["茶"])
    assert await cache.get("hot") == {"words": ["茶"]}


async def test_memory_is_limited_in_bytes_and_the_least_recently_used_value_is_removed():
    cache = Cache("x", "1", max_bytes=10_000)
    for number in range(50):
        await cache.set(f"key{number}", "v" * 800, 60)
    assert await cache.get("key0") is None
    assert await cache.get("key49") == "v" * 800
    await cache.set("huge", "v" * 20_000, 60)
    assert await cache.get("huge") is None
    assert await cache.get("key49") == "v" * 800


async def test_services_and_versions_have_separate_keys_in_redis(redis, monkeypatch):
    first = redis_cache(monkeypatch, redis, service="one")
    await first.set("key", 1, 60)
    others = [
        redis_cache(monkeypatch, redis, service="two"),
        redis_cache(monkeypatch, redis, service="one", version="2"),
    ]
    assert [await other.get("key") for other in others] == [None, None]
    assert await redis_cache(monkeypatch, redis, service="one").get("key") == 1


async def test_hits_and_misses_are_counted_by_backend(redis, monkeypatch):
    metrics = Metrics("x")
    cache = redis_cache(monkeypatch, redis, metrics, service="counted")
    await cache.get("key")
    await cache.set("key", 1, 60)
    await cache.get("key")
    shown = generate_latest(metrics.registry).decode()
    assert 'cache_misses_total{backend="redis",service="x"} 1.0' in shown
    assert 'cache_hits_total{backend="redis",service="x"} 1.0' in shown
    assert 'cache_redis_up{service="x"} 1.0' in shown


async def test_when_redis_is_down_memory_is_used_and_one_warning_is_logged(monkeypatch, caplog):
    metrics = Metrics("x")
    cache = redis_cache(monkeypatch, free_port(), metrics)
    await cache.set("key", 1, 60)
    assert await cache.get("key") == 1
    monkeypatch.setattr(redis_connection, "_REDIS_PAUSE_SECONDS", 0)
    for _ in range(5):
        assert await cache.get("key") == 1
    assert caplog.text.count("redis does not answer") == 1
    assert 'cache_redis_up{service="x"} 0.0' in generate_latest(metrics.registry).decode()


async def test_every_key_of_a_deployed_service_contains_its_name(redis, monkeypatch):
    monkeypatch.setenv("DYBER_SERVICE", "folder-name")
    cache = redis_cache(monkeypatch, redis, service="name in the package")
    await cache.set("key", 1, 60)
    assert await cache._redis.client.keys("dyber:folder-name:*") == [b"dyber:folder-name:1:key"]
    await cache.close()


async def test_with_a_wrong_password_memory_is_used(redis, monkeypatch, caplog):
    redis_cache(monkeypatch, redis)
    monkeypatch.setenv("DYBER_REDIS_PASSWORD", "wrong-password")
    cache = Cache.from_environment("x", "1")
    await cache.set("key", 1, 60)
    assert await cache.get("key") == 1
    assert "wrong-password" not in caplog.text


async def test_a_redis_that_hangs_is_not_called_during_the_pause_and_used_again_later(tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO", logger="dyber.redis")
    port = free_port()
    with redis_server(tmp_path, port, PASSWORD) as server:
        cache = redis_cache(monkeypatch, port)
        cache._redis._clock = lambda: now
        now = 0.0
        await cache.set("kept", "in redis", 60)
        server.send_signal(signal.SIGSTOP)
        attempts = 0
        ask = cache._redis.client.get

        def counted(key: str):
            nonlocal attempts
            attempts += 1
            return ask(key)

        monkeypatch.setattr(cache._redis.client, "get", counted)
        assert await cache.get("kept") is None
        for _ in range(5):
            await cache.get("kept")
        assert attempts == 1
        server.send_signal(signal.SIGCONT)
        now = 6.0
        assert await cache.get("kept") == "in redis"
        await cache.close()
    assert (caplog.text.count("redis does not answer"), caplog.text.count("redis answers again")) == (1, 1)


async def test_a_loader_still_runs_once_when_redis_is_down(monkeypatch):
    cache = redis_cache(monkeypatch, free_port())
    loads = 0

    async def load() -> int:
        nonlocal loads
        loads += 1
        return loads

    assert [await cache.get_or_load("key", 60, load) for _ in range(3)] == [1, 1, 1]
