"""Stands in for the gateway with its services: status, metrics, and MCP servers of the official SDK."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
import time
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.types import CallToolResult, ImageContent, TextContent, ToolAnnotations
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route

READS = ToolAnnotations(read_only_hint=True)
TOKEN = "c0" * 32
#: Text of a tool that would be a script, if a page did not escape it.
HOSTILE = "<script>document.title='broken'</script>\u202e\u200b"


@dataclass
class StandInGateway:
    """Holds what the stand-in answers; tests change it.

    Attributes:
        details: The services of /api/status.
        answers: False makes /api/status fail.
        logged_in: Whether the account of `notes` is logged in.
        step: The step of its login.
        refusal: Code with which it refuses a code, or "".
        calls: The tools that were called, with their arguments.
        with_tools: The services that list and call tools: all of them those of `notes`.
    """

    details: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: bool = True
    logged_in: bool = False
    step: str = "scan"
    refusal: str = ""
    code_seconds: float = 180.0
    delay_seconds: float = 0.0
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    status_requests: int = 0
    with_tools: tuple[str, ...] = ("notes",)

    def __post_init__(self) -> None:
        self.details = {
            "clips": status_entry("down", ready=0, breaker="open", code="unreachable"),
            "notes": status_entry("up"),
            "papers": status_entry("up", version="2.3.1"),
            "answers": status_entry("up", version="0.4.0"),
            "posts": status_entry("up", version="0.8.1"),
            "code": status_entry("degraded", ready=1, total=2),
        }

    def app(self) -> Starlette:
        """Return the application."""
        notes = _notes(self)
        mounted = notes.streamable_http_app(streamable_http_path="/mcp", stateless_http=True, host="127.0.0.1")

        @contextlib.asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            async with mounted.router.lifespan_context(app):
                yield

        async def status(request: Request) -> Response:
            self.status_requests += 1
            if not self.answers:
                return PlainTextResponse("no", 503)
            services = dict.fromkeys(self.details, "healthy")
            return JSONResponse({"gateway": "running", "services": services, "details": self.details})

        async def metrics(request: Request) -> Response:
            end = time.time() + 83 * 86400
            return PlainTextResponse(
                f"dyber_gateway_certificate_end_seconds {end}\n"
                'dyber_gateway_build_info{version="1.4.0",nginx="1.30.6"} 1\n'
            )

        async def service_metrics(request: Request) -> Response:
            lines = [
                "process_resident_memory_bytes 99614720",
                'cache_hits_total{backend="memory"} 62',
                'cache_misses_total{backend="memory"} 38',
            ]
            if request.path_params["name"] == "notes":
                lines += [
                    f'login_state{{service="notes",account="main"}} {int(self.logged_in)}',
                    'queue_turns_today{service="notes",queue="pages"} 137',
                    'queue_depth{service="notes",queue="pages"} 0',
                    'breaker_state{service="notes",breaker="platform"} 0',
                    'browser_pages_open{service="notes"} 0',
                ]
            return PlainTextResponse("\n".join(lines) + "\n")

        routes = [
            Route("/api/status", status),
            Route("/metrics", metrics),
            Route("/services/{name}/{replica:int}", service_metrics),
            *(Mount(f"/api/{name}", mounted) for name in self.with_tools),
        ]
        return Starlette(routes=routes, lifespan=lifespan)


def status_entry(
    state: str, ready: int = 1, total: int = 1, version: str = "1.0.0", breaker: str = "closed", code: str | None = None
) -> dict[str, Any]:
    """Return the entry of a service in the gateway's status."""
    return {
        "state": state,
        "code": code,
        "latency_ms": 3,
        "version": version,
        "tools": 5,
        "breaker": breaker,
        "replicas": {"ready": ready, "total": total},
    }


def _notes(gateway: StandInGateway) -> MCPServer:
    server = MCPServer("notes")

    @server.tool(annotations=READS, title="Search notes")
    async def notes_search(
        keyword: Annotated[str, Field(min_length=1, max_length=100, description="Words to search for")],
        limit: Annotated[int, Field(ge=1, le=40, description="Most notes")] = 10,
        sort: Literal["general", "latest", "most_liked"] = "general",
        tags: list[str] | None = None,
        exact: bool = False,
    ) -> dict[str, Any]:
        """Search notes: title, author and counts of each."""
        gateway.calls.append(("notes_search", {"keyword": keyword, "limit": limit, "sort": sort, "tags": tags}))
        await asyncio.sleep(gateway.delay_seconds)
        return {"items": [{"title": HOSTILE, "likes": 17000}], "count": 1, "sort": sort}

    @server.tool(annotations=READS, title="Fails")
    async def notes_fails() -> CallToolResult:
        """Fail as a service does."""
        text = TextContent(type="text", text="LOGIN_EXPIRED: the login is no longer valid")
        return CallToolResult(
            content=[text], is_error=True, _meta={"dyber/error": {"code": "LOGIN_EXPIRED", "retryable": False}}
        )

    @server.tool(annotations=ToolAnnotations(read_only_hint=False), title="Publish")
    async def notes_publish(text: str) -> str:
        """Publish a note."""
        gateway.calls.append(("notes_publish", {"text": text}))
        return "published"

    @server.tool(annotations=READS, title="Login status")
    async def notes_login_status(account: str = "") -> CallToolResult:
        """See whether the account is logged in."""
        content = {
            "account": "main",
            "logged_in": gateway.logged_in,
            "nickname": "手冲小屋" if gateway.logged_in else None,
            "login_pending": not gateway.logged_in,
            "login_step": None if gateway.logged_in else gateway.step,
        }
        return CallToolResult(content=[], structured_content=content)

    @server.tool(annotations=READS, title="Login code")
    async def notes_login_qrcode(account: str = "") -> CallToolResult:
        """Get a code to log in."""
        gateway.calls.append(("notes_login_qrcode", {"account": account}))
        if gateway.refusal:
            text = TextContent(type="text", text=gateway.refusal)
            return CallToolResult(content=[text], is_error=True, _meta={"dyber/error": {"code": gateway.refusal}})
        until = datetime.now(UTC) + timedelta(seconds=gateway.code_seconds)
        content = {
            "account": "main",
            "logged_in": False,
            "expires_at": until.isoformat(),
            "next_step": "Scan the code with the app",
        }
        picture = ImageContent(type="image", data=base64.b64encode(png()).decode(), mime_type="image/png")
        return CallToolResult(content=[picture], structured_content=content)

    return server


def png() -> bytes:
    """Return a small picture, black and white."""
    rows = b"".join(b"\x00" + bytes([0x55 if line % 2 else 0xAA] * 4) for line in range(32))
    header = struct.pack(">IIBBBBB", 32, 32, 1, 0, 0, 0, 0)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def locked(entry: dict[str, Any]) -> str:
    """Return a contract as the file for the console."""
    return json.dumps(entry, ensure_ascii=False)
