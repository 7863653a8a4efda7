"""The client of the hub's benchmark reads what servers send, and checks each answer that it has not seen yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import httpx2
import pytest

from bench.hub.connections import Repeater
from bench.hub.requests import measure

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nfirst"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfir\r\n2;note\r\nst\r\n0\r\n\r\n"
OTHER = PLAIN.replace(b"first", b"other")
LAST = PLAIN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
FAILED = PLAIN.replace(b"200 OK", b"502 Bad Gateway")


async def repeated(answers: Sequence[bytes]) -> tuple[list[tuple[int, str]], list[bytes], int]:
    """Send a request once for each answer of a server; return the checked answers, the requests and the connections."""
    remaining, requests, connections = list(answers), list[bytes](), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while remaining:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            requests.append(head + await reader.readexactly(2))
            answer = remaining.pop(0)
            writer.write(answer)
            if answer is LAST:
                break
        writer.close()

    checked: list[tuple[int, str]] = []

    def check(answer: httpx2.Response) -> None:
        checked.append((answer.status_code, answer.text))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        send = Repeater(f"http://127.0.0.1:{port}/mcp", {"Mcp-Method": "ping"}, b"{}", check)
        for _ in answers:
            await send()
        send.close()
    return checked, requests, connections


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED])
async def test_an_answer_is_read_to_its_end_and_checked_once(answer: bytes) -> None:
    checked, requests, connections = await repeated([answer] * 3)
    assert (checked, len(requests), connections) == ([(200, "first")], 3, 1)
    assert requests[0].startswith(b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1:")
    assert requests[0].endswith(b"\r\nMcp-Method: ping\r\nContent-Length: 2\r\n\r\n{}")


async def test_another_answer_is_checked_too() -> None:
    assert (await repeated([PLAIN, OTHER, OTHER, FAILED]))[0] == [(200, "first"), (200, "other"), (502, "first")]


async def test_a_failure_with_the_bytes_of_an_answer_is_no_answer() -> None:
    assert (await repeated([PLAIN, FAILED]))[0] == [(200, "first"), (502, "first")]


async def test_a_connection_that_the_server_closes_is_made_anew() -> None:
    assert (await repeated([PLAIN, LAST, PLAIN]))[2] == 2


async def test_the_first_request_of_each_function_is_not_measured() -> None:
    sent, used = [], iter([3.0, 5.0])

    async def send() -> None:
        sent.append(None)

    result = await measure([send, send], 10, lambda: next(used))
    assert (len(sent), len(result.seconds), result.processor_seconds) == (12, 10, 2.0)
