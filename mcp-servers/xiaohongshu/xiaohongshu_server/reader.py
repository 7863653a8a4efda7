"""Opens pages and waits until they hold data, a wall or a real "nothing found"."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
from dyber_kit import ErrorCode, ServiceError
from playwright.async_api import Error, Page, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browser import SiteBrowser
from xiaohongshu_server.config import SiteSettings
from xiaohongshu_server.parse import parse_count
from xiaohongshu_server.references import NoteReference, note_url, search_url
from xiaohongshu_server.walls import NO_RESULT_TEXTS, Wall, page_wall, platform_code_wall, status_wall

_SNAPSHOT = files("xiaohongshu_server").joinpath("snapshot.js").read_text(encoding="utf-8")
_SCROLL = """() => {
  const scroller = document.querySelector(".note-scroller");
  if (scroller) scroller.scrollTop = scroller.scrollHeight;
  window.scrollTo(0, document.body.scrollHeight);
}"""
_POLL_SECONDS = 0.2
# A page may show its login box a moment before its data: an uncertain wall counts when it stays this long.
_WALL_SECONDS = 1.5
# Lists that load while scrolling are taken as ended when nothing was added for this long.
_STALL_SECONDS = 4.0
# A finished page without the state object is a page we do not know.
_NO_STATE_SECONDS = 3.0
# What is left of the deadline for reporting why nothing was found.
_REPORT_SECONDS = 0.5
_API_PATH = "/api/sns/web/"
# A refusal of these stops the read; others (who am I, suggestions) fail for every guest and do not matter.
_DATA_CALLS = ("/search/notes", "/feed")
_COMMENT_CALL = "/comment/page"
_ALWAYS_MATTERS = (ErrorCode.CAPTCHA_REQUIRED, ErrorCode.RATE_LIMITED)

Snapshot = dict[str, Any]
Found = TypeVar("Found")


class Visit:
    """One visit of one page: what its own API calls answered, and the polling."""

    def __init__(self, page: Page, note_id: str | None, seconds: float) -> None:
        self._page = page
        self._seconds = seconds
        self._give_up = time.monotonic() + seconds - _REPORT_SECONDS
        self._note_id = note_id
        self._call_walls: list[Wall] = []
        self.comment_wall: Wall | None = None
        self.page_wall: Wall | None = None
        self.search_answer: dict[str, Any] = {}
        page.on("response", self._on_response)

    async def _on_response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if not path.startswith(_API_PATH):
            return
        wall = status_wall(response.status, on_page=False)
        if wall is None:
            try:
                answer = json.loads(await response.body())
            except (Error, ValueError):
                return  # Gone with the page, or not JSON: the polling decides.
            wall = platform_code_wall(answer.get("code")) if isinstance(answer, dict) else None
            if path.endswith("/search/notes") and isinstance(answer.get("data"), dict):
                self.search_answer = answer["data"]
        if wall is None:
            return
        if path.endswith(_COMMENT_CALL):
            self.comment_wall = wall
        elif path.endswith(_DATA_CALLS) or wall.code in _ALWAYS_MATTERS:
            self._call_walls.append(wall)

    async def snapshot(self) -> Snapshot | None:
        """The page's state now; None while it is between two documents."""
        try:
            return await self._page.evaluate(_SNAPSHOT, self._note_id)
        except Error as error:
            if self._page.is_closed() or "crash" in str(error).lower():
                raise ServiceError(ErrorCode.INTERNAL, "浏览器页面崩溃", "请稍后重试") from error
            return None

    async def until(self, find: Callable[[Snapshot], Found | None]) -> Found:
        """Poll until `find` returns something.

        Raises:
            ServiceError: The wall the site put up, UPSTREAM_CHANGED when the page has no state at all,
                or TIMEOUT at the deadline of the visit.
        """
        wall_since: float | None = None
        strange_since: float | None = None
        while (now := time.monotonic()) < self._give_up:
            snapshot = await self.snapshot()
            if snapshot is not None:
                found = find(snapshot)
                if found is not None:
                    return found
                wall = self._call_walls[0] if self._call_walls else page_wall(snapshot) or self.page_wall
                wall_since = (wall_since or now) if wall else None
                if wall and (wall.certain or now - wall_since > _WALL_SECONDS):
                    raise wall.error()
                strange_since = (strange_since or now) if snapshot["complete"] and not snapshot["has_state"] else None
                if strange_since and now - strange_since > _NO_STATE_SECONDS:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            await asyncio.sleep(_POLL_SECONDS)
        raise ServiceError(ErrorCode.TIMEOUT, f"小红书页面在 {self._seconds:g} 秒内没有加载出内容")

    async def grow(self, count: Callable[[Snapshot], int], ended: Callable[[Snapshot], bool], wanted: int) -> bool:
        """Scroll until `count` reaches `wanted`; True when the list ended by the site's own word."""
        have, changed = -1, time.monotonic()
        while time.monotonic() - changed < _STALL_SECONDS:
            snapshot = await self.snapshot()
            if snapshot is not None:
                now = count(snapshot)
                if now > have:
                    have, changed = now, time.monotonic()
                if ended(snapshot):
                    return True
                if now >= wanted:
                    return False
                try:
                    await self._page.evaluate(_SCROLL)
                except Error:
                    continue
            await asyncio.sleep(_POLL_SECONDS)
        return False


@dataclass(frozen=True)
class NotePage:
    """What one note page held.

    Attributes:
        note: The note object of the page's state.
        comments: Comment objects, in the site's order.
        complete: Whether those are all the comments the site offers.
        total: Comments the site says there are.
        comment_wall: Why comments did not load, when the site said so.
    """

    note: dict[str, Any]
    comments: list[Any]
    complete: bool
    total: int | None
    comment_wall: Wall | None = None


class SiteReader:
    """Reads search results, notes, comments and the login state from the site."""

    def __init__(self, browser: SiteBrowser, settings: SiteSettings) -> None:
        self._browser = browser
        self._settings = settings

    async def search(self, keyword: str, limit: int) -> tuple[list[Any], bool]:
        """Feed items for `keyword` and whether the site has no more; an empty list only when it says so."""
        async with self._visit(search_url(keyword, self._settings.base_url)) as visit:

            def nothing_found(snapshot: Snapshot) -> bool:
                answer = visit.search_answer
                by_answer = answer.get("has_more") is False and not answer.get("items")
                return by_answer or any(text in snapshot["text"] for text in NO_RESULT_TEXTS)

            def feeds(snapshot: Snapshot) -> list[Any]:
                items = snapshot["feeds"] if isinstance(snapshot["feeds"], list) else []
                return [item for item in items if isinstance(item, dict) and item.get("modelType") == "note"]

            def ready(snapshot: Snapshot) -> list[Any] | None:
                return feeds(snapshot) or ([] if nothing_found(snapshot) else None)

            found = await visit.until(ready)
            if not found:
                return [], True
            ended = await visit.grow(
                lambda s: len(feeds(s)),
                lambda s: s["end_marker"] or visit.search_answer.get("has_more") is False,
                limit,
            )
            snapshot = await visit.snapshot()
            found = feeds(snapshot) if snapshot else found
            return found[:limit], ended and len(found) <= limit

    async def note(self, reference: NoteReference, comments: int) -> NotePage:
        """A note and up to `comments` of its comments."""
        async with self._visit(note_url(reference, self._settings.base_url), reference.note_id) as visit:

            def ready(snapshot: Snapshot) -> dict[str, Any] | None:
                note = snapshot["note"]
                return note if isinstance(note, dict) and note.get("noteId") == reference.note_id else None

            try:
                note = await visit.until(ready)
            except ServiceError as error:
                raise _missing_token(error, reference) from error
            total = parse_count((note.get("interactInfo") or {}).get("commentCount"))
            if total is not None and total.value == 0:
                return NotePage(note, [], True, 0)
            if comments == 0:
                return NotePage(note, [], False, total.value if total else None)
            ended = await visit.grow(_comment_count, _comments_ended, comments)
            snapshot = await visit.snapshot()
            listed = _comment_list(snapshot) if snapshot else []
            wall = visit.comment_wall or (page_wall(snapshot) if snapshot and not listed else None)
            return NotePage(
                note=note,
                comments=listed[:comments],
                complete=ended and len(listed) <= comments,
                total=total.value if total else None,
                comment_wall=None if ended else wall,
            )

    async def login_state(self) -> dict[str, Any] | None:
        """The logged-in user's object, or None for a guest."""
        async with self._visit(f"{self._settings.base_url}/explore") as visit:

            def ready(snapshot: Snapshot) -> list[dict[str, Any] | None] | None:
                user = snapshot["user"] if isinstance(snapshot["user"], dict) else {}
                if user.get("guest") is True or snapshot["logged_in"] is False:
                    return [None]
                if user.get("userId") or user.get("user_id"):
                    return [user]
                return None

            try:
                return (await visit.until(ready))[0]
            except ServiceError as error:
                if error.code is ErrorCode.LOGIN_REQUIRED:
                    return None
                raise

    @asynccontextmanager
    async def _visit(self, url: str, note_id: str | None = None) -> AsyncIterator[Visit]:
        async with self._browser.page() as page:
            visit = Visit(page, note_id, self._settings.page_seconds)
            with anyio.move_on_after(self._settings.page_seconds) as deadline:
                visit.page_wall = await self._open(page, url)
                yield visit
            if deadline.cancelled_caught:
                raise ServiceError(ErrorCode.TIMEOUT, f"小红书页面在 {self._settings.page_seconds:g} 秒内没有读完")

    async def _open(self, page: Page, url: str) -> Wall | None:
        try:
            # Half of the visit's time: a site that has not answered by then is out of reach, and not merely slow.
            patience = self._settings.page_seconds * 1000 / 2
            response = await page.goto(url, wait_until="domcontentloaded", timeout=patience)
        except PlaywrightTimeout as error:
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, "小红书没有响应") from error
        except Error as error:
            if "net::" not in str(error):
                raise
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, "无法连接小红书") from error
        if response is None:
            return None
        if response.status >= 500:
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, f"小红书返回了错误（HTTP {response.status}）")
        wall = status_wall(response.status, on_page=True)
        if wall is not None and wall.certain:
            raise wall.error()
        return wall


def _comment_list(snapshot: Snapshot) -> list[Any]:
    comments = snapshot["comments"]
    listed = comments.get("list") if isinstance(comments, dict) else None
    return listed if isinstance(listed, list) else []


def _comment_count(snapshot: Snapshot) -> int:
    return len(_comment_list(snapshot))


def _comments_ended(snapshot: Snapshot) -> bool:
    if snapshot["no_comments"] or snapshot["end_marker"]:
        return True
    comments = snapshot["comments"]
    return bool(_comment_list(snapshot)) and comments.get("hasMore") is False


def _missing_token(error: ServiceError, reference: NoteReference) -> ServiceError:
    """The site hides notes opened without their token: say that instead of "removed"."""
    if error.code is ErrorCode.NOT_FOUND and reference.token is None:
        return ServiceError(
            ErrorCode.NOT_FOUND,
            "笔记不存在，或缺少 xsec_token 而无法查看",
            "请使用搜索结果里的 note_ref，或带 xsec_token 的完整链接",
        )
    return error
