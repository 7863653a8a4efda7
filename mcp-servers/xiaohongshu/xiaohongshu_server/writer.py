"""Writes on the site as a person would: by its buttons and fields, one thing per visit, and checked afterwards."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dyber_kit import ErrorCode, ServiceError
from playwright.async_api import Error, Locator, Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.reader import SiteReader
from xiaohongshu_server.references import NoteReference
from xiaohongshu_server.visit import Snapshot, Visit
from xiaohongshu_server.walls import Wall, platform_code_wall, status_wall

_CLICK_MS = 8_000
_ANSWER_MS = 15_000
_UPLOAD_MS = 60_000
_VIDEO_MS = 80_000
_TYPE_DELAY_MS = 25
#: Longest a visit that publishes may take, in seconds: uploads and typing.
PUBLISH_SECONDS = 110.0
_TOPIC_MS = 4_000
_COMMENT_POSTED = "/comment/post"
_NOTE_POSTED = "/v2/note"
_MARKS: dict[str, tuple[str, str, str]] = {
    # what: field of interactInfo, part of the call's path, button
    "like": ("liked", "/note/like", ".interact-container .like-wrapper .like-lottie, .interact-container .like-lottie"),
    "favorite": ("collected", "/note/collect", ".interact-container .collect-icon, .interact-container #collect"),
}


class SiteWriter:
    """Every method raises ServiceError when the site did not take what was written.

    Args:
        reader: Opens notes.
        creator_url: Origin of the site where notes are published.
    """

    def __init__(self, reader: SiteReader, creator_url: str) -> None:
        self._reader = reader
        self._creator_url = creator_url

    async def mark(
        self, account: str, reference: NoteReference, what: Literal["like", "favorite"], wanted: bool
    ) -> bool:
        """Like or favorite a note, or take that back; False when it was so already."""
        field, call, button = _MARKS[what]
        async with self._reader.visit_note(account, reference) as (visit, note):
            if bool((note.get("interactInfo") or {}).get(field)) is wanted:
                return False
            async with _answered(visit.page, call):
                await _click(visit.page.locator(button).last, "按钮")

            def marked(snapshot: Snapshot) -> bool | None:
                info = (snapshot["state"]["note"] or {}).get("interactInfo") or {}
                return True if bool(info.get(field)) is wanted else None

            return await visit.until(marked)

    async def comment(self, account: str, reference: NoteReference, content: str) -> None:
        """Write a comment below a note."""
        async with self._reader.visit_note(account, reference) as (visit, _):
            await _click(visit.page.locator("div.input-box div.content-edit span").first, "评论框")
            await self._send(visit, content)

    async def reply(self, account: str, reference: NoteReference, comment_id: str, content: str) -> None:
        """Answer a comment of a note."""
        if not re.fullmatch(r"[A-Za-z0-9-]{1,64}", comment_id):
            raise ServiceError(ErrorCode.INVALID_ARGUMENT, "comment_id 无效", "请用 xhs_get_comments 里的 comment_id")
        async with self._reader.visit_note(account, reference) as (visit, _):
            row = visit.page.locator(f"[id='comment-{comment_id}']").first

            def listed(snapshot: Snapshot) -> int:
                comments = (snapshot["state"]["comments"] or {}).get("list") or []
                found.update(str(comment.get("id")) for comment in comments if isinstance(comment, dict))
                return len(comments)

            found: set[str] = set()
            await visit.grow(listed, lambda s: comment_id in found or s["end_marker"], wanted=10_000)
            if comment_id not in found and not await row.count():
                raise ServiceError(
                    ErrorCode.NOT_FOUND, "在这条笔记下没有找到该评论", "请用 xhs_get_comments 核对；它可能已被删除"
                )
            await _click(row.locator(".interactions .reply").first, "回复按钮")
            await self._send(visit, content)

    async def publish(
        self,
        account: str,
        kind: Literal["image", "video"],
        files: Sequence[Path],
        title: str,
        content: str,
        topics: Sequence[str],
    ) -> None:
        """Publish a note with pictures or one video from local files."""
        url = f"{self._creator_url}/publish/publish?source=official"
        async with self._reader.visit(account, url, {}, PUBLISH_SECONDS) as visit:
            page = visit.page
            if urlsplit(page.url).path.startswith("/login"):
                raise Wall(ErrorCode.LOGIN_REQUIRED, certain=True).error()
            tab = page.locator("div.creator-tab").filter(has_text="上传图文" if kind == "image" else "上传视频")
            await _click(tab.first, "上传入口")
            await self._upload(page, kind, files)
            await _type(page.locator("div.d-input input").first, title, "标题框")
            editor = page.locator("div.ql-editor").first
            await _type(editor, content, "正文框")
            for topic in topics:
                await self._topic(page, editor, topic)
            async with _answered(page, _NOTE_POSTED):
                await _press_publish(page)
            try:
                await page.wait_for_url(lambda shown: "/publish/publish" not in shown, timeout=_ANSWER_MS)
            except PlaywrightTimeout as error:
                raise _unsure("没有看到发布成功的页面") from error

    async def _send(self, visit: Visit, content: str) -> None:
        await _type(visit.page.locator("div.input-box div.content-edit p.content-input").first, content, "评论框")
        async with _answered(visit.page, _COMMENT_POSTED):
            await _click(visit.page.locator("div.bottom button.submit").first, "发送按钮")

    async def _upload(self, page: Page, kind: str, files: Sequence[Path]) -> None:
        try:
            await page.locator("input.upload-input[type=file]").first.set_input_files(list(files), timeout=_CLICK_MS)
            if kind == "image":
                await (
                    page.locator(".img-preview-area .pr")
                    .nth(len(files) - 1)
                    .wait_for(state="attached", timeout=_UPLOAD_MS)
                )
            else:
                await page.locator("div.d-input input").first.wait_for(timeout=_VIDEO_MS)
        except PlaywrightTimeout as error:
            raise ServiceError(
                ErrorCode.TIMEOUT, "文件没有上传完成", "请换小一些的文件，或稍后重试；什么都没有发布"
            ) from error
        except Error as error:
            raise _not_there("上传入口") from error

    async def _topic(self, page: Page, editor: Locator, topic: str) -> None:
        """Type `#topic` and take the site's own suggestion; a topic the site does not know stays as text."""
        await editor.press_sequentially(f" #{topic}", delay=_TYPE_DELAY_MS)
        offered = page.locator("#creator-editor-topic-container .item").filter(has_text=topic).first
        try:
            await offered.click(timeout=_TOPIC_MS)
        except PlaywrightTimeout:
            await editor.press_sequentially(" ")


@asynccontextmanager
async def _answered(page: Page, call: str) -> AsyncIterator[None]:
    """Run what makes the page call `…call…`, and raise what the site answered when it refused."""

    def ours(response: Response) -> bool:
        return call in urlsplit(response.url).path and response.request.method == "POST"

    try:
        async with page.expect_response(ours, timeout=_ANSWER_MS) as waiting:
            yield
        response = await waiting.value
    except PlaywrightTimeout as error:
        raise _unsure("平台没有回答") from error
    wall = status_wall(response.status, on_page=False)
    answer: Any = {}
    if wall is None:
        try:
            answer = await response.json()
        except (Error, ValueError):
            return  # The page is on its way elsewhere; the caller looks at the page itself.
        wall = platform_code_wall(answer.get("code"))
    if wall is not None:
        raise wall.error()
    if answer.get("success") is False:
        shown = str(answer.get("msg") or "没有说明原因")[:100]
        raise ServiceError(ErrorCode.ACCESS_RESTRICTED, f"小红书没有接受：{shown}", "请按提示修改内容，或换一条笔记")


async def _click(target: Locator, name: str) -> None:
    try:
        await target.click(timeout=_CLICK_MS)
    except Error as error:
        raise _not_there(name) from error


async def _press_publish(page: Page) -> None:
    widget = page.locator("xhs-publish-btn")
    if not await widget.count():
        await _click(page.locator(".publish-page-publish-btn button.bg-red").first, "发布按钮")
        return
    # One element draws both buttons: to keep a draft on the left, to publish on the right.
    box = await widget.first.bounding_box()
    if box is None or await widget.first.get_attribute("submit-disabled") == "true":
        raise _not_there("发布按钮")
    await page.mouse.click(box["x"] + box["width"] * 0.65, box["y"] + box["height"] / 2)


async def _type(target: Locator, content: str, name: str) -> None:
    try:
        await target.click(timeout=_CLICK_MS)
        await target.press_sequentially(content, delay=_TYPE_DELAY_MS, timeout=_CLICK_MS + len(content) * 200)
    except Error as error:
        raise _not_there(name) from error


def _not_there(name: str) -> ServiceError:
    return ServiceError(
        ErrorCode.UPSTREAM_CHANGED,
        f"页面上没有可用的{name}，什么都没有提交",
        "请确认账号已登录、这条笔记允许此操作；否则请升级本服务",
    )


def _unsure(what: str) -> ServiceError:
    return ServiceError(ErrorCode.TIMEOUT, f"{what}，不确定是否成功", "请先在小红书里查看结果，不要直接重试，以免重复")
