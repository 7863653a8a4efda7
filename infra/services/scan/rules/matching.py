"""Builds patterns out of parts, and matches them against the sentences of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from infra.services.scan.findings import Level
from infra.services.scan.normalising import is_negated
from infra.services.scan.rules.hits import Hit
from infra.services.scan.texts import Text

#: The person that an agent works for.
USER = r"(?:the |your |any |our |human )?(?:user|users|human|person|operator|customer|owner|client|people)\b"
ZH_USER = "(?:用户|使用者|主人|人类|客户|操作者|对方)"
#: Up to so many words, for a gap within a sentence.
FEW_WORDS = r"(?: [\w'`\"-]+){0,4}?"
#: Up to so many characters within a clause.
ZH_FEW = "[^,，。;；]{0,6}?"
ZH_SOME = "[^,，。;；]{0,14}?"


def any_of(*patterns: str) -> re.Pattern[str]:
    """Return a pattern that matches what one of `patterns` matches."""
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


def words(text: str) -> str:
    """Return a pattern for one of the words in `text`, which are separated by spaces; `_` stands for a space."""
    return "(?:" + "|".join(word.replace("_", " ") for word in text.split()) + ")"


def sentences_with(code: str, level: Level, pattern: re.Pattern[str], text: Text) -> Iterator[Hit]:
    """Yield a hit for each sentence in which `pattern` matches, also where the sentence denies it."""
    for sentence in text.sentences:
        if pattern.search(sentence.folded):
            yield Hit(code, level, sentence.written)


def sentences_that_want(code: str, level: Level, patterns: Iterable[re.Pattern[str]], text: Text) -> Iterator[Hit]:
    """Yield a hit for each sentence in which a pattern matches and that does not deny or forbid it."""
    for sentence in text.sentences:
        form = sentence.folded
        matches = (match for pattern in patterns for match in pattern.finditer(form))
        if any(not is_negated(form, match.start()) for match in matches):
            yield Hit(code, level, sentence.written)
