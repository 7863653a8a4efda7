"""Builds queries of GitHub's search, and says what its results lack. Pure functions."""

from __future__ import annotations

import unicodedata
from typing import Any

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.values import as_object

from github_server.reading.api import Page
from github_server.translations import tr, tr_lazy

#: How many results of a search GitHub returns at most.
MAX_RESULTS = 1000


def words(name: str, text: str) -> str:
    """Return the text of an argument without outer blanks.

    Raises:
        ServiceError: INVALID_ARGUMENT when nothing is left, or for control characters.
    """
    text = text.strip()
    if not text or any(unicodedata.category(character) == "Cc" for character in text):
        raise ServiceError(
            ErrorCode.INVALID_ARGUMENT,
            tr_lazy("{name} is blank, or has control characters", name=name),
            tr_lazy("Write words to search for in {name}", name=name),
            fields=[name],
        )
    return text


def searched(query: str, sort: str) -> dict[str, str | int | float | bool | None]:
    """Return the parameters of a search; the best matches come first unless `sort` says otherwise."""
    return {"q": query} if sort == "best_match" else {"q": query, "sort": sort, "order": "desc"}


def counts(first: Any) -> tuple[int | None, bool]:
    """Return how many results a search has, and whether GitHub looked at everything in time."""
    sent = as_object(first)
    total = sent.get("total_count")
    return (total if isinstance(total, int) else None), sent.get("incomplete_results") is not True


def result_fields(page: Page[Any]) -> dict[str, Any]:
    """Return what answers with results of a search have in common: `total`, `warnings` and those of every list."""
    total, complete = counts(page.first)
    return page.fields | {
        "total": total,
        "complete": complete and page.next_cursor is None,
        "warnings": search_warnings(total, complete),
    }


def search_warnings(total: int | None, complete: bool) -> list[str]:
    """Return what the reader of a search's results should know."""
    warnings = []
    if not complete:
        warnings.append(
            tr("GitHub did not finish searching in time, so results may be missing: write a more specific query")
        )
    if total is not None and total > MAX_RESULTS:
        warnings.append(
            tr("There are {total} results; GitHub gives the first {most} only", total=total, most=MAX_RESULTS)
        )
    return warnings
