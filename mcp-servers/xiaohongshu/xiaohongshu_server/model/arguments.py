"""Checks texts from callers before a page is opened, so that invalid texts are refused without a visit."""

from __future__ import annotations

import unicodedata

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text
from dyber_kit.upstream.text import clean_text

from xiaohongshu_server.texts import tr_lazy

#: Longest keyword of a search, in characters.
MAX_KEYWORD_CHARS = 100
#: Largest width of a title: a wide character (Chinese, an emoji of any composition) counts 2, any other 1.
MAX_TITLE_WIDTH = 40
#: The rule in words, for every message about the limit.
TITLE_RULE = tr_lazy(
    "at most 20 Chinese characters or 40 letters: Chinese characters, full-width signs and emoji count 2, others 1, "
    "together 40"
)
_JOINER, _EMOJI_STYLE, _KEYCAP = "\u200d", "\ufe0f", "\u20e3"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_TAGS = range(0xE0020, 0xE0080)


def search_words(name: str, value: str, *, empty: bool = False) -> str:
    """Return the words to search for, on one line.

    Args:
        name: The argument's name.
        value: The value from the caller.
        empty: Whether an empty value is allowed.

    Raises:
        ServiceError: INVALID_ARGUMENT for a value without visible characters, with too many characters or with control
            characters.
    """
    words = " ".join(_checked(name, value).split())
    if not clean_text(words, html=False).text:
        if empty:
            return ""
        raise _refused(
            tr_lazy("{name} is blank", name=name),
            tr_lazy("Write the words to search for into {name}, for example 手冲咖啡", name=name),
        )
    if len(words) > MAX_KEYWORD_CHARS:
        raise _refused(
            tr_lazy(
                "{name} has {count} characters, at most {limit} are allowed",
                name=name,
                count=len(words),
                limit=MAX_KEYWORD_CHARS,
            ),
            tr_lazy("Write only a few keywords"),
        )
    return words


def written_text(name: str, value: str, *, lines: bool = True) -> str:
    """Return a text to be published, without outer blanks; `lines` allows more than one line.

    Raises:
        ServiceError: INVALID_ARGUMENT for a text without visible characters or with control characters.
    """
    checked = _checked(name, value).strip()
    if not clean_text(checked, html=False).text:
        raise _refused(
            tr_lazy("{name} is blank", name=name), tr_lazy("Write the text to publish into {name}", name=name)
        )
    if not lines and "\n" in checked:
        raise _refused(
            tr_lazy("{name} must not have line breaks", name=name), tr_lazy("Write {name} on one line", name=name)
        )
    return checked


def title(value: str) -> str:
    """Return a title to be published. Raises ServiceError (INVALID_ARGUMENT) with the rule when it is too wide."""
    checked = written_text("title", value, lines=False)
    width = title_width(checked)
    if width > MAX_TITLE_WIDTH:
        raise _refused(
            tr_lazy("title is too long: its width is {width}, at most {limit}", width=width, limit=MAX_TITLE_WIDTH),
            tr_lazy("Shorten the title ({rule})", rule=TITLE_RULE),
        )
    return checked


def title_width(text: str) -> int:
    """Return the width of a title as the site counts it; an emoji of any number of characters counts 2."""
    width = 0
    previous = 0
    joined = flag = False
    for char in text:
        code = ord(char)
        if char == _JOINER:
            joined = True
            continue
        if char in (_EMOJI_STYLE, _KEYCAP):
            # This character turns the one before it into an emoji.
            width += 2 - previous if previous else 0
            previous = 2 if previous else 0
            continue
        if code in _SKIN_TONES or code in _TAGS or unicodedata.category(char) in ("Mn", "Me", "Cf"):
            continue
        if joined or (code in _FLAG_LETTERS and flag):
            joined = flag = False
            continue
        flag = code in _FLAG_LETTERS
        previous = 2 if flag or unicodedata.east_asian_width(char) in "WFA" else 1
        width += previous
    return width


def _checked(name: str, value: str) -> str:
    """Return the value with uniform line ends and with tabs turned into blanks; refuse other control characters."""
    value = value.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
    forbidden = next((char for char in value if char != "\n" and unicodedata.category(char) in ("Cc", "Cs")), None)
    if forbidden is not None:
        raise _refused(
            tr_lazy("{name} has the control character U+{code:04X}", name=name, code=ord(forbidden)),
            tr_lazy("Remove the invisible characters from {name}", name=name),
        )
    return value


def _refused(message: Text, next_step: Text) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step)
