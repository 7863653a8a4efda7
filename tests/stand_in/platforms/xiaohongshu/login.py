"""Implements the stand-in's login by QR code, and the second proofs that the site may require after it."""

from __future__ import annotations

import base64
import secrets
import struct
import zlib

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

#: The content of every code of the stand-in, and its 41 rows of modules in hexadecimal.
QR_URL = (
    "https://www.xiaohongshu.com/mobile/login?qrId=482913760000000001&ruleId=4&xhs_code=482913&timestamp=1760000000000"
)
QR_ROWS = [
    f"{int(row, 16):041b}"
    for row in """
    1fdaa12f47f 1054c709e41 17547cd0b5d 17583a7c35d 174592f795d 1051ed19b41 1fd5555557f 10ba5800 19c37cd092f
    ab7292ecf5 cd2f4f2811 4a7b1d6c09 15893a3cb1 12a9cff7177 57f282e451 1f323ce6d23 13c85e90b22 1216a16707c
    12ce39e69d1 19847df4f09 571c5a2ca2 1b1893fb173 768182a129 d950c92db3 1b627ed29a1 19b6296f4fd 6d6f4f211d 9b1d1c13
    bec92a4e83 18bdc573d75 55b20f29a1 48e3c979f1 19515fd2bf8 1ba077319 1fcf39f7755 10524cf4b11 1755c486bfa
    17449173187 17481477da5 10550ce2d5b 1fde7f50d22
""".split()
]
_MARGIN, _PIXELS = 4, 6

# Content of the login page after the scan, by second proof; "captcha" leads to a separate page.
PROOFS = {
    "sms": "<p>为了账号安全，请输入短信验证码</p><input placeholder='请输入验证码'>",
    "slider": "<p>请按住滑块，拖动到最右边</p>",
}


def picture(rows: list[str] = QR_ROWS) -> str:
    """Return the code as a data: URL of a PNG with eight bits per pixel, of the size of the site's."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    side = (len(rows) + 2 * _MARGIN) * _PIXELS
    light = "0" * _MARGIN
    empty = ["0" * (len(rows) + 2 * _MARGIN)] * _MARGIN
    framed = [*empty, *(light + row + light for row in rows), *empty]
    lines = (bytes(0 if module == "1" else 255 for module in row for _ in range(_PIXELS)) for row in framed)
    content = b"".join((b"\0" + line) * _PIXELS for line in lines)
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(content, 1)) + chunk(b"IEND", b"")
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + image).decode()


async def create(request: Request) -> Response:
    """Answer POST /api/sns/web/v1/login/qrcode/create with a new code that is not scanned yet."""
    if request.app.state.login == "refused":
        return JSONResponse({"success": False, "code": -9998, "msg": "今日获取二维码次数已达上限"})
    code = secrets.token_hex(4)
    request.app.state.sessions[code] = None
    data = {"qr_id": code, "picture": picture(), "url": QR_URL}
    answer = JSONResponse({"success": True, "code": 0, "data": data})
    if "web_session" not in request.cookies:
        answer.set_cookie("web_session", f"guest-{code}", httponly=True)  # guests have a session too
    return answer


async def status(request: Request) -> Response:
    """Answer GET /api/sns/web/v1/login/qrcode/status: 1 scanned, 2 confirmed (with the session), 3 expired.

    When a second proof is required there is no session, and `proof` names it.
    """
    session = request.app.state.sessions.get(request.query_params["qr_id"])
    if session in ("scanned", "old"):
        return JSONResponse({"success": True, "data": {"code_status": 1 if session == "scanned" else 3}})
    proof = request.app.state.login
    answer = JSONResponse({"success": True, "data": {"code_status": 2 if session else 0, "proof": proof}})
    if session and not proof:
        answer.set_cookie("web_session", session, httponly=True, max_age=86_400)
    return answer


async def scan(request: Request) -> Response:
    """Answer POST /stand-in/scan?name=…&then=… and scan every code that is shown at present.

    With `then`, the codes are only `scanned` without a confirmation, or they expire (`old`).
    """
    name, then = request.query_params.get("name", "scanned"), request.query_params.get("then")
    states = (None, "scanned")
    waiting = [code for code, session in request.app.state.sessions.items() if session in states]
    for code in waiting:
        request.app.state.sessions[code] = then or f"session-{name}"
    return JSONResponse({"scanned": len(waiting)})


def login_routes() -> list[Route]:
    """Return the routes of this module."""
    return [
        Route("/api/sns/web/v1/login/qrcode/create", create, methods=["POST"]),
        Route("/api/sns/web/v1/login/qrcode/status", status),
        Route("/stand-in/scan", scan, methods=["POST"]),
    ]
