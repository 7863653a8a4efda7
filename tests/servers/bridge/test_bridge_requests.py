"""Tests the requests that reach a child without the SDK's dispatcher: ids, errors, cancelling, and the end of the child."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

import anyio
import pytest
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.transports import asked as asked_module
from dyber_kit.bridge.transports import stdio
from dyber_kit.bridge.transports.asked import Asked
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.process import ChildProcess
from dyber_kit.bridge.transports.stdio import ChildInput, ChildOutput
from dyber_kit.observing.metrics import Metrics
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp.types import CONNECTION_CLOSED, INTERNAL_ERROR, INVALID_PARAMS, JSONRPCNotification, JSONRPCRequest

NAMED = {"name": "echo", "arguments": {"text": "你好"}}


class Pipe:
    """Takes what is written to the child."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.closed = False
        self.broken = False

    def write(self, data: bytes) -> None:
        for line in data.splitlines():
            self.lines.put_nowait(json.loads(line))

    async def drain(self) -> None:
        if self.broken:
            raise BrokenPipeError

    def is_closing(self) -> bool:
        return self.closed


@dataclass
class Child:
    """Holds a stand-in of a child: what it gets and what it says."""

    stdin: Pipe = field(default_factory=Pipe)
    stdout: asyncio.StreamReader = field(default_factory=asyncio.StreamReader)

    async def next(self) -> dict[str, Any]:
        """Return the next message to the child."""
        return await self.stdin.lines.get()

    def says(self, **message: Any) -> None:
        self.stdout.feed_data(json.dumps(message).encode() + b"\n")


@dataclass
class Connection:
    """Holds both directions, what the dispatcher would get, and the metrics."""

    child: Child
    requests: ChildInput
    asked: Asked
    metrics: Metrics
    for_dispatcher: list[Any] = field(default_factory=list)

    def count(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"{name}_total", {"service": "demo"}) or 0

    def call(self) -> asyncio.Task[dict[str, Any]]:
        return asyncio.create_task(self.requests.request("tools/call", NAMED))


@asynccontextmanager
async def connected() -> AsyncIterator[Connection]:
    child, asked, metrics = Child(), Asked(), Metrics("demo")
    process = cast(ChildProcess, child)
    output = ChildOutput(process, asked, ChildLog(Masker([])), BridgeMetrics(metrics))
    connection = Connection(child, ChildInput(process, asked), asked, metrics)

    async def read() -> None:
        with suppress(anyio.EndOfStream):
            while True:
                connection.for_dispatcher.append(await output.receive())

    reading = asyncio.create_task(read())
    yield connection
    reading.cancel()


async def test_each_caller_gets_its_answer_in_any_order_also_when_the_child_turns_ids_into_texts():
    async with connected() as connection:
        calls = [connection.call() for _ in range(3)]
        sent = [await connection.child.next() for _ in calls]
        assert [(message["method"], message["params"]) for message in sent] == [("tools/call", NAMED)] * 3
        for number, message in reversed(list(enumerate(sent))):
            connection.child.says(id=str(message["id"]) if number else message["id"], result={"number": number})
        assert [answer["number"] for answer in await asyncio.gather(*calls)] == [0, 1, 2]
        assert connection.for_dispatcher == []
        assert connection.count("mcp_child_unknown_answers") == 0


@pytest.mark.parametrize(
    ("answer", "code", "text"),
    [
        ({"error": {"code": -32602, "message": "no", "data": {"a": 1}}}, -32602, "no"),
        ({"error": "broken"}, INTERNAL_ERROR, "broken"),
        ({"result": [1]}, INTERNAL_ERROR, "the result is not an object"),
    ],
)
async def test_an_error_of_the_child_is_the_callers(answer, code, text):
    async with connected() as connection:
        call = connection.call()
        connection.child.says(id=(await connection.child.next())["id"], **answer)
        with pytest.raises(MCPError) as raised:
            await call
        assert (raised.value.error.code, raised.value.error.message) == (code, text)


async def test_a_child_is_told_of_a_call_that_is_given_up_and_its_late_answer_is_no_fault():
    async with connected() as connection:
        call = connection.call()
        request_id = (await connection.child.next())["id"]
        call.cancel()
        told = await connection.child.next()
        assert (told["method"], told["params"]["requestId"]) == ("notifications/cancelled", request_id)
        connection.child.says(id=request_id, result={})
        connection.child.says(id=request_id + 1, result={})
        connection.child.says(method="notifications/message", params={})
        while not any(isinstance(item.message, JSONRPCNotification) for item in connection.for_dispatcher):
            await asyncio.sleep(0)
        assert connection.count("mcp_child_unknown_answers") == 1


async def test_an_answer_whose_id_is_a_very_long_number_as_text_is_only_an_unknown_answer():
    async with connected() as connection:
        call = connection.call()
        request_id = (await connection.child.next())["id"]
        connection.child.says(id="9" * 5000, result={})
        connection.child.says(id=request_id, result={"number": 1})
        assert await asyncio.wait_for(call, 20) == {"number": 1}
        assert connection.count("mcp_child_unknown_answers") == 1


async def test_a_request_that_nobody_cancels_is_given_up_without_a_word():
    async with connected() as connection:
        call = asyncio.create_task(connection.requests.request("ping", {}, cancel=False))
        assert "params" not in await connection.child.next()
        call.cancel()
        await asyncio.wait([call])
        assert connection.child.stdin.lines.empty()


async def test_all_callers_learn_that_the_child_has_ended_also_later_ones():
    async with connected() as connection:
        call = connection.call()
        await connection.child.next()
        connection.child.stdout.feed_eof()
        for waiting in (call, connection.call()):
            with pytest.raises(MCPError) as raised:
                await waiting
            assert raised.value.error.code == CONNECTION_CLOSED


@pytest.mark.parametrize("fault", ["closed", "broken"])
async def test_a_child_that_takes_nothing_has_ended(fault):
    async with connected() as connection:
        setattr(connection.child.stdin, fault, True)
        with pytest.raises(MCPError) as raised:
            await connection.call()
        assert raised.value.error.code == CONNECTION_CLOSED
        assert connection.asked.only() is None


@pytest.mark.parametrize("names_its_id", [True, False])
async def test_an_answer_that_is_too_long_ends_its_call(monkeypatch, names_its_id):
    monkeypatch.setattr(stdio, "is_intricate", lambda line: len(line) > 100)
    async with connected() as connection:
        call = connection.call()
        request_id = (await connection.child.next())["id"]
        padding = {"text": "x" * 5000}
        connection.child.says(**({"id": request_id} if names_its_id else {"a": 1}), result=padding, more=padding)
        with pytest.raises(MCPError, match=stdio.TOO_LONG):
            await call


def nested(levels: int) -> list[Any]:
    """Return a list in a list, and so on."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("by", ["request", "dispatcher"])
async def test_a_call_that_cannot_be_written_as_json_is_refused_and_waits_for_nothing(by):
    params = {"name": "echo", "arguments": {"list": nested(300)}}
    async with connected() as connection:
        with pytest.raises(MCPError) as raised:
            if by == "request":
                await connection.requests.request("tools/call", params)
            else:
                request = JSONRPCRequest(jsonrpc="2.0", id=1, method="tools/call", params=params)
                await connection.requests.send(SessionMessage(request))
        assert raised.value.error.code == INVALID_PARAMS
        assert connection.child.stdin.lines.empty()
        waiting = connection.call()
        assert connection.asked.only() is None
        request_id = (await connection.child.next())["id"]
        assert connection.asked.only() == request_id
        connection.child.says(id=request_id, result={})
        await waiting


async def test_a_number_that_json_does_not_have_is_written_as_null():
    async with connected() as connection:
        params = {"name": "echo", "arguments": {"numbers": [float("inf"), float("nan"), 1.5]}}
        call = asyncio.create_task(connection.requests.request("tools/call", params))
        sent = await connection.child.next()
        assert sent["params"]["arguments"] == {"numbers": [None, None, 1.5]}
        connection.child.says(id=sent["id"], result={})
        await call


async def test_ids_begin_anew_before_they_need_more_than_32_bits(monkeypatch):
    monkeypatch.setattr(asked_module, "_LAST_ID", asked_module._FIRST_ID + 1)
    asked = Asked()
    assert [asked.expect()[0] - asked_module._FIRST_ID for _ in range(3)] == [0, 1, 0]
