"""Finds the words that carry the content of short Chinese texts.

A service that uses it needs the package `rjieba`.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from dyber_kit.analysis.figures import Counted, most_frequent

# Nouns and names, verbs used as nouns, adjectives, idioms, Latin words: the words that carry the content.
_KEPT_TAGS = ("n", "vn", "an", "a", "i", "l", "j", "eng")
# Words with such a tag that say nothing, and words of the buttons of platforms.
_STOP_WORDS = frozenset(
    """一个 没有 我们 你们 他们 自己 这个 那个 什么 怎么 可以 真的 感觉 时候 东西 大家 朋友 今天 最近 现在 时间 问题
    情况 地方 方面 非常 特别 超级 一般 还是 不是 就是 觉得 喜欢 哈哈 哈哈哈 谢谢 请问 一定 一起 已经 因为 所以 但是
    很多 一些 这种 那种 视频 图片 内容 链接 话题 分享 推荐 转发 点赞 收藏 评论 关注""".split()
)
_NOISE = re.compile(r"https?://\S+|\[[^\[\]\s]{1,8}\]|@[\w\u00b7-]+")
_WORD = re.compile(r"[\u4e00-\u9fff]{2,8}|[A-Za-z][A-Za-z0-9+.#-]{1,20}")
# With fewer texts than this, words of a single text count too.
_FEW_TEXTS = 3


@dataclass(frozen=True)
class Keyword:
    """Holds a word, the number of texts with it (`df`), and its weight.

    The weight is the mean over all texts of n/(n+1), where n is how often the word occurs in the text.
    """

    word: str
    weight: float
    df: int


def content_words(text: str, stop_words: Collection[str] = ()) -> list[str]:
    """Return the words of a text that carry its content, in order; `stop_words` are those of the platform."""
    import rjieba  # Imported at the first analysis, because its dictionary takes 40 MiB.

    return [
        word.lower() if word.isascii() else word
        for word, tag in rjieba.tag(_NOISE.sub(" ", text))
        if tag.startswith(_KEPT_TAGS) and _WORD.fullmatch(word) and word not in _STOP_WORDS and word not in stop_words
    ]


def common_words(
    texts: Sequence[str], most: int, *, leave_out: Iterable[str] = (), stop_words: Collection[str] = ()
) -> list[Counted]:
    """Return the words that most texts have; each text counts once.

    Args:
        texts: The texts.
        most: Most words to return.
        leave_out: Texts whose words are left out, such as the query.
        stop_words: The platform's words without content.
    """
    excluded = _excluded(leave_out)
    of_each = [dict.fromkeys(content_words(text, stop_words)) for text in texts]
    words = (word for words in of_each for word in words if word.casefold() not in excluded)
    return most_frequent(words, most, _least(texts))


def keywords(
    texts: Sequence[str], most: int, *, leave_out: Iterable[str] = (), stop_words: Collection[str] = ()
) -> list[Keyword]:
    """Return the words with the largest weights, largest first; the arguments are those of `common_words`.

    Words are ranked within the texts alone, without a corpus that shows how rare a word is in general; words without
    content are therefore left out by part of speech and by lists.
    """
    excluded = _excluded(leave_out)
    documents: dict[str, int] = defaultdict(int)
    weights: dict[str, float] = defaultdict(float)
    for text in texts:
        for word, count in Counter(content_words(text, stop_words)).items():
            if word.casefold() not in excluded:
                documents[word] += 1
                weights[word] += count / (count + 1)
    least = _least(texts)
    ranked = [Keyword(word, round(weights[word] / len(texts), 3), df) for word, df in documents.items() if df >= least]
    return sorted(ranked, key=lambda entry: (-entry.weight, -entry.df, entry.word))[:most]


def _excluded(texts: Iterable[str]) -> set[str]:
    return {word.casefold() for text in texts for word in [text, *content_words(text)]}


def _least(texts: Sequence[str]) -> int:
    """Return how many texts must have a word."""
    return 2 if len(texts) >= _FEW_TEXTS else 1
