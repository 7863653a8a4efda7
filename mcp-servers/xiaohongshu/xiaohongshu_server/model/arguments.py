"""Checks texts from callers before a page is opened, so that invalid texts are refused without a visit."""

from __future__ import annotations

import unicodedata

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.upstream.text import clean_text

#: Longest keyword of a search, in characters.
MAX_KEYWORD_CHARS = 100
#: Largest width of a title: a wide character (Chinese, an emoji of any composition) counts 2, any other 1.
MAX_TITLE_WIDTH = 40
#: The rule in words, for every message about the limit.
TITLE_RULE = "最多 20 个汉字或 40 个字母：汉字、全角符号、表情算 2，其他算 1，共 40"
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
        raise _refused(f"{name} 是空白的", f"请在 {name} 里写要搜索的词，例如 手冲咖啡")
    if len(words) > MAX_KEYWORD_CHARS:
        raise _refused(f"{name} 有 {len(words)} 个字符，最多 {MAX_KEYWORD_CHARS} 个", "请只写几个关键词")
    return words


def written_text(name: str, value: str, *, lines: bool = True) -> str:
    """Return a text to be published, without outer blanks; `lines` allows more than one line.

    Raises:
        ServiceError: INVALID_ARGUMENT for a text without visible characters or with control characters.
    """
    checked = _checked(name, value).strip()
    if not clean_text(checked, html=False).text:
        raise _refused(f"{name} 是空白的", f"请在 {name} 里写要发布的文字")
    if not lines and "\n" in checked:
        raise _refused(f"{name} 不能换行", f"请把 {name} 写成一行")
    return checked


def title(value: str) -> str:
    """Return a title to be published. Raises ServiceError (INVALID_ARGUMENT) with the rule when it is too wide."""
    checked = written_text("title", value, lines=False)
    width = title_width(checked)
    if width > MAX_TITLE_WIDTH:
        raise _refused(f"title 太长：宽度 {width}，最多 {MAX_TITLE_WIDTH}", f"请缩短标题（{TITLE_RULE}）")
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
        raise _refused(f"{name} 里有控制字符 U+{ord(forbidden):04X}", f"请去掉 {name} 里看不见的字符")
    return value


def _refused(message: str, next_step: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step)
