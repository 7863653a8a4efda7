"""Defines the fields that all answers begin with."""

from __future__ import annotations

from dyber_kit import answer_models
from dyber_kit.answer_models import Notice


class Answer(answer_models.Answer):
    """Is the base of the answers of all tools.

    `source` is `official` (the API), `browser` (a page) or `cache`; `fetched_at` is when Zhihu was asked.
    """

    source: str
    fetched_at: str
    warnings: list[Notice] = []
