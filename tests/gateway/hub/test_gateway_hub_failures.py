"""Tests what a client is told of a call at the hub's addresses that failed: inside the result, with words and seconds."""

from __future__ import annotations

import json
import select
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.client import IncompleteRead
from typing import Any

import pytest

from infra.rendering.gateway.bodies import body_limits
from infra.rendering.gateway.configuration import render
from tests.gateway.support.calls import arrived, wait_until_reached
from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import SETTINGS, TOKEN, Answer, GatewayUnderTest, changed
from tests.gateway.support.hub_under_test import (
    ABSENT,
    ALPHA,
    CALLS,
    CLIENTS,
    HUB,
    HUNG,
    MODERN,
    PATIENT,
    SERVICES,
    failure,
    message,
    modern,
    old,
    reached,
)


@pytest.fixture(scope="module")
def gateway(bare: GatewayUnderTest) -> GatewayUnderTest:
    bare.configure(PATIENT, SERVICES, CLIENTS, hub=HUB)
    wait_until(lambda: modern(bare, "alpha_search").status == 200, "alpha is reached")
    return bare


def text(answer: Answer) -> str:
    return "".join(part["text"] for part in answer.json()["result"]["content"])


@pytest.mark.parametrize("era", CALLS)
@pytest.mark.parametrize("path", ["/mcp", "/groups/pet/mcp"])
def test_11_a_call_of_a_stopped_service_is_a_result_that_is_an_error(
    gateway: GatewayUnderTest, era: str, path: str
) -> None:
    answer = CALLS[era](gateway, "absent_read", path)
    details = failure(answer)
    assert details["code"] == "service_down"
    assert details["service"] == "absent"
    assert details["request_id"] == answer.headers["X-Request-Id"]
    assert details["retry_after_seconds"] > 0
    assert details["retryable"] is True
    assert answer.headers["Content-Type"] == "application/json"
    for part in ("absent", f"{details['retry_after_seconds']} 秒", f"{details['retry_after_seconds']} s", "没有执行"):
        assert part in text(answer)


def test_11_only_a_modern_result_says_that_it_is_complete(gateway: GatewayUnderTest) -> None:
    assert modern(gateway, "absent_read").json()["result"]["resultType"] == "complete"
    assert "resultType" not in old(gateway, "absent_read").json()["result"]


@pytest.mark.parametrize("identifier", [0, 7, -3, "", 'a b 中文 " \\ </script>', 2**53 - 1])
def test_11_the_result_has_the_id_of_the_request(gateway: GatewayUnderTest, identifier: Any) -> None:
    body = json.dumps({**json.loads(message("absent_read")), "id": identifier}).encode()
    for call in CALLS.values():
        answer = call(gateway, "absent_read", body=body)
        assert failure(answer)["code"] == "service_down"
        assert answer.json()["id"] == identifier


@pytest.mark.parametrize("identifier", ["9007199254740993", "1.5", "null", "[1]", "true"])
def test_11_an_id_that_cannot_be_repeated_gets_an_http_error(gateway: GatewayUnderTest, identifier: str) -> None:
    body = message("absent_read").replace(b'"id": 1', f'"id": {identifier}'.encode())
    answer = modern(gateway, "absent_read", body=body)
    assert (answer.status, answer.json()["code"]) == (503, "service_down")


@pytest.mark.parametrize("size", [1_000, 131_072, 131_073, 900_000])
def test_11_a_large_call_of_a_stopped_service_gets_an_http_error(gateway: GatewayUnderTest, size: int) -> None:
    body = message("absent_read", pad="")
    padded = message("absent_read", pad="x" * (size - len(body)))
    answer = modern(gateway, "absent_read", body=padded)
    if size <= 131_072:
        assert failure(answer)["code"] == "service_down"
    else:
        assert (answer.status, answer.json()["code"]) == (503, "service_down")
        assert int(answer.headers["Retry-After"]) > 0


def chunked(gateway: GatewayUnderTest, name: str, size: int = 10) -> Answer:
    """Call a tool with a body whose length is not announced."""
    connection = gateway.connect(80)
    headers = {
        "Authorization": f"Bearer {TOKEN}", "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call",
        "Mcp-Name": name, "Transfer-Encoding": "chunked",
    }  # fmt: skip
    body = message(name, pad="x" * size)
    try:
        parts = (body[start : start + 1000] for start in range(0, len(body), 1000))
        connection.request("POST", "/mcp", body=parts, headers=headers, encode_chunked=True)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


def test_11_a_body_without_an_announced_length_is_answered_too(gateway: GatewayUnderTest) -> None:
    assert failure(chunked(gateway, "absent_read"))["code"] == "service_down"
    assert failure(chunked(gateway, "absent_read", 100_000))["code"] == "service_down"
    assert reached(chunked(gateway, "alpha_search", 300_000)) == "alpha"


def test_11_a_large_body_without_an_announced_length_gets_an_http_error(gateway: GatewayUnderTest) -> None:
    for size in (131_073, 140_000, 170_000, 900_000):
        answer = chunked(gateway, "absent_read", size)
        assert (answer.status, answer.json()["code"]) == (503, "service_down")
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("method", "name"), [("prompts/get", "absent_greet"), ("resources/read", "absent://note/1")])
def test_11_prompts_and_resources_get_a_protocol_error(gateway: GatewayUnderTest, method: str, name: str) -> None:
    answer = modern(gateway, name, method=method)
    error = answer.json()["error"]
    assert (answer.status, answer.json()["id"], error["code"]) == (503, 1, -32603)
    assert int(answer.headers["Retry-After"]) == error["data"]["retry_after_seconds"] > 0
    assert error["data"]["dyber/error"] == error["data"]["cn.dyberpet/error"]
    assert error["data"]["dyber/error"]["service"] == "absent"
    assert "absent" in error["message"]


def test_11_below_api_the_failure_stays_an_http_error(gateway: GatewayUnderTest) -> None:
    assert modern(gateway, "absent_read", "/api/absent/mcp").status == 502


def test_14_a_call_that_broke_off_may_have_run_and_is_not_repeated(gateway: GatewayUnderTest) -> None:
    answer = modern(gateway, "alpha_break", "/mcp?call-broken-end")
    assert failure(answer)["code"] == "service_down"
    assert "可能已经执行" in text(answer)
    [alpha] = [name for name in gateway.others if "alpha" in name]
    assert arrived(alpha)["call-broken-end"] == 1


def test_14_a_stream_ends_with_its_service_and_the_next_call_is_an_error(own_gateway: GatewayUnderTest) -> None:
    name = own_gateway.backend("alpha")
    own_gateway.configure(PATIENT, (ALPHA,), CLIENTS, hub=HUB)
    wait_until_reached(own_gateway, 1)
    connection = own_gateway.connect(80)
    headers = {
        "Authorization": f"Bearer {TOKEN}", "MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call",
        "Mcp-Name": "alpha_events",
    }  # fmt: skip
    connection.request("POST", "/mcp?count=2&every=60000", body=message("alpha_events"), headers=headers)
    response = connection.getresponse()
    assert response.readline() == b"data: 0\n"
    own_gateway.remove_backend(name, grace_seconds=0)
    with pytest.raises(IncompleteRead):
        response.read()
    connection.close()
    assert failure(modern(own_gateway, "alpha_search"))["code"] == "service_down"


@pytest.mark.parametrize("era", CALLS)
def test_13_a_service_that_returns_is_called_at_once(own_gateway: GatewayUnderTest, era: str) -> None:
    call = CALLS[era]
    own_gateway.configure(PATIENT, (ALPHA,), CLIENTS, hub=HUB)
    assert failure(call(own_gateway, "alpha_search"))["code"] == "service_down"
    own_gateway.backend("alpha")
    wait_until(lambda: "isError" not in call(own_gateway, "alpha_search").body.decode(), "the service is called")
    assert reached(call(own_gateway, "alpha_search")) == "alpha"


@pytest.mark.parametrize("era", CALLS)
def test_11_an_open_breaker_is_told_with_its_seconds(own_gateway: GatewayUnderTest, era: str) -> None:
    call = CALLS[era]
    own_gateway.backend("alpha")
    breaker = {"failures": 2, "seconds": 600}
    gone = replace(ABSENT, name=f"gone-{era}")
    hub = replace(HUB, tools={gone.name: ("absent_read",), "alpha": ("alpha_search",)}, prompts={gone.name: ("greet",)})
    own_gateway.configure(changed(SETTINGS, breaker=breaker), (ALPHA, gone), CLIENTS, hub=hub)
    wait_until_reached(own_gateway, 1)
    assert [failure(call(own_gateway, "absent_read"))["code"] for _ in range(2)] == ["service_down"] * 2
    # A failure counts once the response is logged, shortly after it was sent.
    wait_until(lambda: failure(call(own_gateway, "absent_read"))["code"] == "circuit_open", "the breaker is open")
    details = failure(call(own_gateway, "absent_read"))
    assert details["service"] == gone.name
    assert 1 <= details["retry_after_seconds"] <= 600
    assert reached(call(own_gateway, "alpha_search")) == "alpha"
    refused = modern(own_gateway, "greet", method="prompts/get")
    assert (refused.status, refused.json()["error"]["code"]) == (503, -32603)
    large = modern(own_gateway, "absent_read", body=message("absent_read", pad="x" * 200_000))
    assert (large.status, large.json()["code"]) == (503, "circuit_open")
    assert 1 <= int(large.headers["Retry-After"]) <= 600


@pytest.mark.parametrize("era", CALLS)
def test_12_while_a_service_hangs_another_is_called(gateway: GatewayUnderTest, era: str) -> None:
    hanging = []
    with ExitStack() as stack:
        for _ in range(20):
            connection = gateway.connect(80)
            stack.callback(connection.close)
            headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
            if era == "modern":
                headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "hung_read"}
            connection.request("POST", "/mcp", body=message("hung_read"), headers=headers)
            hanging.append(connection.sock)
        assert [reached(CALLS[era](gateway, "alpha_search")) for _ in range(50)] == ["alpha"] * 50
        answered, _, _ = select.select(hanging, [], [], 0)
        assert answered == []


@pytest.fixture(scope="module")
def impatient(bare: GatewayUnderTest) -> Iterator[GatewayUnderTest]:
    """The gateway with a limit of a second for answers, which in a deployment is at least a minute."""
    files = render(PATIENT, SERVICES, CLIENTS, hub=HUB)
    for name in ("hub_addresses.conf", "relay.conf"):
        files[name] = files[name].replace(f"proxy_read_timeout {HUNG.read_timeout_seconds}s;", "proxy_read_timeout 1s;")
    assert bare.load(files).exit_code == 0
    yield bare


@pytest.mark.parametrize("era", CALLS)
def test_12_a_service_that_hangs_is_told_after_its_limit(impatient: GatewayUnderTest, era: str) -> None:
    answer = CALLS[era](impatient, "hung_read")
    assert (failure(answer)["code"], failure(answer)["service"]) == ("service_timeout", "hung")
    assert failure(answer)["retryable"] is False
    assert "可能仍在执行" in text(answer)
    assert reached(CALLS[era](impatient, "alpha_search")) == "alpha"


def limited(gateway: GatewayUnderTest, **limits: int) -> None:
    """Configure a gateway with a call per second, and begin to count anew."""
    slow = replace(ALPHA, requests_per_second=1)
    clients = tuple(replace(client, name=f"{client.name}-limited") for client in CLIENTS)
    settings = changed(PATIENT, limits={"burst": 3, **limits})
    gateway.configure(settings, (slow, HUNG, ABSENT), clients, hub=replace(HUB, requests_per_second=1))


def test_44_a_call_beyond_the_rate_is_told_inside_its_result(bare: GatewayUnderTest) -> None:
    limited(bare)
    for call in CALLS.values():
        answers = [call(bare, "alpha_search") for _ in range(6)]
        refused = next(answer for answer in answers if b"isError" in answer.body)
        assert failure(refused) == {
            "code": "rate_limited", "retryable": True, "retry_after_seconds": 1, "service": "alpha",
            "request_id": refused.headers["X-Request-Id"],
        }  # fmt: skip


def test_44_a_list_beyond_the_rate_gets_429(bare: GatewayUnderTest) -> None:
    limited(bare)
    answers = [modern(bare, None, method="tools/list") for _ in range(8)]
    refused = next(answer for answer in answers if answer.status != 200)
    assert (refused.status, refused.headers["Retry-After"], refused.json()["code"]) == (429, "1", "rate_limited")


def test_44_a_client_that_floods_gets_429_only(bare: GatewayUnderTest) -> None:
    limited(bare)
    statuses = [modern(bare, "alpha_search").status for _ in range(40)]
    assert 429 in statuses
    assert {200, 429} == set(statuses)


def test_44_a_tool_that_is_denied_counts_as_unknown_ones_do(bare: GatewayUnderTest) -> None:
    limited(bare)
    answers = [modern(bare, "alpha_publish", client="reader") for _ in range(8)]
    assert {failure(answer)["service"] for answer in answers if b"isError" in answer.body} == {"hub"}


def test_44_a_body_beyond_the_limit_of_bodies_is_refused_without_reading_it(gateway: GatewayUnderTest) -> None:
    allowed, size = body_limits(PATIENT)["medium"].client, 200_000
    named = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "alpha_search"}
    with ExitStack() as stack:
        for _ in range(allowed):
            upload = gateway.connect(80)
            stack.callback(upload.close)
            upload.putrequest("POST", "/mcp")
            for name, value in {"Authorization": f"Bearer {TOKEN}", "Content-Length": str(size), **named}.items():
                upload.putheader(name, value)
            upload.endheaders(b"{")
        body = message("alpha_search", arguments={"text": "x" * size})
        answers: list[Answer] = []

        def is_refused() -> bool:
            answers.append(modern(gateway, "alpha_search", body=body))
            return answers[-1].status == 429

        wait_until(is_refused, "the uploads are counted")
    assert (answers[-1].headers["Retry-After"], answers[-1].json()["code"]) == ("1", "rate_limited")
