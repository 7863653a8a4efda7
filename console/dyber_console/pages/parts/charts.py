"""Draws charts as paths of SVG: bars of half hours, lines of durations, and the bars of a waterfall."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

_SPARK_HEIGHT = 25.0
_SPARK_BASE = 26.0
_SPARK_STEP = 3.0
#: Length of the dash for a value alone, in percent of the width.
_DASH = 1.6


@dataclass(frozen=True)
class Bars:
    """Holds the paths of a bar chart: calls that succeeded, and on top of them those that failed.

    Attributes:
        top: The number at the upper edge.
        count: Bars that there is room for.
    """

    good: str
    bad: str
    top: int
    count: int


def spark_bars(good: Sequence[int], bad: Sequence[int]) -> Bars:
    """Return bars 2 px wide, 3 px apart and at most 25 px high, as strokes on a picture 27 px high."""
    most = max((up + down for up, down in zip(good, bad, strict=True)), default=0)
    scale = _SPARK_HEIGHT / most if most else 0
    good_path, bad_path = [], []
    for index, (fine, failed) in enumerate(zip(good, bad, strict=True)):
        x = _number(index * _SPARK_STEP + 1.5)
        if fine:
            good_path.append(f"M{x} {_number(_SPARK_BASE)}v-{_number(fine * scale)}")
        if failed:
            bad_path.append(f"M{x} {_number(_SPARK_BASE - fine * scale)}v-{_number(failed * scale)}")
    return Bars("".join(good_path), "".join(bad_path), most, len(good))


def wide_bars(good: Sequence[int], bad: Sequence[int], top: int | None = None) -> Bars:
    """Return bars on a picture whose width is the number of bars and whose height is 100."""
    most = top if top is not None else round_up(max((u + d for u, d in zip(good, bad, strict=True)), default=0))
    scale = 100 / most if most else 0
    good_path, bad_path = [], []
    for index, (fine, failed) in enumerate(zip(good, bad, strict=True)):
        x, base = _number(index + 0.14), 100 - fine * scale
        if fine:
            good_path.append(f"M{x} 100V{_number(base)}h.72V100z")
        if failed:
            bad_path.append(f"M{x} {_number(base)}V{_number(base - failed * scale)}h.72V{_number(base)}z")
    return Bars("".join(good_path), "".join(bad_path), most, len(good))


@dataclass(frozen=True)
class Line:
    """Holds the path of a line, the same closed down to the base, and the place of its last point."""

    path: str
    area: str
    end: tuple[str, str] | None


def spark_line(values: Sequence[float | None]) -> Line:
    """Return a line over 24 points on a picture of 72 × 27 px; gaps are bridged, and one value alone is a point."""
    halves = [_largest(values[index : index + 2]) for index in range(0, len(values), 2)]
    points = [(index * _SPARK_STEP, value) for index, value in enumerate(halves) if value is not None]
    if not points:
        return Line("", "", None)
    most = max(value for _, value in points) or 1.0
    places = [(_number(x), _number(_SPARK_BASE - 22 * value / most)) for x, value in points]
    if len(places) == 1:
        return Line("", "", places[0])
    path = "M" + "L".join(f"{x} {y}" for x, y in places)
    base = _number(_SPARK_BASE)
    return Line(path, f"{path}V{base}H{places[0][0]}z", places[-1])


def wide_line(values: Sequence[float | None], top: float) -> str:
    """Return the path of a line on a picture of 100 × 100, up to `top`; gaps interrupt it, values alone are dashes."""
    if not top or len(values) < 2:
        return ""
    parts = []
    for is_gap, run in itertools.groupby(enumerate(values), lambda pair: pair[1] is None):
        if is_gap:
            continue
        places = [(100 * index / (len(values) - 1), 100 - 100 * min(value or 0.0, top) / top) for index, value in run]
        if len(places) == 1:
            x, y = places[0]
            parts.append(f"M{_number(min(max(0.0, x - _DASH / 2), 100 - _DASH))} {_number(y)}h{_number(_DASH)}")
        else:
            parts.append("M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in places))
    return "".join(parts)


def round_up_seconds(value: float) -> float:
    """Return the next round number of seconds for the upper edge of a chart, from 0.01 s on.

    >>> round_up_seconds(0.03), round_up_seconds(3)
    (0.04, 4.0)
    """
    return round_up(max(2.0, value * 1000)) / 1000 if value > 0.005 else 0.01


def round_up(value: float) -> int:
    """Return the next round number for the upper edge of a chart: 1, 2, 4, 5 or 10 times a power of ten."""
    if value <= 2:
        return 2
    power = 10 ** math.floor(math.log10(value))
    return next(int(step * power) for step in (1, 2, 4, 5, 10) if step * power >= value)


def logarithmic_share(seconds: float) -> int:
    """Return how long the bar of a duration is in percent: 1 ms is short, 30 s is full."""
    if seconds <= 0.001:
        return 3
    return max(3, min(100, round(100 * math.log(seconds / 0.0008) / math.log(30 / 0.0008))))


def _largest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
