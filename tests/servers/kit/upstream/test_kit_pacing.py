"""Tests of the queue in front of a platform, and of the breaker that stops calls."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta

import anyio
import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.language import using_language
from dyber_kit.times import SHANGHAI, duration
from dyber_kit.upstream.breaker import Breaker, BreakerState
from dyber_kit.upstream.pacing import Pacer
from prometheus_client import generate_latest

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=SHANGHAI)


class Clock:
    """Is a clock that advances only when a test sets it or code sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch | None = None) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        if monkeypatch:
            monkeypatch.setattr("dyber_kit.upstream.pacing.anyio.sleep", self.sleep)

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 1000)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@pytest.fixture
def clock(monkeypatch) -> Clock:
    return Clock(monkeypatch)


def pacer(clock: Clock, **options) -> Pacer:
    return Pacer("site", **{"min_interval": 10, "queue_seconds": 30, "clock": clock, "now": clock.now, **options})


async def take_turn(queue: Pacer) -> None:
    async with queue.turn():
        pass


async def refusal(queue: Pacer | Breaker) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        async with queue.turn() if isinstance(queue, Pacer) else queue.guard():
            raise AssertionError("not refused")
    return caught.value


async def test_the_second_turn_waits_for_the_interval(clock):
    queue = pacer(clock)
    await take_turn(queue)
    clock.seconds += 4
    await take_turn(queue)
    assert clock.slept == [6]


async def test_jitter_only_lengthens_the_interval(clock, monkeypatch):
    monkeypatch.setattr("dyber_kit.upstream.pacing.random.uniform", lambda low, high: high)
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


def breaker(clock: Clock, **options) -> Breaker:
    return Breaker("site", **{"pause_seconds": 600, "max_pause_seconds": 2000, "clock": clock, **options})


async def fail_with(target: Breaker | Pacer, error: Exception) -> None:
    with pytest.raises(type(error)):
        async with target.guard() if isinstance(target, Breaker) else target.turn():
            raise error


@pytest.mark.parametrize(
    "wall",
    [
        ServiceError(ErrorCode.RATE_LIMITED),
        ServiceError(ErrorCode.CAPTCHA_REQUIRED),
        ServiceError(ErrorCode.ACCESS_RESTRICTED, whole_account=True),
    ],
)
async def test_a_wall_opens_the_breaker_which_refuses_calls_with_its_code_and_the_time_to_wait(clock, wall):
    guarded = breaker(clock)
    await fail_with(guarded, wall)
    clock.seconds += 60
    error = await refusal(guarded)
    assert (error.code, error.retry_after) == (wall.code, 540)
    assert "已暂停访问平台" in error.message


@pytest.mark.parametrize(
    "error",
    [
        ServiceError(ErrorCode.NOT_FOUND),
        ServiceError(ErrorCode.ACCESS_RESTRICTED),
        ServiceError(ErrorCode.TIMEOUT),
        LocalRefusal(ErrorCode.RATE_LIMITED),
        RuntimeError("x"),
    ],
)
async def test_other_failures_do_not_open_the_breaker(clock, error):
    guarded = breaker(clock)
    await fail_with(guarded, error)
    assert guarded.state is BreakerState.CLOSED


async def test_after_the_pause_one_call_is_the_trial_and_the_others_are_refused(clock):
    guarded = breaker(clock)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    clock.seconds += 601
    assert guarded.state is BreakerState.HALF_OPEN
    async with guarded.guard():
        assert (await refusal(guarded)).code is ErrorCode.BUSY
    assert guarded.state is BreakerState.CLOSED


async def test_a_trial_that_meets_a_wall_doubles_the_pause_up_to_the_maximum(clock):
    guarded = breaker(clock)
    pauses = []
    for _ in range(4):
        await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
        pauses.append((await refusal(guarded)).retry_after)
        clock.seconds += pauses[-1]
    assert pauses == [600, 1200, 2000, 2000]


async def test_after_a_trial_with_another_failure_the_next_call_is_the_trial(clock):
    guarded = breaker(clock)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    clock.seconds += 601
    await fail_with(guarded, ServiceError(ErrorCode.TIMEOUT))
    assert guarded.state is BreakerState.HALF_OPEN
    async with guarded.guard():
        pass
    assert guarded.state is BreakerState.CLOSED


async def test_after_a_cancelled_trial_the_next_call_is_the_trial(clock):
    guarded = breaker(clock)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    clock.seconds += 601
    with anyio.move_on_after(0.01):
        async with guarded.guard():
            await asyncio.sleep(5)
    async with guarded.guard():
        pass
    assert guarded.state is BreakerState.CLOSED


async def test_a_call_that_began_before_the_wall_does_not_close_the_breaker(clock):
    guarded = breaker(clock)
    async with guarded.guard():
        await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    assert guarded.state is BreakerState.OPEN


async def test_a_longer_pause_that_the_platform_names_is_used(clock):
    guarded = breaker(clock)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED, retry_after=1500))
    assert (await refusal(guarded)).retry_after == 1500


async def test_the_breakers_state_is_in_the_metrics(clock):
    metrics = Metrics("x")
    guarded = breaker(clock, metrics=metrics)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    assert 'breaker_state{breaker="site",service="x"} 2.0' in generate_latest(metrics.registry).decode()


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


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 秒"), (45, "45 秒"), (91, "2 分钟"), (600, "10 分钟"), (7200, "2 小时"), (11_100, "3 小时 5 分钟")],
)
def test_durations_are_written_in_readable_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("language", "ending"),
    [("zh", r"（15 分钟后再试，到 [^ ]*\d\d:\d\d）"), ("en", r"at .*\d\d:\d\d China Standard Time\)")],
)
def test_the_time_of_a_retry_names_its_zone_where_it_is_not_the_callers(language, ending):
    with using_language(language):
        text = ServiceError(ErrorCode.RATE_LIMITED, retry_after=900).text
    assert re.search(f"{ending}$", text), text


def stored_breaker(clock: Clock, folder, **options) -> Breaker:
    return breaker(clock, data_dir=folder, wall_clock=lambda: 1_700_000_000 + clock.seconds, **options)


async def test_a_pause_survives_a_restart_with_its_cause_and_its_length(clock, tmp_path):
    before = stored_breaker(clock, tmp_path)
    await fail_with(before, ServiceError(ErrorCode.CAPTCHA_REQUIRED, "要验证", "去验证"))
    clock.seconds += 100
    after = stored_breaker(clock, tmp_path)
    error = await refusal(after)
    assert (error.code, error.retry_after, after.state) == (ErrorCode.CAPTCHA_REQUIRED, 500, BreakerState.OPEN)
    assert "要验证" in error.message
    clock.seconds += 501
    trial = stored_breaker(clock, tmp_path)
    assert trial.state is BreakerState.HALF_OPEN
    await fail_with(trial, ServiceError(ErrorCode.CAPTCHA_REQUIRED))
    assert (await refusal(stored_breaker(clock, tmp_path))).retry_after == 1200


async def test_a_closed_breaker_leaves_no_file(clock, tmp_path):
    guarded = stored_breaker(clock, tmp_path)
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    clock.seconds += 601
    async with guarded.guard():
        pass
    assert list(tmp_path.iterdir()) == []
    assert stored_breaker(clock, tmp_path).state is BreakerState.CLOSED


async def test_after_the_clock_was_set_back_a_pause_does_not_exceed_the_maximum(clock, tmp_path):
    await fail_with(stored_breaker(clock, tmp_path), ServiceError(ErrorCode.RATE_LIMITED))
    set_back = breaker(clock, data_dir=tmp_path, wall_clock=lambda: 1_000_000_000)
    assert (await refusal(set_back)).retry_after == 2000


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"code": "NO_SUCH", "message": "", "next_step": ""}', "\udcff"])
async def test_a_damaged_file_of_a_pause_is_renamed_and_logged(clock, tmp_path, caplog, content):
    (tmp_path / "breaker-site.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    assert stored_breaker(clock, tmp_path).state is BreakerState.CLOSED
    assert [file.name for file in tmp_path.iterdir()] == ["breaker-site.json.damaged"]
    assert "breaker's state not readable" in caplog.text


async def test_a_pause_that_cannot_be_stored_is_still_in_effect(clock, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    guarded = stored_breaker(clock, tmp_path / "file" / "below")
    await fail_with(guarded, ServiceError(ErrorCode.RATE_LIMITED))
    assert guarded.state is BreakerState.OPEN
    assert "breaker not kept" in caplog.text


@pytest.mark.parametrize("code", [ErrorCode.RATE_LIMITED, ErrorCode.CAPTCHA_REQUIRED])
async def test_the_first_error_of_a_wall_has_the_same_time_to_wait_as_the_next(clock, code):
    guarded = breaker(clock)
    with pytest.raises(ServiceError) as caught:
        async with guarded.guard():
            raise ServiceError(code)
    first, second = caught.value, await refusal(guarded)
    assert (first.code, first.retry_after) == (code, 600)
    assert (first.message, first.next_step) == (second.message, second.next_step)
    assert "分钟" not in first.message + first.next_step  # The text has the time once, from `retry_after`.
    assert not isinstance(first, LocalRefusal)


async def test_the_file_of_a_pause_has_plain_chinese_texts_for_earlier_versions(clock, tmp_path):
    with using_language("en"):
        await fail_with(stored_breaker(clock, tmp_path), ServiceError(ErrorCode.CAPTCHA_REQUIRED))
    stored = json.loads((tmp_path / "breaker-site.json").read_text())
    assert stored["message"] == "平台要求人工验证"
    assert isinstance(stored["next_step"], str)
    error = await refusal(stored_breaker(clock, tmp_path))
    with using_language("en"):
        assert error.message.startswith("The platform asks for a human verification")


async def test_the_file_of_a_pause_of_an_earlier_version_is_read(clock, tmp_path):
    state = {"code": "CAPTCHA_REQUIRED", "message": "要验证", "next_step": "去验证", "whole_account": False}
    state |= {"pause": 600, "until": 1_700_000_000 + clock.seconds + 300}
    (tmp_path / "breaker-site.json").write_text(json.dumps(state))
    error = await refusal(stored_breaker(clock, tmp_path))
    assert (error.retry_after, error.message) == (300, "要验证，已暂停访问平台")


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
