"""Tests of reading texts, numbers and times as platforms show them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dyber_kit.times import SHANGHAI, iso_local, iso_utc
from dyber_kit.upstream.text import Count, clean_text, parse_count, parse_time, visible_text
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("shown", "value", "lower_bound"),
    [
        ("1.7万", 17_000, False),
        ("10万+", 100_000, True),
        ("1,234", 1_234, False),
        ("1,234,567", 1_234_567, False),
        ("2671.2万", 26_712_000, False),
        ("1.15亿", 115_000_000, False),
        ("3千", 3_000, False),
        ("1.2w", 12_000, False),
        ("1.2K", 1_200, False),
        ("１２３", 123, False),
        (" 80 ", 80, False),
        ("1万＋", 10_000, True),
        (3, 3, False),
        (0, 0, False),
    ],
)
def test_a_shown_number_is_read(shown, value, lower_bound):
    assert parse_count(shown) == Count(value, lower_bound)


@pytest.mark.parametrize("shown", ["赞", "", None, True, "1,23", "-5", "1.2.3", "5 条", [], "万", "1e5"])
def test_a_text_that_is_not_a_number_is_none(shown):
    assert parse_count(shown) is None


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("刚刚", NOW),
        ("30秒前", NOW - timedelta(seconds=30)),
        ("5 分钟前", NOW - timedelta(minutes=5)),
        ("2小时前", NOW - timedelta(hours=2)),
        ("3 天前", NOW - timedelta(days=3)),
        ("2 周前", NOW - timedelta(weeks=2)),
        ("3个月前", NOW - timedelta(days=90)),
        ("1年前", NOW - timedelta(days=365)),
        ("今天 08:05", datetime(2026, 3, 1, 8, 5, tzinfo=SHANGHAI)),
        ("昨天 12:30", datetime(2026, 2, 28, 12, 30, tzinfo=SHANGHAI)),
        ("前天", datetime(2026, 2, 27, tzinfo=SHANGHAI)),
        ("23:59", datetime(2026, 3, 1, 23, 59, tzinfo=SHANGHAI)),
        ("03-01", datetime(2026, 3, 1, tzinfo=SHANGHAI)),
        ("05-11", datetime(2025, 5, 11, tzinfo=SHANGHAI)),
        ("02-29", datetime(2024, 2, 29, tzinfo=SHANGHAI)),
        ("5月11日 08:00", datetime(2025, 5, 11, 8, tzinfo=SHANGHAI)),
        ("2023-05-11", datetime(2023, 5, 11, tzinfo=SHANGHAI)),
        ("2023/5/1 9:07", datetime(2023, 5, 1, 9, 7, tzinfo=SHANGHAI)),
        ("2023年5月1日", datetime(2023, 5, 1, tzinfo=SHANGHAI)),
        ("2023-05-11 08:00:01", datetime(2023, 5, 11, 8, 0, 1, tzinfo=SHANGHAI)),
        ("编辑于 昨天 12:30", datetime(2026, 2, 28, 12, 30, tzinfo=SHANGHAI)),
        ("2025-05-19T03:00:21Z", datetime(2025, 5, 19, 3, 0, 21, tzinfo=UTC)),
        ("2025-05-19T11:00:21", datetime(2025, 5, 19, 11, 0, 21, tzinfo=SHANGHAI)),
        ("Mon May 19 11:00:21 +0800 2025", datetime(2025, 5, 19, 3, 0, 21, tzinfo=UTC)),
        ("Mon, 19 May 2025 11:00:21 +0800", datetime(2025, 5, 19, 3, 0, 21, tzinfo=UTC)),
        (1702195200, datetime(2023, 12, 10, 8, tzinfo=UTC)),
        (1702195200000, datetime(2023, 12, 10, 8, tzinfo=UTC)),
        ("1702195200000", datetime(2023, 12, 10, 8, tzinfo=UTC)),
    ],
)
def test_a_shown_time_is_read(shown, expected):
    assert parse_time(shown, NOW) == expected


@pytest.mark.parametrize(
    "shown", ["", None, True, "99-99", "2023-02-30", "昨天 25:00", "很久以前", 12, -1, 1e20, "nan"]
)
def test_a_text_that_is_not_a_time_is_none(shown):
    assert parse_time(shown, NOW) is None


def test_relative_days_are_counted_in_the_platforms_time_zone():
    late = datetime(2026, 3, 1, 17, 0, tzinfo=UTC)  # already 2 March in Shanghai
    assert parse_time("昨天 10:00", late) == datetime(2026, 3, 1, 10, 0, tzinfo=SHANGHAI)


@given(st.one_of(st.text(max_size=40), st.floats(), st.integers()))
def test_the_parsers_raise_no_error_for_any_input(shown):
    moment = parse_time(shown, NOW)
    assert moment is None or moment.tzinfo is not None
    parse_count(shown)


def test_times_in_answers_are_in_utc():
    assert iso_utc(datetime(2025, 5, 19, 11, 0, 21, 500, tzinfo=SHANGHAI)) == "2025-05-19T03:00:21Z"
    assert iso_utc(None) is None


def test_local_times_have_the_offset_of_the_platforms_users():
    assert iso_local(datetime(2026, 11, 29, 8, 0, 0, 500, tzinfo=UTC)) == "2026-11-29T16:00:00+08:00"
    assert iso_local(None) is None


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<p>你好 <b>世界</b></p><p>二</p>", "你好 世界\n\n二"),
        ("a &lt; b &amp; c", "a < b & c"),
        ("一<br/>二<script>alert(1)</script>", "一\n二"),
        ("好<img alt='[微笑]' src='x.png'>", "好[微笑]"),
        ("1 < 2 且 3 <3", "1 < 2 且 3 <3"),
        ("a\u200bb\u2060c\ufeffd\u202ee", "abcde"),
        ("x\U000e0041\U000e0042y\ufe01z\U000e0101", "xyz"),
        ("a\u200db", "ab"),
        ("👨\u200d👩\u200d👧 ❤\ufe0f", "👨\u200d👩\u200d👧 ❤\ufe0f"),
        ("一\u3000\u00a0 二\t三", "一 二 三"),
        ("一\r\n\n\n\n二 \n 三", "一\n\n二\n三"),
        ("\u0000\u0007铃", "铃"),
        (None, ""),
        (12, ""),
    ],
)
def test_markup_and_invisible_characters_are_removed_from_text(raw, text):
    assert clean_text(raw) == (text, False)


def test_plain_text_keeps_its_angle_brackets():
    assert clean_text("读 <三体> &amp; 更多", html=False).text == "读 <三体> &amp; 更多"


def test_a_long_text_is_cut_and_marked_as_truncated():
    assert clean_text("一二三四五", 3) == ("一二三", True)
    assert clean_text("一二三", 3) == ("一二三", False)


@given(st.text(max_size=60))
def test_cleaning_plain_text_twice_changes_nothing_more(raw):
    once = clean_text(raw, html=False).text
    assert clean_text(once, html=False).text == once


def test_visible_text_keeps_indents_and_loses_what_cannot_be_seen():
    assert visible_text("if x:\r\n\t  y = '\u202eabc\u202c'\u200b\x00  \n") == "if x:\n\t  y = 'abc'  \n"
