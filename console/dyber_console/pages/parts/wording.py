"""Writes numbers, names and untrusted text the way pages show them."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata

from markupsafe import Markup, escape

from dyber_console.language import tr
from dyber_console.records.model import Call, Result
from dyber_console.verdicts.times import ago

_LONGEST = 2000
_TONES = 8
#: Characters that are written although they are controls.
_PLAIN_CONTROLS = "\n\t"
_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs", "Cn"})
#: Words, single Chinese characters, spaces, and other signs.
_PARTS = re.compile(r"[\u3400-\u9fff]|\w+|\s+|.", re.DOTALL)
_JOINERS = frozenset("\u200d\ufe0f")


def number(value: float | None) -> str:
    """Return a number with its thousands grouped; `–` for none."""
    return "–" if value is None else f"{value:,.0f}"


def percent(part: float, whole: float) -> str:
    """Return a share in percent with one digit."""
    return f"{100 * part / whole:.1f}%" if whole else "0%"


def size(count: float) -> str:
    """Return a number of bytes in the largest unit."""
    for unit in ("B", "KB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def ages() -> dict[str, list[str]]:
    """Return how long ago one and two of each unit are, in words: scripts put their own number into them."""
    units = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
    return {unit: [ago(count * seconds) for count in (1, 2)] for unit, seconds in units.items()}


def tile_text(title: str) -> str:
    """Return the one or two characters that stand for a service."""
    words = [word for word in title.split() if word]
    if not words:
        return "?"
    first = words[0][0]
    capitals = [letter for letter in words[0] if letter.isascii() and letter.isupper()]
    if len(words) == 1 and len(capitals) > 1:
        return "".join(capitals[:2])
    if ord(first) > 0x2E80 or len(words) == 1 or not words[1][0].isascii():
        return first.upper()
    return (first + words[1][0]).upper()


def tone(name: str) -> int:
    """Return the number of the tone of a service's tile, from 1 on, chosen by its name."""
    return hashlib.sha256(name.encode()).digest()[0] % _TONES + 1


def result_icon(call: Call) -> str:
    """Return the icon of a call's result: ok, bad, wait or off."""
    if call.result is Result.CANCELLED:
        return "off"
    if call.result is Result.OK:
        return "ok"
    return "wait" if call.outcome in ("RATE_LIMITED", "BUSY", "QUOTA_EXHAUSTED") else "bad"


def outcome_word(call: Call) -> str:
    """Return the result of a call in a word: succeeded, cancelled, or its code."""
    if call.result is Result.OK:
        return tr("Succeeded")
    if call.result is Result.CANCELLED:
        return tr("Cancelled by the caller")
    return call.outcome


def untrusted(text: object, longest: int = _LONGEST) -> Markup:
    """Return text of a service for a page: escaped, cut, and with invisible characters by their code point."""
    whole = str(text)
    shown = whole[:longest]
    cut = Markup("…") if len(whole) > longest else Markup("")
    if shown.isprintable():
        return escape(shown) + cut
    return Markup("").join(_visible(character) for character in shown) + cut


def with_insertions(before: str, after: str, longest: int = _LONGEST) -> Markup:
    """Return `after` as untrusted text, in which what `before` does not have is marked."""
    old, new = _PARTS.findall(before[:longest]), _PARTS.findall(after[:longest])
    found = Markup("")
    for kind, _, _, start, end in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        text = untrusted("".join(new[start:end]))
        found += Markup("<mark>{}</mark>").format(text) if kind in ("insert", "replace") and text else text
    return found + (Markup("…") if len(after) > longest else Markup(""))


def _visible(character: str) -> Markup:
    hidden = unicodedata.category(character) in _HIDDEN and character not in _PLAIN_CONTROLS + "".join(_JOINERS)
    if not hidden:
        return escape(character)
    point = f"U+{ord(character):04X}"
    name = unicodedata.name(character, point)
    return Markup('<b class="ghost" title="{} {}">{}</b>').format(point, name, point)
