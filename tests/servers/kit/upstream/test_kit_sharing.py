"""Tests that concurrent equal calls share one execution."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.sharing import SharedWork


class Work:
    """Counts its runs, which end when `go` is set."""

    def __init__(self) -> None:
        self.started = self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.started += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.started


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_equal_calls_share_one_run_and_others_do_not():
    shared, work = SharedWork(), Work()
    callers = [asyncio.create_task(shared.run(key, work)) for key in "aaaab"]
    await settle()
    assert work.started == 2
    work.go.set()
    await asyncio.gather(*callers)


async def test_a_caller_that_leaves_or_times_out_does_not_stop_the_work_for_the_others():
    shared, work = SharedWork(), Work()

    async def hurried() -> None:
        with anyio.move_on_after(0.01):
            await shared.run("a", work)

    first = asyncio.create_task(shared.run("a", work))
    second = asyncio.create_task(shared.run("a", work))
    await settle()
    first.cancel()
    await hurried()
    work.go.set()
    assert await second == 1
    assert (work.started, work.cancelled) == (1, 0)


async def test_work_without_waiting_callers_is_cancelled_and_the_next_caller_starts_it_again():
    shared, work = SharedWork(), Work()
    first = asyncio.create_task(shared.run("a", work))
    await settle()
    first.cancel()
    await settle()
    assert work.cancelled == 1
    work.go.set()
    assert await shared.run("a", work) == 2


async def test_an_error_is_raised_for_all_callers_and_is_not_kept():
    shared = SharedWork()
    runs = []

    async def fail() -> None:
        runs.append(True)
        await asyncio.sleep(0)
        raise ServiceError(ErrorCode.NOT_FOUND)

    results = await asyncio.gather(*(shared.run("a", fail) for _ in range(3)), return_exceptions=True)
    assert [result.code for result in results] == [ErrorCode.NOT_FOUND] * 3
    assert len(runs) == 1
    with pytest.raises(ServiceError):
        await shared.run("a", fail)
    assert len(runs) == 2
