"""Translates the texts of the pages: English is in the code and the templates, Chinese in `locale/zh.po`.

A page is in the language of its visitor's cookie, else in the one that the browser prefers. Texts with a plural have the
forms of English in the code; the Chinese text is the same for every number.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.resources import files
from typing import Literal, get_args

import polib
from markupsafe import Markup

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)

_current: ContextVar[Language] = ContextVar("language", default="zh")


def tr(message: str, /, **values: object) -> str:
    """Return a text in the language of the current page, with `values` in place of its {names}."""
    text = _text(message)
    return text.format(**values) if values else text


def tr_plural(singular: str, plural: str, /, count: int, **values: object) -> str:
    """Return a text about `count` things in the language of the current page; {count} is grouped by thousands."""
    text = _text(singular) if count == 1 or language() == "zh" else plural
    return text.format(count=f"{count:,}", **values)


def tr_html(message: str, /, **values: object) -> Markup:
    """Return a text that has mark-up; `values` are escaped unless they are mark-up themselves."""
    return Markup(_text(message)).format(**values)  # the texts are the program's


def language() -> Language:
    """Return the language of the current page."""
    return _current.get()


@contextmanager
def using_language(chosen: Language) -> Iterator[None]:
    """Use a language inside the block."""
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)


def preferred_language(accept_language: str, default: Language) -> Language:
    """Return the language that an Accept-Language header prefers, of Chinese and English; else `default`.

    >>> preferred_language("fr-FR, en;q=0.5, zh;q=0.2", "zh")
    'en'
    """
    weights: dict[Language, float] = {}
    for entry in accept_language[:500].lower().split(","):
        tag, _, parameters = entry.strip().partition(";")
        for known in LANGUAGES:
            if tag.partition("-")[0] == known:
                weights[known] = max(weights.get(known, 0.0), _weight(parameters))
    return max(weights, key=lambda known: weights[known]) if any(weights.values()) else default


def _weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 1.0


def _text(message: str) -> str:
    return message if language() == "en" else _chinese().get(message, message)


@functools.cache
def _chinese() -> Mapping[str, str]:
    catalogue = polib.pofile(files("dyber_console").joinpath("locale", "zh.po").read_text(encoding="utf-8"))
    entries = ((entry.msgid, entry.msgstr or entry.msgstr_plural.get(0)) for entry in catalogue if not entry.obsolete)
    return {text: chinese for text, chinese in entries if chinese}


def texts_by_language(value: object) -> dict[str, str]:
    """Return the texts by language in a file's value; {} for a value of another kind."""
    return {str(name): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def for_page(texts: dict[str, str]) -> str:
    """Return the text in the language of the current page, or in any other; "" without any."""
    return texts.get(language()) or next(iter(texts.values()), "")
