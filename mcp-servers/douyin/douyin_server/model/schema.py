"""Defines the fields that all answers begin with."""

from __future__ import annotations

from typing import Literal

from dyber_kit import answer_models
from dyber_kit.answer_models import Notice

Source = Literal["web", "browser", "cache"]


class Answer(answer_models.Answer):
    """Is the base of the answers of all tools; `source` is where it was read, and `fetched_at` when."""

    source: Source = "browser"
    fetched_at: str
    warnings: list[Notice] = []
