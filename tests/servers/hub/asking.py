"""Sends JSON-RPC messages to an address of the hub in every way that clients do."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2

from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE
from tests.stand_in.header_attacks import META, MODERN

#: Ways to send a message, by era and form of the answer.
WAYS = [
    ("modern", "application/json"),
    ("modern", "application/json, text/event-stream"),
    ("legacy", "application/json"),
    ("legacy", "application/json, text/event-stream"),
    ("sse", "*/*"),
]
#: The whole stack, and the group of `tests.stand_in.hub.services`.
HUB, PET = "", "/groups/pet"
_NAMES = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}

Ask = Callable[..., Awaitable[dict[str, Any]]]


def headers_of(scope: str | None, client: str = "phone", **more: str) -> dict[str, str]:
    """Return the headers that the gateway sets for a client."""
    stated = {} if scope is None else {"X-Dyber-Scope": scope}
    return {"X-Dyber-Client": client, **stated, **more}


def message(method: str, number: int | str = 1, *, modern: bool = True, **params: Any) -> dict[str, Any]:
    """Return a request; that of the modern era has what it must have in `_meta`."""
    if modern:
        params["_meta"] = {**META, **params.get("_meta", {})}
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def modern_headers(sent: dict[str, Any]) -> dict[str, str]:
    """Return the headers of the modern era for a request."""
    name = sent["params"].get(_NAMES.get(sent["method"], ""))
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Method": sent["method"]}
    return headers | ({"Mcp-Name": name} if name is not None else {})


async def post(
    base: str,
    sent: Any,
    *,
    modern: bool = True,
    accept: str = "application/json",
    path: str = HUB,
    headers: dict[str, str] | None = None,
) -> httpx2.Response:
    """Send one request and return the response."""
    era = modern_headers(sent) if modern else {}
    async with httpx2.AsyncClient(verify=False, timeout=30) as http:
        return await http.post(f"{base}{path}/mcp", json=sent, headers={"accept": accept, **era, **(headers or {})})


def answer_in(response: httpx2.Response) -> dict[str, Any]:
    """Return the JSON-RPC answer in a response, whatever its form."""
    if response.headers["content-type"].startswith("application/json"):
        value: dict[str, Any] = response.json()
        return value
    return messages_in(response)[-1]


def messages_in(response: httpx2.Response) -> list[dict[str, Any]]:
    """Return the messages in an event stream."""
    return [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: {")]


@asynccontextmanager
async def asking(
    base: str,
    era: str,
    accept: str,
    scope: str | None = "all",
    path: str = HUB,
    headers: dict[str, str] | None = None,
) -> AsyncIterator[Ask]:
    """Yield a function that sends a request to an address for a client with a scope, and returns the answer.

    Behind the gateway, `headers` are those of the client itself.
    """
    headers = headers_of(scope) if headers is None else headers
    if era != "sse":

        async def directly(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
            sent = message(method, number, modern=era == "modern", **params)
            return answer_in(await post(base, sent, modern=era == "modern", accept=accept, path=path, headers=headers))

        yield directly
        return
    async with (
        httpx2.AsyncClient(verify=False, timeout=30, headers=headers) as http,
        http.stream("GET", f"{base}{path}/mcp/sse") as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        endpoint = (await anext(lines)).removeprefix("data: ")

        async def through_stream(method: str, number: int = 1, **params: Any) -> dict[str, Any]:
            sent = INITIALIZE if method == "initialize" else message(method, number, modern=False, **params)
            accepted = await http.post(base + endpoint, json=sent)
            assert accepted.status_code == 202, accepted.text
            async for line in lines:
                if line.startswith("data: {") and (answer := json.loads(line[6:])).get("id") == sent["id"]:
                    return answer
            raise AssertionError("the stream ended without an answer")

        await through_stream("initialize")
        await http.post(base + endpoint, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        yield through_stream


async def until(condition: Callable[[], Any], seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "the condition does not hold"
        await anyio.sleep(0.02)
