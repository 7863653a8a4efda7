"""Checks the words that callers search for, before a page is opened for them."""

from __future__ import annotations

import unicodedata

from dyber_kit import ErrorCode, ServiceError

from weibo_server.texts import tr_lazy


def search_words(name: str, value: str) -> str:
    """Return the words without outer blanks.

    Args:
        name: The argument.
        value: Its value.

    Raises:
        ServiceError: INVALID_ARGUMENT for blank words, and for control characters.
    """
    words = value.strip()
    if not words:
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("A search needs words"), fields=[name])
    if any(unicodedata.category(letter) == "Cc" for letter in words):
        raise ServiceError(ErrorCode.INVALID_ARGUMENT, tr_lazy("The words contain control characters"), fields=[name])
    return words
