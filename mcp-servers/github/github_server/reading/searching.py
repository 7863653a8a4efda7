"""Builds queries of GitHub's search, and says what its results lack. Pure functions."""

from __future__ import annotations

import unicodedata
from typing import Any

from dyber_kit import ErrorCode, ServiceError

#: How many results of a search GitHub returns at most.
MAX_RESULTS = 1000


def words(name: str, text: str) -> str:
    """Return the text of an argument without outer blanks.

    Raises:
        ServiceError: INVALID_ARGUMENT when nothing is left, or for control characters.
    """
    text = text.strip()
    if not text or any(unicodedata.category(character) == "Cc" for character in text):
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, f"{name} 是空白的，或带有控制字符", f"请在 {name} 里写搜索词")
    return text


def searched(query: str, sort: str) -> dict[str, str | int | float | bool | None]:
    """Return the parameters of a search; the best matches come first unless `sort` says otherwise."""
    return {"q": query} if sort == "best_match" else {"q": query, "sort": sort, "order": "desc"}


def counts(first: Any) -> tuple[int | None, bool]:
    """Return how many results a search has, and whether GitHub looked at everything in time."""
    if not isinstance(first, dict):
        return None, True
    total = first.get("total_count")
    return (total if isinstance(total, int) else None), first.get("incomplete_results") is not True


def search_warnings(total: int | None, complete: bool) -> list[str]:
    """Return what the reader of a search's results should know."""
    warnings = []
    if not complete:
        warnings.append("GitHub 没有在时限内搜完，结果可能不全：请把搜索词写得更具体")
    if total is not None and total > MAX_RESULTS:
        warnings.append(f"共 {total} 个结果，GitHub 只给前 {MAX_RESULTS} 个")
    return warnings
