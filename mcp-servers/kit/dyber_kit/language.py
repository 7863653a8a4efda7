"""Translates the texts that callers read: English is in the code, Chinese in the file `locale/zh.po` of each package.

A request gets its texts in the language that its header Accept-Language names, else in the language of the setting
DYBER_LANGUAGE. An error can reach several callers, so its text is translated where it is shown:

    >>> busy = tr_lazy("The service is busy")
    >>> with using_language("zh"):
    ...     str(busy)
    '服务正忙'
    >>> with using_language("en"):
    ...     str(busy)
    'The service is busy'
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Literal, get_args

import polib

Language = Literal["zh", "en"]

LANGUAGES: tuple[Language, ...] = get_args(Language)
LANGUAGE_SETTING = "DYBER_LANGUAGE"
#: The same as ASGI servers give it.
RAW_LANGUAGE_HEADER = b"accept-language"

_LONGEST_HEADER = 500

_current_language: ContextVar[Language | None] = ContextVar("language", default=None)
_catalogue_files: dict[str, Traversable] = {}


@dataclass(frozen=True)
class Text:
    """Holds a text that is translated each time it is shown, which means: turned into a `str`.

    Attributes:
        message: The English text, with {names} where it has values.
        values: The values by name; a value may be a `Text`.
        package: The package whose catalogue has the Chinese text.
    """

    message: str
    values: Mapping[str, Any] = field(default_factory=dict)
    package: str = "dyber_kit"

    def __str__(self) -> str:
        text = self.message if language() == "en" else _chinese(self.package).get(self.message, self.message)
        return text.format(**self.values) if self.values else text

    def to_json(self) -> dict[str, Any]:
        """Return the text as a JSON object, which `text_from_json` reads again."""
        values = {name: _as_json(value) for name, value in self.values.items()}
        return {"message": self.message, "values": values, "package": self.package}


def _as_json(value: Any) -> Any:
    if isinstance(value, Text):
        return value.to_json()
    return value if isinstance(value, int | float) else str(value)


def text_from_json(value: Any) -> Text | str:
    """Return a text that was stored as JSON: an object of `Text.to_json`, or a text in one language.

    Raises:
        KeyError, TypeError, ValueError: The value is neither.
    """
    if isinstance(value, str):
        return value
    values = {
        name: text_from_json(part) if isinstance(part, dict) else part for name, part in dict(value["values"]).items()
    }
    return Text(str(value["message"]), values, str(value["package"]))


class Translations:
    """Gives the code of a package the functions with which it writes its texts, as literals in English.

    The Chinese texts are in the package's file `locale/zh.po`; a text that is missing there stays English.

    Args:
        package: Name of the package.
    """

    def __init__(self, package: str) -> None:
        self._package = package
        _catalogue_files[package] = files(package) / "locale" / "zh.po"

    def tr(self, message: str, /, **values: object) -> str:
        """Return a text in the language of the current request, with `values` in place of its {names}."""
        return str(Text(message, values, self._package))

    def tr_plural(self, singular: str, plural: str, /, count: int, **values: object) -> str:
        """Return a text about `count` things in the language of the current request; {count} is one of its values.

        The Chinese text, which is the same for every number, is the plural form of `singular` in the catalogue.
        """
        message = singular if count == 1 or language() == "zh" else plural
        return str(Text(message, {"count": count, **values}, self._package))

    def tr_lazy(self, message: str, /, **values: object) -> Text:
        """Return a text that is translated each time it is shown, for errors and constants."""
        return Text(message, values, self._package)


_texts = Translations("dyber_kit")
tr = _texts.tr
tr_lazy = _texts.tr_lazy
tr_plural = _texts.tr_plural


def joined_names(names: Iterable[object]) -> str:
    """Return names as a list within a sentence."""
    return tr(", ").join(str(name) for name in names)


def joined_sentences(sentences: Iterable[object]) -> str:
    """Return sentences as parts of one sentence."""
    return tr("; ").join(str(sentence) for sentence in sentences)


def language() -> Language:
    """Return the language of the current request; outside of requests, that of the setting DYBER_LANGUAGE."""
    current = _current_language.get()
    if current is not None:
        return current
    return "en" if os.environ.get(LANGUAGE_SETTING, "").strip().lower() == "en" else "zh"


@contextmanager
def using_language(chosen: Language) -> Iterator[None]:
    """Use a language inside the block."""
    token = _current_language.set(chosen)
    try:
        yield
    finally:
        _current_language.reset(token)


def request_language(headers: Iterable[tuple[bytes, bytes]], default: Language) -> Language:
    """Return the language in which a request is answered.

    Args:
        headers: The request's ASGI headers.
        default: The language when Accept-Language names neither Chinese nor English.
    """
    values = [value.decode("latin-1") for name, value in headers if name == RAW_LANGUAGE_HEADER]
    preferred = preferred_language(",".join(values)[:_LONGEST_HEADER]) if values else None
    return preferred or default


@functools.lru_cache(maxsize=256)
def preferred_language(accept_language: str) -> Language | None:
    """Return the language that an Accept-Language header prefers, of Chinese and English; None when it names neither.

    `*` counts for nothing, because HTTP libraries send it without being asked. Of equal weights the first counts.

        >>> preferred_language("fr-FR, en;q=0.5, zh;q=0.2"), preferred_language("zh-Hans-CN"), preferred_language("*")
        ('en', 'zh', None)
    """
    best: Language | None = None
    best_weight = 0.0
    for entry in accept_language.lower().split(","):
        tag, *parameters = (part.strip() for part in entry.split(";"))
        named = next((known for known in LANGUAGES if tag.partition("-")[0] == known), None)
        weight = _weight(parameters)
        if named is not None and weight > best_weight:
            best, best_weight = named, weight
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 1.0
    return 1.0


@functools.cache
def _chinese(package: str) -> Mapping[str, str]:
    """Return the Chinese texts of a package by their English ones; none for a package without a catalogue."""
    file = _catalogue_files.get(package)
    if file is None or not file.is_file():
        return {}
    catalogue = polib.pofile(file.read_text(encoding="utf-8"))
    entries = ((entry.msgid, entry.msgstr or entry.msgstr_plural.get(0)) for entry in catalogue if not entry.obsolete)
    return {text: chinese for text, chinese in entries if chinese}
