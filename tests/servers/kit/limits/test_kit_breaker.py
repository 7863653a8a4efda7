"""Tests of the breaker that stops calls to a platform, and of the time that its errors tell callers to wait."""

from __future__ import annotations

import asyncio
import json
import re

import anyio
import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.language import using_language
from dyber_kit.times import duration
from dyber_kit.upstream.breaker import Breaker, BreakerState
from prometheus_client import generate_latest

from tests.servers.kit.limits.local_limits import Clock, breaker, fail_with, refusal


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


async def test_the_metrics_tell_a_pause_because_of_a_captcha_from_others(clock):
    for code, value in ((ErrorCode.CAPTCHA_REQUIRED, "1.0"), (ErrorCode.RATE_LIMITED, "0.0")):
        metrics = Metrics("x")
        await fail_with(breaker(clock, metrics=metrics), ServiceError(code))
        assert f'captcha_pause{{breaker="site",service="x"}} {value}' in generate_latest(metrics.registry).decode()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 秒"), (45, "45 秒"), (91, "2 分钟"), (600, "10 分钟"), (7200, "2 小时"), (11_100, "3 小时 5 分钟")],
)
def test_durations_are_written_in_readable_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("language", "ending"),
    [("zh", r"（15 分钟后再试，到 (?:[^（）]* )?\d\d:\d\d）"), ("en", r"at .*\d\d:\d\d China Standard Time\)")],
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
