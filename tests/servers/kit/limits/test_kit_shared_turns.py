"""Tests that replicas share the turns of a queue through a real Redis, and keep to the cap while it is away."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from datetime import timedelta

import anyio
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits

from tests.servers.kit.limits.replicas import NOON, Away, RedisUnderTest, pacer, take_turns
from tests.support.patching import replace_in_this_thread

#: Takes turns in a process of its own, and prints an error's code and seconds, or ok, for each.
PROCESS = """
import asyncio, sys
from dyber_kit import ServiceError
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits

async def main(turns, interval, cap):
    shared = SharedLimits.from_environment("shared")
    queue = Pacer("site", min_interval=float(interval), daily_cap=int(cap), shared=shared)
    for _ in range(int(turns)):
        try:
            async with queue.turn():
                print("ok", flush=True)
        except ServiceError as error:
            print(error.code, round(error.retry_after), flush=True)
    await shared.close()

asyncio.run(main(*sys.argv[1:]))
"""


def run_process(store: RedisUnderTest, turns: int, interval: float, cap: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROCESS, str(turns), str(interval), str(cap)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **store.environment()})


def test_two_processes_share_an_interval(store):
    first, _ = run_process(store, 1, 500, 10).communicate(timeout=60)
    second, _ = run_process(store, 1, 500, 10).communicate(timeout=60)
    code, seconds = second.split()
    assert (first, code) == ("ok\n", "BUSY")
    assert 0 < int(seconds) <= 500


def test_two_processes_that_run_at_once_share_a_daily_cap(store):
    processes = [run_process(store, 10, 0, 12) for _ in range(2)]
    answers = "".join(process.communicate(timeout=60)[0] for process in processes).splitlines()
    assert len(answers) == 20
    assert answers.count("ok") == 12


async def test_a_replica_waits_until_the_interval_of_another_is_over(replica, monkeypatch):
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(seconds)

    first, second = pacer(replica(), min_interval=0.3), pacer(replica(), min_interval=0.3)
    replace_in_this_thread(monkeypatch, anyio, "sleep", sleep)
    await take_turns(first)
    await take_turns(second)
    assert slept and 0 < slept[0] <= 0.3


async def test_accounts_have_limits_of_their_own(replica):
    shared = replica()
    first = Pacer("site-one", min_interval=100, daily_cap=1, now=lambda: NOON, shared=shared)
    second = Pacer("site-two", min_interval=100, daily_cap=1, now=lambda: NOON, shared=shared)
    assert [await take_turns(queue) for queue in (first, second)] == [1, 1]


async def test_many_turns_at_once_stay_within_the_cap_exactly(replica):
    queues = [pacer(replica(), daily_cap=9) for _ in range(4)]
    given = await asyncio.gather(*(take_turns(queue, 5) for queue in queues))
    assert sum(given) == 9


async def test_a_new_day_brings_all_replicas_new_turns(replica):
    day = [NOON]
    queues = [pacer(replica(), daily_cap=1, now=lambda: day[0]) for _ in range(2)]
    assert [await take_turns(queue) for queue in queues] == [1, 0]
    day[0] += timedelta(days=1)
    assert [await take_turns(queue) for queue in reversed(queues)] == [1, 0]


async def test_the_daily_cap_survives_a_restart_of_both_replicas_and_of_redis(replica, store, tmp_path):
    before = [pacer(replica(), daily_cap=5, data_dir=tmp_path) for _ in range(2)]
    assert [await take_turns(queue, 2) for queue in before] == [2, 2]
    with Away(store):
        pass
    after = [pacer(replica(), daily_cap=5, data_dir=tmp_path) for _ in range(2)]
    assert [await take_turns(queue, 3) for queue in after] == [1, 0]


async def test_without_files_a_redis_that_lost_its_data_learns_the_counts_again(replica, store):
    first, second = pacer(replica(), daily_cap=5), pacer(replica(), daily_cap=5)
    assert [await take_turns(first, 2), await take_turns(second, 1)] == [2, 1]
    store.lose_everything()
    assert [await take_turns(second, 1), await take_turns(first, 9)] == [1, 1]


async def test_while_redis_is_away_the_replicas_keep_to_the_cap_by_their_file(replica, store, tmp_path):
    queues = [pacer(replica(), daily_cap=7, data_dir=tmp_path) for _ in range(2)]
    assert await take_turns(queues[0], 2) == 2
    with Away(store):
        assert [await take_turns(queue, 2) for queue in queues] == [2, 2]
        third = pacer(replica(), daily_cap=7, data_dir=tmp_path)
        assert [await take_turns(queue, 2) for queue in (third, *queues)] == [1, 0, 0]


async def test_a_redis_that_lost_its_data_learns_from_a_replica_also_what_the_others_wrote(replica, store, tmp_path):
    first, second = (pacer(replica(), daily_cap=5, data_dir=tmp_path) for _ in range(2))
    assert [await take_turns(second, 1), await take_turns(first, 3)] == [1, 3]
    store.lose_everything()
    assert await take_turns(second, 2) == 1
    assert await take_turns(pacer(replica(), daily_cap=5), 1) == 0


async def test_a_replica_takes_no_turn_while_another_changes_the_file(store, tmp_path):
    file, lock = tmp_path / "pacing-site.json", tmp_path / ".pacing-site.json.lock"

    async def take_turn() -> int:
        shared = SharedLimits.from_environment("shared")
        try:
            return await take_turns(pacer(shared, daily_cap=3, data_dir=tmp_path), 1)
        finally:
            await shared.close()

    with lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        turns = asyncio.create_task(asyncio.to_thread(asyncio.run, take_turn()))
        done, _ = await asyncio.wait([turns], timeout=0.5)
        assert not done
        file.write_text('{"day": "2026-03-01", "used": 3, "counts": {"other": 3}}')
    assert await turns == 0


async def test_turns_that_were_taken_while_redis_was_away_count_when_it_is_back(replica, store, tmp_path):
    first = pacer(replica(), daily_cap=5, data_dir=tmp_path / "first")
    second = pacer(replica(), daily_cap=5, data_dir=tmp_path / "second")
    assert await take_turns(first, 1) == 1
    with Away(store):
        assert [await take_turns(queue, 1) for queue in (first, second)] == [1, 1]
    # The first tells of its turns.
    assert (await take_turns(first, 1), await take_turns(second, 5)) == (1, 1)


async def test_a_file_without_counts_of_processes_is_understood(replica, tmp_path):
    (tmp_path / "pacing-site.json").write_text('{"day": "2026-03-01", "used": 4}')
    queues = [pacer(replica(), daily_cap=6, data_dir=tmp_path) for _ in range(2)]
    assert [await take_turns(queue, 2) for queue in queues] == [2, 0]
    assert json.loads((tmp_path / "pacing-site.json").read_bytes())["used"] == 6


async def test_while_redis_is_away_an_interval_is_as_much_longer_as_there_are_replicas(replica, store, monkeypatch):
    now = [1000.0]
    slept = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    replace_in_this_thread(monkeypatch, anyio, "sleep", sleep)
    with Away(store):
        queue = pacer(replica(), min_interval=10, clock=lambda: now[0])
        await take_turns(queue, 2)
    # Also after its start, because another replica may have begun a turn before.
    assert slept == [20, 10, 10]
