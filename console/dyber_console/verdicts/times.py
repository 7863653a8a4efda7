"""Writes times and durations in the language of the page, in the time zone of the settings."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from dyber_console.language import tr, tr_plural

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

#: The time zone in which times are written.
timezone: ContextVar[tzinfo | None] = ContextVar("timezone", default=None)
_SHANGHAI = ZoneInfo("Asia/Shanghai")


def local(at: float) -> datetime:
    """Return a time in the time zone of the pages."""
    return datetime.fromtimestamp(at, timezone.get() or _SHANGHAI)


def clock(at: float | None, now: float, seconds: bool = False) -> str:
    """Return a time as short as it can be: `21:43` today, then with `yesterday`, then with month and day."""
    if at is None:
        return "–"
    moment, today = local(at), local(now).date()
    time = moment.strftime("%H:%M:%S" if seconds else "%H:%M")
    if moment.date() == today:
        return time
    if moment.date() == today - timedelta(days=1):
        return tr("yesterday {time}", time=time)
    return f"{moment:%m-%d} {time}"


def full(at: float) -> str:
    """Return a time with its date and time zone, for tooltips."""
    return local(at).strftime("%Y-%m-%d %H:%M:%S %Z")


def ago(seconds: float) -> str:
    """Return how long ago something was."""
    return tr("{duration} ago", duration=duration(seconds))


def duration(seconds: float) -> str:
    """Return a length of time in its two largest units, such as 3 days 21 hours."""
    total = max(0, int(seconds))
    days, hours = total // _DAY, total % _DAY // _HOUR
    minutes, rest = total % _HOUR // _MINUTE, total % _MINUTE
    parts = [
        (days, tr_plural("{count} day", "{count} days", days)),
        (hours, tr_plural("{count} hour", "{count} hours", hours)),
        (minutes, tr_plural("{count} minute", "{count} minutes", minutes)),
        (rest, tr_plural("{count} second", "{count} seconds", rest)),
    ]
    first = next((index for index, (count, _) in enumerate(parts) if count), len(parts) - 1)
    shown = [text for count, text in parts[first : first + (2 if first < 2 else 1)] if count]
    return " ".join(shown) or parts[-1][1]


def whole_duration(seconds: float) -> str:
    """Return a length of time in its largest unit, rounded, such as 4 days."""
    if seconds >= 0.8 * _DAY:
        days = round(seconds / _DAY)
        return tr_plural("{count} day", "{count} days", days)
    if seconds >= _HOUR:
        hours = round(seconds / _HOUR)
        return tr_plural("{count} hour", "{count} hours", hours)
    return duration(seconds)


def countdown(seconds: float) -> str:
    """Return how much time is left, in minutes and seconds."""
    minutes, rest = divmod(max(0, int(seconds)), _MINUTE)
    text = tr_plural("{count} second", "{count} seconds", rest)
    return f"{tr_plural('{count} minute', '{count} minutes', minutes)} {text}" if minutes else text


def about(seconds: float | None) -> str:
    """Return a duration that is known roughly only, such as a percentile, in two digits: `0.46 s`, `4.6 s`, `31 s`."""
    if seconds is None or seconds < 0.1:
        return took(seconds)
    return f"{seconds:.{2 if seconds < 1 else 1 if seconds < 10 else 0}f} s"


def took(seconds: float | None) -> str:
    """Return how long a call took: `21 ms`, `0.31 s`, `8.4 s`, `31 s`; `–` when that is unknown."""
    if seconds is None:
        return "–"
    if seconds < 0.1:
        milliseconds = seconds * 1000
        return f"{milliseconds:.0f} ms" if milliseconds >= 10 else f"{milliseconds:.1f} ms".replace(".0 ", " ")
    digits = 2 if seconds < 10 else 1
    return f"{seconds:.{digits}f} s"
