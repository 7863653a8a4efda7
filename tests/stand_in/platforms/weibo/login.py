"""Serves the logins by QR code of the stand-in for Weibo."""

from __future__ import annotations

import asyncio
import base64

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tests.stand_in.platforms.weibo.state import MEMBER, is_member, state_of
from tests.stand_in.platforms.xiaohongshu.login import picture

_LOGIN = """
fetch("/sso/v2/qrcode/image?entry=miniblog&size=180").then((answer) => answer.json()).then(({data}) => {
  document.querySelector("img").src = data.image;
  setInterval(async () => {
    const answer = await (await fetch(`/sso/v2/qrcode/check?entry=miniblog&qrid=${data.qrid}`)).json();
    if (answer.retcode === 20000000) location.href = answer.data.url;
  }, 200);
});
"""


async def signin(request: Request) -> Response:
    """Serve the page with the QR code to guests, and lead members to the site."""
    state = state_of(request)
    if is_member(request):
        return RedirectResponse(f"{state.base}/", 302)
    body = "<div><img class='w-full h-full' width=180></div><p>扫描二维码登录</p>"
    return HTMLResponse(f"<!doctype html><meta charset=utf-8><body>{body}<script>{_LOGIN}</script>")


async def code_image(request: Request) -> Response:
    """Answer the address of the picture of a QR code, which is on another site."""
    state = state_of(request)
    await asyncio.sleep(state.code_seconds)
    if state.case == "no_code":
        return JSONResponse({"retcode": 50010001, "msg": "今日获取二维码次数已达上限", "data": None})
    image = f"{state.base}/inf/gen?api_key=x&data=https%3A%2F%2Fpassport.weibo.cn%2Fsignin%2Fqrcode%2Fscan%3Fqr%3D1"
    return JSONResponse({"retcode": 20000000, "msg": "succ", "data": {"qrid": "qr-1", "image": image}})


async def code_picture(request: Request) -> Response:
    """Serve the picture of a QR code."""
    return Response(base64.b64decode(picture().partition("base64,")[2]), media_type="image/png")


async def code_check(request: Request) -> Response:
    """Answer the status of the QR code; a confirmed code logs the visitor in."""
    state = state_of(request)
    if state.scan != 20000000:
        return JSONResponse({"retcode": state.scan, "msg": "未使用", "data": None})
    answer = JSONResponse({"retcode": 20000000, "msg": "succ", "data": {"url": f"{state.base}/"}})
    answer.set_cookie("SUB", MEMBER, httponly=True)
    return answer
