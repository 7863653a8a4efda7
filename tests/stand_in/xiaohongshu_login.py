"""Logging in to the xiaohongshu stand-in by a QR code."""

from __future__ import annotations

import base64
import secrets
import struct
import zlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def picture() -> str:
    """A small PNG as a data: URL, in the QR code's place."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + content).decode()


async def create(request: Request) -> Response:
    """POST /api/sns/web/v1/login/qrcode/create: a new code, not yet scanned."""
    code = secrets.token_hex(4)
    request.app.state.sessions[code] = None
    answer = JSONResponse({"success": True, "data": {"qr_id": code, "picture": picture()}})
    if "web_session" not in request.cookies:
        answer.set_cookie("web_session", f"guest-{code}", httponly=True)  # guests have a session too
    return answer


async def status(request: Request) -> Response:
    """GET /api/sns/web/v1/login/qrcode/status: 2 once scanned, and then the session."""
    session = request.app.state.sessions.get(request.query_params["qr_id"])
    answer = JSONResponse({"success": True, "data": {"code_status": 2 if session else 0}})
    if session:
        answer.set_cookie("web_session", session, httponly=True, max_age=86_400)
    return answer


async def scan(request: Request) -> Response:
    """POST /stand-in/scan?name=…: somebody scans every code that is shown now."""
    name = request.query_params.get("name", "scanned")
    waiting = [code for code, session in request.app.state.sessions.items() if session is None]
    for code in waiting:
        request.app.state.sessions[code] = f"session-{name}"
    return JSONResponse({"scanned": len(waiting)})


def login_routes() -> list[Route]:
    """Routes of this module."""
    return [
        Route("/api/sns/web/v1/login/qrcode/create", create, methods=["POST"]),
        Route("/api/sns/web/v1/login/qrcode/status", status),
        Route("/stand-in/scan", scan, methods=["POST"]),
    ]
