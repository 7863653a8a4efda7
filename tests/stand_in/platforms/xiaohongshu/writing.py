"""Accepts writes to the stand-in for xiaohongshu and records them in `site.state.writes`."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.stand_in.platforms.xiaohongshu import data
from tests.stand_in.platforms.xiaohongshu.html import config, logged_in, page

BUTTON = "<div class='publish-page-publish-btn'><button class='bg-red' disabled>发布</button></div>"
# This element draws two buttons; only the right one publishes.
WIDGET = "<xhs-publish-btn submit-disabled='true' style='display:block;width:200px;height:40px'></xhs-publish-btn>"
PUBLISH_BODY = f"""
<div class='upload-content'><div class='header'>
  <div class='creator-tab'>上传视频</div><div class='creator-tab'>上传图文</div></div>
  <input class='upload-input' type='file' multiple accept='.mp4,.mov'>
  <div class='img-preview-area'></div></div>
<div class='form' hidden>
  <div class='d-input'><input placeholder='填写标题会有更多赞哦'><div class='max_suffix' hidden></div></div>
  <div class='ql-editor' contenteditable='true' style='min-height:40px'></div>
  <div id='creator-editor-topic-container' hidden><div class='item'></div></div>
  {BUTTON}
</div>
"""


def _refusal(request: Request, note_id: str | None) -> Response | None:
    if not logged_in(request):
        return JSONResponse({"success": False, "code": -101, "msg": "无登录信息"}, 401)
    if note_id == data.STRICT_NOTE:
        return JSONResponse({"success": False, "code": 300013, "msg": "访问频次异常，请勿频繁操作"})
    return None


async def _unanswered(request: Request, note_id: str | None) -> Response | None:
    """Return the answer that replaces the one to a write whose answer is lost; None when it is not lost."""
    if note_id == data.SILENT_NOTE:
        while not await request.is_disconnected():
            await asyncio.sleep(0.05)
    return Response("<h1>504 Gateway Time-out</h1>", 504) if note_id in (data.LOST_NOTE, data.SILENT_NOTE) else None


async def click(request: Request) -> Response:
    """Answer POST …/note/like and …/note/collect, each also with /undo."""
    body = await request.json()
    if refused := _refusal(request, body["note_id"]):
        return refused
    action = request.url.path.removeprefix("/api/sns/web/v1/note/")
    _record(request, {"action": action, "note_id": body["note_id"]})
    return await _unanswered(request, body["note_id"]) or JSONResponse({"success": True, "code": 0})


async def comment(request: Request) -> Response:
    """Answer POST /api/sns/web/v1/comment/post: a comment, or a reply when it has a target."""
    body = await request.json()
    if refused := _refusal(request, body["note_id"]):
        return refused
    _record(request, {"action": "comment", **body})
    if lost := await _unanswered(request, body["note_id"]):
        return lost
    return JSONResponse({"success": True, "code": 0, "data": {"comment": {"id": "new-comment", **body}}})


async def publish_page(request: Request) -> Response:
    """Serve the page of the creator site, or redirect a guest to its login."""
    request.app.state.pages.append(str(request.url))
    if not logged_in(request):
        return RedirectResponse("/login?redirectReason=401", 302)
    widget = request.cookies["web_session"] == "session-widget"
    return page(
        config(kind="publish"), PUBLISH_BODY.replace(BUTTON, WIDGET) if widget else PUBLISH_BODY, script="publish"
    )


async def upload(request: Request) -> Response:
    """Answer POST /api/upload with the name and size of the file."""
    content = await request.body()
    return JSONResponse({"success": True, "name": request.query_params["name"], "size": len(content)})


async def publish(request: Request) -> Response:
    """Answer POST /web_api/sns/v2/note, which publishes a note."""
    body = await request.json()
    if "敏感" in body["title"]:
        return JSONResponse({"success": False, "code": -9007, "msg": "内容违规"})
    _record(request, {"action": "publish", **body})
    if "失联" in body["title"]:
        return Response("<h1>502 Bad Gateway</h1>", 502)
    return JSONResponse({"success": True, "data": {"id": data.NORMAL_NOTE}})


async def end_page(_: Request) -> Response:
    """Serve the page after publishing, and the login page of the creator site."""
    return page(config(kind="none"), "<p>发布成功</p>")


def _record(request: Request, write: dict[str, Any]) -> None:
    request.app.state.writes.append({**write, "session": request.cookies["web_session"]})


def write_routes() -> list[Route]:
    """Return the routes of this module."""
    clicks = [f"/api/sns/web/v1/note/{kind}{undo}" for kind in ("like", "collect") for undo in ("", "/undo")]
    return [
        *(Route(path, click, methods=["POST"]) for path in clicks),
        Route("/api/sns/web/v1/comment/post", comment, methods=["POST"]),
        Route("/publish/publish", publish_page),
        Route("/publish/success", end_page),
        Route("/login", end_page),
        Route("/api/upload", upload, methods=["POST"]),
        Route("/web_api/sns/v2/note", publish, methods=["POST"]),
    ]
