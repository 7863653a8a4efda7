"""Defines the search filters and the tabs of profiles: the values of the arguments, and the panel's labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sort = Literal["general", "latest", "most_liked", "most_commented", "most_collected"]
NoteType = Literal["all", "video", "image"]
PublishTime = Literal["any", "day", "week", "half_year"]
Scope = Literal["all", "seen", "unseen", "following"]
Distance = Literal["any", "same_city", "nearby"]
#: The tabs of a profile: the user's notes, and those that the user collected or liked.
Tab = Literal["posted", "favorites", "likes"]

#: By argument: the panel's group, and the panel's label of each value; default values need no click and have none.
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
    """Holds the filters of a search; their defaults are those of the page."""

    sort: Sort = "general"
    note_type: NoteType = "all"
    publish_time: PublishTime = "any"
    scope: Scope = "all"
    distance: Distance = "any"

    def chosen(self) -> list[tuple[str, str]]:
        """Return group and label of each filter to click in the panel, in the panel's order."""
        return [
            (group, words[value]) for name, (group, words) in PANEL.items() if (value := getattr(self, name)) in words
        ]

    def applied(self) -> dict[str, str]:
        """Return name and value of each filter that differs from its default."""
        return {name: value for name in PANEL if (value := getattr(self, name)) != getattr(SearchFilters(), name)}

    def __str__(self) -> str:
        return "/".join((self.sort, self.note_type, self.publish_time, self.scope, self.distance))
