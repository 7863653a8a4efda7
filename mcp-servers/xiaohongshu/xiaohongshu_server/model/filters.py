"""The filters of the search page: what callers may say, and what the page's panel calls it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sort = Literal["general", "latest", "most_liked", "most_commented", "most_collected"]
NoteType = Literal["all", "video", "image"]
PublishTime = Literal["any", "day", "week", "half_year"]
Scope = Literal["all", "seen", "unseen", "following"]
Distance = Literal["any", "same_city", "nearby"]

#: Per argument: the panel's group, then the panel's words by value. What the page shows unasked has none.
PANEL: dict[str, tuple[str, dict[str, str]]] = {
    "sort": (
        "排序依据",
        {"latest": "最新", "most_liked": "最多点赞", "most_commented": "最多评论", "most_collected": "最多收藏"},
    ),
    "note_type": ("笔记类型", {"video": "视频", "image": "图文"}),
    "publish_time": ("发布时间", {"day": "一天内", "week": "一周内", "half_year": "半年内"}),
    "scope": ("搜索范围", {"seen": "已看过", "unseen": "未看过", "following": "已关注"}),
    "distance": ("位置距离", {"same_city": "同城", "nearby": "附近"}),
}


@dataclass(frozen=True)
class SearchFilters:
    """What to search for beyond the keyword; the defaults are the page's own."""

    sort: Sort = "general"
    note_type: NoteType = "all"
    publish_time: PublishTime = "any"
    scope: Scope = "all"
    distance: Distance = "any"

    def chosen(self) -> list[tuple[str, str]]:
        """Group and word of each filter that must be clicked in the panel, in the panel's order."""
        return [
            (group, words[value]) for name, (group, words) in PANEL.items() if (value := getattr(self, name)) in words
        ]

    def applied(self) -> dict[str, str]:
        """Name and value of each filter that differs from the page's own."""
        return {name: value for name in PANEL if (value := getattr(self, name)) != getattr(SearchFilters(), name)}

    def __str__(self) -> str:
        return "/".join((self.sort, self.note_type, self.publish_time, self.scope, self.distance))
