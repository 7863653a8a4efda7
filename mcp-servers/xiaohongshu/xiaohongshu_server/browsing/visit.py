"""One visit of one page: what the page's own calls answer, its state, and waiting for data or a wall."""

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
from playwright.async_api import Error, Page, Request, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browsing.walls import Wall, answer_wall, page_wall, status_wall

_SNAPSHOT = files("xiaohongshu_server.browsing").joinpath("snapshot.js").read_text(encoding="utf-8")
_SCROLL = """() => {
  const scroller = document.querySelector(".note-scroller");
  if (scroller) scroller.scrollTop = scroller.scrollHeight;
  window.scrollTo(0, document.body.scrollHeight);
}"""
_POLL_SECONDS = 0.2
# A page may show its login box a moment before its data: an uncertain wall counts when it stays this long.
_WALL_SECONDS = 1.5
# Lists that load while scrolling are taken as ended when nothing was added for this long.
STALL_SECONDS = 4.0
# A finished page without the state object is a page we do not know.
_NO_STATE_SECONDS = 3.0
# What is left of the deadline for reporting why nothing was found.
_REPORT_SECONDS = 0.5
_API_PATH = "/api/sns/web/"
# A refusal of these stops the read; others (who am I, suggestions) fail for every guest and do not matter.
_DATA_CALLS = ("/search/notes", "/feed", "/homefeed", "/user_posted", "/user/otherinfo", "/login/qrcode/create")
COMMENT_CALL = "/v2/comment/page"
_ALWAYS_MATTERS = (ErrorCode.CAPTCHA_REQUIRED, ErrorCode.RATE_LIMITED)

Snapshot = dict[str, Any]
Paths = Mapping[str, Sequence[str]]
Found = TypeVar("Found")


class Visit:
    """A page being read.

    Args:
        page: The browser's page; nothing opened in it yet.
        paths: Name and place of the parts of the page's state that `snapshot` copies.
        seconds: Deadline of the visit.
    """

    def __init__(self, page: Page, paths: Paths, seconds: float) -> None:
        self.page = page
        self.seconds = seconds
        self.comment_wall: Wall | None = None
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self._paths = {name: list(path) for name, path in paths.items()}
        self._give_up = time.monotonic() + seconds - _REPORT_SECONDS
        self._call_walls: list[Wall] = []
        self._page_wall: Wall | None = None
        # Calls asked before `forget`, whose answers are of no interest any more.
        self._old_calls: set[Request] = set()
        self._calls: set[Request] = set()
        # Playwright sets an attribute of the listener, and a method of a set has none.
        page.on("request", lambda request: self._calls.add(request))  # noqa: PLW0108
        page.on("response", self._on_response)
        page.on("requestfailed", self._on_failure)

    async def open(self, url: str) -> None:
        """Go to `url`.

        Raises:
            ServiceError: UPSTREAM_UNREACHABLE, or the wall that the page's HTTP status means.
        """
        try:
            # Half of the visit's time: a site that has not answered by then is out of reach, and not merely slow.
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
        self._page_wall = status_wall(response.status)
        if self._page_wall is not None and self._page_wall.certain:
            raise self._page_wall.error()

    async def snapshot(self) -> Snapshot | None:
        """The page's state now; None while it is between two documents."""
        try:
            snapshot: Snapshot | None = await self.page.evaluate(_SNAPSHOT, self._paths)
            return snapshot
        except Error as error:
            if is_gone(error, self.page):
                raise crashed() from error
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
                wall = self.wall(snapshot)
                wall_since = (wall_since or now) if wall else None
                if wall and (wall.certain or now - (wall_since or now) > _WALL_SECONDS):
                    raise wall.error()
                strange_since = (strange_since or now) if snapshot["complete"] and not snapshot["has_state"] else None
                if strange_since and now - strange_since > _NO_STATE_SECONDS:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            await asyncio.sleep(_POLL_SECONDS)
        raise ServiceError(ErrorCode.TIMEOUT, f"小红书页面在 {self.seconds:.0f} 秒内没有加载出内容")

    async def grow(self, count: Callable[[Snapshot], int], ended: Callable[[Snapshot], bool], wanted: int) -> bool:
        """Scroll until `count` reaches `wanted`; True when the list ended by the site's own word.

        Raises:
            ServiceError: A captcha or a limit put up on the way, so that scrolling stops at once.
        """
        have, changed = -1, time.monotonic()
        while time.monotonic() - changed < STALL_SECONDS:
            snapshot = await self.snapshot()
            if snapshot is not None:
                now = count(snapshot)
                if now > have:
                    have, changed = now, time.monotonic()
                if ended(snapshot):
                    return True
                if now >= wanted or self._call_walls or self.comment_wall:
                    return False
                try:
                    await self.page.evaluate(_SCROLL)
                except Error:
                    continue
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def wall(self, snapshot: Snapshot) -> Wall | None:
        """What stands before the data: by the page's calls, its looks, or its HTTP status."""
        return self.call_wall or page_wall(snapshot) or self._page_wall

    @property
    def call_wall(self) -> Wall | None:
        """Return how the site refused a call that brings data."""
        certain = next((wall for wall in self._call_walls if wall.certain), None)
        return certain or (self._call_walls[0] if self._call_walls else None)

    @property
    def refused(self) -> Wall | None:
        """A captcha or a limit that one of the page's calls met."""
        walls = [*self._call_walls, *([self.comment_wall] if self.comment_wall else [])]
        return next((wall for wall in walls if wall.code in _ALWAYS_MATTERS), None)

    def last_answer(self, call: str) -> dict[str, Any]:
        """`data` of the latest answer to the page's calls whose path ends with `call`; {} without one."""
        answers = self.answers.get(call)
        return answers[-1] if answers else {}

    def forget(self, call: str) -> None:
        """Drop the answers to `call`, also those that are still under way."""
        self.answers.pop(call, None)
        self._old_calls |= self._calls

    async def _on_response(self, response: Response) -> None:
        path = urlsplit(response.url).path
        if not path.startswith(_API_PATH):
            if response.request.is_navigation_request() and response.frame == self.page.main_frame:
                self._page_wall = status_wall(response.status)
            return
        try:
            answer = json.loads(await response.body())
        except (Error, ValueError):
            answer = None  # No JSON, no body (HTTP 461), or gone with the page: then the status decides.
        wall = answer_wall(response.status, answer)
        if wall is None:
            fresh = response.request not in self._old_calls
            if fresh and isinstance(answer, dict) and isinstance(answer.get("data"), dict):
                self.answers.setdefault(path.removeprefix("/api/sns/web"), []).append(answer["data"])
        else:
            self._note(path, wall)

    def _on_failure(self, request: Request) -> None:
        path = urlsplit(request.url).path
        if path.startswith(_API_PATH) and "ERR_ABORTED" not in (request.failure or ""):
            self._note(path, Wall(ErrorCode.UPSTREAM_UNREACHABLE, certain=False))

    def _note(self, path: str, wall: Wall) -> None:
        if path.endswith(COMMENT_CALL):
            self.comment_wall = wall
        elif path.endswith(_DATA_CALLS) or (wall.code in _ALWAYS_MATTERS and not wall.guessed):
            self._call_walls.append(wall)


def time_left() -> float:
    """Return how many seconds the call, or the visit within it, still has."""
    return anyio.current_effective_deadline() - anyio.current_time()
