"""Formats times and durations for answers and messages. Pure functions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone, tzinfo

from dyber_kit.language import tr

#: China has had one time zone without daylight saving since 1991.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


def iso_utc(time: datetime | None) -> str | None:
    """Return a time as `2025-05-19T03:00:21Z`; None stays None."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def iso_local(time: datetime | None) -> str | None:
    """Return a time as `2026-11-29T16:00:00+08:00`, on the clock of the platforms' users; None stays None."""
    return None if time is None else time.astimezone(SHANGHAI).isoformat(timespec="seconds")


def stamp(time: datetime | None = None) -> str:
    """Return a time as `iso_local` writes it; by default the present, for when an answer was read."""
    return str(iso_local(time or datetime.now(UTC)))


def local_day(time: datetime | None) -> str | None:
    """Return the day of a time as `2026-11-29`, on the clock of the platforms' users; None stays None."""
    return None if time is None else time.astimezone(SHANGHAI).date().isoformat()


def next_midnight(time: datetime, zone: tzinfo = SHANGHAI) -> datetime:
    """Return the first midnight in a time zone after a time."""
    tomorrow = time.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, datetime.min.time(), zone)


def duration(seconds: float) -> str:
    """Return a duration for people: `45 seconds`, `12 minutes`, `3 h 5 min`."""
    if seconds < 90:
        rounded = max(1, round(seconds))
        return tr("1 second") if rounded == 1 else tr("{seconds} seconds", seconds=rounded)
    minutes = -int(-seconds // 60)
    if minutes < 120:
        return tr("{minutes} minutes", minutes=minutes)
    hours, rest = divmod(minutes, 60)
    return tr("{hours} h {minutes} min", hours=hours, minutes=rest) if rest else tr("{hours} hours", hours=hours)
