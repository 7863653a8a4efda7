"""Makes the HTML of the stand-in for xiaohongshu."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse

_HERE = Path(__file__).parent
_SCRIPTS = {name: (_HERE / f"{name}.js").read_text(encoding="utf-8") for name in ("page", "note", "publish")}

FILTERS = {
    "排序依据": ("综合", "最新", "最多点赞", "最多评论", "最多收藏"),
    "笔记类型": ("不限", "视频", "图文"),
    "发布时间": ("不限", "一天内", "一周内", "半年内"),
    "搜索范围": ("不限", "已看过", "未看过", "已关注"),
    "位置距离": ("不限", "同城", "附近"),
}
NOTE_BODY = """
<div class='note-scroller' style='height:200px;overflow:auto'><div class='comments-container'></div></div>
<div class='interact-container'>
  <span class='like-wrapper'><span class='like-lottie'>赞</span></span>
  <span class='collect-wrapper'><span class='collect-icon'>藏</span></span>
</div>
<div class='input-box'><div class='content-edit'><span>说点什么...</span>
  <p class='content-input' contenteditable='true' style='min-height:20px'></p></div></div>
<div class='bottom'><button class='submit'>发送</button></div>
"""


def page(settings: str, body: str = "", status: int = 200, script: str = "") -> HTMLResponse:
    """Return a page that runs `settings` (see `config`), with the common script, and the named script, if any."""
    scripts = f"{settings}\n{_SCRIPTS[script] if script else ''}"
    html = (
        "<!doctype html><html lang='zh-CN'><head><meta charset='utf-8'><title>小红书</title></head>"
        f"<body><div id='app'>{body}</div><script>{scripts}</script></body></html>"
    )
    return HTMLResponse(html, status_code=status)


def config(**values: Any) -> str:
    """Return the common script with the values of a page."""
    return f"const PAGE = {json.dumps(values, ensure_ascii=False)};\n{_SCRIPTS['page']}"


def filter_panel() -> str:
    """Return the filter button of the search page and the panel that is shown while the mouse is on it."""
    groups = ""
    for label, values in FILTERS.items():
        tags = "".join(f"<div class='tags'><span>{value}</span></div>" for value in values)
        groups += f"<div class='filters'><span>{label}</span><div class='tag-container'>{tags}</div></div>"
    return f"<div class='filter'><span>筛选</span><div class='filter-panel' style='display:none'>{groups}</div></div>"


def logged_in(request: Request) -> bool:
    """Return whether the request has a member's session."""
    session = request.cookies.get("web_session", "")
    return bool(session) and not session.startswith("guest-")


def member(request: Request) -> dict[str, Any] | None:
    """Return the logged-in member, whose name is derived from the session, or None."""
    if not logged_in(request):
        return None
    name = request.cookies["web_session"].removeprefix("session-")
    nickname = "测试账号" if name == "SECRET" else f"账号{name}"
    return {"guest": False, "userId": "5f" + name.encode().hex()[:22].ljust(22, "0"), "nickname": nickname}
