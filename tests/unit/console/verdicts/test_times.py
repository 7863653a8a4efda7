"""Writes times and durations as short as they can be."""

from __future__ import annotations

from datetime import datetime

import pytest
from dyber_console.language import using_language
from dyber_console.verdicts import times

NOW = datetime.fromisoformat("2026-11-28T21:45:58+08:00").timestamp()


@pytest.mark.parametrize(
    ("seconds", "chinese"),
    [(60, "21:44"), (86_400, "昨天 21:45"), (3 * 86_400, "11-25 21:45")],
)
def test_a_time_has_its_day_only_when_it_is_another(seconds: float, chinese: str) -> None:
    with using_language("zh"):
        assert times.clock(NOW - seconds, NOW) == chinese


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "0 seconds", "0 秒"),
        (1, "1 second", "1 秒"),
        (161, "2 minutes", "2 分钟"),
        (75_600 + 3 * 86_400, "3 days 21 hours", "3 天 21 小时"),
        (86_400, "1 day", "1 天"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds: float, english: str, chinese: str) -> None:
    with using_language("en"):
        assert times.duration(seconds) == english
    with using_language("zh"):
        assert times.duration(seconds) == chinese


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "–"), (0.0004, "0.4 ms"), (0.021, "21 ms"), (0.31, "0.31 s"), (8.42, "8.42 s"), (31.2, "31.2 s")],
)
def test_a_call_took_so_long(seconds: float | None, text: str) -> None:
    assert times.took(seconds) == text


def test_a_countdown_has_minutes_and_seconds() -> None:
    with using_language("zh"):
        assert times.countdown(161.4) == "2 分钟 41 秒"
        assert times.countdown(59.9) == "59 秒"
        assert times.countdown(-3) == "0 秒"
