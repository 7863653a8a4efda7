"""Tests that replicas share their limits through a real Redis, and keep to them while it is away.

The replicas use Redis as the user that a deployed service has, with no more permissions.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest
import redis
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.times import SHANGHAI
from dyber_kit.upstream import redis_connection
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.breaker import Breaker, BreakerState
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits

from infra.parts.cache import service_rules, service_user
from tests.stand_in.redis_server import redis_server
from tests.stand_in.running import free_port

PASSWORD = "password-of-the-service"
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=SHANGHAI)
WALL = ServiceError(ErrorCode.CAPTCHA_REQUIRED, "要验证", "去验证")

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


class RedisUnderTest:
    """Is a Redis that tests stop and start; what it knew is lost with it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._running = ExitStack()

    def start(self) -> None:
        user = " ".join([service_user("shared"), "on", f">{PASSWORD}", *service_rules("shared")])
        self._running.enter_context(redis_server(self._folder, self.port, "of-people", [user]))

    def stop(self) -> None:
        self._running.close()

    def lose_everything(self) -> None:
        with redis.Redis(port=self.port, password="of-people") as people:
            people.flushall()

    def environment(self, replicas: int = 2) -> dict[str, str]:
        return {
            "DYBER_REDIS_HOST": "127.0.0.1",
            "DYBER_REDIS_PORT": str(self.port),
            "DYBER_REDIS_USER": service_user("shared"),
            "DYBER_REDIS_PASSWORD": PASSWORD,
            "DYBER_REPLICAS": str(replicas),
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[RedisUnderTest]:
    made = RedisUnderTest(tmp_path_factory.mktemp("redis"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def store(server, monkeypatch) -> Iterator[RedisUnderTest]:
    """Return an empty Redis, which replicas ask again at once after a failure."""
    monkeypatch.setattr(redis_connection, "_REDIS_PAUSE_SECONDS", 0)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    server.lose_everything()
    yield server


@pytest.fixture
async def replica(store) -> AsyncIterator[Callable[[], SharedLimits]]:
    """Return a function that makes the limits of a further replica."""
    async with AsyncExitStack() as running:

        def make() -> SharedLimits:
            shared = SharedLimits.from_environment("shared")
            assert shared
            running.push_async_callback(shared.close)
            return shared

        yield make


class Away:
    """Stops a Redis, and starts it again empty at the end."""

    def __init__(self, store: RedisUnderTest) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._store.stop()

    def __exit__(self, *_: object) -> None:
        self._store.start()


def pacer(shared: SharedLimits | None, **options) -> Pacer:
    return Pacer("site", **{"min_interval": 0, "now": lambda: NOON, "shared": shared, **options})


async def take_turns(queue: Pacer, count: int = 1) -> int:
    """Try to take turns one after the other, and return how many were given."""
    given = 0
    for _ in range(count):
        try:
            async with queue.turn():
                given += 1
        except ServiceError as error:
            assert error.code is ErrorCode.RATE_LIMITED
    return given


async def refusal(queue: Pacer | Breaker) -> LocalRefusal:
    with pytest.raises(LocalRefusal) as caught:
        async with queue.turn() if isinstance(queue, Pacer) else queue.guard():
            raise AssertionError("not refused")
    return caught.value


async def meet_wall(breaker: Breaker, wall: ServiceError = WALL) -> None:
    with pytest.raises(ServiceError):
        async with breaker.guard():
            raise wall


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
    monkeypatch.setattr("dyber_kit.upstream.pacing.anyio.sleep", sleep)
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

    monkeypatch.setattr("dyber_kit.upstream.pacing.anyio.sleep", sleep)
    with Away(store):
        queue = pacer(replica(), min_interval=10, clock=lambda: now[0])
        await take_turns(queue, 2)
    # Also after its start, because another replica may have begun a turn before.
    assert slept == [20, 10, 10]


async def test_a_wall_stops_all_replicas(replica):
    first, second = Breaker("site", shared=replica()), Breaker("site", shared=replica())
    await meet_wall(first)
    error = await refusal(second)
    assert (error.code, second.state) == (ErrorCode.CAPTCHA_REQUIRED, BreakerState.OPEN)
    assert "要验证" in error.message
    assert 0 < error.retry_after <= 600


async def test_a_replica_that_starts_during_a_pause_keeps_to_it(replica):
    await meet_wall(Breaker("site", shared=replica()))
    assert (await refusal(Breaker("site", shared=replica()))).code is ErrorCode.CAPTCHA_REQUIRED


async def until_half_open(*breakers: Breaker) -> None:
    with anyio.fail_after(30):
        while any(breaker.state is BreakerState.OPEN for breaker in breakers):
            await anyio.sleep(0.01)


async def open_in_both(replica: Callable[[], SharedLimits]) -> tuple[Breaker, Breaker]:
    """Return the breakers of two replicas after a pause that both know."""
    first, second = (Breaker("site", pause_seconds=0.2, shared=replica()) for _ in range(2))
    await meet_wall(first)
    await second.refresh()
    assert second.cause is ErrorCode.CAPTCHA_REQUIRED
    await until_half_open(first, second)
    return first, second


async def test_one_replica_makes_the_trial_and_its_success_closes_the_breakers_of_all(replica):
    first, second = await open_in_both(replica)
    async with second.guard():
        assert (await refusal(first)).code is ErrorCode.BUSY
    async with first.guard():
        async with first.guard():
            pass
    assert (first.state, second.state) == (BreakerState.CLOSED, BreakerState.CLOSED)


async def test_a_replica_that_is_refused_a_trial_does_not_end_that_of_another(replica):
    first, second = await open_in_both(replica)
    async with second.guard():
        assert [(await refusal(first)).code for _ in range(2)] == [ErrorCode.BUSY] * 2


async def test_a_trial_of_a_killed_replica_is_over_after_the_longest_call(replica, monkeypatch):
    monkeypatch.setenv("MAX_CALL_SECONDS", "1")
    first, second = await open_in_both(replica)
    for breaker in (first, second):
        breaker._pause = 3600
    killed = first.guard()
    await killed.__aenter__()
    assert (await refusal(second)).code is ErrorCode.BUSY
    with anyio.fail_after(30):
        while second.cause is not None:
            with suppress(LocalRefusal):
                async with second.guard():
                    pass
            await anyio.sleep(0.05)
    await killed.__aexit__(None, None, None)


async def test_a_trial_of_which_the_answer_of_redis_was_lost_does_not_hold_up_the_next(replica):
    first, second = await open_in_both(replica)
    await first._shared.begin_trial("breaker:site", 600)
    assert (await refusal(second)).code is ErrorCode.BUSY
    async with first.guard():
        pass
    async with second.guard():
        pass
    assert second.state is BreakerState.CLOSED


async def test_a_replica_makes_no_trial_when_that_of_another_has_failed_just_before(replica, monkeypatch):
    first, second = await open_in_both(replica)
    begin = first._shared.begin_trial

    async def begin_later(*arguments: object) -> bool | None:
        await meet_wall(second, ServiceError(ErrorCode.RATE_LIMITED, retry_after=900))
        return await begin(*arguments)

    monkeypatch.setattr(first._shared, "begin_trial", begin_later)
    assert (await refusal(first)).code is ErrorCode.RATE_LIMITED


async def test_a_trial_that_meets_a_wall_stops_all_replicas_for_longer(replica):
    first, second = await open_in_both(replica)
    await meet_wall(second, ServiceError(ErrorCode.RATE_LIMITED, retry_after=900))
    assert 600 < (await refusal(first)).retry_after <= 900


async def test_after_a_trial_with_another_failure_another_replica_may_try(replica):
    first, second = await open_in_both(replica)
    with pytest.raises(RuntimeError):
        async with second.guard():
            raise RuntimeError
    async with first.guard():
        pass
    assert first.state is BreakerState.CLOSED


async def test_a_pause_that_redis_lost_is_told_to_it_again(replica, store):
    first, second = Breaker("site", shared=replica()), Breaker("site", shared=replica())
    await meet_wall(first)
    store.lose_everything()
    assert (await refusal(first)).code is ErrorCode.CAPTCHA_REQUIRED
    assert (await refusal(second)).code is ErrorCode.CAPTCHA_REQUIRED


async def test_a_pause_that_began_while_redis_was_away_is_told_when_it_is_back(replica, store):
    first, second = Breaker("site", shared=replica()), Breaker("site", shared=replica())
    with Away(store):
        await meet_wall(first)
        assert (await refusal(first)).code is ErrorCode.CAPTCHA_REQUIRED
    await first.refresh()
    assert (await refusal(second)).code is ErrorCode.CAPTCHA_REQUIRED


async def test_a_pause_that_redis_missed_does_not_end_without_a_trial(replica, monkeypatch):
    first, second = await open_in_both(replica)
    async with second.guard():
        pass

    async def unanswered(*_: object) -> None:
        return None

    with monkeypatch.context() as away:
        away.setattr(first._shared, "extend_pause", unanswered)
        await meet_wall(first)
    await until_half_open(first)
    await first.refresh()
    assert first.state is BreakerState.HALF_OPEN


async def test_while_redis_is_away_replicas_learn_of_a_pause_by_their_file(replica, store, tmp_path):
    first, second = (Breaker("site", data_dir=tmp_path, shared=replica()) for _ in range(2))
    with Away(store):
        await meet_wall(first)
        assert (await refusal(second)).code is ErrorCode.CAPTCHA_REQUIRED


async def test_a_shorter_pause_does_not_end_a_longer(replica):
    first, second = Breaker("site", pause_seconds=900, shared=replica()), Breaker("site", shared=replica())
    async with second.guard():
        await meet_wall(first)
    with pytest.raises(ServiceError):
        async with Breaker("site", pause_seconds=60, shared=replica()).guard():
            raise AssertionError("not refused")
    await second._shared.extend_pause("breaker:site", 60, json.dumps({}))
    assert (await refusal(second)).retry_after > 600


async def test_a_note_in_redis_that_cannot_be_read_is_logged(replica, caplog):
    shared = replica()
    await shared.extend_pause("breaker:site", 60, "damaged")
    async with Breaker("site", shared=shared).guard():
        pass
    assert "breaker's state in redis not readable" in caplog.text


def quota(shared: SharedLimits, **options) -> Quota:
    return Quota("hot", **{"per_day": 10, "now": lambda: NOON, "shared": shared, **options})


async def test_replicas_share_a_quota_and_what_is_given_back(replica):
    first, second = quota(replica()), quota(replica())
    await first.spend(7)
    with pytest.raises(LocalRefusal, match="还剩 3（共 10），这次请求需要 4"):
        await second.spend(4)
    await first.add(-2)
    await second.spend(5)
    await first.refresh()
    assert (first.status.used, first.status.left) == (10, 0)


async def test_requests_of_all_replicas_together_stay_within_the_quota(replica):
    quotas = [quota(replica()) for _ in range(3)]
    results = await asyncio.gather(*(each.spend() for each in quotas for _ in range(6)), return_exceptions=True)
    assert sum(result is None for result in results) == 10


async def test_a_quota_that_the_platform_says_is_used_up_stops_all_replicas(replica, store):
    first, second = quota(replica()), quota(replica())
    await first.refuse_until_reset(3600)
    with pytest.raises(LocalRefusal) as caught:
        await second.spend()
    assert caught.value.code is ErrorCode.QUOTA_EXHAUSTED
    assert 3500 < caught.value.retry_after <= 3600
    store.lose_everything()
    await first.refresh()
    with pytest.raises(LocalRefusal):
        await quota(replica()).spend()


async def test_a_quota_is_kept_across_a_restart_of_replicas_and_of_redis(replica, store, tmp_path):
    await quota(replica(), data_dir=tmp_path).spend(6)
    with Away(store):
        await quota(replica(), data_dir=tmp_path).spend(3)
        with pytest.raises(LocalRefusal):
            await quota(replica(), data_dir=tmp_path).spend(2)
    with pytest.raises(LocalRefusal):
        await quota(replica(), data_dir=tmp_path).spend(2)


def test_without_redis_there_are_no_shared_limits(monkeypatch):
    monkeypatch.delenv("DYBER_REDIS_HOST", raising=False)
    assert SharedLimits.from_environment("shared") is None
