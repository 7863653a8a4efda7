"""Explains empty or unexpected lists to agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from dyber_kit.language import joined_names, language
from dyber_kit.times import SHANGHAI

from xiaohongshu_server.model.answers import NoteSummary
from xiaohongshu_server.model.filters import PANEL, SearchFilters, Tab
from xiaohongshu_server.texts import tr

#: The count by which a search is sorted.
ORDERS = {"most_liked": "likes", "most_commented": "comments", "most_collected": "collects"}
# The age of its notes; a day is added because dates from ids are earlier.
_PERIODS = {"day": timedelta(days=2), "week": timedelta(days=8), "half_year": timedelta(days=185)}


def search_warnings(filters: SearchFilters, items: Sequence[NoteSummary], *, nothing: bool, now: datetime) -> list[str]:
    """Return warnings about one page of search results.

    Args:
        filters: The filters of the search.
        items: The notes of this page.
        nothing: Whether the whole search has no results.
        now: The present time, with a time zone.
    """
    warnings = []
    applied = filters.applied()
    if nothing:
        named = {name: f"{PANEL[name][0]}={PANEL[name][1][value]}" for name, value in applied.items()}
        chosen = joined_names(
            f"{name}={applied[name]}" if language() == "en" else label for name, label in named.items()
        )
        warnings.append(
            tr("Xiaohongshu has no results with these filters: {filters}; leave some of them out", filters=chosen)
            if chosen
            else tr("Xiaohongshu has no notes for these words")
        )
    if filters.distance != "any":
        warnings.append(
            tr(
                "same_city and nearby go by the place of the account, and give nothing for an account without a place; "
                "for a certain city, write its name into keyword"
            )
        )
    if nothing and filters.scope != "all":
        warnings.append(tr("seen, unseen and following need a login, and know only what this account did"))
    if order := ORDERS.get(filters.sort):
        counts = [count for item in items if (count := getattr(item, order)) is not None]
        if counts != sorted(counts, reverse=True):
            warnings.append(tr("Xiaohongshu's order is not strictly by {order} from most to least", order=order))
    if period := _PERIODS.get(filters.publish_time):
        earliest = (now - period).astimezone(SHANGHAI).date()
        old = sum(date.fromisoformat(item.date) < earliest for item in items if item.date)
        if old:
            warnings.append(
                tr(
                    "{count} notes are older than publish_time={period} allows (times derived from their ids)",
                    count=old,
                    period=filters.publish_time,
                )
            )
    return warnings


def tab_warnings(tab: Tab, complete: bool) -> list[str]:
    """Return the warnings about a tab of a profile without notes.

    Args:
        tab: The tab.
        complete: Whether the site said that there are no notes.
    """
    named = {"posted": tr("notes"), "favorites": tr("favorites"), "likes": tr("liked notes")}[tab]
    if complete:
        return [tr("The profile has no {notes}", notes=named)]
    return [tr("No {notes} were read: there may be none, they may not be public, or they did not load", notes=named)]
