"""Tests of daily quotas: counting, refusing, restarts, and what the platform says of them."""

from __future__ import annotations

import asyncio
import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.errors import LocalRefusal
from dyber_kit.times import SHANGHAI
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.cache import Cache
from prometheus_client import generate_latest

from tests.stand_in.running import free_port

NOON = datetime(2026, 11, 22, 12, tzinfo=SHANGHAI)


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def exhausted(quota: Quota, cost: int = 1) -> LocalRefusal:
    with pytest.raises(LocalRefusal) as caught:
        await quota.spend(cost)
    assert caught.value.code is ErrorCode.QUOTA_EXHAUSTED
    return caught.value


async def test_costs_are_counted_until_the_quota_is_used_up(clock):
    quota = Quota("search", per_day=10, now=clock, title="知乎搜索")
    await quota.spend(7)
    error = await exhausted(quota, 4)
    assert error.message == "知乎搜索今天的用量还剩 3（共 10），这次请求需要 4"
    assert (error.status, error.retry_after, quota.used_today) == (429, 12 * 3600, 7)
    await quota.spend(3)
    await exhausted(quota)


async def test_the_error_is_not_to_be_retried_before_the_reset(clock):
    quota = Quota("x", per_day=0, now=clock)
    details = (await exhausted(quota)).details
    assert details["retry_after_seconds"] == 12 * 3600
    assert ServiceError(ErrorCode.QUOTA_EXHAUSTED).retryable is False


async def test_the_quota_is_whole_again_after_midnight_of_its_time_zone(clock):
    shanghai, utc = Quota("a", per_day=1, now=clock), Quota("b", per_day=1, zone=UTC, now=clock)
    await shanghai.spend()
    await utc.spend()
    assert (shanghai.resets_at, utc.resets_at) == (NOON.replace(hour=0) + timedelta(days=1), NOON + timedelta(hours=20))
    clock.now = NOON + timedelta(hours=13)
    assert (shanghai.used_today, utc.used_today) == (0, 1)


async def test_the_count_outlives_a_restart(tmp_path, clock):
    await Quota("hot", per_day=100, data_dir=tmp_path, now=clock).spend(40)
    again = Quota("hot", per_day=100, data_dir=tmp_path, now=clock)
    assert again.status.model_dump(exclude={"resets_at"}) == {"name": "hot", "per_day": 100, "used": 40, "left": 60}
    assert stat.S_IMODE((tmp_path / "quota-hot.json").stat().st_mode) == 0o600


async def test_a_refusal_by_the_platform_outlives_a_restart(tmp_path, clock):
    await Quota("hot", per_day=100, data_dir=tmp_path, now=clock).refuse_until_reset()
    again = Quota("hot", per_day=100, data_dir=tmp_path, now=clock)
    assert (await exhausted(again)).retry_after == 12 * 3600
    assert again.status.left == 0
    clock.now = NOON + timedelta(hours=13)
    await again.spend()


async def test_a_platform_may_refuse_longer_than_until_midnight(clock):
    quota = Quota("monthly", per_day=100, now=clock)
    assert await quota.refuse_until_reset(5 * 86400) == 5 * 86400
    clock.now = NOON + timedelta(days=4)
    assert (await exhausted(quota)).retry_after == 86400
    assert quota.resets_at == NOON + timedelta(days=5)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"day": "x"}', '{"day":"2026-11-22","used":1,"refused_until":"2026-11-23T00:00:00"}']
)
async def test_a_damaged_count_is_renamed_and_counting_starts_anew(tmp_path, clock, content):
    (tmp_path / "quota-hot.json").write_text(content)
    quota = Quota("hot", per_day=1, data_dir=tmp_path, now=clock)
    await quota.spend()
    assert (tmp_path / "quota-hot.json.damaged").read_text() == content


async def test_a_full_volume_does_not_stop_requests(tmp_path, clock):
    (tmp_path / "file").write_text("")
    quota = Quota("hot", per_day=1, data_dir=tmp_path / "file", now=clock)
    await quota.spend()
    await exhausted(quota)


async def test_a_cost_that_is_known_later_is_counted(clock):
    quota = Quota("tokens", per_day=100, now=clock)
    await quota.add(250)
    assert (quota.used_today, quota.status.left) == (250, 0)
    await quota.add(-300)
    assert quota.used_today == 0


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b"])
def test_a_name_that_cannot_be_part_of_a_file_name_is_refused(name):
    with pytest.raises(ValueError, match="quota"):
        Quota(name, per_day=1)


async def test_metrics_show_use_and_size(clock):
    metrics = Metrics("x")
    await Quota("hot", per_day=100, metrics=metrics, now=clock).spend(3)
    shown = generate_latest(metrics.registry).decode()
    assert 'quota_used_today{quota="hot",service="x"} 3.0' in shown
    assert 'quota_per_day{quota="hot",service="x"} 100.0' in shown


async def test_concurrent_requests_together_stay_within_the_quota(client, platform):
    quota = Quota("x", per_day=5)
    results = await asyncio.gather(*(client.get("/echo/", quota=quota) for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, ServiceError)]
    assert (len(refused), len(platform.state.requests), quota.used_today) == (7, 5, 5)


async def test_every_attempt_costs(client, platform):
    platform.state.failures = 2
    quota = Quota("x", per_day=5)
    await client.get("/flaky", quota=quota)
    assert quota.used_today == 3


async def test_a_request_that_never_left_costs_nothing(make_client, refusal):
    quota = Quota("x", per_day=5)
    await refusal(make_client(f"http://127.0.0.1:{free_port()}").get("/x", quota=quota, cost=2))
    assert quota.used_today == 0


@pytest.mark.parametrize(("unchanged_is_free", "used"), [(True, 1), (False, 2)])
async def test_an_unchanged_answer_is_free_where_the_platform_says_so(make_client, unchanged_is_free, used):
    quota = Quota("x", per_day=5, unchanged_is_free=unchanged_is_free)
    client = make_client(cache=Cache("x", "1"))
    for _ in range(2):
        await client.get("/repos/{owner}/{repo}", {"owner": "octocat", "repo": "hello"}, quota=quota)
    assert quota.used_today == used


async def test_a_platform_that_says_its_quota_is_used_up_is_not_asked_again(make_client, platform, refusal, tmp_path):
    rules = ErrorRules(code_at="Code", message_at="Message", codes={30002: ErrorCode.QUOTA_EXHAUSTED})

    def sign(request) -> None:
        request.headers["Authorization"] = "Bearer zhihu-secret"
        request.headers["X-Request-Timestamp"] = "1"

    quota = Quota("hot", per_day=100, data_dir=tmp_path)
    client = make_client(errors=rules, signer=sign)
    first = await refusal(client.get("/api/v1/content/used_up", quota=quota))
    assert (first.code, first.status) == (ErrorCode.QUOTA_EXHAUSTED, 429)
    assert 0 < first.retry_after <= 86400
    restarted = Quota("hot", per_day=100, data_dir=tmp_path)
    second = await refusal(client.get("/api/v1/content/hot_list", quota=restarted))
    assert (second.code, len(platform.state.requests)) == (ErrorCode.QUOTA_EXHAUSTED, 1)
    # What another quota pays for goes on.
    assert (await client.get("/api/v1/content/search", quota=Quota("search", per_day=5))).at("Code") == 0


async def test_the_file_of_a_count_says_also_that_the_platform_refused_nothing(tmp_path, clock):
    await Quota("hot", per_day=100, data_dir=tmp_path, now=clock).spend(40)
    stored = json.loads((tmp_path / "quota-hot.json").read_text())
    # Earlier versions need all three.
    assert stored == {"day": NOON.date().isoformat(), "used": 40, "refused_until": None}
