"""Tests that a wall which one replica meets stops all, and that one of them makes the trial afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.upstream.breaker import Breaker, BreakerState
from dyber_kit.upstream.shared_limits import SharedLimits

from tests.servers.kit.limits.replicas import Away, meet_wall, refusal


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
