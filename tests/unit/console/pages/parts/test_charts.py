"""Draws lines also of one value, and of values below a second."""

from __future__ import annotations

import pytest
from dyber_console.pages.parts import charts

DAY = 48


def test_one_half_hour_is_a_point_of_the_small_line() -> None:
    values: list[float | None] = [None] * DAY
    values[47] = 0.4
    line = charts.spark_line(values)
    assert (line.path, line.area, line.end) == ("", "", ("69", "4"))
    assert charts.spark_line([None] * DAY).end is None


@pytest.mark.parametrize(("place", "path"), [(0, "M0 50h1.6"), (24, "M50.26 50h1.6"), (47, "M98.4 50h1.6")])
def test_one_half_hour_is_a_dash_of_the_wide_line(place: int, path: str) -> None:
    values: list[float | None] = [None] * DAY
    values[place] = 1.0
    assert charts.wide_line(values, 2.0) == path


def test_gaps_interrupt_the_wide_line() -> None:
    assert charts.wide_line([1.0, 2.0, None, 0.0, 0.5], 2.0) == "M0 50L25 0M75 100L100 75"


@pytest.mark.parametrize(
    ("seconds", "top"), [(0.0, 0.01), (0.006, 0.01), (0.021, 0.04), (0.31, 0.4), (1.2, 2.0), (8.4, 10.0)]
)
def test_the_edge_of_durations_is_near_the_longest(seconds: float, top: float) -> None:
    assert charts.round_up_seconds(seconds) == top
