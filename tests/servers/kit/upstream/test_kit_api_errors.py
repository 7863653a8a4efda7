"""Tests of the errors of API platforms: statuses, codes, words, keys, and answers of odd form."""

from __future__ import annotations

import pytest
from dyber_kit import ErrorCode
from dyber_kit.upstream.api.credentials import HeaderKey
from dyber_kit.upstream.api.errors import ErrorRules
from pydantic import BaseModel

ZHIHU = ErrorRules(
    code_at="Code",
    message_at="Message",
    codes={20001: ErrorCode.LOGIN_EXPIRED, 30001: ErrorCode.RATE_LIMITED, 30002: ErrorCode.QUOTA_EXHAUSTED},
    key_setting="ZHIHU_ACCESS_SECRET",
)


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, ErrorCode.INVALID_ARGUMENT, False),
        (401, ErrorCode.LOGIN_REQUIRED, False),
        (402, ErrorCode.QUOTA_EXHAUSTED, False),
        (403, ErrorCode.ACCESS_RESTRICTED, False),
        (404, ErrorCode.NOT_FOUND, False),
        (410, ErrorCode.NOT_FOUND, False),
        (418, ErrorCode.UPSTREAM_CHANGED, False),
        (422, ErrorCode.INVALID_ARGUMENT, False),
        (429, ErrorCode.RATE_LIMITED, True),
        (451, ErrorCode.ACCESS_RESTRICTED, False),
        (500, ErrorCode.UPSTREAM_UNREACHABLE, True),
        (503, ErrorCode.UPSTREAM_UNREACHABLE, True),
    ],
)
async def test_a_status_becomes_an_error_with_the_id_of_the_request(client, refusal, status, code, retryable):
    error = await refusal(client.get("/status/{status}", {"status": status}))
    assert (error.code, error.retryable) == (code, retryable)
    assert f"HTTP {status}，平台的请求编号 status-1" in error.message
    assert error.details["platform_request_id"] == "status-1"


async def test_a_platform_can_give_a_status_another_meaning(make_client, refusal):
    client = make_client(errors=ErrorRules(statuses={418: ErrorCode.CAPTCHA_REQUIRED}))
    assert (await refusal(client.get("/status/418"))).code is ErrorCode.CAPTCHA_REQUIRED


async def test_the_words_of_the_platform_are_passed_on(client, refusal):
    error = await refusal(client.get("/search/repositories", params={"q": "x" * 300}))
    assert error.message.endswith("平台说：Validation Failed: The search is too long.")


async def test_a_refused_key_is_named_by_its_setting(make_client, refusal):
    client = make_client(signer=HeaderKey("wrong-key-value"), errors=ErrorRules(key_setting="DEMO_KEY"))
    error = await refusal(client.get("/private"))
    assert error.code is ErrorCode.LOGIN_EXPIRED
    assert "DEMO_KEY" in error.next_step


async def test_a_refusal_that_repeats_the_key_does_not_show_it(make_client, refusal):
    error = await refusal(make_client(signer=HeaderKey("wrong-key-value")).get("/private"))
    assert "Bad credentials: Bearer …" in error.message
    assert "wrong-key-value" not in error.text


async def test_a_missing_key_is_named_by_its_setting(make_client, refusal):
    error = await refusal(make_client(errors=ErrorRules(key_setting="DEMO_KEY")).get("/private"))
    assert error.code is ErrorCode.NOT_CONFIGURED
    assert "DEMO_KEY" in error.next_step


async def test_a_code_in_a_successful_answer_is_an_error(make_client, refusal):
    error = await refusal(make_client(errors=ZHIHU, signer=HeaderKey("wrong")).get("/api/v1/content/hot_list"))
    assert error.code is ErrorCode.LOGIN_EXPIRED
    assert "代码 20001" in error.message and "ZHIHU_ACCESS_SECRET" in error.next_step


async def test_an_unknown_code_is_reported_with_the_cleaned_words_of_the_platform(make_client, refusal):
    def sign(request) -> None:
        request.headers["X-Request-Timestamp"] = "1"
        request.headers["Authorization"] = "Bearer zhihu-secret"

    error = await refusal(make_client(errors=ZHIHU, signer=sign).get("/api/v1/content/unknown"))
    assert error.code is ErrorCode.UPSTREAM_CHANGED
    assert error.message.endswith("（代码 12345），平台说：something new")


@pytest.mark.parametrize("kind", ["html", "nan", "cut", "deep", "not-utf8", "wrong-charset"])
async def test_a_body_that_is_not_json_is_reported_as_changed(client, refusal, kind):
    answer = await client.get("/odd/{kind}", {"kind": kind})

    async def read() -> object:
        return answer.json()

    assert (await refusal(read())).code is ErrorCode.UPSTREAM_CHANGED


async def test_a_body_that_is_not_json_is_an_error_where_a_code_is_expected(make_client, refusal):
    error = await refusal(make_client(errors=ZHIHU).get("/odd/html"))
    assert (error.code, "text/html" in error.message) == (ErrorCode.UPSTREAM_CHANGED, True)


async def test_an_empty_body_and_a_byte_order_mark_are_understood(client):
    assert (await client.get("/odd/empty")).json() is None
    assert (await client.get("/odd/mark")).json() == {}


async def test_the_encoding_that_the_platform_names_is_used(client):
    assert (await client.get("/odd/gbk")).json() == {"value": "中文"}


async def test_another_shape_is_reported_with_the_field_and_without_its_value(client, refusal):
    answer = await client.get("/search/repositories", params={"q": "x"})

    async def read() -> object:
        class Wrong(BaseModel):
            full_name: int

        return answer.model(list[Wrong], "items")

    error = await refusal(read())
    assert "items.0.full_name" in error.message and "octocat" not in error.text
    assert error.request_id == "C0DE:1A2B:3C4D"


@pytest.mark.parametrize(("rules", "whole"), [((), False), ((403,), True)])
async def test_a_refusal_of_the_account_is_told_apart_from_that_of_an_item(make_client, refusal, rules, whole):
    error = await refusal(make_client(errors=ErrorRules(account_refusals=rules)).get("/rate/forbidden"))
    assert (error.code, error.whole_account) == (ErrorCode.ACCESS_RESTRICTED, whole)
