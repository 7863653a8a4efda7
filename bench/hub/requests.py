"""Sends MCP requests as clients of both protocol eras do, and measures how long the answers take."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from bench.hub.connections import Repeater

MODERN, OLD = "2026-07-28", "2025-06-18"
ERAS = (MODERN, OLD)
META = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "bench", "version": "1"},
}
INITIALIZE = {"protocolVersion": OLD, "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
#: A request that takes longer is given up.
LONGEST_SECONDS = 20.0
#: A measurement ends after this time, even if not all of its requests were sent.
MEASURED_SECONDS = 2.0

Send = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Address:
    """An MCP address, with the headers that each request has."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


class WrongAnswerError(Exception):
    """A response is none that counts."""


@dataclass(frozen=True)
class Request:
    """A request and what its response must contain. `method` and `params` are those of JSON-RPC."""

    method: str
    params: dict[str, Any]
    expected: Callable[[dict[str, Any]], bool]

    def body(self, era: str, number: int) -> dict[str, Any]:
        params = {**self.params, "_meta": META} if era == MODERN else self.params
        return {"jsonrpc": "2.0", "id": number, "method": self.method, "params": params}

    def headers(self, era: str) -> dict[str, str]:
        common = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": era}
        if era == OLD:
            return common
        name = self.params.get("name")
        return {**common, "Mcp-Method": self.method, **({"Mcp-Name": name} if name else {})}


def call(tool: str) -> Request:
    """Return a call of a tool that answers with what it gets."""
    return Request("tools/call", {"name": tool, "arguments": {"text": "x" * 64}}, lambda result: not _failed(result))


def tools_list(number: int | None = None) -> Request:
    """Return a request for the tools, of which there must be as many; None: any number."""
    return Request("tools/list", {}, lambda result: number is None or len(result["tools"]) == number)


def handshake(era: str) -> Request:
    """Return the request with which a client of the era begins."""
    if era == MODERN:
        return Request("server/discover", {}, lambda result: "capabilities" in result)
    return Request("initialize", INITIALIZE, lambda result: "capabilities" in result)


def _failed(result: dict[str, Any]) -> bool:
    return bool(result.get("isError"))


@contextlib.asynccontextmanager
async def senders(address: Address, request: Request, era: str, number: int) -> AsyncIterator[list[Repeater]]:
    """Yield as many functions that send the request, each over a connection of its own and, if there are any, in a
    session of its own. Raises WrongAnswerError, OSError or EOFError when one of them is awaited."""
    body = json.dumps(request.body(era, 1)).encode()

    def check(answer: httpx2.Response) -> None:
        if not request.expected(result_of(answer)):
            raise WrongAnswerError(answer.text[:300])

    functions: list[Repeater] = []
    async with httpx2.AsyncClient(headers=address.headers, timeout=LONGEST_SECONDS, follow_redirects=True) as client:
        for _ in range(number):
            headers = {**address.headers, "Content-Type": "application/json", **request.headers(era)}
            if era == OLD and request.method != "initialize":
                headers |= await _begin(client, address.url)
            functions.append(Repeater(address.url, headers, body, check))
    try:
        yield functions
    finally:
        for function in functions:
            function.close()


async def _begin(client: httpx2.AsyncClient, url: str) -> dict[str, str]:
    """Do the handshake of older clients; return the headers with which later requests are in the session that the server
    has begun, if it has sessions."""
    begin = handshake(OLD)
    answer = await client.post(url, json=begin.body(OLD, 0), headers=begin.headers(OLD))
    result_of(answer)
    session = answer.headers.get("mcp-session-id")
    headers = {"Mcp-Session-Id": session} if session else {}
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    await client.post(url, json=note, headers={**begin.headers(OLD), **headers})
    return headers


def result_of(answer: httpx2.Response) -> dict[str, Any]:
    """Return the result in a response, which may be an event stream. Raises WrongAnswerError if there is none."""
    text = answer.text
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and line[5:].strip()]
        text = lines[-1] if lines else ""
    try:
        result = json.loads(text)["result"]
    except (ValueError, KeyError, TypeError):
        raise WrongAnswerError(f"{answer.status_code} {answer.text[:300]}") from None
    return dict(result)


@dataclass(frozen=True)
class Measured:
    """Requests per second, the seconds of each request, and the processor time of all of them in seconds."""

    rate: float
    seconds: list[float]
    processor_seconds: float


async def measure(functions: Sequence[Send], number: int, used: Callable[[], float]) -> Measured:
    """Let the functions send at most as many requests in all, after a first one by each. `used` tells how much processor
    time the measured programs have used so far."""
    times: list[float] = []
    remaining = iter(range(number))

    async def work(send: Send) -> None:
        for _ in remaining:
            begun = time.perf_counter()
            await send()
            times.append(time.perf_counter() - begun)
            if time.perf_counter() - started > MEASURED_SECONDS:
                return

    await asyncio.gather(*(send() for send in functions))
    before, started = used(), time.perf_counter()
    await asyncio.gather(*(work(send) for send in functions))
    return Measured(len(times) / (time.perf_counter() - started), times, used() - before)


async def repeat(
    address: Address, request: Request, era: str, number: int, concurrency: int, used: Callable[[], float]
) -> Measured:
    """Send the request as often as `number` says, with as many requests at once."""
    async with senders(address, request, era, concurrency) as functions:
        return await measure(functions, number, used)


async def attempt(address: Address, request: Request, era: str, number: int) -> tuple[list[float], str]:
    """Send a request several times without a handshake before; return the seconds of each, and what the answer was.
    After a request that is given up, no others follow.

    That is `ok`, `error in the result`, `JSON-RPC error`, `HTTP` with the status, or the kind of failure.
    """
    times, seen = [], ""
    async with httpx2.AsyncClient(headers=address.headers, timeout=LONGEST_SECONDS, follow_redirects=True) as client:
        for index in range(number):
            begun = time.perf_counter()
            try:
                answer = await client.post(address.url, json=request.body(era, index), headers=request.headers(era))
                seen = _kind(answer)
            except httpx2.HTTPError as error:
                seen = type(error).__name__
            times.append(time.perf_counter() - begun)
            if times[-1] >= LONGEST_SECONDS:
                break
    return times, seen


def _kind(answer: httpx2.Response) -> str:
    try:
        result = result_of(answer)
    except WrongAnswerError:
        return (
            "JSON-RPC error" if '"error"' in answer.text and answer.status_code < 500 else f"HTTP {answer.status_code}"
        )
    if "tools" in result:
        return f"{len(result['tools'])} tools"
    return "error in the result" if _failed(result) else "ok"
