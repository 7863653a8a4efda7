"""Tests that nothing is lost and nothing stays behind while many clients of every era use the hub."""

from __future__ import annotations

import gc
from collections import Counter

import anyio

from bench.hub.soak_load import Load, Step
from tests.gateway.support.whole_stack import WholeStack, authorization
from tests.servers.hub.asking import until

#: Where the classes are whose instances belong to requests, streams, sessions and connections.
PACKAGES = ("mcp", "dyber_hub", "dyber_kit", "starlette", "sse_starlette", "uvicorn", "anyio", "asyncio", "httpx2")
CLIENTS = {"modern": 24, "legacy": 13, "sse": 13}
PET = "/groups/pet"
WARM_UP, REQUESTS = 150, 300
STEPS = (
    Step("alpha_echo", {"text": "字" * 100}),
    Step("beta_echo", {"text": "b"}),
    Step("alpha_echo", {"unknown": 1}, is_error=True),
    Step("alpha_wait", {"name": "left", "steps": 100}, cancel_after=0.2),
    Step("alpha_wait", {"name": "a", "steps": 3}),
    Step(None),
    Step("say", {"text": "a"}, PET),
    Step(None, path=PET),
    Step("say", {"unknown": 1}, PET, is_error=True),
)


async def all_clients_work(stack: WholeStack, requests: int) -> Load:
    """Let the clients send at least as many requests and leave; the gateway loads its configuration meanwhile."""
    load = Load(stack.base, authorization("everything"), STEPS, CLIENTS, pause=0.3, listeners=5)
    async with anyio.create_task_group() as group:
        group.start_soon(load.run, lambda: len(load.outcomes) < requests)
        await until(lambda: len(load.outcomes) > requests / 3, 120)
        await anyio.to_thread.run_sync(stack.configure)
    return load


def objects() -> Counter[str]:
    """Return the number of objects by class, of those that requests, streams, sessions and connections have."""
    gc.collect()
    classes = (type(value) for value in gc.get_objects())
    return Counter(
        f"{kind.__module__}.{kind.__qualname__}" for kind in classes if kind.__module__.partition(".")[0] in PACKAGES
    )


async def test_case_52_many_clients_of_both_eras_lose_nothing_and_leave_nothing_behind(stack: WholeStack) -> None:
    """The gateway loads its configuration again under load; caches and pools are full after the first round."""
    await all_clients_work(stack, WARM_UP)
    before = objects()
    load = await all_clients_work(stack, REQUESTS)
    kinds = Counter((outcome.way, outcome.kind) for outcome in load.outcomes)
    assert load.connections_lost == []
    assert {kind for _, kind in kinds} == {"ok", "refused", "cancelled"}, load.outcomes
    assert {way for way, _ in kinds} == set(CLIENTS)
    grown: dict[str, int] = {}

    def nothing_is_left() -> bool:
        grown.clear()
        grown.update({name: count for name, count in (objects() - before).items() if count >= 10})
        return not grown

    try:
        await until(nothing_is_left)
    except AssertionError:
        assert grown == {}
        raise
