"""Calls through the hub that take long, are given up or ask the user: each client gets only what is its own."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server import request_state

from tests.servers.hub.asking import answer_in, headers_of, message, messages_in, post, until
from tests.servers.hub.conftest import serving_hub
from tests.servers.hub.test_hub_calls import STREAM, call
from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE, session
from tests.stand_in.hub import services as hub_services


@pytest.mark.parametrize("modern", [True, False])
async def test_case_27_progress_reaches_only_the_request_whose_it_is(hub, gateway, modern):
    """Two clients use the same id and the same token, once as a text and once as a number."""
    streams: dict[tuple[str, Any], list[dict[str, Any]]] = {}

    async def run(name: str, token: Any) -> None:
        sent = message(
            "tools/call",
            1,
            modern=modern,
            name="alpha_wait",
            arguments={"name": name, "steps": 4},
            _meta={"progressToken": token},
        )
        response = await post(hub.base, sent, modern=modern, accept=STREAM, headers=headers_of("all", client=name))
        streams[(name, token)] = messages_in(response)

    async with anyio.create_task_group() as tasks:
        for name in ("first", "second"):
            for token in ("token", 7):
                tasks.start_soon(run, name, token)
    for (name, token), messages in streams.items():
        *progress, result = messages
        assert [step["params"]["progressToken"] for step in progress] == [token] * 4
        assert [step["params"]["message"] for step in progress] == [name] * 4
        assert [step["params"]["progress"] for step in progress] == [1, 2, 3, 4]
        assert result["result"]["structuredContent"] == {"text": name}
    sent_tokens = [passed.message["params"]["_meta"]["progressToken"] for passed in gateway.calls()]
    assert len(set(sent_tokens)) == 4


async def test_a_call_without_a_progress_token_gets_no_progress(hub):
    sent = message("tools/call", name="alpha_wait", arguments={"name": "a", "steps": 2})
    response = await post(hub.base, sent, accept=STREAM)
    assert answer_in(response)["result"]["structuredContent"] == {"text": "a"}
    assert "notifications/progress" not in response.text


@pytest.mark.parametrize("modern", [True, False])
async def test_case_28_a_client_that_leaves_cancels_its_call_in_the_service(hub, gateway, modern):
    sent = message("tools/call", modern=modern, name="alpha_wait", arguments={"name": "left", "stay": True})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: post(hub.base, sent, modern=modern, accept=STREAM))
        await until(gateway.calls)
        await anyio.sleep(0.2)
        tasks.cancel_scope.cancel()
    await until(lambda: hub_services.ended == ["left"])


async def test_case_29_a_legacy_cancellation_touches_nobody_elses_call(hub, gateway):
    sent = message("tools/call", 5, modern=False, name="alpha_wait", arguments={"name": "a", "steps": 20})
    cancellation = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5}}
    answers = []

    async def run() -> None:
        answers.append(answer_in(await post(hub.base, sent, modern=False)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        await until(gateway.calls)
        accepted = await post(hub.base, cancellation, modern=False)
    assert accepted.status_code == 202
    assert answers[0]["result"]["structuredContent"] == {"text": "a"}
    assert hub_services.ended == []


def asked(answer: dict[str, Any]) -> tuple[str, str]:
    """Return the key of the question, and the state that must come back with its answer."""
    result = answer["result"]
    assert result["resultType"] == "input_required"
    return next(iter(result["inputRequests"])), result["requestState"]


def reply(key: str, state: str, number: int = 2) -> dict[str, Any]:
    response = {"action": "accept", "content": {"text": "yes"}}
    return message(
        "tools/call",
        number,
        name="alpha_ask",
        arguments={},
        inputResponses={key: response},
        requestState=state,
        _meta=ASKABLE,
    )


ASKABLE = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}}}


async def test_case_30_a_question_and_its_state_pass_unchanged(hub, gateway, gateway_url):
    sent = message("tools/call", name="alpha_ask", arguments={}, _meta=ASKABLE)
    key, state = asked(answer_in(await post(hub.base, sent, headers=headers_of("all"))))
    with serving_hub(gateway, gateway_url) as other_replica:
        await until(lambda: other_replica.app.live.state("alpha") == "ok")
        answer = answer_in(await post(other_replica.base, reply(key, state), headers=headers_of("all")))
    assert answer["result"]["structuredContent"] == {"text": "asked yes"}
    assert gateway.calls()[-1].message["params"]["requestState"] == state


async def test_case_31_a_state_of_another_client_or_a_changed_one_is_refused(hub):
    sent = message("tools/call", name="alpha_ask", arguments={}, _meta=ASKABLE)
    key, state = asked(answer_in(await post(hub.base, sent, headers=headers_of("all"))))
    changed = state[:-2] + ("AA" if state[-2:] != "AA" else "BB")
    for used, client in ((state, "laptop"), (changed, "phone")):
        answer = answer_in(await post(hub.base, reply(key, used), headers=headers_of("all", client=client)))
        assert "error" in answer or answer["result"].get("isError")
    assert hub_services.written == []


async def test_case_31_a_state_is_refused_after_ten_minutes(hub, monkeypatch):
    for minutes, accepted in ((9, True), (11, False)):
        sent = message("tools/call", name="alpha_ask", arguments={}, _meta=ASKABLE)
        key, state = asked(answer_in(await post(hub.base, sent, headers=headers_of("all"))))
        later = SimpleNamespace(time=lambda minutes=minutes: time.time() + 60 * minutes)
        with monkeypatch.context() as patched:
            patched.setattr(request_state, "time", later)
            answer = answer_in(await post(hub.base, reply(key, state), headers=headers_of("all")))
        assert ("error" not in answer and not answer["result"].get("isError")) is accepted
    assert hub_services.written == ["yes"]


async def test_case_32_a_client_that_cannot_be_asked_is_told_so(hub):
    response = await call(hub.base, "alpha_ask")
    assert (response.status_code, answer_in(response)["error"]["code"]) == (400, -32021)


async def test_a_legacy_session_gets_progress_and_may_cancel_its_call(hub, gateway):
    async with session(hub.base, **headers_of("all")) as stream, httpx2.AsyncClient(verify=False, timeout=30) as http:

        async def send(sent: dict[str, Any]) -> None:
            accepted = await http.post(hub.base + stream.endpoint, json=sent, headers=headers_of("all"))
            assert accepted.status_code == 202

        await send(INITIALIZE)
        await stream.answer(0)
        await send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        arguments = {"name": "stepping", "steps": 2}
        meta = {"progressToken": "mine"}
        await send(message("tools/call", 3, modern=False, name="alpha_wait", arguments=arguments, _meta=meta))
        lines = [json.loads(line[6:]) async for line in until_answer(stream.lines, 3)]
        assert [line["params"]["progressToken"] for line in lines[:-1]] == ["mine", "mine"]
        assert lines[-1]["result"]["structuredContent"] == {"text": "stepping"}
        staying = {"name": "staying", "stay": True}
        await send(message("tools/call", 4, modern=False, name="alpha_wait", arguments=staying))
        await until(lambda: len(gateway.calls()) == 2)
        await send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 4}})
        await until(lambda: hub_services.ended == ["staying"])


async def until_answer(lines: AsyncIterator[str], number: int) -> AsyncIterator[str]:
    """Yield the messages of a stream up to the answer with an id."""
    async for line in lines:
        if line.startswith("data: {"):
            yield line
            if json.loads(line[6:]).get("id") == number:
                return
