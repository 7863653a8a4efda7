"""Tests that each service has a separate Redis user, which reaches only the keys and channels of that service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dyber_kit.upstream.cache import Cache
from redis.exceptions import AuthenticationError, NoPermissionError

from infra.parts.cache import service_user
from tests.gateway.support.cache_under_test import CacheUnderTest, build_cache, password_of, running_cache

KEY_OF_BETA = "dyber:beta:1:key"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CacheUnderTest]:
    """A cache with keys of beta; the tests use the user of alpha."""
    build_cache()
    with running_cache(tmp_path_factory.mktemp("cache"), ("alpha", "beta", "alpha-two")) as running:
        with running.connect(service_user("beta")) as beta:
            beta.set(KEY_OF_BETA, "of beta")
            beta.rpush("dyber:beta:1:list", "of beta")
        yield running


@pytest.mark.parametrize(
    "command",
    [
        f"GET {KEY_OF_BETA}",
        f"SET {KEY_OF_BETA} x",
        f"DEL {KEY_OF_BETA}",
        f"UNLINK {KEY_OF_BETA}",
        f"EXPIRE {KEY_OF_BETA} 1",
        f"EXISTS {KEY_OF_BETA}",
        f"TYPE {KEY_OF_BETA}",
        f"OBJECT ENCODING {KEY_OF_BETA}",
        f"MEMORY USAGE {KEY_OF_BETA}",
        f"COPY {KEY_OF_BETA} dyber:alpha:1:copy",
        f"RENAME dyber:alpha:1:key {KEY_OF_BETA}",
        f"MGET dyber:alpha:1:key {KEY_OF_BETA}",
        f"SORT dyber:alpha:1:list BY nosort GET {KEY_OF_BETA}",
        "BLPOP dyber:beta:1:list 1",
        f"WATCH {KEY_OF_BETA}",
        "GET dyber:alpha-two:1:key",
        "GET dyber:alpha",
        "GET key",
        "SCAN 0",
        "KEYS *",
        "KEYS dyber:alpha:*",
        "RANDOMKEY",
        "DBSIZE",
        "FLUSHDB",
        "FLUSHALL",
        "SWAPDB 0 1",
        "INFO",
        "CONFIG GET *",
        "CONFIG SET maxmemory 1",
        "ACL LIST",
        "ACL SETUSER service-alpha ~*",
        "CLIENT LIST",
        "CLIENT KILL TYPE normal",
        "MONITOR",
        "SHUTDOWN",
        "SAVE",
        "REPLICAOF 127.0.0.1 1",
        f"MIGRATE 127.0.0.1 1 {KEY_OF_BETA} 0 1",
        "EVAL return 0",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "PUBLISH dyber:beta:news x",
        "SUBSCRIBE dyber:beta:news",
        "PSUBSCRIBE *",
        "PUBSUB CHANNELS",
    ],
)
def test_a_service_can_neither_read_nor_change_data_of_others(cache: CacheUnderTest, command: str) -> None:
    with cache.connect(service_user("alpha")) as alpha, pytest.raises(NoPermissionError):
        alpha.execute_command(*command.split())
    with cache.connect(service_user("beta")) as beta:
        assert beta.get(KEY_OF_BETA) == "of beta"


def test_a_service_uses_its_own_keys_and_channels(cache: CacheUnderTest) -> None:
    with cache.connect(service_user("alpha")) as alpha:
        assert alpha.set("dyber:alpha:1:key", "mine", px=60_000)
        assert alpha.get("dyber:alpha:1:key") == "mine"
        with alpha.pipeline() as transaction:
            transaction.incr("dyber:alpha:1:count").expire("dyber:alpha:1:count", 60)
            assert transaction.execute() == [1, True]
        assert alpha.publish("dyber:alpha:news", "x") == 0
        assert alpha.delete("dyber:alpha:1:key") == 1


def test_a_password_is_accepted_for_its_own_user_only(cache: CacheUnderTest) -> None:
    for user in ("default", "metrics", service_user("beta")):
        with cache.connect(user) as redis:
            redis.connection_pool.connection_kwargs["password"] = password_of(service_user("alpha"))
            with pytest.raises(AuthenticationError):
                redis.ping()


def test_the_user_for_people_reaches_all_data_but_cannot_administer_the_server(cache: CacheUnderTest) -> None:
    with cache.connect() as people:
        assert people.get(KEY_OF_BETA) == "of beta"
        for command in ("CONFIG GET *", "FLUSHALL", "ACL LIST", "SHUTDOWN"):
            with pytest.raises(NoPermissionError):
                people.execute_command(*command.split())


async def test_the_kit_uses_keys_that_its_service_may_use(
    cache: CacheUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cache.connect() as people:
        port = people.connection_pool.connection_kwargs["port"]
    for name, value in {
        "DYBER_SERVICE": "alpha-two",
        "DYBER_REDIS_HOST": "127.0.0.1",
        "DYBER_REDIS_PORT": str(port),
        "DYBER_REDIS_USER": service_user("alpha-two"),
        "DYBER_REDIS_PASSWORD": password_of(service_user("alpha-two")),
    }.items():
        monkeypatch.setenv(name, value)
    kit = Cache.from_environment("whatever the package calls itself", "2")
    await kit.set("key", "value", 60)
    await kit.close()
    with cache.connect() as people:
        assert people.get("dyber:alpha-two:2:key") == '"value"'
