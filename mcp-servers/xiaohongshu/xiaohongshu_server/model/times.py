"""Formats the times of answers in China's time zone. Pure functions."""

from __future__ import annotations

from datetime import datetime

from dyber_kit.times import SHANGHAI


def china_time(time: datetime) -> str:
    """Return a time as `2025-05-19T11:00:21+08:00`, the form in every answer."""
    return time.astimezone(SHANGHAI).isoformat(timespec="seconds")


def china_day(time: datetime) -> str:
    """Return the day of a time as `2025-05-19`, as people in China count it."""
    return time.astimezone(SHANGHAI).date().isoformat()
