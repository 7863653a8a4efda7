"""Splits texts and queries into the words that the search index compares.

Chinese has no spaces, and SQLite would take a whole run of characters for one word. So each run becomes its pairs of
neighbouring characters and its single characters. Latin words and numbers stay whole; names are split where their parts
meet.

    >>> index_words("扫码登录")
    ['扫码', '码登', '登录', '扫', '码', '登', '录']
    >>> index_words("github_get_repo listUserNotes")
    ['github', 'get', 'repo', 'list', 'user', 'notes']
    >>> query_words("How do I look at the 热榜?")
    ['look', '热榜', '热', '榜']
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# Characters of scripts that are written without spaces: Han, kana, hangul.
_UNSPACED = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
_RUN = re.compile(rf"[{_UNSPACED}]+|[^\W_{_UNSPACED}]+")
_NAME_PARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LONGEST_WORD = 64
# More words make a query slower, and say nothing more about what is meant.
_LONGEST_QUERY, _MOST_WORDS = 1000, 64

_STOP_WORDS = frozenset(
    """a about all am an and any are as at be by can could do does for from give has have help how i if in into is it its
    let may me my need of on one or our please see should show so some tell that the their them then there these they
    this to tool tools us use want was we what when where which who will with would you your""".split()
)
# What a Chinese question has beside its content: words, and characters between words, in pairs of which they still count.
_FILLERS = re.compile("今天|现在|一下|看看|请问|帮我|有没有|是什么|怎么样?|如何|哪些")
_STOP_CHARACTERS = frozenset(
    "的了吗呢吧啊在是有和与或就都也还把被给让对从到为我你他她它们这那哪个些什么怎样请想要能会可以用"
)

# A pair with one of these is no word, but the end of one and the beginning of another.
_BETWEEN_WORDS = frozenset("的了吗呢吧啊着这那个一")


def index_words(text: str) -> list[str]:
    """Return the words of a text in its index, in order."""
    return [word for run in _runs(text) for word in _windows(run)]


def query_words(query: str) -> list[str]:
    """Return the words to look for, each once; those that every question has are left out, unless there are no others."""
    query = query[:_LONGEST_QUERY]
    words = dict.fromkeys(index_words(_FILLERS.sub(" ", query)))
    telling = [word for word in words if word not in _STOP_WORDS and word not in _STOP_CHARACTERS]
    return (telling or list(dict.fromkeys(index_words(query))))[:_MOST_WORDS]


def telling_words(query: str) -> list[str]:
    """Return the words of which a tool that fits a query has at least one; none when the query is too short for that.

    Single characters, single letters and numbers are in texts about anything.
    """
    words = [word for word in query_words(query) if len(word) > 1 and not word.isdecimal()]
    return [word for word in words if word not in _STOP_WORDS and not _BETWEEN_WORDS.intersection(word)]


def named_tools(query: str) -> list[str]:
    """Return the parts of a query that could be names of tools."""
    return _NAME.findall(query[:_LONGEST_QUERY])


def _runs(text: str) -> Iterator[str]:
    for run in _RUN.findall(unicodedata.normalize("NFKC", text)):
        for part in _NAME_PARTS.split(run):
            yield part.casefold()[:_LONGEST_WORD] if not _is_unspaced(part) else part


def _windows(run: str) -> list[str]:
    if not _is_unspaced(run):
        return [run]
    return [run[at : at + 2] for at in range(len(run) - 1)] + list(run)


def _is_unspaced(run: str) -> bool:
    return re.match(f"[{_UNSPACED}]", run) is not None
