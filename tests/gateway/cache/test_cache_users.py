"""Each service has a user of its own in Redis, which reaches its own keys and channels and nothing of the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dyber_kit.upstream.cache import Cache
from redis.exceptions import AuthenticationError, NoPermissionError

from infra.parts.cache import service_user
from tests.gateway.support.cache_under_test import CacheUnderTest, build_cache, password_of, running_cache

OTHERS = "dyber:beta:1:key"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CacheUnderTest]:
    """With keys of beta; the tests are alpha."""
    build_cache()
    with running_cache(tmp_path_factory.mktemp("cache"), ("alpha", "beta", "alpha-two")) as running:
        with running.connect(service_user("beta")) as beta:
            beta.set(OTHERS, "of beta")
            beta.rpush("dyber:beta:1:list", "of beta")
        yield running


@pytest.mark.parametrize(
    "command",
    [
        f"GET {OTHERS}",
        f"SET {OTHERS} x",
        f"DEL {OTHERS}",
        f"UNLINK {OTHERS}",
        f"EXPIRE {OTHERS} 1",
        f"EXISTS {OTHERS}",
        f"TYPE {OTHERS}",
        f"OBJECT ENCODING {OTHERS}",
        f"MEMORY USAGE {OTHERS}",
        f"COPY {OTHERS} dyber:alpha:1:copy",
        f"RENAME dyber:alpha:1:key {OTHERS}",
        f"MGET dyber:alpha:1:key {OTHERS}",
        f"SORT dyber:alpha:1:list BY nosort GET {OTHERS}",
        "BLPOP dyber:beta:1:list 1",
        f"WATCH {OTHERS}",
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
        f"MIGRATE 127.0.0.1 1 {OTHERS} 0 1",
        "EVAL return 0",
        "SCRIPT FLUSH",
        "FUNCTION FLUSH",
        "PUBLISH dyber:beta:news x",
        "SUBSCRIBE dyber:beta:news",
        "PSUBSCRIBE *",
        "PUBSUB CHANNELS",
    ],
)
def test_a_service_can_neither_see_nor_touch_what_is_not_its_own(cache: CacheUnderTest, command: str) -> None:
    with cache.connect(service_user("alpha")) as alpha, pytest.raises(NoPermissionError):
        alpha.execute_command(*command.split())
    with cache.connect(service_user("beta")) as beta:
        assert beta.get(OTHERS) == "of beta"


def test_a_service_uses_its_own_keys_and_channels(cache: CacheUnderTest) -> None:
    with cache.connect(service_user("alpha")) as alpha:
        assert alpha.set("dyber:alpha:1:key", "mine", px=60_000)
        assert alpha.get("dyber:alpha:1:key") == "mine"
        with alpha.pipeline() as transaction:
            transaction.incr("dyber:alpha:1:count").expire("dyber:alpha:1:count", 60)
            assert transaction.execute() == [1, True]
        assert alpha.publish("dyber:alpha:news", "x") == 0
        assert alpha.delete("dyber:alpha:1:key") == 1


def test_a_password_is_good_for_its_own_user_only(cache: CacheUnderTest) -> None:
    for user in ("default", "metrics", service_user("beta")):
        with cache.connect(user) as redis:
            redis.connection_pool.connection_kwargs["password"] = password_of(service_user("alpha"))
            with pytest.raises(AuthenticationError):
                redis.ping()


def test_people_reach_the_data_of_all_services_and_not_the_server(cache: CacheUnderTest) -> None:
    with cache.connect() as people:
        assert people.get(OTHERS) == "of beta"
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
