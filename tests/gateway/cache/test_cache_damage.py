"""Tests Redis with damaged files: it starts with the readable part, reports the damage and keeps a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from cli.inventory.health_report import last_error
from tests.gateway.support.cache_under_test import CacheUnderTest, build_cache, helper, running_cache, small_volume
from tests.gateway.support.docker_cli import docker, wait_until

KEYS = 200
NEWEST = "$(ls -t appendonlydir/*.incr.aof | head -n 1)"
BASE = "$(ls -t appendonlydir/*.base.rdb | head -n 1)"


@pytest.fixture(scope="module", autouse=True)
def image() -> str:
    return build_cache()


@pytest.fixture(scope="module")
def volumes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CacheUnderTest]:
    """A cache that is not started, whose helper can copy files with keys to its volume."""
    with running_cache(tmp_path_factory.mktemp("filled")) as filled:
        fill(filled)
        filled.stop()
        shared = CacheUnderTest(tmp_path_factory.mktemp("shared"))
        try:
            with helper({filled.volume: "/filled", shared.volume: "/data"}) as name:
                shared.helper = name
                yield shared
        finally:
            docker("volume", "rm", "--force", shared.volume)


@pytest.fixture
def cache(volumes: CacheUnderTest) -> Iterator[CacheUnderTest]:
    """A cache with keys in its log, which is not started."""
    volumes.on_volume("find . -mindepth 1 -delete; cp -a /filled/. .")
    cache = CacheUnderTest(volumes.folder, volume=volumes.volume, helper=volumes.helper)
    try:
        yield cache
    finally:
        docker("rm", "--force", cache.name)


@pytest.fixture
def full(tmp_path: Path) -> Iterator[CacheUnderTest]:
    """A running cache with a key, on a small volume that is full."""
    with small_volume(4) as (volume, name):
        cache = CacheUnderTest(tmp_path, volume=volume, helper=name)
        try:
            cache.start()
            cache.wait_until_healthy()
            with cache.connect() as redis:
                assert redis.set("before", "yes")
            cache.on_volume("! head -c 8M /dev/zero >filler")
            yield cache
        finally:
            docker("rm", "--force", "--volumes", cache.name)


def fill(cache: CacheUnderTest) -> None:
    with cache.connect() as redis, redis.pipeline(transaction=False) as pipeline:
        for number in range(KEYS):
            pipeline.set(f"key{number:03}", "v" * 100)
        pipeline.execute()


def stored_keys(cache: CacheUnderTest) -> list[str]:
    with cache.connect() as redis:
        return sorted(redis.scan_iter(count=1000))


def works(cache: CacheUnderTest) -> bool:
    with cache.connect() as redis:
        return bool(redis.set("works", "yes")) and redis.get("works") == "yes"


def test_without_damage_all_keys_are_kept_and_nothing_is_reported(cache: CacheUnderTest) -> None:
    cache.restart()
    assert len(stored_keys(cache)) == KEYS
    assert cache.reported_errors() == []


def test_damage_in_the_middle_of_the_newest_log_loses_only_what_comes_after_it(cache: CacheUnderTest) -> None:
    cache.on_volume(f"printf 'odd-bytes' | dd of={NEWEST} bs=1 seek=10000 conv=notrunc status=none")
    cache.restart()
    keys = stored_keys(cache)
    assert keys == [f"key{number:03}" for number in range(len(keys))]
    assert 0 < len(keys) < KEYS
    (message,) = cache.reported_errors()
    assert "已截掉末尾" in message and "were cut off" in message
    assert "odd-bytes" in cache.on_volume("cat damaged/*.incr.aof")
    assert works(cache)
    assert cache.restarts() == 0


def test_a_truncated_log_loses_only_the_last_write(cache: CacheUnderTest) -> None:
    cache.on_volume(f"truncate --size=-5 {NEWEST}")
    cache.restart()
    assert len(stored_keys(cache)) == KEYS - 1
    assert works(cache)


@pytest.mark.parametrize(
    "damage",
    [
        f"printf 'odd-bytes' | dd of={BASE} bs=1 seek=0 conv=notrunc status=none",
        f"rm {BASE}",
        "echo nonsense >appendonlydir/appendonly.aof.manifest",
        f"printf '*1\\r\\n$7\\r\\nNOTHING\\r\\n' >>{NEWEST}",
        "rm -r appendonlydir; echo a file >appendonlydir",
    ],
    ids=["base file", "base file gone", "manifest", "a command that Redis does not know", "no folder"],
)
def test_files_that_redis_cannot_read_are_set_aside_and_it_begins_empty(cache: CacheUnderTest, damage: str) -> None:
    cache.on_volume(damage)
    cache.restart()
    assert stored_keys(cache) == []
    (message,) = cache.reported_errors()
    assert "从空的开始" in message and "begins empty" in message
    assert cache.on_volume("ls") == "appendonlydir\ndamaged"
    assert works(cache)
    assert cache.restarts() == 0


def test_logs_without_their_manifest_are_not_mixed_with_new_ones(cache: CacheUnderTest) -> None:
    cache.on_volume("rm appendonlydir/appendonly.aof.manifest")
    cache.restart()
    assert works(cache)
    cache.stop()
    cache.restart()
    assert stored_keys(cache) == ["works"]


def test_only_the_newest_damage_is_kept(cache: CacheUnderTest) -> None:
    for number in range(2):
        cache.on_volume(f"echo nonsense-{number} >appendonlydir/appendonly.aof.manifest")
        cache.restart()
        cache.stop()
    assert cache.on_volume("cat damaged/*.manifest") == "nonsense-1"
    assert cache.on_volume("ls") == "appendonlydir\ndamaged"


def test_files_of_another_owner_are_set_aside(cache: CacheUnderTest) -> None:
    cache.on_volume("chown -R root:root appendonlydir; chmod -R go= appendonlydir")
    cache.restart()
    assert works(cache)
    assert "从空的开始" in cache.reported_errors()[0]


def test_on_a_volume_of_another_owner_redis_uses_memory_only(cache: CacheUnderTest) -> None:
    cache.on_volume("chown root:root . ; chmod 0700 .")
    cache.restart()
    assert works(cache)
    (message,) = cache.reported_errors()
    assert "只用内存" in message and "serves from memory" in message
    assert cache.restarts() == 0


def test_status_shows_the_reported_error(cache: CacheUnderTest) -> None:
    cache.on_volume("echo nonsense >appendonlydir/appendonly.aof.manifest")
    cache.restart()
    shown = last_error(docker("logs", cache.name))
    assert shown is not None
    assert "从空的开始" in shown


def test_after_a_kill_redis_starts_with_its_data(cache: CacheUnderTest) -> None:
    cache.restart()
    assert works(cache)
    # Redis writes its log once a second.
    wait_until(lambda: "works" in cache.on_volume(f"cat {NEWEST}"), "the log has the last write")
    cache.kill()
    cache.restart()
    assert len(stored_keys(cache)) == KEYS + 1


def test_the_files_of_a_killed_rewrite_are_removed(cache: CacheUnderTest) -> None:
    cache.on_volume("touch temp-rewriteaof-bg-9.aof appendonlydir/temp-9.incr.aof")
    cache.restart()
    assert "temp-" not in cache.on_volume("ls -R")


def test_a_full_volume_refuses_writes_until_there_is_space_again(full: CacheUnderTest) -> None:
    with full.connect() as redis:

        def refused() -> bool:
            try:
                redis.set("more", "v" * 10_000)
            except ResponseError as error:
                return "MISCONF" in str(error)
            return False

        wait_until(refused, "writes are refused")
        assert redis.get("before") == "yes"
        full.on_volume("rm filler")
        wait_until(lambda: not refused(), "writes are taken again")


def test_on_a_full_volume_redis_starts_and_reports_it(full: CacheUnderTest) -> None:
    full.kill()
    full.restart()
    assert works(full)
    assert "只用内存" in full.reported_errors()[-1]
    full.on_volume("rm filler")
    full.stop()
    full.restart()
    assert stored_keys(full) == ["before"]


def test_on_a_full_volume_damage_is_not_copied(full: CacheUnderTest) -> None:
    full.kill()
    full.on_volume(f"truncate --size=-5 {NEWEST}; ! head -c 8M /dev/zero >>filler")
    full.restart()
    assert works(full)
    assert "damaged" not in full.on_volume("ls").split()
