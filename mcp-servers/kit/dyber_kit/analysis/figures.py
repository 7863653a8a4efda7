"""Computes figures about samples: how counts are spread, when entries were posted, which names are frequent.

>>> spread([5, None, 1, 3], lower_bounds=1).model_dump()
{'n': 3, 'median': 3.0, 'p90': 5, 'max': 5, 'lower_bounds': 1}
>>> most_frequent(["tea", "coffee", "tea"], most=1)
[Counted(name='tea', count=2)]
"""

from __future__ import annotations

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from pydantic import Field

from dyber_kit.answer_models import Item
from dyber_kit.language import tr_lazy
from dyber_kit.times import SHANGHAI

Entry = TypeVar("Entry")

#: The weekdays of `posting`, from Monday.
WEEKDAYS = (
    tr_lazy("Mon"),
    tr_lazy("Tue"),
    tr_lazy("Wed"),
    tr_lazy("Thu"),
    tr_lazy("Fri"),
    tr_lazy("Sat"),
    tr_lazy("Sun"),
)


class Spread(Item):
    """Describes a count over the `n` entries that show it.

    `p90` is the 90th percentile by nearest rank: the smallest value that at least 90 % of the values do not exceed.
    `lower_bounds` is how many of the entries show only a lower bound, such as `10万+`.
    """

    n: int
    median: float
    p90: int
    max: int
    lower_bounds: int | None = None


class Posting(Item):
    """Counts the `n` entries with a time by hour (0 to 23) and by weekday, in China's time; zeros are left out."""

    n: int
    by_hour: dict[str, int] = Field(default_factory=dict)
    by_weekday: dict[str, int] = Field(default_factory=dict)


class Counted(Item):
    """Holds a name or a word, and how many entries have it."""

    name: str
    count: int


def spread(values: Iterable[int | None], *, lower_bounds: int = 0) -> Spread | None:
    """Return how the known values are spread; None without any."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Spread(
        n=len(known),
        median=statistics.median(known),
        p90=percentile(known, 90),
        max=known[-1],
        lower_bounds=lower_bounds or None,
    )


def percentile(ordered: Sequence[int], percent: int) -> int:
    """Return a percentile by nearest rank of values in ascending order, of which there is at least one."""
    rank = math.ceil(percent * len(ordered) / 100)
    return ordered[max(rank, 1) - 1]


def median_of(values: Iterable[float | None]) -> float | None:
    """Return the median of the known values; None without any."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratio(pairs: Iterable[tuple[int | None, int | None]]) -> float | None:
    """Return the sum of the first values for one of the second, over the pairs of which both are known."""
    known = [(value, base) for value, base in pairs if value is not None and base is not None]
    total = sum(base for _, base in known)
    return round(sum(value for value, _ in known) / total, 3) if total else None


def posting(times: Iterable[datetime]) -> Posting:
    """Return when entries were posted; weekdays are in the language of the current request."""
    local = [time.astimezone(SHANGHAI) for time in times]
    hours = Counter(time.hour for time in local)
    weekdays = Counter(time.weekday() for time in local)
    return Posting(
        n=len(local),
        by_hour={str(hour): hours[hour] for hour in sorted(hours)},
        by_weekday={str(name): weekdays[day] for day, name in enumerate(WEEKDAYS) if weekdays[day]},
    )


def most_frequent(names: Iterable[str | None], most: int, least: int = 1) -> list[Counted]:
    """Return up to `most` names that occur at least `least` times, the most frequent first."""
    counts = Counter(name for name in names if name)
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Counted(name=name, count=count) for name, count in ranked[:most] if count >= least]


def grouped(entries: Iterable[Entry], names: Callable[[Entry], Iterable[str | None]]) -> dict[str, list[Entry]]:
    """Return the entries by each of their names, such as their authors or tags; an entry counts once for a name."""
    groups: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        for name in dict.fromkeys(names(entry)):
            if name:
                groups[name].append(entry)
    return dict(groups)
