"""Tests of conditional requests, and of the decorator that caches and shares calls."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.api.credentials import HeaderKey
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.caching import cached
from pydantic import BaseModel, Field

from tests.stand_in.platforms import api_platform

HELLO = {"owner": "octocat", "repo": "hello"}
PATH = "/repos/{owner}/{repo}"


class Repository(BaseModel):
    name: str
    pushed: datetime
    topics: list[str]


def repository(name: str) -> Repository:
    return Repository(name=name, pushed=datetime(2026, 11, 22, tzinfo=UTC), topics=["a"])


@pytest.fixture
def cache() -> Cache:
    return Cache("x", "1")


async def test_an_unchanged_answer_comes_from_the_cache_and_costs_no_limit(make_client, platform, cache):
    client = make_client(cache=cache)
    first, second = await client.get(PATH, HELLO), await client.get(PATH, HELLO)
    assert second.json() == first.json()
    assert (first.unchanged, second.unchanged, second.status) == (False, True, 200)
    assert platform.state.headers[1]["if-none-match"] == 'W/"1f8dd9cdbf5d"'
    assert platform.state.remaining["core"] == 58


async def test_an_unchanged_answer_has_the_id_of_the_request_that_confirmed_it(make_client, cache):
    client = make_client(cache=cache)
    await client.get(PATH, HELLO)
    assert (await client.get(PATH, HELLO)).request_id == "C0DE:0:304"


async def test_a_changed_answer_replaces_the_kept_one(make_client, platform, cache, monkeypatch):
    client = make_client(cache=cache)
    await client.get(PATH, HELLO)
    monkeypatch.setattr(api_platform, "ETAG", '"new"')
    monkeypatch.setitem(api_platform.REPOSITORY, "description", "New")
    assert (await client.get(PATH, HELLO)).at("description") == "New"
    third = await client.get(PATH, HELLO)
    assert (third.unchanged, third.at("description")) == (True, "New")


async def test_kept_answers_survive_a_new_client_of_the_same_account_only(make_client, platform, cache):
    await make_client(cache=cache, signer=HeaderKey("first-secret")).get(PATH, HELLO)
    await make_client(cache=cache, signer=HeaderKey("second-secret")).get(PATH, HELLO)
    await make_client(cache=cache, signer=lambda request: None).get(PATH, HELLO)
    await make_client(cache=cache, signer=lambda request: None).get(PATH, HELLO)
    await make_client(cache=cache).get(PATH, HELLO)
    assert not any("if-none-match" in headers for headers in platform.state.headers)
    await make_client(cache=cache, signer=HeaderKey("first-secret")).get(PATH, HELLO)
    assert "if-none-match" in platform.state.headers[-1]


async def test_a_renamed_item_is_confirmed_at_its_new_address(make_client, platform, cache):
    client = make_client(cache=cache)
    for _ in range(2):
        answer = await client.get(PATH, {"owner": "octocat", "repo": "renamed"})
    assert answer.unchanged
    assert ["if-none-match" in headers for headers in platform.state.headers] == [False, False, False, True]


async def test_failures_are_not_kept(make_client, platform, cache, refusal):
    client = make_client(cache=cache)
    for _ in range(2):
        await refusal(client.get(PATH, {"owner": "octocat", "repo": "missing"}))
    assert not any("if-none-match" in headers for headers in platform.state.headers)


async def test_without_a_cache_every_answer_is_asked_for_in_full(client, platform):
    for _ in range(2):
        await client.get(PATH, HELLO)
    assert not any("if-none-match" in headers for headers in platform.state.headers)


async def test_an_unasked_confirmation_is_reported(client, refusal):
    assert (await refusal(client.get("/status/304"))).code is ErrorCode.UPSTREAM_CHANGED


async def test_concurrent_equal_calls_run_once_and_later_ones_come_from_the_cache(cache):
    calls = []

    @cached(cache, seconds=60)
    async def load(name: str, size: int = 1) -> Repository:
        calls.append((name, size))
        await asyncio.sleep(0)
        return repository(name)

    results = await asyncio.gather(load("a"), load("a", 1), load(name="a"), load("a", size=2))
    assert (await load("a")) == results[0] == repository("a")
    assert calls == [("a", 1), ("a", 2)]


async def test_every_caller_gets_a_copy_of_the_result(cache):
    @cached(cache, seconds=60)
    async def load() -> Repository:
        return repository("a")

    first, second = await asyncio.gather(load(), load())
    first.topics.append("changed")
    assert second.topics == (await load()).topics == ["a"]


async def test_lists_and_missing_values_keep_their_types(cache):
    calls = []

    @cached(cache, seconds=60)
    async def load(names: list[str]) -> list[Repository]:
        return [repository(name) for name in names]

    @cached(cache, seconds=60)
    async def find(name: str) -> Repository | None:
        calls.append(name)
        return None

    assert await load(["a", "b"]) == [repository("a"), repository("b")] == await load(["a", "b"])
    assert (await find("x"), await find("x"), len(calls)) == (None, None, 2)


async def test_a_model_with_other_names_in_the_platforms_json_is_cached(cache):
    calls = []

    class Starred(BaseModel):
        stars: int = Field(validation_alias="stargazers_count")

    @cached(cache, seconds=60)
    async def load() -> Starred:
        calls.append(1)
        return Starred.model_validate({"stargazers_count": 80})

    load.__wrapped__.__annotations__["return"] = Starred
    assert (await load()).stars == (await load()).stars == 80
    assert len(calls) == 1


async def test_errors_are_raised_for_all_callers_and_are_not_cached(cache):
    calls = []

    @cached(cache, seconds=60)
    async def load() -> Repository:
        calls.append(1)
        await asyncio.sleep(0)
        raise ServiceError(ErrorCode.RATE_LIMITED)

    results = await asyncio.gather(load(), load(), return_exceptions=True)
    assert [result.code for result in results] == [ErrorCode.RATE_LIMITED] * 2
    with pytest.raises(ServiceError):
        await load()
    assert len(calls) == 2


async def test_a_method_uses_the_cache_of_its_instance(cache):
    class Reader:
        def __init__(self, account: str, seconds: float) -> None:
            self.cache, self.account, self.seconds, self.calls = cache, account, seconds, 0

        @cached(lambda self: self.cache, seconds=lambda self: self.seconds, vary=lambda self, *_: self.account)
        async def load(self, name: str) -> Repository:
            self.calls += 1
            return repository(f"{self.account} {name}")

    first, second, hasty = Reader("first", 60), Reader("second", 60), Reader("hasty", 0)
    for reader in (first, second, hasty):
        for _ in range(2):
            assert (await reader.load("a")).name == f"{reader.account} a"
    assert (first.calls, second.calls, hasty.calls) == (1, 1, 2)


async def test_a_cached_value_of_another_release_is_loaded_again(cache):
    calls = []

    @cached(cache, seconds=60)
    async def load() -> Repository:
        calls.append(1)
        return repository("a")

    await load()
    for key in list(cache._memory):
        cache._memory[key] = (b'{"old": 1}', 60)
    assert await load() == await load() == repository("a")
    assert len(calls) == 2


def test_a_function_that_cannot_be_cached_is_refused_when_it_is_declared(cache):
    with pytest.raises(TypeError, match="not asynchronous"):

        @cached(cache, seconds=1)
        def plain() -> int:
            return 1

    with pytest.raises(TypeError, match="no return type"):

        @cached(cache, seconds=1)
        async def untyped():
            return 1
