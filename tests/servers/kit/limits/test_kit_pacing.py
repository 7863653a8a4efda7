"""Tests of the queue in front of a platform."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys

import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.pacing import Pacer
from prometheus_client import generate_latest

from tests.servers.kit.limits.local_limits import breaker, fail_with, pacer, refusal, take_turn
from tests.support.patching import replace_in_this_thread


async def test_the_second_turn_waits_for_the_interval(clock):
    queue = pacer(clock)
    await take_turn(queue)
    clock.seconds += 4
    await take_turn(queue)
    assert clock.slept == [6]


async def test_jitter_only_lengthens_the_interval(clock, monkeypatch):
    replace_in_this_thread(monkeypatch, random, "uniform", lambda low, high: high)
    queue = pacer(clock, jitter=5)
    await take_turn(queue)
    await take_turn(queue)
    assert clock.slept == [15]


async def test_turns_are_given_one_at_a_time_in_order():
    queue = Pacer("site", min_interval=0, queue_seconds=30)
    inside, order = 0, []

    async def work(number: int) -> None:
        nonlocal inside
        async with queue.turn():
            inside += 1
            assert inside == 1
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(work(number) for number in range(20)))
    assert order == list(range(20))


async def test_a_wait_longer_than_the_limit_is_refused_at_once_with_the_time_to_wait(clock):
    queue = pacer(clock, min_interval=100)
    await take_turn(queue)
    error = await refusal(queue)
    assert (error.code, error.retry_after, clock.slept) == (ErrorCode.BUSY, 100, [])


async def test_during_a_long_turn_others_get_busy_and_afterwards_the_queue_is_free():
    queue = Pacer("site", min_interval=0, queue_seconds=0.05)
    async with queue.turn():
        error = await refusal(queue)
    assert error.code is ErrorCode.BUSY
    assert queue.waiting == 0
    await take_turn(queue)


async def test_a_cancelled_wait_is_removed_from_the_queue():
    queue = Pacer("site", min_interval=0, queue_seconds=30)
    async with queue.turn():
        waiting = asyncio.create_task(take_turn(queue))
        await asyncio.sleep(0.01)
        assert queue.waiting == 1
        waiting.cancel()
        await asyncio.wait([waiting])
        assert queue.waiting == 0
    await take_turn(queue)


async def test_the_error_of_the_daily_cap_has_the_time_until_midnight(clock):
    queue = pacer(clock, daily_cap=2, min_interval=0)
    await take_turn(queue)
    await take_turn(queue)
    error = await refusal(queue)
    assert error.code is ErrorCode.RATE_LIMITED
    assert error.retry_after == 12 * 3600


async def test_a_new_day_brings_new_turns(clock):
    queue = pacer(clock, daily_cap=1, min_interval=0)
    await take_turn(queue)
    clock.seconds += 12 * 3600
    await take_turn(queue)
    assert queue.used_today == 1


async def test_the_days_count_survives_a_restart(clock, tmp_path):
    await take_turn(pacer(clock, daily_cap=1, data_dir=tmp_path))
    error = await refusal(pacer(clock, daily_cap=1, data_dir=tmp_path))
    assert error.code is ErrorCode.RATE_LIMITED
    stored = json.loads((tmp_path / "pacing-site.json").read_bytes())
    assert stored == {"day": "2026-03-01", "used": 1, "refused_until": None}


@pytest.mark.parametrize("content", ["", "[]", '{"day": "x", "used": 1}', '{"day": "2026-03-01"}'])
async def test_after_a_damaged_file_the_count_starts_at_zero(clock, tmp_path, content):
    (tmp_path / "pacing-site.json").write_text(content)
    queue = pacer(clock, daily_cap=1, data_dir=tmp_path)
    await take_turn(queue)
    assert queue.used_today == 1
    assert (tmp_path / "pacing-site.json.damaged").read_text() == content


async def test_a_full_volume_does_not_stop_the_queue(clock, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    await take_turn(pacer(clock, daily_cap=5, data_dir=tmp_path / "file"))
    assert "daily count not kept" in caplog.text


async def test_metrics_show_how_many_calls_wait_and_how_many_turns_were_taken():
    metrics = Metrics("x")
    queue = Pacer("site", min_interval=0, metrics=metrics)
    async with queue.turn():
        waiting = asyncio.create_task(take_turn(queue))
        await asyncio.sleep(0.01)
        shown = generate_latest(metrics.registry).decode()
    await waiting
    assert 'queue_depth{queue="site",service="x"} 1.0' in shown
    assert 'queue_turns_today{queue="site",service="x"} 1.0' in shown


async def test_an_open_breaker_refuses_at_once_without_using_a_turn(clock):
    queue = pacer(clock, breaker=breaker(clock))
    await fail_with(queue, ServiceError(ErrorCode.CAPTCHA_REQUIRED))
    assert (await refusal(queue)).code is ErrorCode.CAPTCHA_REQUIRED
    assert (queue.used_today, clock.slept) == (1, [])


async def test_calls_that_wait_while_the_breaker_opens_are_refused():
    queue = Pacer("site", min_interval=0, breaker=Breaker("site"))
    reached = []

    async def wait_for_turn() -> None:
        async with queue.turn():
            reached.append(True)

    with pytest.raises(ServiceError):
        async with queue.turn():
            others = [asyncio.create_task(wait_for_turn()) for _ in range(5)]
            await asyncio.sleep(0.01)
            raise ServiceError(ErrorCode.CAPTCHA_REQUIRED)
    failures = await asyncio.gather(*others, return_exceptions=True)
    assert [failure.code for failure in failures] == [ErrorCode.CAPTCHA_REQUIRED] * 5
    assert reached == []


def test_the_queue_starts_and_keeps_its_count_where_files_cannot_be_locked(tmp_path):
    """Run it as on Windows, which has no fcntl."""
    program = """
import asyncio, pathlib, sys
import mcp  # It imports fcntl too, though not on Windows.
sys.modules["fcntl"] = None
from dyber_kit.upstream.pacing import Pacer
from dyber_kit.upstream.shared_limits import SharedLimits

async def main():
    queue = Pacer("site", min_interval=0, data_dir=pathlib.Path(sys.argv[1]), shared=SharedLimits.from_environment("a"))
    async with queue.turn():
        print(queue.used_today)

asyncio.run(main())
"""
    redis = {"DYBER_REDIS_HOST": "127.0.0.1", "DYBER_REDIS_PORT": "9"}
    redis |= {"DYBER_REDIS_USER": "a", "DYBER_REDIS_PASSWORD": "a"}
    ran = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, **redis},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.stdout, ran.returncode) == ("1\n", 0), ran.stderr
    assert json.loads((tmp_path / "pacing-site.json").read_text())["used"] == 1
