"""Rules for texts that people cannot see or cannot read: invisible characters, comments, encoded text."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator

from infra.services.scan.findings import Level
from infra.services.scan.normalising import INVISIBLE, folded, is_tag, script
from infra.services.scan.rules.hits import Hit
from infra.services.scan.texts import Kind, Text

#: Most texts are ASCII without a comment or control characters, and need no closer look.
_ORDINARY = re.compile(r"(?:(?!<!--)[\t\n\r -~])*")
#: Flags such as that of Scotland are a black flag and tags up to an end mark.
_FLAG = re.compile("\U0001f3f4[\U000e0020-\U000e007e]{1,6}\U000e007f")
_EMBEDDING = re.compile("[\u202a\u202b\u202d\u202e]")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{2,}")
_COMMENT = re.compile(r"<!--(.*?)(?:-->|\Z)", re.DOTALL)
_COMMENT_VERB = re.compile(
    r"\b(?:read|send|ignore|call|include|use|always|never|must|do not|don't|put|pass|tell|upload|execute|run|append"
    r"|forward|copy|you)\b|读取|发送|忽略|调用|执行|必须|填|传入|上传|务必|不要|告诉|附"
)
_ESCAPE_SEQUENCE = re.compile("\x1b\\[|\x9b")
#: So many kinds of invisible characters in one text are no accident.
_MANY_KINDS = 3
#: Scripts whose spelling needs joiners, and emoji, which are joined with them.
_JOINED_SCRIPTS = (
    *("ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL", "TELUGU"),
    *("KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN", "HEBREW", "THAI"),
)
_JOINERS = "\u200c\u200d\u200e\u200f\u061c"
_BASE64 = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{40,}={0,2}(?![A-Za-z0-9+/_=-])")
_HEX = re.compile(r"(?<![0-9A-Za-z])(?:0x)?(?:[0-9a-fA-F]{2}){20,}(?![0-9A-Za-z])")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){6,}|(?:\\x[0-9a-fA-F]{2}){8,}|(?:&#x?[0-9a-fA-F]{2,5};){6,}")
_DATA_URL = re.compile(r"data:[a-z]+/[\w.+-]+(?:;[\w=-]+)*,[A-Za-z0-9+/%=_-]{24,}", re.IGNORECASE)
_ESCAPED_NAME = re.compile(r"\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}|&#\w+;")


def hidden_text(text: Text) -> Iterator[Hit]:
    """T04: the text has a part that does not show."""
    if _ORDINARY.fullmatch(text.written):
        return
    written = _FLAG.sub("", text.written)
    tags = "".join(chr(ord(character) - 0xE0000) for character in written if is_tag(character))
    kinds = {character for character in written if character in INVISIBLE and not _is_needed(written, character)}
    if tags:
        yield Hit("T04", Level.BLOCK, "".join(tag for tag in tags if tag.isprintable()))
    elif _EMBEDDING.search(written) or _SELECTORS.search(written) or _ESCAPE_SEQUENCE.search(written):
        yield Hit("T04", Level.BLOCK, written)
    elif len(kinds) >= _MANY_KINDS:
        yield Hit("T04", Level.BLOCK, written)
    for comment in _COMMENT.findall(written):
        if _COMMENT_VERB.search(folded(comment)):
            yield Hit("T04", Level.BLOCK, comment)


def invisible(text: Text) -> Iterator[Hit]:
    """T05: the text has an invisible character where its script needs none."""
    if text.written.isascii():
        return
    for position, character in enumerate(text.written):
        if character in INVISIBLE and not _is_needed(text.written, character, position):
            yield Hit("T05", Level.WARN, text.written[max(0, position - 20) : position + 20])
            return


def _is_needed(written: str, character: str, position: int | None = None) -> bool:
    """Tell whether a joiner stands in a script or beside an emoji that needs it, at `position` or everywhere."""
    if character not in _JOINERS:
        return False
    places = [position] if position is not None else [at for at, letter in enumerate(written) if letter == character]
    return all(_joins(written[at - 1 : at], written[at + 1 : at + 2]) for at in places)


def _joins(before: str, after: str) -> bool:
    return any(
        neighbour
        and (script(neighbour) in _JOINED_SCRIPTS or unicodedata.category(neighbour) in ("So", "Sk", "Mn", "Mc"))
        for neighbour in (before, after)
    )


def encoded(text: Text) -> Iterator[Hit]:
    """T13: the text has a part that decodes to a text, or a name with escaped characters."""
    if text.kind is not Kind.PROSE:
        if _ESCAPED_NAME.search(text.written):
            yield Hit("T13", Level.WARN, text.written)
        return
    for match in _BASE64.finditer(text.written):
        if decoded := _readable(_from_base64(match.group())):
            yield Hit("T13", Level.WARN, match.group(), {"decoded": decoded})
    for match in _HEX.finditer(text.written):
        if decoded := _readable(bytes.fromhex(match.group().removeprefix("0x"))):
            yield Hit("T13", Level.WARN, match.group(), {"decoded": decoded})
    for pattern in (_ESCAPES, _DATA_URL):
        for match in pattern.finditer(text.written):
            yield Hit("T13", Level.WARN, match.group())


def _from_base64(text: str) -> bytes:
    letters = text.rstrip("=").replace("-", "+").replace("_", "/")
    # A length of 4n + 1 is no base64; the last letter is then dropped.
    letters = letters[:-1] if len(letters) % 4 == 1 else letters
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4))
    except binascii.Error:
        return b""


def _readable(content: bytes) -> str:
    """Return `content` as a text if it is a text in words; else an empty text."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if not text or not all(character.isprintable() or character in "\n\t\r" for character in text):
        return ""
    letters = sum(character.isalpha() or character.isspace() for character in text)
    return text if letters >= len(text) * 0.7 else ""
