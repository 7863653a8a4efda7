"""Reads texts, numbers and times in the forms in which platforms show them. Pure functions."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from typing import Any, NamedTuple

from dyber_kit.times import SHANGHAI

_UNITS = {"": 1, "k": 1_000, "千": 1_000, "w": 10_000, "万": 10_000, "亿": 100_000_000}
_COUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kw千万亿]?)(\+?)", re.IGNORECASE)
_GROUPED = re.compile(r"\d{1,3}(?:[,，]\d{3})+(?:\.\d+)?")

_BLOCKS = {"article", "blockquote", "br", "div", "dd", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p"}
_BLOCKS |= {"pre", "section", "table", "td", "th", "tr", "ul"}
_SKIPPED = {"script", "style", "template", "noscript", "iframe", "object", "head", "title"}
# Invisible letters, and variation selectors without a visible effect: both can carry hidden text.
_INVISIBLE = dict.fromkeys([0x034F, 0x115F, 0x1160, 0x3164, 0xFFA0, *range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0)])
_JOINER, _EMOJI_STYLE = "\u200d", "\ufe0f"
_BLANKS = re.compile(r"[^\S\n]+")
_EMPTY_LINES = re.compile(r"\n{3,}")


class CleanText(NamedTuple):
    """Holds a cleaned text, and whether its end was cut off."""

    text: str
    truncated: bool


@dataclass(frozen=True)
class Count:
    """Holds a number as a platform shows it; `lower_bound` is true when it ends in "+"."""

    value: int
    lower_bound: bool


def clean_text(value: Any, max_chars: int | None = None, *, html: bool = True) -> CleanText:
    """Return a platform's text without markup and without invisible characters.

    Tags are removed (blocks become line breaks), entities are decoded, control and zero-width characters are removed,
    and runs of blanks and of empty lines are shortened. Emoji keep their joiners. A value that is not a string becomes
    empty text.

    Args:
        value: Text as the platform sent it.
        max_chars: Cut after this many characters; None for no limit.
        html: False for sources that send plain text, where `<x>` is meant literally.
    """
    text = value if isinstance(value, str) else ""
    if html and ("<" in text or "&" in text):
        text = _without_markup(text)
    text = visible_text(unicodedata.normalize("NFC", text))
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    text = _EMPTY_LINES.sub("\n\n", "\n".join(lines)).strip()
    if max_chars is None or len(text) <= max_chars:
        return CleanText(text, False)
    return CleanText(text[:max_chars].rstrip(), True)


def visible_text(text: str) -> str:
    """Return a text without control and invisible characters; its blanks, such as the indents of code, stay.

    Every kind of line end becomes a line feed.
    """
    return _visible(text.translate(_INVISIBLE))


def parse_count(shown: Any) -> Count | None:
    """Read `80`, `"1,234"`, `"1.7万"` or `"10万+"`; None when there is no number ("赞", empty, missing)."""
    if isinstance(shown, bool) or shown is None:
        return None
    text = unicodedata.normalize("NFKC", str(shown)).strip()
    if _GROUPED.match(text):
        text = text.replace(",", "")
    match = _COUNT.fullmatch(text)
    if match is None:
        return None
    number, unit, plus = match.groups()
    return Count(round(Decimal(number) * _UNITS[unit.lower()]), bool(plus))


def parse_time(shown: Any, now: datetime, tz: tzinfo = SHANGHAI) -> datetime | None:
    """Read a time as platforms show it; None when the value is not a time.

    Understands `刚刚`, `5 分钟前`, `3 天前`, `昨天 12:30`, `05-11`, `5月11日 08:00`, `2023-05-11 08:00`, ISO 8601,
    seconds or milliseconds since 1970, `Mon May 19 11:00:21 +0800 2025` and RFC 2822. A date without a year is the
    latest such day that is not in the future. Months and years "ago" count 30 and 365 days.

    Args:
        shown: What the platform sent.
        now: The present, with a time zone.
        tz: The platform's time zone, for times that name none.
    """
    if isinstance(shown, bool) or shown is None:
        return None
    if isinstance(shown, int | float):
        return _epoch(float(shown), tz)
    if not isinstance(shown, str):
        return None
    text = unicodedata.normalize("NFKC", shown).strip()
    text = re.sub(r"^(?:发布于|编辑于|更新于)\s*", "", text)
    if re.fullmatch(r"\d{9,13}", text):
        return _epoch(float(text), tz)
    try:
        return _relative(text, now.astimezone(tz)) or _calendar(text, now.astimezone(tz)) or _standard(text, tz)
    except (ValueError, OverflowError):
        return None


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._skipped_depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipped_depth += 1
        elif tag in _BLOCKS:
            self.parts.append("\n")
        elif tag == "img" and not self._skipped_depth:
            # Platforms send their own emoji as pictures whose alternative text is their name: [微笑].
            self.parts.append(dict(attrs).get("alt") or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _SKIPPED:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag in _SKIPPED:
            self._skipped_depth = max(0, self._skipped_depth - 1)
        elif tag in _BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipped_depth:
            self.parts.append(data)


def _without_markup(text: str) -> str:
    parser = _Text()
    parser.feed(text)
    parser.close()
    return "".join(parser.parts)


def _visible(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    kept: list[str] = []
    for index, char in enumerate(text):
        if char == _JOINER:
            between = kept and (kept[-1] == _EMOJI_STYLE or unicodedata.category(kept[-1]) in ("So", "Sk"))
            if between and index + 1 < len(text) and unicodedata.category(text[index + 1]) == "So":
                kept.append(char)
        elif char in "\n\t" or unicodedata.category(char) not in ("Cc", "Cf", "Co", "Cs"):
            kept.append(" " if char == "\u2800" else char)
    return "".join(kept)


_AGO = re.compile(r"(\d{1,5})\s*(秒|分钟|小时|天|周|个月|月|年)\s*前")
_AGO_UNITS = {
    "秒": timedelta(seconds=1),
    "分钟": timedelta(minutes=1),
    "小时": timedelta(hours=1),
    "天": timedelta(days=1),
    "周": timedelta(weeks=1),
    "个月": timedelta(days=30),
    "月": timedelta(days=30),
    "年": timedelta(days=365),
}
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2}))?"
_DAY = re.compile(rf"(今天|昨天|前天)(?:\s*{_CLOCK})?")
_DAYS = {"今天": 0, "昨天": 1, "前天": 2}
_DATE = re.compile(rf"(?:(\d{{4}})\s*[-/.年]\s*)?(\d{{1,2}})\s*[-/.月]\s*(\d{{1,2}})\s*日?(?:\s+{_CLOCK}|{_CLOCK})?")
_WEIBO = "%a %b %d %H:%M:%S %z %Y"


def _epoch(number: float, tz: tzinfo) -> datetime | None:
    seconds = number / 1000 if number >= 1e11 else number
    return datetime.fromtimestamp(seconds, tz) if 1e8 <= seconds < 5e9 else None


def _relative(text: str, now: datetime) -> datetime | None:
    if text in ("刚刚", "刚才", "现在"):
        return now
    if match := _AGO.fullmatch(text):
        return now - int(match[1]) * _AGO_UNITS[match[2]]
    if match := _DAY.fullmatch(text):
        day = now - timedelta(days=_DAYS[match[1]])
        return _at(day, match[2], match[3], match[4])
    if match := re.fullmatch(_CLOCK, text):
        return _at(now, *match.groups())
    return None


def _calendar(text: str, now: datetime) -> datetime | None:
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = match[1], int(match[2]), int(match[3])
    clock = match.groups()[3:6] if match[4] else match.groups()[6:9]
    if year:
        return _at(datetime(int(year), month, day, tzinfo=now.tzinfo), *clock)
    for candidate in range(now.year, now.year - 9, -1):  # 29 February can be eight years back
        try:
            moment = _at(datetime(candidate, month, day, tzinfo=now.tzinfo), *clock)
        except ValueError:
            if (month, day) != (2, 29):
                return None
            continue
        if moment.date() <= now.date():
            return moment
    return None


def _weibo(text: str) -> datetime:
    return datetime.strptime(text, _WEIBO)  # noqa: DTZ007 - the format has %z


def _standard(text: str, tz: tzinfo) -> datetime | None:
    for read in (datetime.fromisoformat, _weibo, parsedate_to_datetime):
        try:
            moment = read(text)
        except (ValueError, TypeError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=tz)
    return None


def _at(day: datetime, hour: str | None, minute: str | None, second: str | None) -> datetime:
    return day.replace(hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=0)
