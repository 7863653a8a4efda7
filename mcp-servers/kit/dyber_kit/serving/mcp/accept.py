"""Decides in which form a client gets its answer, from its Accept header. Pure functions."""

from __future__ import annotations

import functools
from enum import Enum, auto


class Form(Enum):
    """Names the form of an answer over Streamable HTTP."""

    JSON = auto()
    """One JSON object: the client accepts nothing else, or states no preference."""
    EITHER = auto()
    """The server chooses; only a stream can carry progress."""
    STREAM = auto()
    """An event stream: the client accepts nothing else."""


@functools.lru_cache(maxsize=256)
def answer_form(accept: str | None, wants_progress: bool) -> Form | None:
    """Return the form of an answer for a client; None when it accepts neither JSON nor an event stream.

    A client that accepts everything, or sends no header, gets JSON, which every program can read. When it asks for
    progress it gets a stream, because only a stream can carry progress.

    Args:
        accept: The value of the Accept header; None when it is missing.
        wants_progress: Whether the request carries a progress token.
    """
    if accept is None or not accept.strip():
        return Form.EITHER if wants_progress else Form.JSON
    ranges = _ranges(accept)
    json_weight = _weight(ranges, "application", "json")
    stream_weight = _weight(ranges, "text", "event-stream")
    if json_weight <= 0 and stream_weight <= 0:
        return None
    if stream_weight <= 0:
        return Form.JSON
    if json_weight <= 0:
        return Form.STREAM
    named = any(kind == ("text", "event-stream") for kind in ranges)
    prefers_json = json_weight > stream_weight or not named
    return Form.JSON if prefers_json and not wants_progress else Form.EITHER


def _ranges(accept: str) -> dict[tuple[str, str], float]:
    """Return the weight of each media range."""
    weights: dict[tuple[str, str], float] = {}
    for entry in accept.split(","):
        media, *parameters = (part.strip().lower() for part in entry.split(";"))
        kind, _, subtype = media.partition("/")
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                weight = _number(value.strip())
        weights[(kind.strip(), subtype.strip())] = weight
    return weights


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def _weight(ranges: dict[tuple[str, str], float], kind: str, subtype: str) -> float:
    """Return the weight of the most specific media range that contains a media type; 0 when none contains it."""
    for candidate in ((kind, subtype), (kind, "*"), ("*", "*")):
        if candidate in ranges:
            return ranges[candidate]
    return 0.0
