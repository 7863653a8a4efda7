"""Explains empty, short or unexpected answers to agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from dyber_kit.answer_models import Notice
from dyber_kit.times import SHANGHAI

from douyin_server.model.answers import VideoSummary
from douyin_server.model.filters import SearchFilters
from douyin_server.texts import tr, tr_lazy

# The age of a search's videos; a day is added for the difference between clocks.
_PERIODS = {"day": timedelta(days=2), "week": timedelta(days=8), "half_year": timedelta(days=185)}


def search_warnings(
    filters: SearchFilters, applied: dict[str, str], items: Sequence[VideoSummary], *, nothing: bool, now: datetime
) -> list[str]:
    """Return warnings about one page of search results.

    Args:
        filters: The filters that the caller wants.
        applied: The filters that the page sent with its request.
        items: The videos of this page.
        nothing: Whether the whole search has no results.
        now: The present time, with a time zone.
    """
    warnings = []
    missing = [f"{name}={value}" for name, value in filters.wanted().items() if applied.get(name) != value]
    if missing:
        warnings.append(
            tr("Douyin's page did not apply {filters}; the results are those without it", filters=", ".join(missing))
        )
    if nothing:
        warnings.append(tr("Douyin has no videos for this keyword and these filters"))
    if applied.get("sort") == "most_liked":
        likes = [item.likes for item in items if item.likes is not None]
        if likes != sorted(likes, reverse=True):
            warnings.append(tr("Douyin's order is not strictly from most to fewest likes"))
    if period := _PERIODS.get(applied.get("publish_time", "")):
        earliest = (now - period).astimezone(SHANGHAI).date()
        if old := sum(date.fromisoformat(item.date) < earliest for item in items if item.date):
            warnings.append(tr("{count} videos are older than publish_time asks for", count=old))
    return warnings


def no_comments_warning(page_total: int | None, read: int, complete: bool) -> list[Notice]:
    """Return a warning when the site counts comments, but says that there are none to show."""
    if not complete or read or not page_total:
        return []
    return [tr_lazy("Douyin counts {count} comments, but shows none; a login may show them", count=page_total)]


def short_list_warning(read: int, wanted: int, complete: bool) -> list[Notice]:
    """Return a warning when the site stopped before `wanted` entries and did not say that there are no more."""
    if complete or read >= wanted:
        return []
    return [
        tr_lazy("Only {count} were loaded, and Douyin did not say that these are all; a login shows more", count=read)
        if read
        else tr_lazy("Nothing was loaded, and Douyin did not say that there is nothing; log in and try again")
    ]
