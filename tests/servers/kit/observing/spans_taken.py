"""Takes the spans that this process makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dyber_kit.observing import tracing
from dyber_kit.observing.tracing import Span


@contextmanager
def spans_taken() -> Iterator[list[Span]]:
    """Yield the list to which each finished span is added."""
    taken: list[Span] = []
    before, tracing._Spans.send = tracing._Spans.send, taken.append
    try:
        yield taken
    finally:
        tracing._Spans.send = before


def children_of(parent: Span, spans: list[Span]) -> list[str]:
    """Return the names of the spans below another, by their start."""
    below = [span for span in spans if span.parent_id == parent.span_id]
    return [span.name for span in sorted(below, key=lambda span: span.start)]


def named(name: str, spans: list[Span]) -> Span:
    """Return the only span of that name."""
    (span,) = [span for span in spans if span.name == name]
    return span
