"""Finds the characteristic words in a set of short Chinese texts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Nouns and names, verbs used as nouns, adjectives, idioms, Latin words: the words that carry the content.
_KEPT_TAGS = ("n", "vn", "an", "a", "i", "l", "j", "eng")
_STOP_WORDS = frozenset(
    """一个 没有 我们 你们 他们 自己 这个 那个 什么 怎么 可以 真的 感觉 时候 东西 有点 大家 朋友 姐妹 宝子 宝宝 家人
    笔记 话题 小红书 分享 推荐 今天 最近 现在 时间 方面 问题 情况 地方 视频 图片 点赞 收藏 评论 关注
    好看 好吃 好用 超级 非常 特别 一般 还是 不是 就是 觉得 喜欢 合集 博主 内容 同款 链接 哈哈 哈哈哈 谢谢 请问 一定
    一起""".split()
)
_NOISE = re.compile(r"https?://\S+|\[[^\[\]\s]{1,8}\]|@\S+")
_WORD = re.compile(r"[\u4e00-\u9fff]{2,8}|[A-Za-z][A-Za-z0-9+.-]{1,20}")


@dataclass(frozen=True)
class Keyword:
    """Holds a word, the number of texts with it (`df`), and its weight.

    The weight is the mean over all texts of n/(n+1), where n is how often the word occurs in the text.
    """

    word: str
    weight: float
    df: int


def keywords(texts: Sequence[str], most: int, leave_out: Iterable[str] = (), least_df: int = 2) -> list[Keyword]:
    """Return the words with the largest weights, largest first.

    Words are ranked within the texts alone, without a corpus that shows how rare a word is in general; words without
    content are therefore left out by part of speech and by a list.

    Args:
        texts: The texts of notes or comments.
        most: Most words to return.
        leave_out: Texts whose words are left out, such as the query.
        least_df: Least number of texts with a word; with fewer than three texts it is 1.
    """
    excluded = {word.casefold() for text in leave_out for word in [text, *words(text)]}
    documents: dict[str, int] = defaultdict(int)
    weights: dict[str, float] = defaultdict(float)
    for text in texts:
        for word, count in Counter(words(text)).items():
            if word.casefold() not in excluded:
                documents[word] += 1
                weights[word] += count / (count + 1)
    least = least_df if len(texts) >= 3 else 1
    ranked = [Keyword(word, round(weights[word] / len(texts), 3), df) for word, df in documents.items() if df >= least]
    return sorted(ranked, key=lambda entry: (-entry.weight, -entry.df, entry.word))[:most]


def words(text: str) -> list[str]:
    """Return the words of a text that carry its content, in order."""
    import rjieba  # Imported at the first analysis, because its dictionary takes 40 MiB.

    cleaned = _NOISE.sub(" ", text)
    return [
        word.lower() if word.isascii() else word
        for word, tag in rjieba.tag(cleaned)
        if tag.startswith(_KEPT_TAGS) and _WORD.fullmatch(word) and word not in _STOP_WORDS
    ]
