"""Calls the tools of a foreign server through the bridge."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dyber_kit.bridge.listing import Lock
from dyber_kit.observing.tracing import Kind

from tests.servers.conftest import Connect
from tests.servers.kit.observing.spans_taken import spans_taken
from tests.stand_in.bridges import Bridge, bridge, settings_of, text_of


@pytest.fixture(scope="module")
def shared(lock: Lock) -> Iterator[Bridge]:
    with bridge(settings_of(), lock) as running:
        yield running


async def test_clients_of_both_eras_and_of_legacy_sse_list_and_call_the_same_tools(
    shared: Bridge, lock: Lock, connect: Connect
) -> None:
    async with connect(shared.base) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == lock.tools.keys()
        answer = await client.call_tool("echo", {"text": "你好"})
        assert (text_of(answer), answer.is_error) == ("你好", False)


async def test_the_request_to_the_foreign_server_is_a_span_below_that_of_the_call(
    shared: Bridge, connect: Connect
) -> None:
    with spans_taken() as spans:
        async with connect(shared.base) as client:
            await client.call_tool("echo", {"text": "PRIVATE-WORDS"})
    server, foreign = sorted((span for span in spans if span.name == "tools/call echo"), key=lambda span: span.start)
    assert (server.kind, foreign.kind) == (Kind.SERVER, Kind.CLIENT)
    assert foreign.parent_id == server.span_id
    assert foreign.attributes["gen_ai.tool.name"] == "echo"
    assert not [span for span in spans if "PRIVATE-WORDS" in str((span.name, span.attributes))]
