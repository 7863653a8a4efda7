"""Reads the values in a platform's JSON, which may have other types than expected. Pure functions.

>>> item = as_object({"likes": "1.2万", "title": "<em>手冲</em>咖啡", "tags": None})
>>> number(item["likes"]), line(item["title"], 200), as_list(item["tags"])
(12000, '手冲咖啡', [])
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from dyber_kit.times import iso_local, local_day
from dyber_kit.upstream.text import clean_text, parse_count, parse_time

#: A JSON object of a platform.
Json = dict[str, Any]


def as_object(value: Any) -> Json:
    """Return a JSON object, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return a JSON list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def first(raw: Mapping[str, Any], *names: str) -> Any:
    """Return the first of the named fields that has a value; None without any."""
    return next((raw[name] for name in names if raw.get(name) not in (None, "")), None)


def number(shown: Any) -> int | None:
    """Return a count in any form that `parse_count` reads, without a fraction; None when there is no number."""
    if isinstance(shown, float):
        shown = int(shown) if math.isfinite(shown) else None
    count = parse_count(shown)
    return count.value if count else None


def counted(raw: Mapping[str, Any], **fields: str) -> tuple[dict[str, int | None], list[str]]:
    """Return counts by the names of an answer's fields, and the names of those that the platform shows as `10万+`.

        >>> counted({"digg_count": "10万+", "shares": 3}, likes="likes|digg_count", shares="shares", plays="plays")
        ({'likes': 100000, 'shares': 3, 'plays': None}, ['likes'])

    Args:
        raw: The platform's object.
        fields: By name, where the object has the count; of several keys, separated by "|", the first with a number.
    """
    values: dict[str, int | None] = {}
    lower_bounds = []
    for name, keys in fields.items():
        count = next((parsed for key in keys.split("|") if (parsed := parse_count(raw.get(key)))), None)
        values[name] = count.value if count else None
        if count and count.lower_bound:
            lower_bounds.append(name)
    return values, lower_bounds


def plain(value: Any, max_chars: int | None = None) -> str:
    """Return a text that the platform sends as plain text, where `<x>` is meant literally, in visible characters."""
    return clean_text(value, max_chars, html=False).text


def marked(value: Any, max_chars: int | None = None) -> str:
    """Return a text that the platform sends with markup, such as tags around found words, without the markup."""
    return clean_text(value, max_chars).text


def line(value: Any, max_chars: int) -> str | None:
    """Return a text as one line without markup, or None when nothing is left."""
    return " ".join(marked(value).split())[:max_chars] or None


def moment(value: Any, now: datetime | None = None) -> str | None:
    """Return a time that `parse_time` reads, on the clock of the platforms' users; None for anything else.

    Args:
        value: The time as the platform sent it.
        now: The present, for times such as `5 分钟前`.
    """
    return iso_local(parse_time(value, now or datetime.now(UTC)))


def day(value: Any) -> str | None:
    """Return the day of a time like `moment`, as `2026-11-29`."""
    return local_day(parse_time(value, datetime.now(UTC)))
