"""Reads one page of the site: its state, the answers to its own calls, and the walls that it meets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.pool import crashed, is_gone
from dyber_kit.browser.walls import Wall
from playwright.async_api import Error, Page, Request, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browsing.walls import WALLS

_SNAPSHOT = files("xiaohongshu_server.browsing").joinpath("snapshot.js").read_text(encoding="utf-8")
_SCROLL = """() => {
  const scroller = document.querySelector(".note-scroller");
  if (scroller) scroller.scrollTop = scroller.scrollHeight;
  window.scrollTo(0, document.body.scrollHeight);
}"""
_POLL_SECONDS = 0.2
# A page may show its login box shortly before its data, so an uncertain wall counts only after this time.
_WALL_SECONDS = 1.5
# A list that loads while scrolling counts as ended when nothing was added for this long.
STALL_SECONDS = 4.0
# A page that has loaded but has no state object for this long is unknown.
_NO_STATE_SECONDS = 3.0
# Time before the deadline that is left for reporting why no data came.
_REPORT_SECONDS = 0.5
_API_PATH = "/api/sns/web/"
# Refusals of these calls end a visit; other calls (who am I, suggestions) fail for every guest and are ignored.
_DATA_CALLS = ("/search/notes", "/feed", "/homefeed", "/user_posted", "/user/otherinfo", "/login/qrcode/create")
COMMENT_CALL = "/v2/comment/page"
_ACCOUNT_WALLS = (ErrorCode.CAPTCHA_REQUIRED, ErrorCode.RATE_LIMITED)

Snapshot = dict[str, Any]
Paths = Mapping[str, Sequence[str]]
Value = TypeVar("Value")


class Visit:
    """Reads a page until its data or a wall appears.

    Args:
        page: An empty page of the browser.
        paths: By name, the path to each part of the page's state that `snapshot` copies.
        seconds: Deadline of the visit, in seconds.
    """

    def __init__(self, page: Page, paths: Paths, seconds: float) -> None:
        self.page = page
        self.seconds = seconds
        self.comment_wall: Wall | None = None
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._paths = {name: list(path) for name, path in paths.items()}
        self._report_at = time.monotonic() + seconds - _REPORT_SECONDS
        self._call_walls: list[Wall] = []
        self._page_wall: Wall | None = None
        # Calls that were sent before `forget`; their answers are ignored.
        self._old_calls: set[Request] = set()
        self._calls: set[Request] = set()
        # Playwright sets an attribute on listeners, which is not possible on a method of a set.
        page.on("request", lambda request: self._calls.add(request))  # noqa: PLW0108
        page.on("response", self._on_response)
        page.on("requestfailed", self._on_failure)

    async def open(self, url: str) -> None:
        """Open `url`.

        Raises:
            ServiceError: UPSTREAM_UNREACHABLE, or the wall that the page's HTTP status stands for.
        """
        try:
            # A site that has not answered after half of the visit's time counts as unreachable.
            response = await self.page.goto(url, wait_until="domcontentloaded", timeout=self.seconds * 1000 / 2)
        except PlaywrightTimeout as error:
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, "小红书没有响应") from error
        except Error as error:
            if "net::" not in str(error):
                raise
            # A refusal without a body (HTTP 461) reaches Chromium as a failed navigation; its status is known.
            if self._page_wall is not None and self._page_wall.certain:
                raise self._page_wall.error() from error
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, "无法连接小红书") from error
        if response is None:
            return
        if response.status >= 500:
            raise ServiceError(ErrorCode.UPSTREAM_UNREACHABLE, f"小红书返回了错误（HTTP {response.status}）")
        self._page_wall = WALLS.of_status(response.status)
        if self._page_wall is not None and self._page_wall.certain:
            raise self._page_wall.error()

    async def snapshot(self) -> Snapshot | None:
        """Return the page's present state; None while it changes to another document."""
        try:
            snapshot: Snapshot | None = await self.page.evaluate(_SNAPSHOT, self._paths)
            return snapshot
        except Error as error:
            if is_gone(error, self.page):
                raise crashed() from error
            return None

    async def until(self, find: Callable[[Snapshot], Value | None]) -> Value:
        """Poll until `find` returns a value other than None, and return that.

        Raises:
            ServiceError: The wall that the page met, UPSTREAM_CHANGED when the page has no state at all,
                or TIMEOUT at the deadline of the visit.
        """
        wall_since: float | None = None
        no_state_since: float | None = None
        while (now := time.monotonic()) < self._report_at:
            snapshot = await self.snapshot()
            if snapshot is not None:
                value = find(snapshot)
                if value is not None:
                    return value
                wall = self.wall(snapshot)
                wall_since = (wall_since or now) if wall else None
                if wall and (wall.certain or now - (wall_since or now) > _WALL_SECONDS):
                    raise wall.error()
                no_state_since = (no_state_since or now) if snapshot["complete"] and not snapshot["has_state"] else None
                if no_state_since and now - no_state_since > _NO_STATE_SECONDS:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            await asyncio.sleep(_POLL_SECONDS)
        raise ServiceError(ErrorCode.TIMEOUT, f"小红书页面在 {self.seconds:.0f} 秒内没有加载出内容")

    async def grow(self, count: Callable[[Snapshot], int], ended: Callable[[Snapshot], bool], target: int) -> bool:
        """Scroll until `count` reaches `target`; return True when the site says that the list has ended.

        Scrolling stops at once at a wall.
        """
        last_count, changed = -1, time.monotonic()
        while time.monotonic() - changed < STALL_SECONDS:
            snapshot = await self.snapshot()
            if snapshot is not None:
                now = count(snapshot)
                if now > last_count:
                    last_count, changed = now, time.monotonic()
                if ended(snapshot):
                    return True
                if now >= target or self._call_walls or self.comment_wall:
                    return False
                try:
                    await self.page.evaluate(_SCROLL)
                except Error:
                    continue
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def wall(self, snapshot: Snapshot) -> Wall | None:
        """Return the wall that the page's calls, its content or its HTTP status show."""
        return self.call_wall or WALLS.of_page(snapshot) or self._page_wall

    @property
    def call_wall(self) -> Wall | None:
        """Return the wall that a call for data met, if possible a certain one."""
        certain = next((wall for wall in self._call_walls if wall.certain), None)
        return certain or (self._call_walls[0] if self._call_walls else None)

    @property
    def refused(self) -> Wall | None:
        """Return a captcha or a rate limit that one of the page's calls met."""
        walls = [*self._call_walls, *([self.comment_wall] if self.comment_wall else [])]
        return next((wall for wall in walls if wall.code in _ACCOUNT_WALLS), None)

    def last_answer(self, call: str) -> dict[str, Any]:
        """Return the `data` of the latest answer to the page's calls to `call`; {} without an answer."""
        answers = self.answers.get(call)
        return answers[-1] if answers else {}

    def forget(self, call: str) -> None:
        """Drop the answers to `call`, also those that have not arrived yet."""
        self.answers.pop(call, None)
        self._old_calls |= self._calls

    async def _on_response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if not path.startswith(_API_PATH):
            if response.request.is_navigation_request() and response.frame == self.page.main_frame:
                self._page_wall = WALLS.of_status(response.status)
            return
        try:
            answer = json.loads(await response.body())
        except (Error, ValueError):
            answer = None  # Without JSON or a body (HTTP 461), or after the page closed, the status decides.
        wall = WALLS.of_answer(response.status, answer)
        if wall is None:
            fresh = response.request not in self._old_calls
            if fresh and isinstance(answer, dict) and isinstance(answer.get("data"), dict):
                self.answers.setdefault(path.removeprefix("/api/sns/web"), []).append(answer["data"])
        else:
            self._note(path, wall)

    def _on_failure(self, request: Request) -> None:
        path = urlsplit(request.url).path
        if path.startswith(_API_PATH) and "ERR_ABORTED" not in (request.failure or ""):
            self._note(path, WALLS.wall(ErrorCode.UPSTREAM_UNREACHABLE, certain=False))

    def _note(self, path: str, wall: Wall) -> None:
        if path.endswith(COMMENT_CALL):
            self.comment_wall = wall
        elif path.endswith(_DATA_CALLS) or (wall.code in _ACCOUNT_WALLS and not wall.guessed):
            self._call_walls.append(wall)


def time_left() -> float:
    """Return how many seconds the call, or the visit within it, still has."""
    return anyio.current_effective_deadline() - anyio.current_time()
