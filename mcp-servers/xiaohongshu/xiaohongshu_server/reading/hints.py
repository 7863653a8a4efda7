"""Explains empty or unexpected lists to agents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

from dyber_kit.times import SHANGHAI

from xiaohongshu_server.model.answers import NoteSummary
from xiaohongshu_server.model.filters import PANEL, SearchFilters, Tab

#: The count by which a search is sorted.
ORDERS = {"most_liked": "likes", "most_commented": "comments", "most_collected": "collects"}
# The age of its notes; a day is added because dates from ids are earlier.
_PERIODS = {"day": timedelta(days=2), "week": timedelta(days=8), "half_year": timedelta(days=185)}


def search_warnings(filters: SearchFilters, items: Sequence[NoteSummary], *, nothing: bool, now: datetime) -> list[str]:
    """Return warnings about one page of search results, in Chinese.

    Args:
        filters: The filters of the search.
        items: The notes of this page.
        nothing: Whether the whole search has no results.
        now: The present time, with a time zone.
    """
    warnings = []
    applied = filters.applied()
    if nothing:
        chosen = "、".join(f"{PANEL[name][0]}={PANEL[name][1][value]}" for name, value in applied.items())
        warnings.append(
            f"小红书在这些筛选下没有结果：{chosen}；可以去掉一部分再试" if chosen else "小红书没有找到这个词的笔记"
        )
    if filters.distance != "any":
        warnings.append(
            "“同城”“附近”按账号所在地计算，账号没有位置时结果为空；要某个城市的内容，请把城市名写进 keyword"
        )
    if nothing and filters.scope != "all":
        warnings.append("“已看过”“未看过”“已关注”须先登录，并只算这个账号的记录")
    if order := ORDERS.get(filters.sort):
        counts = [count for item in items if (count := getattr(item, order)) is not None]
        if counts != sorted(counts, reverse=True):
            warnings.append(f"小红书给出的顺序并不严格按 {order} 从多到少")
    if period := _PERIODS.get(filters.publish_time):
        earliest = (now - period).astimezone(SHANGHAI).date()
        old = sum(date.fromisoformat(item.date) < earliest for item in items if item.date)
        if old:
            warnings.append(f"{old} 条的发布时间（由笔记编号推算）早于 {filters.publish_time} 的范围")
    return warnings


def tab_warnings(tab: Tab, complete: bool) -> list[str]:
    """Return the warnings about a tab of a profile without notes, in Chinese.

    Args:
        tab: The tab.
        complete: Whether the site said that there are no notes.
    """
    named = {"posted": "笔记", "favorites": "收藏", "likes": "赞过的笔记"}[tab]
    return [f"主页上没有{named}" if complete else f"没有读到{named}：可能没有，可能没有公开，也可能没有加载出来"]
