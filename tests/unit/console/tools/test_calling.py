"""Reads lists and answers of services up to a length."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from dyber_console.settings import Settings
from dyber_console.tools.calling import Tools
from mcp.server import MCPServer
from mcp.types import CallToolResult, ImageContent, TextContent
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from tests.stand_in.running import free_port, running


def service(description: str = "Answer") -> MCPServer:
    server = MCPServer("notes")

    @server.tool(description=description)
    async def notes_text(length: int) -> CallToolResult:
        return CallToolResult(content=[TextContent(type="text", text="x" * length)])

    @server.tool()
    async def notes_pictures(count: int) -> CallToolResult:
        picture = ImageContent(type="image", data="aaaa", mime_type="image/png")
        return CallToolResult(content=[picture] * count)

    return server


@contextlib.contextmanager
def gateway(description: str = "Answer") -> Iterator[Tools]:
    """Run services behind a stand-in of the gateway: `notes`, and `packed`, whose answers are always packed."""
    mounted = service(description).streamable_http_app(streamable_http_path="/mcp", stateless_http=True)

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with mounted.router.lifespan_context(app):
            yield

    async def packed(request: Request) -> Response:
        return Response(b"{}", headers={"Content-Encoding": "gzip"}, media_type="application/json")

    routes = [Mount("/api/notes", mounted), Route("/api/packed/mcp", packed, methods=["POST"])]
    app = Starlette(routes=routes, lifespan=lifespan, middleware=[Middleware(GZipMiddleware)])
    with running(uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="warning"))) as base:
        yield Tools(Settings(password_hash="", gateway_url=base, token="token"))


async def test_an_answer_is_read_up_to_its_length() -> None:
    with gateway() as tools:
        answers = [await tools.call("notes", "notes_text", {"length": length}) for length in (2**20, 9 * 2**20)]
    assert [(answer.outcome, len(answer.text)) for answer in answers] == [("ok", 60_000), ("answer_too_long", 0)]


async def test_a_packed_answer_is_not_read() -> None:
    with gateway() as tools:
        assert (await tools.call("packed", "any", {})).outcome == "answer_too_long"


async def test_a_list_of_tools_is_read_up_to_its_length(caplog: pytest.LogCaptureFixture) -> None:
    with gateway("x" * 2**20) as tools:
        assert await tools.refresh("notes")
    with gateway("x" * 3 * 2**20) as tools:
        assert not await tools.refresh("notes")
        assert tools.listings == {}
    assert "the list of tools of notes is too long" in caplog.text


async def test_a_list_of_very_many_objects_is_not_read() -> None:
    with gateway('{"a":[' * 30_000) as tools:
        assert not await tools.refresh("notes")


async def test_of_very_many_pictures_the_first_are_shown() -> None:
    with gateway() as tools:
        answer = await tools.call("notes", "notes_pictures", {"count": 30})
    assert (answer.outcome, len(answer.images)) == ("ok", 8)
