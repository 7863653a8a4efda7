"""Opens the comments of an answer or article in its page, and reads what the page loads."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.visits import STALL_SECONDS, Visit, time_left
from dyber_kit.browser.walls import Wall
from playwright.async_api import Error

from zhihu_server.browsing.platform import COMMENTS_CALL
from zhihu_server.model.references import Reference

_CLICK_MS = 5_000
_FIRST_SECONDS = 8.0
_POLL_SECONDS = 0.2
# The bar below an answer, and the one below an article.
_BUTTON = ".ContentItem-actions button, .RichContent-actions button"
_ALL = "button, a, div[role=button], .css-vurnku"
# The list of all comments is in a box with a scroll bar of its own, whose class changes with every release.
_SCROLL_ALL = """() => {
  for (const element of document.querySelectorAll("div")) {
    const style = getComputedStyle(element);
    if (/auto|scroll/.test(style.overflowY) && element.scrollHeight > element.clientHeight + 1) {
      element.scrollTop = element.scrollHeight;
    }
  }
  window.scrollTo(0, document.body.scrollHeight);
}"""


@dataclass(frozen=True)
class CommentPage:
    """Holds comments of an answer or article.

    Attributes:
        items: Comments, in the site's order.
        complete: Whether these are all.
        total: The site's number of comments, replies included.
        wall: Why no further comments could be read.
    """

    items: list[dict[str, Any]] = field(default_factory=list)
    complete: bool = False
    total: int | None = None
    wall: Wall | None = None


async def read_comments(visit: Visit, reference: Reference, limit: int, count: Any) -> CommentPage:
    """Return up to `limit` comments; a refusal is in the result, as the page's text was read all the same.

    Raises:
        ServiceError: UPSTREAM_CHANGED when the page has comments, but no way to open them.
    """
    if count == 0:
        return CommentPage(complete=True, total=0)
    kind = "answers" if reference.kind == "answer" else "articles"
    name = f"/comment_v5/{kind}/{reference.id}{COMMENTS_CALL}"
    await _open(visit, name)
    opened_all = False
    changed, last = time.monotonic(), -1
    while time.monotonic() - changed < STALL_SECONDS and time_left() > 1.0:
        items = _items(visit, name)
        if len(items) > last:
            last, changed = len(items), time.monotonic()
        if visit.part_wall or len(items) >= limit or _is_end(visit, name):
            break
        if not opened_all:
            opened_all = await _click(visit, _ALL, "全部评论")
        try:
            await visit.page.evaluate(_SCROLL_ALL)
        except Error:
            break
        await asyncio.sleep(_POLL_SECONDS)
    items = _items(visit, name)
    ended = _is_end(visit, name) and len(items) <= limit
    return CommentPage(items[:limit], ended, _total(visit, name, count), None if ended else visit.part_wall)


async def _open(visit: Visit, name: str) -> None:
    """Click the button with the number of comments, unless the page shows them by itself."""
    give_up = time.monotonic() + _FIRST_SECONDS
    clicked = False
    while time.monotonic() < give_up and time_left() > 1.0:
        if name in visit.answers or visit.part_wall:
            return
        if not clicked:
            clicked = await _click(visit, _BUTTON, "评论")
        await asyncio.sleep(_POLL_SECONDS)
    raise ServiceError(ErrorCode.UPSTREAM_CHANGED)


async def _click(visit: Visit, selector: str, words: str) -> bool:
    """Click the first visible element with these words; return whether there was one."""
    element = visit.page.locator(selector).filter(has_text=words).first
    try:
        if not await element.is_visible():
            return False
        await element.click(timeout=_CLICK_MS)
    except Error:
        return False
    return True


def _items(visit: Visit, name: str) -> list[dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = {}
    for answer in visit.answers.get(name, []):
        for entry in answer.get("data") or []:
            if isinstance(entry, dict) and entry.get("id") is not None:
                kept.setdefault(str(entry["id"]), entry)
    return list(kept.values())


def _is_end(visit: Visit, name: str) -> bool:
    paging = visit.last_answer(name).get("paging")
    return isinstance(paging, dict) and paging.get("is_end") is True


def _total(visit: Visit, name: str, count: Any) -> int | None:
    counts = visit.last_answer(name).get("counts")
    told = counts.get("total_counts") if isinstance(counts, dict) else None
    for value in (told, count):
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None
