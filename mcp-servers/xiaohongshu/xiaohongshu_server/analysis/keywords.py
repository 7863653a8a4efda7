"""Words that stand out in a set of short Chinese texts."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# Nouns and names, verbs used as nouns, adjectives, idioms, Latin words: what a text is about.
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
    """A word, the number of texts with it (`df`), and its weight: the mean over all texts of n/(n+1), n times in it."""

    word: str
    weight: float
    df: int


def keywords(texts: Sequence[str], most: int, leave_out: Iterable[str] = (), least_df: int = 2) -> list[Keyword]:
    """The words that most texts speak of, best first.

    Ranked within the texts alone: there is no corpus that would say how rare a word is in general, so words of no
    content are left out by part of speech and by a list.

    Args:
        texts: One per note or comment.
        most: Most words to return.
        leave_out: Texts whose words are no news, such as the query.
        least_df: Leave out words of fewer texts; of fewer than three texts, every word counts.
    """
    excluded = {word.casefold() for text in leave_out for word in [text, *words(text)]}
    documents: dict[str, int] = defaultdict(int)
    weights: dict[str, float] = defaultdict(float)
    for text in texts:
        for word, count in Counter(words(text)).items():
            if word.casefold() not in excluded:
                documents[word] += 1
                weights[word] += count / (count + 1)
    enough = least_df if len(texts) >= 3 else 1
    found = [Keyword(word, round(weights[word] / len(texts), 3), df) for word, df in documents.items() if df >= enough]
    return sorted(found, key=lambda entry: (-entry.weight, -entry.df, entry.word))[:most]


def words(text: str) -> list[str]:
    """The words of content in a text, in order."""
    import rjieba  # Its dictionary takes 40 MiB: only for those who analyse.

    cleaned = _NOISE.sub(" ", text)
    return [
        word.lower() if word.isascii() else word
        for word, tag in rjieba.tag(cleaned)
        if tag.startswith(_KEPT_TAGS) and _WORD.fullmatch(word) and word not in _STOP_WORDS
    ]
