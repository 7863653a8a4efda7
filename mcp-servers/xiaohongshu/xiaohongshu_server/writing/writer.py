"""Writes on the site like a person: through its buttons and fields, one write per visit, checked afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pool import crashed, is_gone
from dyber_kit.browser.submitting import ANSWER_SECONDS, submitted
from dyber_kit.browser.visits import Snapshot, Visit
from dyber_kit.language import Text
from playwright.async_api import Error, Locator, Page
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browsing.walls import WALLS
from xiaohongshu_server.model.references import NoteReference
from xiaohongshu_server.reading.reader import SiteReader, visitor_of
from xiaohongshu_server.texts import tr_lazy

_CLICK_MS = 8_000
_LEAVE_MS = 10_000
_UPLOAD_MS = 60_000
_VIDEO_MS = 80_000
_TYPE_DELAY_MS = 25
#: Longest time of a visit that publishes, in seconds, with uploads and typing.
PUBLISH_SECONDS = 110.0
_TOPIC_MS = 4_000
# Pages know the visitor soon after loading; when a page does not say it by then, the write is attempted.
_VISITOR_SECONDS = 5.0
_POLL_SECONDS = 0.2
_COMMENT_POSTED = "/comment/post"
_REFUSED_STEP = tr_lazy("Change the content as the message says, or choose another note")
_NOTE_POSTED = "/v2/note"
_MARKS: dict[str, tuple[str, str, str]] = {
    # by kind: field of interactInfo, part of the call's path, button
    "like": ("liked", "/note/like", ".interact-container .like-wrapper .like-lottie, .interact-container .like-lottie"),
    "favorite": ("collected", "/note/collect", ".interact-container .collect-icon, .interact-container #collect"),
}


@dataclass(frozen=True)
class Target:
    """Holds the target of a write: the note object of its page and, for a reply, the comment object when it loaded."""

    note: dict[str, Any]
    comment: dict[str, Any] | None = None


class SiteWriter:
    """Writes on the site; methods raise ServiceError when the site refused the write or when its outcome is unknown.

    Methods that write call `spend` immediately before the submit.

    Args:
        reader: Opens notes.
        creator_url: Origin of the site where notes are published.
    """

    def __init__(self, reader: SiteReader, creator_url: str) -> None:
        self._reader = reader
        self._creator_url = creator_url

    async def look(self, account: str, reference: NoteReference, comment_id: str | None = None) -> Target:
        """Return the target of a write, for a dry run; raise the error that would prevent the write."""
        async with self._reader.visit_note(account, reference) as (visit, note):
            await _require_member(visit)
            comment = await _find_comment(visit, comment_id) if comment_id else None
            return Target(note, comment)

    async def look_at_publishing(self, account: str) -> None:
        """Raise the error that would prevent the account from publishing, for a dry run."""
        async with self._visit_publishing(account):
            pass

    async def mark(
        self,
        account: str,
        reference: NoteReference,
        kind: Literal["like", "favorite"],
        active: bool,
        spend: Callable[[], None],
    ) -> bool:
        """Like or favorite a note, or undo that; return False when nothing had to be changed."""
        field, call, button = _MARKS[kind]

        def marked(snapshot: Snapshot) -> bool | None:
            info = (snapshot["state"]["note"] or {}).get("interactInfo") or {}
            return True if bool(info.get(field)) is active else None

        async with self._visit_note(account, reference) as (visit, note):
            await _require_member(visit)
            if bool((note.get("interactInfo") or {}).get(field)) is active:
                spend()
                return False
            target = visit.page.locator(button).last
            await _click(target, tr_lazy("button"), trial=True)
            async with submitted(visit, call, spend, lambda: visit.until(marked), refused_step=_REFUSED_STEP):
                await _click(target, tr_lazy("button"))
            return True

    async def comment(self, account: str, reference: NoteReference, content: str, spend: Callable[[], None]) -> None:
        """Write a comment below a note."""
        async with self._visit_note(account, reference) as (visit, _):
            await _require_member(visit)
            await _click(visit.page.locator("div.input-box div.content-edit span").first, tr_lazy("field for comments"))
            await self._send(visit, content, spend)

    async def reply(
        self, account: str, reference: NoteReference, comment_id: str, content: str, spend: Callable[[], None]
    ) -> None:
        """Reply to a comment of a note."""
        async with self._visit_note(account, reference) as (visit, _):
            await _require_member(visit)
            await _find_comment(visit, comment_id)
            row = visit.page.locator(f"[id='comment-{comment_id}']").first
            await _click(row.locator(".interactions .reply").first, tr_lazy("button to reply"))
            await self._send(visit, content, spend)

    async def publish(
        self,
        account: str,
        kind: Literal["image", "video"],
        files: Sequence[Path],
        title: str,
        content: str,
        topics: Sequence[str],
        spend: Callable[[], None],
    ) -> None:
        """Publish a note with pictures or one video from local files."""
        async with self._visit_publishing(account) as visit:
            page = visit.page
            tab = page.locator("div.creator-tab").filter(has_text="上传图文" if kind == "image" else "上传视频")
            await _click(tab.first, tr_lazy("field for files"))
            await self._upload(page, kind, files)
            field = page.locator("div.d-input input").first
            await _type(field, title, tr_lazy("field for the title"))
            await _check_title(page, field, title)
            editor = page.locator("div.ql-editor").first
            await _type(editor, content, tr_lazy("field for the text"))
            for topic in topics:
                await self._topic(page, editor, topic)

            async def published() -> None:
                await page.wait_for_url(lambda shown: "/publish/publish" not in shown, timeout=_LEAVE_MS)

            async with submitted(visit, _NOTE_POSTED, spend, published, refused_step=_REFUSED_STEP):
                await _press_publish(page)

    def _visit_note(
        self, account: str, reference: NoteReference
    ) -> AbstractAsyncContextManager[tuple[Visit, dict[str, Any]]]:
        """Visit a note, with time for the answer to the submit added to the time for reading."""
        return self._reader.visit_note(account, reference, self._reader.page_seconds + ANSWER_SECONDS)

    @asynccontextmanager
    async def _visit_publishing(self, account: str) -> AsyncIterator[Visit]:
        url = f"{self._creator_url}/publish/publish?source=official"
        async with self._reader.visit(account, url, {}, PUBLISH_SECONDS) as visit:
            if urlsplit(visit.page.url).path.startswith("/login"):
                raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
            yield visit

    async def _send(self, visit: Visit, content: str, spend: Callable[[], None]) -> None:
        await _type(
            visit.page.locator("div.input-box div.content-edit p.content-input").first,
            content,
            tr_lazy("field for comments"),
        )
        button = visit.page.locator("div.bottom button.submit").first
        await _click(button, tr_lazy("button to send"), trial=True)
        async with submitted(visit, _COMMENT_POSTED, spend, refused_step=_REFUSED_STEP):
            await _click(button, tr_lazy("button to send"))

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
                ErrorCode.TIMEOUT,
                tr_lazy("The files were not uploaded in time"),
                tr_lazy("Use smaller files, or try again later; nothing was published"),
            ) from error
        except Error as error:
            raise _crashed_or_missing(error, tr_lazy("field for files")) from error

    async def _topic(self, page: Page, editor: Locator, topic: str) -> None:
        """Type `#topic` and choose the site's suggestion; a topic that the site does not know stays as text."""
        await editor.press_sequentially(f" #{topic}", delay=_TYPE_DELAY_MS)
        offered = page.locator("#creator-editor-topic-container .item").filter(has_text=topic).first
        try:
            await offered.click(timeout=_TOPIC_MS)
        except PlaywrightTimeout:
            await editor.press_sequentially(" ")


async def _require_member(visit: Visit) -> None:
    """Raise LOGIN_REQUIRED when the visitor of the page is a guest."""
    give_up = time.monotonic() + _VISITOR_SECONDS
    while time.monotonic() < give_up:
        snapshot = await visit.snapshot()
        visitor = visitor_of(snapshot) if snapshot else None
        if visitor:
            if visitor[0] is None:
                raise WALLS.wall(ErrorCode.LOGIN_REQUIRED).error()
            return
        await asyncio.sleep(_POLL_SECONDS)


async def _find_comment(visit: Visit, comment_id: str) -> dict[str, Any] | None:
    """Scroll to a comment and return its object, or None when only its row is on the page. Raises NOT_FOUND."""
    comments_by_id: dict[str, dict[str, Any]] = {}

    def listed(snapshot: Snapshot) -> int:
        comments = (snapshot["state"]["comments"] or {}).get("list") or []
        comments_by_id.update((str(comment.get("id")), comment) for comment in comments if isinstance(comment, dict))
        return len(comments)

    await visit.grow(listed, lambda s: comment_id in comments_by_id or s["marks"]["end"], target=10_000)
    if comment_id not in comments_by_id and not await visit.page.locator(f"[id='comment-{comment_id}']").count():
        raise ServiceError(
            ErrorCode.NOT_FOUND,
            tr_lazy("The note has no such comment"),
            tr_lazy("Check with xhs_get_comments; it may have been deleted"),
        )
    return comments_by_id.get(comment_id)


async def _check_title(page: Page, field: Locator, title: str) -> None:
    """Raise INVALID_ARGUMENT when the site cut the title or says that it is too long."""
    warning = page.locator("div.d-input .max_suffix").first
    try:
        too_long = await warning.is_visible()
        count = (await warning.inner_text()).strip()[:20] if too_long else ""
        taken = await field.input_value(timeout=_CLICK_MS)
    except Error as error:
        raise _crashed_or_missing(error, tr_lazy("field for the title")) from error
    if too_long or taken.strip() != title:
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy(
                "title: the page of Xiaohongshu finds the title too long ({count}); nothing was submitted",
                count=count or tr_lazy("shortened"),
            ),
            tr_lazy("Shorten the title; some emoji count as more than 2 characters"),
        )


async def _click(target: Locator, name: Text, *, trial: bool = False) -> None:
    """Click the target, or with `trial` only check that it can be clicked."""
    try:
        await target.click(timeout=_CLICK_MS, trial=trial)
    except Error as error:
        raise _crashed_or_missing(error, name) from error


async def _press_publish(page: Page) -> None:
    widget = page.locator("xhs-publish-btn")
    if not await widget.count():
        await _click(page.locator(".publish-page-publish-btn button.bg-red").first, tr_lazy("button to publish"))
        return
    # One element draws both buttons: the left one keeps a draft, the right one publishes.
    box = await widget.first.bounding_box()
    if box is None or await widget.first.get_attribute("submit-disabled") == "true":
        raise _missing(tr_lazy("button to publish"))
    await page.mouse.click(box["x"] + box["width"] * 0.65, box["y"] + box["height"] / 2)


async def _type(target: Locator, content: str, name: Text) -> None:
    try:
        await target.click(timeout=_CLICK_MS)
        await target.press_sequentially(content, delay=_TYPE_DELAY_MS, timeout=_CLICK_MS + len(content) * 200)
    except Error as error:
        raise _crashed_or_missing(error, name) from error


def _crashed_or_missing(error: Error, name: Text) -> ServiceError:
    return crashed() if is_gone(error) else _missing(name)


def _missing(name: Text) -> ServiceError:
    return ServiceError(
        ErrorCode.UPSTREAM_CHANGED,
        tr_lazy("The page has no {name} that can be used; nothing was submitted", name=name),
        tr_lazy("Check that the account is logged in and that this note allows it; otherwise update this service"),
    )
