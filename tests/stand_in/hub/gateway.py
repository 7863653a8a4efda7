"""Plays the gateway's listener for the hub: passes requests on to real services, and can fail in the gateway's ways."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.stand_in.running import free_port

TOKEN = "token-of-the-hub"
_DROPPED = {"host", "authorization", "content-length", "connection", "transfer-encoding", "accept-encoding"}


@dataclass(frozen=True)
class Passed:
    """Is a request that came to the gateway: its service, its headers by lower-case name, and its message."""

    service: str
    headers: dict[str, str]
    message: dict[str, Any]


@dataclass
class HubGateway:
    """Is the gateway; tests change its attributes while it runs.

    Attributes:
        services: Base URLs of the services by name; a service without one does not exist.
        down: Names of the services that are not running.
        refusals: For a service, the status, the code and the seconds with which its requests are refused.
        lost: Names of the services whose answers end in the middle.
        slow: Names of the services that do not answer.
        passed: The requests so far, in order.
    """

    services: dict[str, str]
    down: set[str] = field(default_factory=set)
    refusals: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    passed: list[Passed] = field(default_factory=list)

    def calls(self, method: str = "tools/call") -> list[Passed]:
        """Return the requests with a method."""
        return [passed for passed in self.passed if passed.message["method"] == method]

    def server(self) -> uvicorn.Server:
        """Return the server, which does not run yet."""
        routes = [Route("/status", self._status), Route("/services/{name}/mcp", self._pass, methods=["POST"])]
        return uvicorn.Server(uvicorn.Config(Starlette(routes=routes), port=free_port(), log_level="warning"))

    async def _status(self, request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"status": "error", "code": "unauthorized"}, 401)
        away = self.down | self.slow | self.refusals.keys()
        return JSONResponse({"details": {name: {"state": "down" if name in away else "up"} for name in self.services}})

    async def _pass(self, request: Request) -> Response:
        name = request.path_params["name"]
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return JSONResponse({"status": "error", "code": "unauthorized"}, 401)
        body = await request.body()
        self.passed.append(Passed(name, dict(request.headers), json.loads(body)))
        while name in self.slow and not await request.is_disconnected():
            await asyncio.sleep(0.05)
        if name in self.refusals:
            status, code, seconds = self.refusals[name]
            return _refusal(status, code, seconds)
        if name in self.down or name not in self.services:
            return _refusal(502, "service_down", 5)
        headers = [(key, value) for key, value in request.headers.raw if key.decode() not in _DROPPED]
        client = httpx2.AsyncClient(timeout=None, trust_env=False, verify=False)
        sent = client.build_request("POST", f"{self.services[name]}/mcp", content=body, headers=headers)
        sending = asyncio.create_task(client.send(sent, stream=True))
        while not sending.done():
            await asyncio.wait({sending}, timeout=0.05)
            if await request.is_disconnected():
                sending.cancel()
        try:
            answer = await sending
        except (httpx2.TransportError, asyncio.CancelledError):
            return _refusal(502, "service_down", 5)
        kept = {key: value for key, value in answer.headers.items() if key not in ("connection", "content-length")}
        return StreamingResponse(self._chunks(name, client, answer), answer.status_code, kept)

    async def _chunks(self, name: str, client: httpx2.AsyncClient, answer: httpx2.Response) -> AsyncIterator[bytes]:
        try:
            async for chunk in answer.aiter_raw():
                if name in self.lost:
                    yield chunk[: len(chunk) // 2]
                    return
                yield chunk
        finally:
            await answer.aclose()
            await client.aclose()


def _refusal(status: int, code: str, seconds: int) -> JSONResponse:
    body = {"status": "error", "code": code, "error": "不行", "error_en": "No"}
    return JSONResponse(body, status, {"Retry-After": str(seconds)})
