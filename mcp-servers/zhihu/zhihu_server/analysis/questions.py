"""Computes figures about the answers of a question."""

from __future__ import annotations

from collections import Counter

from dyber_kit.analysis.figures import spread
from dyber_kit.analysis.words import common_words
from dyber_kit.upstream.values import day, first, line, moment, number

from zhihu_server.model.answers import Analysis, TopAnswer
from zhihu_server.model.references import Reference
from zhihu_server.reading.common import Sources
from zhihu_server.reading.questions import QuestionReader
from zhihu_server.texts import tr

_TOP_ANSWERS, _TOP_WORDS = 10, 20
_SMALL_SAMPLE = 10
_STOP_WORDS = frozenset("题主 答主 回答 知乎 谢邀 更新 利益 相关".split())


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
            created_at=moment(first(raw, "created", "created_time")),
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
            top_words=common_words(texts, _TOP_WORDS, leave_out=[title or ""], stop_words=_STOP_WORDS),
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
