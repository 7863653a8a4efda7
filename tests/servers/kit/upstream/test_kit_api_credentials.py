"""Tests of tokens: shared fetching, renewal, refusals, and where they are put."""

from __future__ import annotations

import asyncio

import pytest
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.api.credentials import (
    HeaderKey,
    Token,
    TokenSource,
    client_credentials,
    read_token,
    token_parameter,
)
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.breaker import Breaker, BreakerState

from tests.servers.kit.upstream.conftest import quick_limits


def application(**options) -> TokenSource:
    return client_credentials("/oauth/token", "app", "secret-value", **options)


async def test_many_calls_without_a_token_share_one_fetch(make_client, platform):
    client = make_client(tokens=application())
    answers = await asyncio.gather(*(client.get("/private") for _ in range(20)))
    assert all(answer.json() == {"ok": True} for answer in answers)
    assert platform.state.requests.count("POST /oauth/token") == platform.state.tokens_issued == 1


async def test_many_calls_whose_token_the_platform_refuses_share_one_renewal(make_client, platform):
    client = make_client(tokens=application())
    await client.get("/private")
    platform.state.valid_token = "revoked"
    answers = await asyncio.gather(*(client.get("/private") for _ in range(20)))
    assert all(answer.json() == {"ok": True} for answer in answers)
    assert platform.state.tokens_issued == 2


async def test_a_token_is_replaced_before_it_expires(make_client, platform):
    now = [0.0]

    async def fetch(client) -> Token:
        answer = await client.post(
            "/oauth/token", form={"client_secret": "secret-value"}, has_effect=False, signed=False
        )
        return read_token(answer.at("access_token"), answer.at("expires_in"))

    client = make_client(tokens=TokenSource(fetch, early_seconds=60, clock=lambda: now[0]))
    for seconds, issued in ((0, 1), (7139, 1), (7141, 2), (7200, 2)):
        now[0] = seconds
        await client.get("/private")
        assert platform.state.tokens_issued == issued


async def test_a_token_that_lives_shorter_than_its_margin_is_used_nevertheless(make_client, platform):
    platform.state.token_seconds = "30"
    client = make_client(tokens=application())
    for _ in range(3):
        await client.get("/private")
    assert platform.state.tokens_issued == 1


async def test_a_request_with_effects_is_repeated_after_the_renewal_of_its_token(make_client, platform):
    client = make_client(tokens=application())
    await client.get("/private")
    platform.state.valid_token = "revoked"
    assert (await client.post("/private")).json() == {"ok": True}
    assert platform.state.requests.count("POST /private") == 2


async def test_a_token_that_is_refused_again_and_again_is_renewed_once_per_call(make_client, platform, refusal):
    async def fetch(_client) -> Token:
        platform.state.tokens_issued += 1
        return Token("never valid")

    client = make_client(tokens=TokenSource(fetch))
    error = await refusal(client.get("/private"))
    assert (error.code, platform.state.tokens_issued) == (ErrorCode.LOGIN_EXPIRED, 2)
    assert "never valid" not in error.text


@pytest.mark.parametrize("place", ["header", "body"])
async def test_wrong_credentials_are_reported_once_and_not_tried_again_at_once(make_client, platform, refusal, place):
    tokens = client_credentials("/oauth/token", "app", "wrong-secret-value", credentials_in=place)
    client = make_client(tokens=tokens)
    errors = [await refusal(client.get("/private")) for _ in range(3)]
    assert [error.code for error in errors] == [ErrorCode.LOGIN_EXPIRED] * 3
    assert "编号和密钥" in errors[0].next_step
    assert platform.state.requests == ["POST /oauth/token"]
    assert all("wrong-secret-value" not in error.text for error in errors)


async def test_wrong_credentials_are_tried_again_after_a_while(make_client, platform, refusal):
    now = [0.0]

    async def fetch(client) -> Token:
        await client.post("/oauth/token", form={"client_secret": "wrong"}, has_effect=False, signed=False)
        return Token("unreachable")

    client = make_client(tokens=TokenSource(fetch, retry_seconds=30, clock=lambda: now[0]))
    for seconds, requests in ((0, 1), (29, 1), (31, 2)):
        now[0] = seconds
        await refusal(client.get("/private"))
        assert len(platform.state.requests) == requests


async def test_an_outage_of_the_token_endpoint_is_not_remembered(make_client, platform, refusal):
    async def fetch(client) -> Token:
        answer = await client.post("/flaky", has_effect=False, signed=False)
        platform.state.valid_token = "good"
        return read_token(answer.at("ok") and "good")

    client = make_client(tokens=TokenSource(fetch), limits=quick_limits(attempts=1))
    platform.state.failures = 1
    assert (await refusal(client.get("/private"))).code is ErrorCode.UPSTREAM_UNREACHABLE
    assert (await client.get("/private")).json() == {"ok": True}


async def test_fetching_a_token_needs_no_second_place_and_no_second_trial(make_client, platform, refusal):
    now = [0.0]
    breaker = Breaker("demo", pause_seconds=60, clock=lambda: now[0])
    client = make_client(tokens=application(), breaker=breaker, limits=quick_limits(in_flight=1))
    with pytest.raises(ServiceError):
        async with breaker.guard():
            raise ServiceError(ErrorCode.RATE_LIMITED)
    now[0] = 61.0
    assert (await client.get("/private")).json() == {"ok": True}
    assert breaker.state is BreakerState.CLOSED


async def test_a_late_refusal_of_an_old_token_does_not_discard_the_new_one(client):
    tokens = TokenSource(lambda _client: fetch())
    issued = iter(["old", "new", "unwanted"])

    async def fetch() -> Token:
        return Token(next(issued))

    assert await tokens.get(client) == "old"
    tokens.expire("old")
    assert await tokens.get(client) == "new"
    tokens.expire("old")
    assert await tokens.get(client) == "new"


async def test_a_caller_that_leaves_does_not_take_the_token_from_others(make_client, platform):
    client = make_client(tokens=application())
    calls = [asyncio.create_task(client.get("/private")) for _ in range(3)]
    await asyncio.sleep(0.01)
    calls[0].cancel()
    assert (await calls[1]).json() == (await calls[2]).json() == {"ok": True}
    assert platform.state.tokens_issued == 1


async def test_a_token_in_the_query_and_a_refusal_with_status_200_are_understood(make_client, platform):
    rules = ErrorRules(code_at="code", codes={40100: ErrorCode.LOGIN_EXPIRED})

    async def fetch(client) -> Token:
        # The platform's own envelope does not apply to the stand-in's token endpoint.
        platform.state.tokens_issued += 1
        platform.state.valid_token = f"token-number-{platform.state.tokens_issued}"
        return Token(platform.state.valid_token, 7200)

    client = make_client(errors=rules, tokens=TokenSource(fetch, place=token_parameter("token")))
    await client.get("/open/weibo/hot_search", params={"category": "主榜"})
    platform.state.valid_token = "revoked"
    answer = await client.get("/open/weibo/hot_search", params={"category": "主榜"})
    assert answer.at("data.data.0.word") == "热搜"
    assert "token" not in str(answer.url)
    assert platform.state.requests[-1].endswith("&token=token-number-2")


@pytest.mark.parametrize(
    ("value", "seconds", "token"),
    [
        ("x", 7200, Token("x", 7200.0)),
        ("x", "60", Token("x", 60.0)),
        ("x", None, Token("x")),
        ("x", "soon", Token("x")),
        ("x", -1, Token("x")),
        ("x", "nan", Token("x")),
    ],
)
def test_the_validity_of_a_token_is_read_from_numbers_and_texts(value, seconds, token):
    assert read_token(value, seconds) == token


@pytest.mark.parametrize("value", [None, "", 7, {}])
async def test_an_answer_without_a_token_is_reported(value, refusal):
    async def read() -> Token:
        return read_token(value)

    assert (await refusal(read())).code is ErrorCode.UPSTREAM_CHANGED


def test_secrets_are_not_shown_when_their_holders_are_printed():
    assert "hidden" not in repr(HeaderKey("hidden")) + repr(Token("hidden")) + HeaderKey("hidden").identity
