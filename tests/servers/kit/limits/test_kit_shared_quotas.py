"""Tests that replicas share a daily quota through a real Redis."""

from __future__ import annotations

import asyncio

import pytest
from dyber_kit import ErrorCode
from dyber_kit.errors import LocalRefusal
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.shared_limits import SharedLimits

from tests.servers.kit.limits.replicas import NOON, Away


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
