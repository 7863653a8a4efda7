"""Chooses filters on the page of a search, and reads which notes it lists."""

from __future__ import annotations

import re
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.browser.visits import Snapshot, Visit
from playwright.async_api import TimeoutError as PlaywrightTimeout

from xiaohongshu_server.browsing.walls import NO_RESULT_TEXTS
from xiaohongshu_server.texts import tr_lazy

#: The page's call for notes.
SEARCH_CALL = "/v1/search/notes"
#: Longest wait for something to click on.
CLICK_MS = 5_000


async def choose_filter(visit: Visit, before: list[Any], group: str, word: str) -> list[Any]:
    """Choose the label `word` of `group` in the filter panel, and return the items that the site then lists."""
    visit.forget(SEARCH_CALL)
    try:
        try:
            await _click_filter(visit, group, word)
        except PlaywrightTimeout:
            # The panel disappears when the page draws its results again.
            await _click_filter(visit, group, word)
    except PlaywrightTimeout as error:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED,
            tr_lazy("The search page has no filter “{group}：{word}”", group=group, word=word),
            tr_lazy("Try again without this filter, or update this service"),
        ) from error
    old_ids = {item.get("id") for item in before}

    def refilled(snapshot: Snapshot) -> list[Any] | None:
        feeds = feeds_of(snapshot)
        answers = visit.answers.get(SEARCH_CALL)
        if answers is None:
            # Without a call, only a list without any old item is certainly the new one.
            return feeds if feeds and not old_ids & {item.get("id") for item in feeds} else None
        answered = {
            item.get("id") for answer in answers for item in answer.get("items") or [] if isinstance(item, dict)
        }
        if feeds and all(item.get("id") in answered for item in feeds):
            return feeds
        return [] if not feeds and nothing_found(visit, snapshot) else None

    return await visit.until(refilled)


async def _click_filter(visit: Visit, group: str, word: str) -> None:
    await visit.page.locator("div.filter").first.hover(timeout=CLICK_MS)
    filters = visit.page.locator("div.filter-panel div.filters")
    exactly = re.compile(rf"^\s*{re.escape(word)}\s*$")
    row = filters.filter(has=visit.page.locator(f"xpath=./span[normalize-space()='{group}']"))
    await row.locator("div.tags").filter(has_text=exactly).first.click(timeout=CLICK_MS)


def feeds_of(snapshot: Snapshot) -> list[Any]:
    """Return the notes that a page lists."""
    items = snapshot["state"]["feeds"]
    listed = items if isinstance(items, list) else []
    return [item for item in listed if isinstance(item, dict) and item.get("modelType") == "note"]


def nothing_found(visit: Visit, snapshot: Snapshot) -> bool:
    """Return whether the site says that a search has no results."""
    answer = visit.last_answer(SEARCH_CALL)
    by_answer = answer.get("has_more") is False and not answer.get("items")
    return by_answer or any(text in snapshot["text"] for text in NO_RESULT_TEXTS)
