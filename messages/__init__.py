"""Translates the texts that users read: English is in the code, Chinese in the catalogue beside this file.

`tr("the stack {stack} is not deployed", stack=name)` returns the text in the user's language. The text is a literal, so
that `python -m messages.catalogue` can collect it. A text that is chosen at run time is marked where it is written,
`mark("container")`, and translated where it is shown, `tr(KINDS[kind])`.
"""

from __future__ import annotations

import gettext
import locale
import os
import sys
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
DOMAIN = "dyber"
#: The Chinese texts as `gettext` reads them; `python -m messages.catalogue` makes the file.
COMPILED = FOLDER / "zh" / "LC_MESSAGES" / f"{DOMAIN}.mo"


def language() -> str:
    """Return `en` if DYBER_LANG, or without it the locale, begins with `en`; else return `zh`."""
    if chosen := chosen_language():
        return chosen
    of_machine = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    if not of_machine and sys.platform == "win32":
        of_machine = locale.getlocale()[0] or ""
    return _language_of(of_machine)


def chosen_language() -> str | None:
    """Return the language that the user chose with DYBER_LANG, or None; many machines only have an English locale."""
    chosen = os.environ.get("DYBER_LANG", "").strip()
    return _language_of(chosen) if chosen else None


def _language_of(name: str) -> str:
    return "en" if name.lower().startswith("en") else "zh"


def tr(message: str, /, **values: object) -> str:
    """Return a text in the user's language, with `values` in place of its {names}.

    A text that the catalogue lacks stays English; a test checks that the catalogue is complete.
    """
    text = in_language(language(), message)
    return text.format(**values) if values else text


def in_language(name: str, message: str, /) -> str:
    """A text in `zh` or `en`, whatever the user's language is: for documents that exist in both."""
    # gettext answers an empty text with the catalogue's header.
    return message if name == "en" or not message else _catalogue(name).gettext(message)


def either(chinese: str, english: str) -> str:
    """One of two texts, by the user's language: for data that holds both, such as the gateway's log."""
    return english if language() == "en" else chinese


def mark(message: str) -> str:
    """Return the text unchanged; this marks it for the catalogue, and `tr` translates it where it is shown."""
    return message


@cache
def _catalogue(name: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, FOLDER, languages=[name], fallback=True)
