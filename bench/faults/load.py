"""Puts steady load on a stack with several clients, and records the outcome of each call under its id."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2

from bench.faults.calls import NO_LISTENER, Call, Outcome, classify

PROTOCOL = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": PROTOCOL, "io.modelcontextprotocol/clientCapabilities": {}}
TIMEOUT_SECONDS = 30
#: How long calls of every kind must have been right before the stack counts as recovered.
STEADY_SECONDS = 3.0
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Caller:
    """A client that repeats the same call, `pause` seconds apart.

    `tool`: None means a GET of the address. `arguments` makes the arguments from the call's id. `expected`: text that a
    right response contains; None means the call's id.
    """

    kind: str
    address: str
    pause: float
    tool: str | None = None
    arguments: Callable[[str], dict[str, Any]] = lambda identity: {}
    expected: str | None = None


class Load:
    """A context in which all `callers` call and `streams` legacy SSE streams are open at `stream_address`.

    `all_up` is one more condition for the stack to count as recovered.
    """

    def __init__(
        self, callers: list[Caller], token: str, stream_address: str, streams: int, all_up: Callable[[], bool]
    ) -> None:
        self.callers, self.token, self.all_up = callers, token, all_up
        self.stream_address, self.streams = stream_address, streams
        self.calls: list[Call] = []
        #: Times at which a stream broke off without a proper end.
        self.cuts: list[float] = []
        self.open_streams = 0
        self._numbers = itertools.count(1)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(TIMEOUT_SECONDS + 5)

    def since(self, moment: float) -> list[Call]:
        """Return the calls that ended at `moment` or later."""
        return [call for call in list(self.calls) if call.ended >= moment]

    def ok_since(self, moment: float) -> dict[str, float | None]:
        """Return, by kind of call, when the first right response after `moment` ended that no other outcome followed.

        None if there is none yet.
        """
        since: dict[str, float | None] = {caller.kind: None for caller in self.callers}
        for call in self.since(moment):
            if call.outcome is not Outcome.OK:
                since[call.kind] = None
            elif since[call.kind] is None and call.begun >= moment:
                since[call.kind] = call.ended
        return since

    def seconds_until_recovered(self, moment: float, limit: float) -> tuple[float | None, str]:
        """Wait until calls of every kind are right, all streams are open and `all_up` holds.

        Returns the seconds since `moment`, None after `limit` seconds, and the condition that was met last.
        """
        up: float | None = None
        while True:
            now = time.monotonic()
            since_by_kind = self.ok_since(moment)
            waiting = [kind for kind, since in since_by_kind.items() if since is None or now - since < STEADY_SECONDS]
            if self.open_streams < self.streams:
                waiting.append("streams")
            if up is None and self.all_up():
                up = time.monotonic()
            if up is None:
                waiting.append("/api/status")
            if not waiting:
                moments = {**since_by_kind, "/api/status": up}
                last = max(moments, key=lambda kind: moments[kind] or 0)
                return (moments[last] or 0) - moment, last
            if now - moment > limit:
                return None, ", ".join(waiting)
            time.sleep(POLL_SECONDS)

    async def _run(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=TIMEOUT_SECONDS) as http:
            streams = [asyncio.create_task(self._hold_stream(http)) for _ in range(self.streams)]
            await asyncio.gather(*(self._repeat_calls(http, caller) for caller in self.callers))
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _repeat_calls(self, http: httpx2.AsyncClient, caller: Caller) -> None:
        while not self._stop.is_set():
            identity = f"chaos-{next(self._numbers):06d}"
            begun = time.monotonic()
            outcome, code = await self._outcome(http, caller, identity)
            self.calls.append(Call(identity, caller.kind, begun, time.monotonic(), outcome, code))
            await asyncio.sleep(caller.pause)

    async def _outcome(self, http: httpx2.AsyncClient, caller: Caller, identity: str) -> tuple[Outcome, str]:
        expected = identity if caller.expected is None else caller.expected
        try:
            response = await self._send(http, caller, identity)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Outcome.REFUSED, NO_LISTENER
        except httpx2.HTTPError as error:
            return Outcome.LOST, repr(error)
        return classify(response.status_code, response.text, expected)

    async def _send(self, http: httpx2.AsyncClient, caller: Caller, identity: str) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {self.token}", "X-Request-Id": identity}
        if caller.tool is None:
            return await http.get(caller.address, headers=headers)
        headers |= {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": PROTOCOL,
            "Mcp-Method": "tools/call",
            "Mcp-Name": caller.tool,
        }
        call = {"name": caller.tool, "arguments": caller.arguments(identity), "_meta": META}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
        return await http.post(caller.address, headers=headers, json=body)

    async def _hold_stream(self, http: httpx2.AsyncClient) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        while not self._stop.is_set():
            opened = False
            try:
                async with http.stream("GET", self.stream_address, headers=headers) as response:
                    async for _ in response.aiter_bytes():
                        if not opened:
                            opened = True
                            self.open_streams += 1
            except httpx2.HTTPError:
                if opened:
                    self.cuts.append(time.monotonic())
            finally:
                self.open_streams -= opened
            await asyncio.sleep(POLL_SECONDS)
