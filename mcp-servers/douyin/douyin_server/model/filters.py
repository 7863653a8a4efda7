"""Defines the filters of a search: the values of the arguments, and the numbers that the site uses for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Sort = Literal["general", "most_liked", "latest"]
PublishTime = Literal["any", "day", "week", "half_year"]
Board = Literal["hot", "rising"]

#: The site's numbers, as in the addresses of its search pages.
SORTS: dict[Sort, str] = {"general": "0", "most_liked": "1", "latest": "2"}
TIMES: dict[PublishTime, str] = {"any": "0", "day": "1", "week": "7", "half_year": "180"}


@dataclass(frozen=True)
class SearchFilters:
    """Holds the filters of a search; their defaults are those of the page."""

    sort: Sort = "general"
    publish_time: PublishTime = "any"

    @property
    def parameters(self) -> dict[str, str]:
        """Return the site's parameters of the filters that differ from the defaults."""
        values = {"sort_type": SORTS[self.sort], "publish_time": TIMES[self.publish_time]}
        return {name: value for name, value in values.items() if value != "0"}

    def applied(self, sent: dict[str, str]) -> dict[str, str]:
        """Return the filters that the page sent with its request, by argument."""
        sort, publish_time = sent.get("sort_type") or "0", sent.get("publish_time") or "0"
        chosen = {
            "sort": next((name for name, number in SORTS.items() if number == sort), "general"),
            "publish_time": next((name for name, number in TIMES.items() if number == publish_time), "any"),
        }
        return {name: value for name, value in chosen.items() if value not in ("general", "any")}

    def wanted(self) -> dict[str, str]:
        """Return the filters that differ from the defaults, by argument."""
        return self.applied(self.parameters)

    def __str__(self) -> str:
        return f"{self.sort}/{self.publish_time}"
