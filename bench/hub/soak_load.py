"""Lets clients of every protocol era call, list and listen at the addresses of a hub for a long time."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import anyio
import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import SubscriptionLost
from mcp.shared.exceptions import MCPError

#: Steps of a client on a connection before it connects again.
STEPS_PER_CONNECTION = 100
#: A request without an answer counts as lost after this time.
LONGEST_SECONDS = 40.0
#: A client whose connection broke connects again after this time.
AGAIN_SECONDS = 0.5
WAYS = ("modern", "legacy", "sse")
FAILURE_KEY = "cn.dyberpet/error"
#: Errors of a connection that broke.
BROKEN = (
    httpx2.HTTPError, OSError, MCPError, SubscriptionLost,
    anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError,
)  # fmt: skip
#: Messages of the SDK's client where no answer came.
NO_ANSWER = ("SSE stream ended without a response", "Connection closed", "Server returned an error response")


@dataclass(frozen=True)
class Step:
    """A request of a client. `tool`: None means a list of the tools.

    `path`: that of the hub, of a group or of the search. `is_error`: whether the result has to be an error.
    `cancel_after`: seconds after which the client gives the call up; None: it waits.
    """

    tool: str | None
    arguments: dict[str, Any] = field(default_factory=dict)
    path: str = ""
    is_error: bool = False
    cancel_after: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a step ended. `at`: seconds of the monotonic clock.

    `kind`: `ok`, `refused` (the error that has to come), `cancelled`, `told` (an error that says why the call was not
    done), `failed` (an answer of the protocol that is an error) or `lost` (no answer, or a wrong one).
    """

    begun: float
    at: float
    way: str
    kind: str
    detail: str = ""


@dataclass
class Load:
    """The clients at `base`, each with `headers`, and what became of their requests.

    `pause`: seconds between the steps of a client. `listeners`: how many of the modern clients also listen for changes
    of the list. `clients`: how many clients by way (`modern`, `legacy`, `sse`).
    """

    base: str
    headers: dict[str, str]
    steps: tuple[Step, ...]
    clients: dict[str, int]
    pause: float
    listeners: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    streams_ended: int = 0
    connections_lost: list[Outcome] = field(default_factory=list)

    async def run(self, goes_on: Callable[[], bool]) -> None:
        """Let the clients work until `goes_on` returns False."""
        async with asyncio.TaskGroup() as group:
            number = itertools.count()
            for way, clients in self.clients.items():
                for _ in range(clients):
                    group.create_task(self._work(way, next(number), goes_on))
            listening = [group.create_task(self._listen(goes_on)) for _ in range(self.listeners)]
            while goes_on():
                await asyncio.sleep(0.2)
            for task in listening:
                task.cancel()

    async def _work(self, way: str, number: int, goes_on: Callable[[], bool]) -> None:
        paths = sorted({step.path for step in self.steps})
        # The clients share the addresses evenly and do not begin at the same step.
        path = paths[number % len(paths)]
        steps = [step for step in self.steps if step.path == path]
        position = number
        await asyncio.sleep(self.pause * (number % 10) / 10)
        while goes_on():
            begun = time.monotonic()
            try:
                async with connection(self.base, way, path, self.headers) as client:
                    for _ in range(STEPS_PER_CONNECTION):
                        if not goes_on():
                            return
                        position += 1
                        outcome = await self._do(client, way, steps[position % len(steps)])
                        self.outcomes.append(outcome)
                        if outcome.kind == "lost":
                            break
                        await asyncio.sleep(self.pause)
            except* BROKEN as errors:
                self.connections_lost.append(Outcome(begun, time.monotonic(), way, "lost", described(errors)))
                await asyncio.sleep(AGAIN_SECONDS)

    async def _do(self, client: Client, way: str, step: Step) -> Outcome:
        begun = time.monotonic()

        def ended(kind: str, detail: str = "") -> Outcome:
            return Outcome(begun, time.monotonic(), way, kind, detail)

        try:
            async with asyncio.timeout(step.cancel_after or LONGEST_SECONDS):
                if step.tool is None:
                    listed = await client.list_tools(cache_mode="bypass")
                    return ended("ok") if listed.tools else ended("lost", "an empty list")
                result = await client.call_tool(step.tool, step.arguments)
        except TimeoutError:
            return ended("cancelled") if step.cancel_after else ended("lost", "no answer")
        except MCPError as error:
            message = error.error.message.splitlines()[0][:80]
            is_lost = message.startswith(NO_ANSWER)
            return ended("lost" if is_lost else "failed", f"{error.error.code} {message}")
        except BROKEN as error:
            return ended("lost", type(error).__name__)
        if failure := (result.meta or {}).get(FAILURE_KEY):
            return ended("told", str(failure["code"]))
        if bool(result.is_error) is not step.is_error:
            return ended("lost", f"wrong answer: {result.content[0].text[:80] if result.content else ''}")  # type: ignore[union-attr]
        return ended("refused" if step.is_error else "ok")

    async def _listen(self, goes_on: Callable[[], bool]) -> None:
        while goes_on():
            try:
                async with (
                    connection(self.base, "modern", "", self.headers) as client,
                    client.listen(tools_list_changed=True) as stream,
                ):
                    async for _ in stream:
                        pass
                self.streams_ended += 1
            except* BROKEN:
                self.streams_ended += 1
            await asyncio.sleep(AGAIN_SECONDS)


@asynccontextmanager
async def connection(base: str, way: str, path: str, headers: dict[str, str]) -> AsyncIterator[Client]:
    """Yield a client of the SDK that has connected in a way to an address of the hub."""
    if way == "sse":
        stream = sse_client(
            f"{base}{path}/mcp/sse", headers=headers, timeout=LONGEST_SECONDS, httpx_client_factory=_http
        )
        async with Client(stream, mode="legacy", read_timeout_seconds=LONGEST_SECONDS) as client:
            yield client
        return
    async with (
        _http(headers) as http,
        Client(
            streamable_http_client(f"{base}{path}/mcp", http_client=http),
            mode="auto" if way == "modern" else "legacy",
            read_timeout_seconds=LONGEST_SECONDS,
        ) as client,
    ):
        yield client


def _http(
    headers: dict[str, str] | None = None, timeout: httpx2.Timeout | None = None, auth: httpx2.Auth | None = None
) -> httpx2.AsyncClient:
    # Reading the authorities takes so long that many clients would do nothing else.
    return httpx2.AsyncClient(headers=headers, timeout=timeout or LONGEST_SECONDS, auth=auth, verify=_tls())


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def described(errors: BaseExceptionGroup[BaseException]) -> str:
    """Return the kinds of the errors in a group."""
    return ", ".join(sorted(_kinds(errors)))


def _kinds(error: BaseException) -> set[str]:
    if isinstance(error, BaseExceptionGroup):
        return set().union(*map(_kinds, error.exceptions))
    return {type(error).__name__}
