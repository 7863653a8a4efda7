"""Services that do not answer: calls say so in words that a model reads, and other services are not affected."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import anyio
import httpx2
import pytest
from dyber_hub.forwarding.gateway import MOST_AT_ONCE

from tests.servers.hub.asking import PET, WAYS, answer_in, asking, headers_of, message, post, until
from tests.servers.hub.conftest import ONCE, serving_hub
from tests.stand_in.running import free_port


def failure_of(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what a failed call tells programs; the model gets the service and the seconds in two languages."""
    result = answer["result"]
    assert result["isError"] is True
    assert "structuredContent" not in result
    failure = result["_meta"]["dyber/error"]
    assert result["_meta"]["cn.dyberpet/error"] == failure
    chinese, english = result["content"][0]["text"].split("\n")
    for text in (chinese, english):
        assert failure["service"] in text
        assert str(failure["retry_after_seconds"]) in text
    assert "服务" in chinese or "调用" in chinese
    assert english.isascii()
    return failure


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_11_a_call_of_a_stopped_service_ends_in_words(hub, gateway, era, accept):
    gateway.down.add("beta")
    async with asking(hub.base, era, accept) as ask:
        answer = await ask("tools/call", 3, name="beta_echo", arguments={"text": "a"})
    assert failure_of(answer)["code"] == "service_down"
    assert answer["id"] == 3
    assert answer["result"].get("resultType") == ("complete" if era == "modern" else None)


@pytest.mark.parametrize(
    ("status", "code", "seconds"),
    [(503, "circuit_open", 17), (429, "rate_limited", 2), (504, "service_timeout", 5), (502, "service_down", 9)],
)
async def test_a_refusal_of_the_gateway_becomes_words_with_its_seconds(hub, gateway, status, code, seconds):
    gateway.refusals["beta"] = (status, code, seconds)
    sent = message("tools/call", name="beta_echo", arguments={"text": "a"})
    response = await post(hub.base, sent, headers=headers_of("all", **{"X-Request-Id": "request-2"}))
    assert response.status_code == 200
    assert failure_of(answer_in(response)) == {
        "code": code,
        "retryable": code not in ("service_timeout", "service_down"),
        "retry_after_seconds": seconds,
        "service": "beta",
        "request_id": "request-2",
    }


async def test_after_a_timeout_the_text_says_that_the_call_may_have_been_carried_out(hub, gateway):
    gateway.refusals["beta"] = (504, "service_timeout", 5)
    answer = answer_in(await post(hub.base, message("tools/call", name="beta_clear", arguments={})))
    assert "may have been carried out" in answer["result"]["content"][0]["text"]


@pytest.mark.parametrize("modern", [True, False])
async def test_requests_without_room_for_words_get_an_error_and_the_time_to_wait(hub, gateway, modern):
    await until(lambda: hub.app.live.state("alpha") == "ok")
    gateway.refusals["alpha"] = (503, "circuit_open", 11)
    for method, params in (
        ("prompts/get", {"name": "alpha_greet", "arguments": {"name": "Ada"}}),
        ("resources/read", {"uri": "alpha://about"}),
    ):
        response = await post(hub.base, message(method, modern=modern, **params), modern=modern)
        assert (response.status_code, response.headers["retry-after"]) == (503, "11")
        assert answer_in(response)["error"]["code"] == -32603
        for key in ("dyber/error", "cn.dyberpet/error"):
            assert answer_in(response)["error"]["data"][key]["service"] == "alpha"


@pytest.mark.parametrize("modern", [True, False])
async def test_case_14_a_service_that_dies_in_the_middle_is_not_called_twice(hub, gateway, modern):
    gateway.lost.add("gamma")
    sent = message("tools/call", modern=modern, name="gamma_echo", arguments={"text": "a" * 5000})
    answer = answer_in(await post(hub.base, sent, modern=modern))
    assert failure_of(answer)["code"] == "connection_lost"
    assert len(gateway.calls()) == 1


async def test_case_12_a_service_that_hangs_does_not_slow_down_another(hub, gateway):
    gateway.slow.add("beta")
    hanging = message("tools/call", name="beta_echo", arguments={"text": "a"})
    async with anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(post, hub.base, hanging)
        await until(lambda: len(gateway.calls()) == 20)
        answer = answer_in(await post(hub.base, message("tools/call", name="gamma_echo", arguments={"text": "a"})))
        assert answer["result"]["content"][0]["text"] == "a"
        tasks.cancel_scope.cancel()


async def test_many_calls_of_a_service_that_hangs_take_nothing_from_another(hub, gateway):
    gateway.slow.add("beta")
    hanging = message("tools/call", name="beta_echo", arguments={"text": "a"})
    refused: list[dict[str, Any]] = []

    async def call_beta() -> None:
        refused.append(failure_of(answer_in(await post(hub.base, hanging))))

    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_AT_ONCE):
            tasks.start_soon(call_beta)
        await until(lambda: len(gateway.calls()) == MOST_AT_ONCE, seconds=60)
        for _ in range(250 - MOST_AT_ONCE):
            tasks.start_soon(call_beta)
        await until(lambda: len(refused) == 250 - MOST_AT_ONCE, seconds=60)
        assert {failure["code"] for failure in refused} == {"busy"}
        assert len(gateway.calls()) == MOST_AT_ONCE
        answer = answer_in(await post(hub.base, message("tools/call", name="gamma_echo", arguments={"text": "a"})))
        assert answer["result"]["content"][0]["text"] == "a"
        tasks.cancel_scope.cancel()
    gateway.slow.clear()
    await until(lambda: hub.app.calls.in_flight == 0)
    answers: list[dict[str, Any]] = []

    async def call_again() -> None:
        answers.append(answer_in(await post(hub.base, hanging))["result"])

    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_AT_ONCE):
            tasks.start_soon(call_again)
    assert [answer.get("structuredContent") for answer in answers] == [{"text": "beta a"}] * MOST_AT_ONCE


async def test_the_hub_still_learns_how_a_service_is_that_has_all_calls_that_it_may_have(hub, gateway):
    hanging = message("tools/call", name="alpha_wait", arguments={"name": "a", "stay": True})
    async with anyio.create_task_group() as tasks:
        for _ in range(MOST_AT_ONCE):
            tasks.start_soon(post, hub.base, hanging)
        await until(lambda: len(gateway.calls()) == MOST_AT_ONCE)
        gateway.down.add("alpha")
        await until(lambda: hub.app.live.state("alpha") == "down")
        gateway.down.clear()
        await until(lambda: hub.app.live.state("alpha") == "ok")
        tasks.cancel_scope.cancel()


async def test_a_call_that_takes_longer_than_every_limit_is_ended(gateway, gateway_url, monkeypatch):
    monkeypatch.setattr("dyber_hub.app._GRACE_SECONDS", -19.5)
    gateway.slow.add("beta")
    with serving_hub(gateway, gateway_url, timings=ONCE, max_call_seconds=1) as hub:
        answer = answer_in(await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"})))
    assert answer["result"]["isError"] is True
    assert "TIMEOUT" in answer["result"]["content"][0]["text"]


async def test_without_a_gateway_everything_but_calls_works_and_calls_say_so(gateway):
    with serving_hub(gateway, f"http://127.0.0.1:{free_port()}") as hub:
        await until(lambda: hub.app.live.state("alpha") == "down")
        listed = answer_in(await post(hub.base, message("tools/list")))["result"]
        assert len(listed["tools"]) == 8
        answer = answer_in(await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"})))
        assert failure_of(answer)["code"] == "gateway_down"


async def test_a_gateway_that_does_not_know_the_token_is_a_failure_and_no_secret_is_shown(gateway, gateway_url):
    with serving_hub(gateway, gateway_url, token="another-token-of-a-hub") as hub:
        await until(lambda: hub.app.live.state("beta") == "down")
        response = await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"}))
    assert failure_of(answer_in(response))["code"] == "refused"
    assert "another-token" not in response.text
    assert gateway.calls() == []


async def test_an_answer_of_the_gateway_in_words_is_passed_on(gateway):
    """The gateway itself answers a call of a service that is down in words, with the id of the hub's request."""
    words = {"content": [{"type": "text", "text": "down"}], "isError": True, "resultType": "complete"}

    async def serve(reader: Any, writer: Any) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(
            next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")).split()[1]
        )
        request = await reader.readexactly(length)
        number = httpx2.Response(200, content=request).json()["id"]
        body = httpx2.Request("POST", "http://a", json={"jsonrpc": "2.0", "id": number, "result": words}).content
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        await writer.drain()
        writer.close()

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    async with await asyncio.start_server(serve, "127.0.0.1", port):
        with serving_hub(gateway, f"http://127.0.0.1:{port}", timings=ONCE) as hub:
            answer = answer_in(await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"})))
    assert answer["result"]["content"] == words["content"]


async def test_a_group_answers_for_a_stopped_service_as_the_hub_does(hub, gateway):
    gateway.down.add("alpha")
    answer = answer_in(await post(hub.base, message("tools/call", name="say", arguments={"text": "a"}), path=PET))
    assert failure_of(answer)["service"] == "alpha"


async def test_an_answer_that_is_larger_than_the_hub_reads_is_a_failure(hub, gateway, monkeypatch):
    monkeypatch.setattr("dyber_hub.forwarding.gateway.MAX_ANSWER_BYTES", 5000)
    for accept in ("application/json", "application/json, text/event-stream"):
        sent = message("tools/call", name="gamma_echo", arguments={"text": "a" * 6000})
        assert failure_of(answer_in(await post(hub.base, sent, accept=accept)))["code"] == "bad_answer"


async def test_a_service_whose_list_is_too_large_to_be_read_counts_as_down(hub, gateway, monkeypatch):
    await until(lambda: hub.app.live.state("alpha") == "ok")
    monkeypatch.setattr("dyber_hub.forwarding.gateway.MAX_OWN_ANSWER_BYTES", 2000)
    await until(lambda: hub.app.live.state("alpha") == "down")
    assert len(hub.app.live.services["alpha"].tools or ()) == 5
