"""Defines the base of the answers of all tools."""

from __future__ import annotations

from dyber_kit.answer_models import CompleteAnswer


class Answer(CompleteAnswer):
    """Is the base of the answers of all tools.

    An answer always has all its fields. The published schema gives their names, and the types of numbers, flags, lists
    and objects that are never null; the README describes the items of lists.
    """

    schema_levels = 1

    source: str = "official"
    fetched_at: str
    warnings: list[str] = []
