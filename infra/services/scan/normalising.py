"""Brings texts into a form in which spelling tricks do not matter, and cuts them into sentences."""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import NamedTuple

#: Characters without a picture that texts have no need of; `folded` removes them.
INVISIBLE = frozenset(
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
    "\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufeff\uffa0"
)
#: Scripts whose letters can pass for Latin letters, as the first word of a character's Unicode name.
LOOK_ALIKE_SCRIPTS = ("CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU", "LATIN")
_UNSEEN = re.compile("[" + "".join(sorted(INVISIBLE)) + "\U000e0000-\U000e007f]")
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}]) (?=[{_CJK}])")
_BLOCK_BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*•#>|]|\d+[.)、]|```))|\r\n\s*\r\n")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+|(?<=[。！？；])")


class Sentence(NamedTuple):
    """A sentence as written, and in the form that rules look at."""

    written: str
    folded: str


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return `text` in lower case without invisible characters, accents and look-alike letters.

    Wide and mathematical letters become ordinary letters, runs of white space one space, and spaces between Chinese
    characters go. Folding a second time changes nothing.
    """
    before = ""
    while before != text:
        before, text = text, _folded_once(text)
    return text


def _folded_once(text: str) -> str:
    if text.isascii():
        return " ".join(text.lower().split())
    kept = _UNSEEN.sub("", text)
    apart = unicodedata.normalize("NFKD", kept)
    bare = "".join(character for character in apart if unicodedata.category(character) != "Mn")
    plain = unicodedata.normalize("NFKC", with_latin_letters(bare)).lower()
    plain = plain.replace("’", "'").replace("‘", "'").replace("“", '"').replace("”", '"')
    return _BETWEEN_CJK.sub("", " ".join(plain.split()))


def is_tag(character: str) -> bool:
    """Tell whether a character is one of Unicode's tags, which spell ASCII without a picture."""
    return 0xE0000 <= ord(character) <= 0xE007F


def with_latin_letters(text: str) -> str:
    """Return `text` with letters of other scripts that look like Latin letters replaced by these."""
    if all(character.isascii() or script(character) not in LOOK_ALIKE_SCRIPTS for character in text):
        return text
    return "".join(_look_alikes().get(character, character) for character in text)


@lru_cache(maxsize=8192)
def script(character: str) -> str:
    """Return the first word of a character's Unicode name, which is the script for letters: LATIN, CYRILLIC, CJK."""
    return unicodedata.name(character, "").partition(" ")[0]


@cache
def _look_alikes() -> dict[str, str]:
    # The table takes a fifth of a second to read, and most texts need none.
    from confusable_homoglyphs import confusables  # type: ignore[import-untyped]

    table: dict[str, str] = {}
    for character, entries in confusables.confusables_data.items():
        if len(character) != 1 or character.isascii() or script(character) not in LOOK_ALIKE_SCRIPTS:
            continue
        latin = [str(entry["c"]) for entry in entries if len(entry["c"]) == 1 and entry["c"].isascii()]
        if latin and latin[0].isalpha():
            table[character] = latin[0]
    return table


def sentences(text: str) -> tuple[Sentence, ...]:
    """Cut `text` at the ends of sentences, at empty lines and before items of lists; other line breaks are spaces.

    A dot ends a sentence only before white space, so `~/.ssh` stays whole.
    """
    parts = []
    for block in _BLOCK_BREAK.split(text):
        for part in _SENTENCE_END.split(" ".join(block.split())):
            form = folded(part)
            if form:
                parts.append(Sentence(part, form))
    return tuple(parts)


def shown(text: str, longest: int = 160) -> str:
    """Return `text` for people: one line, shortened, characters that cannot be seen written as U+200B."""
    line = " ".join(text.split())
    # Escaped characters get longer, so what is surely too much is cut first.
    visible = "".join(_visible(character) for character in line[: longest + 1])
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def _visible(character: str) -> str:
    if character in INVISIBLE or is_tag(character) or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return f"[U+{ord(character):04X}]"
    return character


_ENGLISH_NEGATION = re.compile(
    r"(?:\b(?:not|never|cannot|without|nor|neither)|n't)\s+"
    r"(?:(?:be|been|being|ever|also|automatically|itself|actually|directly|currently|even|store|collect|share|send|log"
    r"|keep|read|track|record|use|access|upload|transmit|modify|save|or|and|nor|any|need|to)[\s,]+){0,6}$"
)
_CHINESE_NEGATION = re.compile(
    r"(?:不会|不能|不可|不得|不应|不要|不再|不需要|不必|并不|从不|绝不|没有|未|无需|无须|不|勿|禁止|严禁|避免)"
    r"(?!但|光|同)[^,，。;；:：、忘拒犹漏仅只]{0,16}$"
)
#: What does the opposite when it is denied.
_OMISSION = re.compile(r"(?:forget|fail|neglect|hesitate|omit)\b|忘|拒绝|犹豫|遗漏")


def is_negated(sentence: str, start: int) -> bool:
    """Tell whether what begins at `start` of a folded sentence is denied or forbidden by the words before it.

    "Does not send" and 「不会发送」 are; "do not forget to send" and 「不要忘记发送」 are not.
    """
    before = sentence[:start]
    if _OMISSION.match(sentence, start):
        return False
    return bool(_ENGLISH_NEGATION.search(before) or _CHINESE_NEGATION.search(before))
