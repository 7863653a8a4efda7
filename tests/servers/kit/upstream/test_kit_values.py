"""Tests of reading the values in a platform's JSON."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest
from dyber_kit.times import local_day, stamp
from dyber_kit.upstream import values
from dyber_kit.upstream.values import as_list, as_object, counted, day, first, line, marked, moment, number, plain

NOON = datetime(2026, 11, 29, 16, 0, 30, tzinfo=UTC)


def test_the_examples_of_the_module_are_right():
    results = doctest.testmod(values)
    assert (results.failed, results.attempted > 2) == (0, True)


@pytest.mark.parametrize("value", [None, "text", 7, True])
def test_something_else_is_an_empty_object_and_an_empty_list(value):
    assert (as_object(value), as_list(value), as_object([1]), as_list({"a": 1})) == ({}, [], {}, [])


@pytest.mark.parametrize(
    ("shown", "expected"),
    [("1.2万", 12_000), (7, 7), (7.9, 7), ("--", None), (-1, None), (float("nan"), None), (1e20, 10**20), (True, None)],
)
def test_a_number_is_read_in_every_form_and_anything_else_is_none(shown, expected):
    assert number(shown) == expected


def test_a_count_is_read_from_the_first_of_its_keys_that_holds_a_number():
    read = counted(
        {"shareCount": "", "sharedCount": "7", "likedCount": "10万+"},
        shares="shareCount|sharedCount",
        likes="likedCount",
    )
    assert read == ({"shares": 7, "likes": 100_000}, ["likes"])


def test_the_first_named_field_with_a_value_counts_and_zero_is_a_value():
    assert (first({"a": "", "b": 0, "c": 1}, "a", "b", "c"), first({}, "a")) == (0, None)


def test_plain_texts_keep_angle_brackets_and_marked_texts_lose_tags():
    assert (plain("a <b>\u200b"), marked("<em>a</em> &lt;b&gt;"), plain(None)) == ("a <b>", "a <b>", "")


def test_a_line_has_no_line_breaks_and_is_none_when_nothing_is_left():
    assert (line("<p>a</p><p>b</p>", 10), line(" ", 10), line("abc", 2)) == ("a b", None, "ab")


def test_times_and_days_are_on_the_clock_of_china():
    assert (moment(NOON.timestamp()), day(NOON.timestamp())) == ("2026-11-30T00:00:30+08:00", "2026-11-30")
    assert (moment("昨天 12:30", NOON), moment("soon"), day(None)) == ("2026-11-29T12:30:00+08:00", None, None)


def test_a_stamp_is_a_time_on_the_clock_of_china_and_by_default_the_present():
    assert (stamp(NOON), local_day(NOON), local_day(None)) == ("2026-11-30T00:00:30+08:00", "2026-11-30", None)
    assert abs((datetime.fromisoformat(stamp()) - datetime.now(UTC)).total_seconds()) < 60
