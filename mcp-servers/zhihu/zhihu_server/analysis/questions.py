"""Computes figures about the answers of a question."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from zhihu_server.model.answers import Analysis, Counted, Spread, TopAnswer
from zhihu_server.model.references import Reference
from zhihu_server.reading.common import Sources
from zhihu_server.reading.parse import day, first, line, number, when
from zhihu_server.reading.questions import QuestionReader
from zhihu_server.texts import tr

_TOP_ANSWERS, _TOP_WORDS = 10, 20
_SMALL_SAMPLE = 10
# Nouns, names, verbs used as nouns, adjectives, idioms and Latin words carry the content.
_KEPT_TAGS = ("n", "vn", "a", "i", "l", "j", "eng")
_WORD = re.compile(r"[\u4e00-\u9fff]{2,8}|[A-Za-z][A-Za-z0-9+.#-]{1,20}")
_NOISE = re.compile(r"https?://\S+|\[[^\[\]\s]{1,8}\]|@\S+")
_STOP_WORDS = frozenset(
    "一个 没有 我们 你们 他们 自己 这个 那个 什么 怎么 可以 真的 感觉 时候 东西 大家 问题 情况 地方 时间 方面 今天 现在 非常 "
    "特别 一般 还是 不是 就是 觉得 很多 一些 这种 那种 题主 答主 回答 知乎 谢邀 更新 利益 相关 评论 点赞 收藏 关注 图片 链接".split()
)


class Analyzer:
    """Answers the tool for figures about questions.

    Args:
        sources: Parses what was read.
        questions: Reads the page of a question; an analysis needs one.
    """

    def __init__(self, sources: Sources, questions: QuestionReader) -> None:
        self._sources = sources
        self._questions = questions

    async def analyze(self, question: str, sample: int, account: str) -> Analysis:
        """Return figures about up to `sample` answers of a question. Raises ServiceError."""
        reference = self._sources.references.question(question)
        kept = await self._questions.raw(account, reference, sample)
        raw, entries = kept.data["question"], kept.data["items"][:sample]
        parser = self._sources.parser
        texts = [parser.text(first(entry, "content", "excerpt")).text for entry in entries]
        votes = [number(first(entry, "voteupCount", "voteup_count")) for entry in entries]
        authors = [parser.author(entry) for entry in entries]
        years = Counter((day(first(entry, "createdTime", "created_time")) or "?")[:4] for entry in entries)
        title = line(raw.get("title"), 300)
        total = number(first(raw, "answerCount", "answer_count"))
        known = sorted((count for count in votes if count is not None), reverse=True)
        ranked = sorted(range(len(entries)), key=lambda index: -(votes[index] or 0))[:_TOP_ANSWERS]
        answer = Analysis(
            **kept.frame,
            ref=reference.ref,
            title=title,
            answers_total=total,
            followers=number(first(raw, "followerCount", "follower_count")),
            views=number(first(raw, "visitCount", "visit_count")),
            created_at=when(first(raw, "created", "created_time")),
            n=len(entries),
            votes=spread(votes),
            comments=spread(number(first(entry, "commentCount", "comment_count")) for entry in entries),
            chars=spread(len(text) for text in texts),
            by_year=dict(sorted(years.items())),
            anonymous=sum(ref is None for _, ref, _ in authors),
            top_share=round(sum(known[:3]) / sum(known), 2) if sum(known) and len(known) > 3 else None,
            top_answers=[
                TopAnswer(
                    ref=Reference("answer", str(entries[index]["id"])).ref,
                    author=authors[index][0],
                    votes=votes[index],
                    chars=len(texts[index]),
                )
                for index in ranked
            ],
            top_words=top_words(texts, title or ""),
        )
        if total is None or total > len(entries):
            answer.warnings.append(
                tr(
                    "Only {count} answers that the site shows first were read; figures are about these",
                    count=len(entries),
                )
            )
        if len(entries) < _SMALL_SAMPLE:
            answer.warnings.append(tr("There are few answers, so that the figures say little"))
        return answer


def spread(values: Iterable[int | None]) -> Spread | None:
    """Return median, 90th percentile by nearest rank and maximum of the known values; None without any."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    rank = -int(-0.9 * len(known) // 1)
    return Spread(n=len(known), median=statistics.median(known), p90=known[max(rank, 1) - 1], max=known[-1])


def top_words(texts: Sequence[str], title: str) -> list[Counted]:
    """Return the words that most texts have; each text counts once, and words of the title are left out."""
    asked = _words(title)
    counted = Counter(word for text in texts for word in _words(text) - asked)
    least = 2 if len(texts) >= 3 else 1
    ranked = sorted(counted.items(), key=lambda entry: (-entry[1], entry[0]))
    return [Counted(name=word, count=count) for word, count in ranked[:_TOP_WORDS] if count >= least]


def _words(text: str) -> set[str]:
    import rjieba  # Imported at the first analysis, because its dictionary takes 40 MiB.

    return {
        word.lower() if word.isascii() else word
        for word, tag in rjieba.tag(_NOISE.sub(" ", text))
        if tag.startswith(_KEPT_TAGS) and _WORD.fullmatch(word) and word not in _STOP_WORDS
    }
