"""Reads the comments of a note from its open page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import anyio
from dyber_kit import ServiceError
from dyber_kit.browser.visits import STALL_SECONDS, Snapshot, Visit
from dyber_kit.upstream.values import Json, as_object, number
from playwright.async_api import Error

from xiaohongshu_server.browsing.walls import WALLS

# More clicks on "show more replies" would take too long.
_MAX_REPLY_CLICKS = 8
_CLICK_MS = 5_000


@dataclass(frozen=True)
class NotePage:
    """Holds the content of one note page.

    Attributes:
        note: The note object of the page's state.
        comments: Comment objects, in the site's order.
        complete: Whether those are all the comments the site offers.
        total: The site's number of comments.
        comment_error: The refusal that kept comments from loading, or None.
    """

    note: Json
    comments: list[Any]
    complete: bool
    total: int | None
    comment_error: ServiceError | None = None


async def note_page(visit: Visit, note: Json, comments: int, replies_from: int | None) -> NotePage:
    """Return the note of an open page with up to `comments` of its comments.

    The replies of the comments from position `replies_from` on are loaded too, unless that is None.
    """
    total = number(as_object(note.get("interactInfo")).get("commentCount"))
    if total == 0:
        return NotePage(note, [], True, 0)
    if comments == 0:
        return NotePage(note, [], False, total)
    ended = await visit.grow(_comment_count, _comments_ended, comments)
    if replies_from is not None:
        await _open_replies(visit, replies_from, comments)
    snapshot = await visit.snapshot()
    listed = _comment_list(snapshot) if snapshot else []
    wall = visit.part_wall or (WALLS.of_page(snapshot) if snapshot and not listed else None)
    return NotePage(
        note=note,
        comments=listed[:comments],
        complete=ended and len(listed) <= comments,
        total=total,
        comment_error=wall.error() if wall and not ended else None,
    )


async def _open_replies(visit: Visit, first: int, comments: int) -> None:
    """Click "show more replies" below the comments from `first` to `comments`, up to the maximum of clicks."""
    for _ in range(_MAX_REPLY_CLICKS):
        rows = visit.page.locator(".parent-comment")
        last = min(await rows.count(), comments)
        more = None
        for row in range(first, last):
            button = rows.nth(row).locator(".show-more")
            if await button.count():
                more = button.first
                break
        if more is None or visit.part_wall or visit.refused:
            return
        snapshot = await visit.snapshot()
        before = _reply_count(snapshot) if snapshot else 0
        try:
            await more.click(timeout=_CLICK_MS)
        except Error:
            return
        give_up = time.monotonic() + STALL_SECONDS
        while time.monotonic() < give_up:
            snapshot = await visit.snapshot()
            if snapshot and _reply_count(snapshot) > before:
                break
            await anyio.sleep(0.2)


def _comment_list(snapshot: Snapshot) -> list[Any]:
    comments = snapshot["state"]["comments"]
    listed = comments.get("list") if isinstance(comments, dict) else None
    return listed if isinstance(listed, list) else []


def _comment_count(snapshot: Snapshot) -> int:
    return len(_comment_list(snapshot))


def _reply_count(snapshot: Snapshot) -> int:
    return sum(
        len(comment.get("subComments") or []) for comment in _comment_list(snapshot) if isinstance(comment, dict)
    )


def _comments_ended(snapshot: Snapshot) -> bool:
    if snapshot["marks"]["no_comments"] or snapshot["marks"]["end"]:
        return True
    comments = snapshot["state"]["comments"]
    return bool(_comment_list(snapshot)) and comments.get("hasMore") is False
