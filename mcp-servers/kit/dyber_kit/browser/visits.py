"""Reads one page of a platform: its state, the answers to its own calls, and the walls that it meets."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any, TypeVar
from urllib.parse import urlsplit

import anyio
from playwright.async_api import Error, Page, Request, Response
from playwright.async_api import TimeoutError as PlaywrightTimeout

from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.pool import crashed, is_gone
from dyber_kit.browser.walls import Wall
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.observing import tracing

_SNAPSHOT = files("dyber_kit.browser").joinpath("snapshot.js").read_text(encoding="utf-8")
_SCROLL = """(selector) => {
  const scroller = selector ? document.querySelector(selector) : null;
  if (scroller) scroller.scrollTop = scroller.scrollHeight;
  window.scrollTo(0, document.body.scrollHeight);
}"""
_POLL_SECONDS = 0.2
# A page may show its login box shortly before its data, so an uncertain wall counts only after this time.
_WALL_SECONDS = 1.5
#: A list that loads while scrolling counts as ended when nothing was added for this long.
STALL_SECONDS = 4.0
# A page that has loaded but has no state object for this long is unknown.
_NO_STATE_SECONDS = 3.0
# Time before the deadline that is left for reporting why no data came.
_REPORT_SECONDS = 0.5
#: Time of a call that a visit leaves for reporting why it ended.
CALL_RESERVE_SECONDS = 1.0
_ACCOUNT_WALLS = (ErrorCode.CAPTCHA_REQUIRED, ErrorCode.RATE_LIMITED)

#: What a page shows at one moment: `url`, `title`, `text`, `complete`, `has_state`, `state` by name of its path, `marks`
#: by name, and the signs of a wall and of a login (`blocked_text`, `box`, `login_box`, `qr`, `code_input`).
Snapshot = dict[str, Any]
#: By name, the keys that lead to a part of a page's state.
Paths = Mapping[str, Sequence[str]]
Value = TypeVar("Value")


class Visit:
    """Reads a page until its data or a wall appears.

    Args:
        page: An empty page of the browser.
        platform: The platform of the page.
        paths: By name, the path to each part of the page's state that `snapshot` copies.
        seconds: Deadline of the visit, in seconds.
    """

    def __init__(self, page: Page, platform: Platform, paths: Paths, seconds: float) -> None:
        self.page = page
        self.seconds = seconds
        #: The wall that a part of the page met, such as its comments.
        self.part_wall: Wall | None = None
        self.answers: dict[str, list[dict[str, Any]]] = {}
        #: By name of a call, the wall that it met last; also of calls that the page works without.
        self.refusals: dict[str, Wall] = {}
        self.platform = platform
        self._walls = platform.walls
        self._wanted = _wanted(platform, paths)
        self._report_at = time.monotonic() + seconds - _REPORT_SECONDS
        self._call_walls: list[Wall] = []
        self._page_wall: Wall | None = None
        #: The hosts of the opened addresses: those in the settings need not be at the platform's domains.
        self._hosts: set[str] = set()
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
        host = urlsplit(url).hostname or ""
        self._hosts.add(host)
        with tracing.span("browser open", {"server.address": host}, kind=tracing.Kind.CLIENT) as span:
            await self._open(url, span)

    async def _open(self, url: str, span: tracing.Span) -> None:
        try:
            # A site that has not answered after half of the visit's time counts as unreachable.
            response = await self.page.goto(url, wait_until="domcontentloaded", timeout=self.seconds * 1000 / 2)
        except PlaywrightTimeout as error:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("{title} did not answer in time", title=self.platform.title)
            ) from error
        except Error as error:
            if "net::" not in str(error):
                raise
            # A refusal without a body (HTTP 461) reaches Chromium as a failed navigation; its status is known.
            if self._page_wall is not None and self._page_wall.certain:
                raise self._page_wall.error() from error
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE, tr_lazy("{title} cannot be reached", title=self.platform.title)
            ) from error
        if response is None:
            return
        span.set_attribute("http.response.status_code", response.status)
        if response.status >= 500:
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE,
                tr_lazy("{title} had an error (HTTP {status})", title=self.platform.title, status=response.status),
            )
        self._page_wall = self._walls.of_status(response.status)
        if self._page_wall is not None and self._page_wall.certain:
            raise self._page_wall.error()

    async def snapshot(self) -> Snapshot | None:
        """Return the page's present state; None while it changes to another document."""
        try:
            snapshot: Snapshot | None = await self.page.evaluate(_SNAPSHOT, self._wanted)
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
        with tracing.span("browser read"):
            return await self._until(find)

    async def _until(self, find: Callable[[Snapshot], Value | None]) -> Value:
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
                stateless = self._wanted["state"] and snapshot["complete"] and not snapshot["has_state"]
                no_state_since = (no_state_since or now) if stateless else None
                if no_state_since and now - no_state_since > _NO_STATE_SECONDS:
                    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
            await asyncio.sleep(_POLL_SECONDS)
        raise ServiceError(
            ErrorCode.TIMEOUT,
            tr_lazy(
                "The page of {title} showed no content within {seconds:.0f} s",
                title=self.platform.title,
                seconds=self.seconds,
            ),
        )

    async def grow(self, count: Callable[[Snapshot], int], ended: Callable[[Snapshot], bool], target: int) -> bool:
        """Scroll until `count` reaches `target`; return True when the site says that the list has ended.

        Scrolling stops at once at a wall.
        """
        with tracing.span("browser scroll"):
            return await self._grow(count, ended, target)

    async def _grow(self, count: Callable[[Snapshot], int], ended: Callable[[Snapshot], bool], target: int) -> bool:
        last_count, changed = -1, time.monotonic()
        while time.monotonic() - changed < STALL_SECONDS:
            snapshot = await self.snapshot()
            if snapshot is not None:
                now = count(snapshot)
                if now > last_count:
                    last_count, changed = now, time.monotonic()
                if ended(snapshot):
                    return True
                if now >= target or self._call_walls or self.part_wall:
                    return False
                try:
                    await self.page.evaluate(_SCROLL, self.platform.layout.scroller)
                except Error:
                    continue
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def wall(self, snapshot: Snapshot) -> Wall | None:
        """Return the wall that the page's calls, its content or its HTTP status show."""
        return self.call_wall or self._walls.of_page(snapshot) or self._page_wall

    @property
    def call_wall(self) -> Wall | None:
        """Return the wall that a call for data met, if possible a certain one."""
        certain = next((wall for wall in self._call_walls if wall.certain), None)
        return certain or (self._call_walls[0] if self._call_walls else None)

    @property
    def refused(self) -> Wall | None:
        """Return a captcha or a rate limit that one of the page's calls met."""
        walls = [*self._call_walls, *([self.part_wall] if self.part_wall else [])]
        return next((wall for wall in walls if wall.code in _ACCOUNT_WALLS), None)

    def last_answer(self, call: str) -> dict[str, Any]:
        """Return the `data` of the latest answer to the page's calls to `call`; {} without an answer."""
        answers = self.answers.get(call)
        return answers[-1] if answers else {}

    def forget(self, call: str) -> None:
        """Drop the answers to `call`, also those that have not arrived yet."""
        self.answers.pop(call, None)
        self._old_calls |= self._calls

    async def answered(self, call: str) -> dict[str, Any]:
        """Wait until the page's call to `call` is answered, and return its data. Raises like `until`."""
        return await self.until(lambda _: self.last_answer(call) or None)

    async def answer_to(
        self, expected: str | Callable[[Response], bool], act: Callable[[], Awaitable[object]], seconds: float
    ) -> dict[str, Any]:
        """Act on the page, and return the whole answer to the data call that the page then makes.

        Args:
            expected: The end of the call's name, or a function that recognises the response.
            act: Clicks or types; may raise Playwright's TimeoutError.
            seconds: How long the answer may take.

        Raises:
            ServiceError: The wall that the call or the page met, or UPSTREAM_CHANGED when no such call was answered.
        """

        def matches(response: Response) -> bool:
            if callable(expected):
                return self._is_of_platform(response.url) and expected(response)
            return (self._call(response.url) or "").endswith(expected)

        try:
            with tracing.span("browser act"):
                async with self.page.expect_response(matches, timeout=seconds * 1000) as answered:
                    await act()
                response = await answered.value
        except PlaywrightTimeout as error:
            snapshot = await self.snapshot()
            wall = self.wall(snapshot) if snapshot else None
            raise wall.error() if wall else ServiceError(ErrorCode.UPSTREAM_CHANGED) from error
        answer = await _json(response)
        if wall := self._walls.of_answer(response.status, answer):
            raise wall.error()
        return answer if isinstance(answer, dict) else {}

    async def _on_response(self, response: Response) -> None:
        name = self._call(response.url)
        if name is None:
            if response.request.is_navigation_request() and response.frame == self.page.main_frame:
                self._page_wall = self._walls.of_status(response.status)
            return
        # Without JSON or a body (HTTP 461), or after the page closed, the status decides.
        answer = await _json(response)
        wall = self._walls.of_answer(response.status, answer)
        if wall is None:
            field = self.platform.calls.content
            content = answer.get(field) if field and isinstance(answer, dict) else answer
            if response.request not in self._old_calls and isinstance(content, dict):
                self.answers.setdefault(name, []).append(content)
        else:
            self._note(name, wall)

    def _on_failure(self, request: Request) -> None:
        name = self._call(request.url)
        if name is not None and "ERR_ABORTED" not in (request.failure or ""):
            self._note(name, self._walls.wall(ErrorCode.UPSTREAM_UNREACHABLE, certain=False))

    def _call(self, url: str) -> str | None:
        """Return the name of a data call; None for other requests, also when another site has such a path."""
        name = self.platform.calls.name(url)
        return name if name is not None and self._is_of_platform(url) else None

    def _is_of_platform(self, url: str) -> bool:
        return self.platform.serves(url, self._hosts)

    def _note(self, name: str, wall: Wall) -> None:
        self.refusals[name] = wall
        if name.endswith(tuple(self.platform.calls.parts)):
            self.part_wall = wall
        elif name.endswith(tuple(self.platform.calls.data)) or (wall.code in _ACCOUNT_WALLS and not wall.guessed):
            self._call_walls.append(wall)


@asynccontextmanager
async def visiting(page: Page, platform: Platform, url: str, paths: Paths, seconds: float) -> AsyncIterator[Visit]:
    """Open `url` in an empty page, and end the visit after `seconds` or shortly before the call's deadline.

    Raises:
        ServiceError: TIMEOUT at that time, or when the call has no time left for a page.
    """
    # The visit ends before the call does, so that the reason can still be reported.
    seconds = min(seconds, time_left() - CALL_RESERVE_SECONDS)
    if seconds <= 0:
        raise ServiceError(
            ErrorCode.TIMEOUT,
            tr_lazy("Waiting used up the time of this call; no page was opened"),
            tr_lazy("Try again later, and send one request at a time"),
        )
    visit = Visit(page, platform, paths, seconds)
    with anyio.move_on_after(seconds) as deadline:
        await visit.open(url)
        yield visit
    if deadline.cancelled_caught:
        raise ServiceError(
            ErrorCode.TIMEOUT,
            tr_lazy("The page of {title} was not read within {seconds:.0f} s", title=platform.title, seconds=seconds),
        )


def time_left() -> float:
    """Return how many seconds the call, or the visit within it, still has."""
    return anyio.current_effective_deadline() - anyio.current_time()


def _wanted(platform: Platform, paths: Paths) -> dict[str, Any]:
    """Return the argument of the script that takes snapshots."""
    return {
        "state": platform.layout.state,
        "paths": {name: list(path) for name, path in paths.items()},
        "notices": ", ".join(platform.walls.notices),
        "boxes": list(platform.walls.boxes),
        "login_box": platform.walls.login_box,
        "login_code": platform.layout.login_code,
        "proof_words": platform.layout.proof_words,
        "marks": dict(platform.layout.marks),
    }


async def _json(response: Response) -> Any:
    """Return the JSON of an answer, or None when it has none."""
    try:
        return json.loads(await response.body())
    except (Error, ValueError):
        return None
