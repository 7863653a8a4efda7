"""Puts steady load on a stack with several clients; each call has an id, and its outcome is kept."""

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
PATIENCE_SECONDS = 30
#: How long calls of every kind must have been right before the stack counts as whole.
STEADY_SECONDS = 3.0
LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Caller:
    """A client that makes the same call again and again, `pause` seconds apart. `tool` is None for a GET of the
    address; `arguments` makes the arguments from the call's id; `expected` is what a right answer has in it, None: the
    call's id."""

    kind: str
    address: str
    pause: float
    tool: str | None = None
    arguments: Callable[[str], dict[str, Any]] = lambda identity: {}
    expected: str | None = None


class Load:
    """A context in which all `callers` call, and `streams` legacy SSE streams are held open at `stream_address`.
    `all_up` tells what else must hold before all counts as whole."""

    def __init__(
        self, callers: list[Caller], token: str, stream_address: str, streams: int, all_up: Callable[[], bool]
    ) -> None:
        self.callers, self.token, self.all_up = callers, token, all_up
        self.stream_address, self.streams = stream_address, streams
        self.calls: list[Call] = []
        #: Moments at which a stream broke off without a proper end.
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
        self._thread.join(PATIENCE_SECONDS + 5)

    def since(self, moment: float) -> list[Call]:
        """Return the calls that ended after a moment."""
        return [call for call in list(self.calls) if call.ended >= moment]

    def right_since(self, moment: float) -> dict[str, float | None]:
        """Return, by kind of call, the end of the first right answer after `moment` and after the last answer that was
        not right; None where there is none yet."""
        since: dict[str, float | None] = {caller.kind: None for caller in self.callers}
        for call in self.since(moment):
            if call.outcome is not Outcome.OK:
                since[call.kind] = None
            elif since[call.kind] is None and call.begun >= moment:
                since[call.kind] = call.ended
        return since

    def seconds_until_right(self, moment: float, limit: float) -> tuple[float | None, str]:
        """Wait until calls of every kind are right, all streams are open and all is up. Returns the seconds from
        `moment` on, None after `limit` seconds, and what was waited for last."""
        up: float | None = None
        while True:
            now = time.monotonic()
            right = self.right_since(moment)
            waiting = [kind for kind, since in right.items() if since is None or now - since < STEADY_SECONDS]
            if self.open_streams < self.streams:
                waiting.append("streams")
            if up is None and self.all_up():
                up = time.monotonic()
            if up is None:
                waiting.append("/api/status")
            if not waiting:
                moments = {**right, "/api/status": up}
                last = max(moments, key=lambda kind: moments[kind] or 0)
                return (moments[last] or 0) - moment, last
            if now - moment > limit:
                return None, ", ".join(waiting)
            time.sleep(LOOK_SECONDS)

    async def _run(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=PATIENCE_SECONDS) as http:
            streams = [asyncio.create_task(self._hold_stream(http)) for _ in range(self.streams)]
            await asyncio.gather(*(self._call_again_and_again(http, caller) for caller in self.callers))
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)

    async def _call_again_and_again(self, http: httpx2.AsyncClient, caller: Caller) -> None:
        while not self._stop.is_set():
            identity = f"chaos-{next(self._numbers):06d}"
            begun = time.monotonic()
            outcome, code = await self._outcome(http, caller, identity)
            self.calls.append(Call(identity, caller.kind, begun, time.monotonic(), outcome, code))
            await asyncio.sleep(caller.pause)

    async def _outcome(self, http: httpx2.AsyncClient, caller: Caller, identity: str) -> tuple[Outcome, str]:
        expected = identity if caller.expected is None else caller.expected
        try:
            answer = await self._send(http, caller, identity)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            return Outcome.REFUSED, NO_LISTENER
        except httpx2.HTTPError as error:
            return Outcome.LOST, repr(error)
        return classify(answer.status_code, answer.text, expected)

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
                async with http.stream("GET", self.stream_address, headers=headers) as answer:
                    async for _ in answer.aiter_bytes():
                        if not opened:
                            opened = True
                            self.open_streams += 1
            except httpx2.HTTPError:
                if opened:
                    self.cuts.append(time.monotonic())
            finally:
                self.open_streams -= opened
            await asyncio.sleep(LOOK_SECONDS)
