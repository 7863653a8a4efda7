"""Turns the raw data of the official API and of pages into items of answers.

Pages have two spellings of each field, that of their state (`voteupCount`) and that of their calls (`voteup_count`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from dyber_kit.upstream.privacy import Privacy
from dyber_kit.upstream.text import CleanText, clean_text, parse_time
from dyber_kit.upstream.values import Json, as_object, day, first, line, moment, number

from zhihu_server.model.answers import AnswerItem, CommentItem, HotItem, ReplyItem, SearchItem, UserItem
from zhihu_server.model.references import Reference, References

EXCERPT_CHARS = 160
_NAME_CHARS, _TITLE_CHARS, _COMMENT_CHARS = 60, 200, 800
# What the site calls the author of an answer without a name.
_ANONYMOUS = {"匿名用户", "知乎用户"}
_HEAT = re.compile(r"\s*热度\s*$")


class Parser:
    """Reads raw data; it hides users in privacy mode.

    Args:
        references: Finds what links lead to.
        privacy: Hides users.
    """

    def __init__(self, references: References, privacy: Privacy) -> None:
        self._references = references
        self._privacy = privacy

    def hot(self, entries: list[Json], verbose: bool) -> list[HotItem]:
        """Return entries of the hot list, from the official API, a page's state or a page's call."""
        items = []
        for rank, entry in enumerate(entries, 1):
            target = as_object(entry.get("target"))
            title = line(first(entry, "Title") or area(target, "titleArea") or first(target, "title"), _TITLE_CHARS)
            link = area(target, "linkArea", "link", key="url") or first(entry, "Url") or first(target, "url")
            reference = self._references.find(str(link)) if link else None
            if not title:
                continue
            heat = area(target, "metricsArea") or first(entry, "detail_text", "detailText")
            excerpt = first(entry, "Summary") or area(target, "excerptArea") or first(target, "excerpt")
            items.append(
                HotItem(
                    rank=rank,
                    ref=reference.ref if reference else None,
                    title=title,
                    heat=number(_HEAT.sub("", heat)) if isinstance(heat, str) else None,
                    excerpt=line(excerpt, EXCERPT_CHARS),
                    answers=number(first(target, "answer_count", "answerCount")) if verbose else None,
                    url=(self._references.url(reference) if reference else _safe(link)) if verbose else None,
                )
            )
        return items

    def official_results(self, entries: list[Json], *, web: bool, verbose: bool) -> list[SearchItem]:
        """Return results of the official search."""
        items = []
        for entry in entries:
            link = _safe(entry.get("Url"))
            reference = self._references.find(link) if link else None
            shown = entry.get("CommentInfoList")
            texts = [line(each.get("Content"), 200) for each in shown or [] if isinstance(each, dict)]
            items.append(
                SearchItem(
                    ref=reference.ref if reference else None,
                    title=line(entry.get("Title"), _TITLE_CHARS) or "",
                    excerpt=line(entry.get("ContentText"), EXCERPT_CHARS if not verbose else 600),
                    author=self.name(entry.get("AuthorName")),
                    votes=number(entry.get("VoteUpCount")),
                    comments=number(entry.get("CommentCount")),
                    date=day(entry.get("EditTime")),
                    site=urlsplit(link).hostname if web and link and not reference else None,
                    url=link if verbose or (web and reference is None) else None,
                    badge=line(entry.get("AuthorBadgeText"), _NAME_CHARS) if verbose else None,
                    authority=number(entry.get("AuthorityLevel")) if verbose else None,
                    featured_comments=[text for text in texts if text] if verbose else None,
                )
            )
        return items

    def page_results(self, entries: list[Json], verbose: bool) -> list[SearchItem]:
        """Return results of the search page."""
        items = []
        for entry in entries:
            content = entry["object"]
            question = first(content, "question") or {}
            named = question.get("name") or question.get("title") if isinstance(question, dict) else None
            title = line(first(content, "title") or named, _TITLE_CHARS)
            identity = content.get("id")
            if identity is None or not title:
                continue
            asked = str(question["id"]) if isinstance(question, dict) and question.get("id") else ""
            reference = Reference(content["type"], str(identity), asked)
            author = self.author(content)
            items.append(
                SearchItem(
                    ref=reference.ref,
                    title=title,
                    excerpt=line(first(content, "excerpt", "content"), EXCERPT_CHARS if not verbose else 600),
                    author=author[0],
                    votes=number(first(content, "voteup_count", "voteupCount")),
                    comments=number(first(content, "comment_count", "commentCount")),
                    date=day(first(content, "created_time", "createdTime", "created")),
                    url=self._references.url(reference) if verbose else None,
                    question_ref=f"question:{asked}" if verbose and asked else None,
                    author_ref=author[1] if verbose else None,
                )
            )
        return items

    def official_answers(self, entries: list[Json], question: Reference, verbose: bool) -> list[AnswerItem]:
        """Return the excerpts of answers that the official API has."""
        items = []
        for entry in entries:
            linked = self._references.find(str(entry.get("Url")))
            token = entry.get("ContentToken") or (linked.id if linked and linked.kind == "answer" else None)
            if not token:
                continue
            reference = Reference("answer", str(token), question.id)
            items.append(
                AnswerItem(
                    ref=reference.ref,
                    author=self.name(entry.get("AuthorName")),
                    text=clean_text(entry.get("Summary"), 2000).text or None,
                    votes=number(entry.get("VoteUpCount")),
                    comments=number(entry.get("CommentCount")),
                    url=self._references.url(reference) if verbose else None,
                )
            )
        return items

    def answers(self, entries: list[Json], question: Reference, max_chars: int, verbose: bool) -> list[AnswerItem]:
        """Return answers of a question's page, each cut after `max_chars`."""
        items = []
        for entry in entries:
            reference = Reference("answer", str(entry["id"]), question.id)
            text = self.text(first(entry, "content", "excerpt"), max_chars)
            name, author_ref, headline = self.author(entry)
            items.append(
                AnswerItem(
                    ref=reference.ref,
                    author=name,
                    text=text.text or None,
                    truncated=text.truncated,
                    votes=number(first(entry, "voteupCount", "voteup_count")),
                    comments=number(first(entry, "commentCount", "comment_count")),
                    date=day(first(entry, "createdTime", "created_time")),
                    headline=headline if verbose else None,
                    author_ref=author_ref if verbose else None,
                    updated_at=moment(first(entry, "updatedTime", "updated_time")) if verbose else None,
                    url=self._references.url(reference) if verbose else None,
                )
            )
        return items

    def comments(self, entries: list[Json]) -> list[CommentItem]:
        """Return comments, each with the replies that came with it."""
        items = []
        for entry in entries:
            tags = entry.get("comment_tag")
            places = [tag.get("text") for tag in tags or [] if isinstance(tag, dict) and tag.get("type") == "ip_info"]
            writers = [tag for tag in entry.get("author_tag") or [] if isinstance(tag, dict)]
            replies = [reply for reply in entry.get("child_comments") or [] if isinstance(reply, dict)]
            items.append(
                CommentItem(
                    author=self.name(_person(entry).get("name")),
                    text=clean_text(entry.get("content"), _COMMENT_CHARS).text,
                    likes=number(first(entry, "like_count", "vote_count")),
                    replies=number(entry.get("child_comment_count")) or None,
                    date=moment(entry.get("created_time")),
                    location=self.place(places[0]) if places else None,
                    by_author=any(tag.get("type") == "content_author" for tag in writers),
                    shown=[
                        ReplyItem(
                            author=self.name(_person(reply).get("name")),
                            text=clean_text(reply.get("content"), _COMMENT_CHARS).text,
                            likes=number(first(reply, "like_count", "vote_count")),
                        )
                        for reply in replies
                    ],
                )
            )
        return items

    def works(self, entries: list[Json], kind: str) -> list[UserItem]:
        """Return answers or articles of a user, the newest first."""
        dated = sorted(entries, key=lambda entry: -_seconds(first(entry, "createdTime", "created_time", "created")))
        items = []
        for entry in dated:
            question = as_object(entry.get("question"))
            items.append(
                UserItem(
                    ref=Reference("answer" if kind == "answers" else "article", str(entry["id"])).ref,
                    title=line(first(entry, "title") or first(question, "title", "name"), _TITLE_CHARS),
                    excerpt=line(first(entry, "excerpt", "content"), EXCERPT_CHARS),
                    votes=number(first(entry, "voteupCount", "voteup_count")),
                    comments=number(first(entry, "commentCount", "comment_count")),
                    date=day(first(entry, "createdTime", "created_time", "created")),
                )
            )
        return items

    def author(self, entry: Json) -> tuple[str | None, str | None, str | None]:
        """Return the name, the ref and the headline of an author; an anonymous one has no ref."""
        author = as_object(entry.get("author"))
        name = line(author.get("name"), _NAME_CHARS)
        token = first(author, "urlToken", "url_token")
        if not token or name in _ANONYMOUS:
            return self._privacy.nickname(name), None, None
        headline = None if self._privacy.enabled else line(author.get("headline"), 100)
        return self._privacy.nickname(name), f"user:{self._privacy.user_id(str(token))}", headline

    def name(self, value: Any) -> str | None:
        """Return the name of a user."""
        return self._privacy.nickname(line(value, _NAME_CHARS))

    def place(self, value: Any) -> str | None:
        """Return where a text was written; None in privacy mode."""
        shown = line(value, 30)
        return None if self._privacy.enabled or not shown else shown.removeprefix("IP 属地")

    def text(self, value: Any, max_chars: int | None = None) -> CleanText:
        """Return a text of the site without markup."""
        return clean_text(value, max_chars)


def area(target: Json, *names: str, key: str = "text") -> Any:
    """Return the text of an area of the hot list, such as `titleArea`."""
    for name in names:
        value = target.get(name)
        if isinstance(value, dict) and value.get(key):
            return value[key]
    return None


def _person(entry: Json) -> Json:
    """Return the author of a comment; the older form of the call has the user in `member`."""
    author = as_object(entry.get("author"))
    return as_object(author.get("member")) or author


def _safe(link: Any) -> str | None:
    """Return a link when it is one of the web."""
    return link if isinstance(link, str) and re.match(r"https?://[^\s<>\"]+$", link) and len(link) <= 1000 else None


def _seconds(value: Any) -> float:
    time = parse_time(value, datetime.now(UTC))
    return time.timestamp() if time else 0.0
