"""Puts steady load on a deployed stack while it changes, and counts lost and doubled calls."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

PROTOCOL = "2026-07-28"
PAUSE_SECONDS = 0.1
#: How often new containers are looked for; their logs are read from the start.
LOOK_SECONDS = 0.5
SHOWN = 5
META = {"io.modelcontextprotocol/protocolVersion": PROTOCOL, "io.modelcontextprotocol/clientCapabilities": {}}


@dataclass
class Outcome:
    """The figures of a load. A call is lost when its answer is not the right one; doubled when the tool ran twice;
    a stream is broken when it ends without a proper end."""

    gets: int = 0
    posts: int = 0
    streams: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    ended: int = 0
    slowest: float = 0.0

    @property
    def row(self) -> str:
        """Return calls, lost, doubled, streams, ended, broken and slowest as cells of a table."""
        cells = (self.gets, self.posts, len(self.lost), len(self.doubled), self.streams, self.ended, len(self.broken))
        return " | ".join([*map(str, cells), f"{self.slowest:.2f}"])


def nothing_lost(outcome: Outcome) -> None:
    """Fail for a lost or doubled call, a broken stream, or a load without calls."""
    assert outcome.gets > 20 and outcome.posts > 20
    # The text of a failed assertion must not be thousands of lines.
    assert not outcome.lost, (len(outcome.lost), outcome.lost[:SHOWN])
    assert not outcome.doubled, outcome.doubled[:SHOWN]
    assert not outcome.broken, (len(outcome.broken), outcome.broken[:SHOWN])


class SteadyLoad:
    """A context in which callers GET, POST `tools/call` and hold legacy SSE streams of one service.

    `tokens` is asked for the token before every call, so that it may change meanwhile. After the context,
    `outcome` has the figures.
    """

    def __init__(
        self, base: str, service: str, token: str, *, stack: str, folder: Path, callers: int = 3, streams: int = 50
    ) -> None:
        self.base, self.service, self.token, self.stack = f"{base}/api/{service}", service, token, stack
        self.callers, self.streams = callers, streams
        self.outcome = Outcome(streams=streams)
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._logs = ContainerLogs(stack, service, folder)
        #: Streams that are open now.
        self.open_streams = 0

    def __enter__(self) -> Self:
        self._logs.start()
        self._thread.start()
        assert self._ready.wait(60), "the streams are not open after 60 s"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        time.sleep(1)
        self._stop.set()
        self._thread.join(60)
        runs = self._logs.finish()
        self.outcome.doubled = [call for call, count in runs.items() if count > 1]

    async def _run(self) -> None:
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx2.AsyncClient(limits=limits, timeout=httpx2.Timeout(60)) as client:
            streams = [asyncio.create_task(self._hold_stream(client)) for _ in range(self.streams)]
            while self.open_streams < self.streams:
                await asyncio.sleep(0.05)
            self._ready.set()
            await asyncio.gather(*(self._call(client, number) for number in range(self.callers)))
            for stream in streams:
                stream.cancel()
            results = await asyncio.gather(*streams, return_exceptions=True)
            self.outcome.broken += [
                repr(result) for result in results if not isinstance(result, asyncio.CancelledError)
            ]

    async def _call(self, client: httpx2.AsyncClient, caller: int) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            identity = f"load-{caller}-{number:06d}-{time.time_ns()}"
            await self._get(client, identity)
            await self._post(client, identity)
            await asyncio.sleep(PAUSE_SECONDS)

    def _headers(self, identity: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "X-Request-Id": identity}

    async def _get(self, client: httpx2.AsyncClient, identity: str) -> None:
        self.outcome.gets += 1
        begun = time.perf_counter()
        try:
            answer = await client.get(f"{self.base}/health", headers=self._headers(f"{identity}-g"))
            if answer.status_code != 200:
                self.outcome.lost.append(f"GET {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            self.outcome.lost.append(f"GET {error!r}")
        self.outcome.slowest = max(self.outcome.slowest, time.perf_counter() - begun)

    async def _post(self, client: httpx2.AsyncClient, identity: str) -> None:
        self.outcome.posts += 1
        tool = f"{self.service}_echo"
        headers = {
            **self._headers(identity),
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": PROTOCOL,
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        body = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": {"text": identity}, "_meta": META},
        }
        begun = time.perf_counter()
        try:
            answer = await client.post(f"{self.base}/mcp", headers=headers, json=body)
            if answer.status_code != 200 or identity not in answer.text:
                self.outcome.lost.append(f"POST {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            self.outcome.lost.append(f"POST {error!r}")
        self.outcome.slowest = max(self.outcome.slowest, time.perf_counter() - begun)

    async def _hold_stream(self, client: httpx2.AsyncClient) -> None:
        while not self._stop.is_set():
            opened = False
            try:
                async with client.stream("GET", f"{self.base}/mcp/sse", headers=self._headers("load-stream")) as answer:
                    if answer.status_code != 200:
                        self.outcome.broken.append(f"{answer.status_code}")
                        await asyncio.sleep(0.2)
                        continue
                    async for _ in answer.aiter_bytes():
                        self.open_streams += not opened
                        opened = True
                self.outcome.ended += 1
            except httpx2.HTTPError as error:
                self.outcome.broken.append(repr(error))
                await asyncio.sleep(0.2)
            finally:
                if not self._stop.is_set():
                    self.open_streams -= opened


class HubLoad(SteadyLoad):
    """A steady load in which callers list and call the tools of one service at the hub's address, in both eras.

    What `outcome` counts as GETs are lists; its streams are those of the service's own address.
    """

    def __init__(self, base: str, service: str, token: str, *, stack: str, folder: Path) -> None:
        super().__init__(base, service, token, stack=stack, folder=folder, streams=1)
        self.hub, self.tool = f"{base}/mcp", f"{service}_echo"

    async def _call(self, client: httpx2.AsyncClient, caller: int) -> None:
        number = 0
        while not self._stop.is_set():
            for era in ("modern", "legacy"):
                number += 1
                identity = f"load-{caller}-{number:06d}-{time.time_ns()}"
                self.outcome.gets += 1
                await self._send(client, identity + "-l", era, "tools/list", {}, self.tool)
                self.outcome.posts += 1
                call = {"name": self.tool, "arguments": {"text": identity}}
                await self._send(client, identity, era, "tools/call", call, identity)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _send(
        self, client: httpx2.AsyncClient, identity: str, era: str, method: str, params: dict[str, Any], expected: str
    ) -> None:
        headers = {**self._headers(identity), "Accept": "application/json, text/event-stream"}
        if era == "modern":
            headers |= {"MCP-Protocol-Version": PROTOCOL, "Mcp-Method": method}
            headers |= {"Mcp-Name": params["name"]} if "name" in params else {}
            params = {**params, "_meta": META}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        begun = time.perf_counter()
        try:
            answer = await client.post(self.hub, headers=headers, json=body)
            if answer.status_code != 200 or expected not in answer.text or '"isError":true' in answer.text:
                self.outcome.lost.append(f"{era} {method} {answer.status_code} {answer.text[:200]}")
        except httpx2.HTTPError as error:
            self.outcome.lost.append(f"{era} {method} {error!r}")
        self.outcome.slowest = max(self.outcome.slowest, time.perf_counter() - begun)


class ContainerLogs:
    """Follows the logs of every container of a service, also of those that come and go meanwhile."""

    def __init__(self, stack: str, service: str, folder: Path) -> None:
        self._filters = ["--filter", f"label=dyber.stack={stack}", "--filter", f"label=dyber.service={service}"]
        self._folder = folder
        self._followers: dict[str, subprocess.Popen[bytes]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def start(self) -> None:
        """Begin to follow; lines that were logged before do not count."""
        self._look(since="0s")
        self._thread.start()

    def finish(self) -> Counter[str]:
        """Stop, and return how often each call was run, by request id."""
        self._stop.set()
        self._thread.join(30)
        self._look(since="")
        time.sleep(0.5)
        runs: Counter[str] = Counter()
        for identity, follower in self._followers.items():
            follower.terminate()
            follower.wait(10)
            for line in (self._folder / identity).read_text(encoding="utf-8", errors="replace").splitlines():
                if '"load-' in line and '"call"' in line:
                    entry = json.loads(line)
                    runs[entry["request_id"]] += entry.get("message") == "call"
        return runs

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look(since="")

    def _look(self, since: str) -> None:
        listing = subprocess.run(
            ["docker", "ps", "--quiet", "--no-trunc", *self._filters], capture_output=True, text=True, check=False
        )
        for identity in listing.stdout.split():
            if identity not in self._followers:
                command = ["docker", "logs", "--follow", *(["--since", since] if since else []), identity]
                with (self._folder / identity).open("wb") as file:
                    self._followers[identity] = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
