"""Tests of the figures about samples; every expected number was calculated by hand."""

from __future__ import annotations

import doctest
from datetime import UTC, datetime

import pytest
from dyber_kit.analysis import figures
from dyber_kit.analysis.figures import (
    Counted,
    Spread,
    grouped,
    median_of,
    most_frequent,
    percentile,
    posting,
    ratio,
    spread,
)
from dyber_kit.language import using_language


def test_the_examples_of_the_module_are_right():
    results = doctest.testmod(figures)
    assert (results.failed, results.attempted > 0) == (0, True)


def test_a_spread_is_that_of_the_known_values():
    assert spread([100, None, 300, 10_000]) == Spread(n=3, median=300, p90=10_000, max=10_000)


def test_without_known_values_there_is_no_spread():
    assert spread([None]) is None


def test_a_spread_is_silent_about_lower_bounds_when_there_are_none():
    assert spread([1]).model_dump() == {"n": 1, "median": 1, "p90": 1, "max": 1}


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (10, 9), (11, 10), (20, 18)])
def test_the_ninetieth_percentile_is_a_value_of_the_sample(count, expected):
    assert percentile(range(1, count + 1), 90) == expected


def test_a_median_is_that_of_the_known_values():
    assert (median_of([1, None, 4]), median_of([None])) == (2.5, None)


def test_a_ratio_uses_only_pairs_of_known_values():
    assert ratio([(50, 100), (30, 300), (7, None), (None, 9)]) == 0.2


def test_without_a_base_there_is_no_ratio():
    assert ratio([(3, 0)]) is None


def test_posting_times_are_in_chinas_time_zone():
    shown = posting([datetime(2026, 3, 1, 16, 30, tzinfo=UTC), datetime(2026, 3, 2, 1, 0, tzinfo=UTC)])
    assert shown.model_dump() == {"n": 2, "by_hour": {"0": 1, "9": 1}, "by_weekday": {"周一": 2}}


def test_weekdays_are_in_the_language_of_the_caller():
    with using_language("en"):
        assert posting([datetime(2026, 3, 2, 1, 0, tzinfo=UTC)]).by_weekday == {"Mon": 1}


def test_posting_without_times_has_only_their_number():
    assert posting([]).model_dump() == {"n": 0}


def test_the_most_frequent_names_come_first_and_then_the_order_of_the_letters():
    names = ["b", "a", None, "c", "c", ""]
    assert most_frequent(names, 2) == [Counted(name="c", count=2), Counted(name="a", count=1)]
    assert most_frequent(names, 9, least=2) == [Counted(name="c", count=2)]


def test_an_entry_counts_once_for_each_of_its_names():
    assert grouped(["aab", "b", ""], lambda letters: [*letters, None]) == {"a": ["aab"], "b": ["aab", "b"]}
