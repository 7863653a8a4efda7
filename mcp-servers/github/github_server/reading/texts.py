"""Cleans texts of GitHub for agents. Pure functions."""

from __future__ import annotations

import re

from dyber_kit.upstream.text import CleanText, clean_text, visible_text

_COMMENTS = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}\n")


def line(text: str | None, max_chars: int = 300) -> str | None:
    """Return a text as one cleaned line, or None when nothing is left."""
    return " ".join(clean_text(text, html=False).text.split())[:max_chars] or None


def markdown(text: str | None, max_chars: int) -> CleanText:
    """Return Markdown without invisible characters and HTML comments, which readers of the site do not see either."""
    visible = _COMMENTS.sub("", visible_text(text or ""))
    return cut(_EMPTY_LINES.sub("\n\n", visible).strip(), max_chars)


def cut(text: str, max_chars: int) -> CleanText:
    """Return the first `max_chars` characters of a text, and whether that is not all."""
    return CleanText(text[:max_chars], len(text) > max_chars)


def decoded(content: bytes) -> tuple[str, str] | None:
    """Return a file as text, and the encoding: UTF-8, UTF-16 with a mark, or GB 18030; None for a binary file."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\0" in content:
        return None
    else:
        encodings = ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return None
