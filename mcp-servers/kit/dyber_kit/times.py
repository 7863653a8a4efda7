"""Formats times and durations for answers and messages. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

#: China has had one time zone without daylight saving since 1991.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


def iso_utc(time: datetime | None) -> str | None:
    """Return a time as `2025-05-19T03:00:21Z`; None stays None."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_local(time: datetime | None) -> str | None:
    """Return a time as `2026-11-29T16:00:00+08:00`, on the clock of the platforms' users; None stays None."""
    return None if time is None else time.astimezone(SHANGHAI).isoformat(timespec="seconds")


def next_midnight(time: datetime, zone: tzinfo = SHANGHAI) -> datetime:
    """Return the first midnight in a time zone after a time."""
    tomorrow = time.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), zone)


def duration(seconds: float) -> str:
    """Return a duration for people: `45 秒`, `12 分钟`, `3 小时 5 分钟`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} 秒"
    minutes = -int(-seconds // 60)
    if minutes < 120:
        return f"{minutes} 分钟"
    hours, rest = divmod(minutes, 60)
    return f"{hours} 小时 {rest} 分钟" if rest else f"{hours} 小时"
