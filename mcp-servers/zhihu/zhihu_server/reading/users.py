"""Reads profiles with the newest answers or articles, from their pages."""

from __future__ import annotations

from typing import Any, Literal

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.calling.cursors import fit_items
from dyber_kit.upstream.values import first, line, number

from zhihu_server.model.answers import User
from zhihu_server.reading.common import Sources
from zhihu_server.texts import tr, tr_lazy

Tab = Literal["none", "answers", "articles"]

_SECONDS = 1800.0


class UserReader:
    """Answers the tool for users."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    async def get(self, user: str, tab: Tab, limit: int, account: str) -> User:
        """Return a profile. Raises ServiceError; INVALID_ARGUMENT for a user whose name privacy mode has hidden."""
        reference = self._sources.references.user(user)
        privacy = self._sources.privacy
        if privacy.enabled and reference.id.startswith("u_"):
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Privacy mode hides users, so their profiles cannot be found by these names"),
                fields=["user"],
            )
        account = self._sources.account(account)
        chosen = "" if tab == "none" else tab

        async def load() -> dict[str, Any]:
            raw, works = await self._sources.site.user(account, reference, chosen)
            return {"user": raw, "works": works}

        kept = await self._sources.kept("browser", f"user {reference.id} {tab} {account}", _SECONDS, load)
        raw, parser = kept.data["user"], self._sources.parser
        works = parser.works(kept.data["works"], tab)[:limit] if chosen else []
        fitting = fit_items(works, self._sources.max_list_chars)
        hidden = privacy.enabled
        badge = raw.get("badge")
        titles = [line(each.get("description"), 60) for each in badge or [] if isinstance(each, dict)]
        answer = User(
            **kept.frame,
            ref=f"user:{privacy.user_id(reference.id)}",
            name=parser.name(raw.get("name")),
            headline=None if hidden else line(raw.get("headline"), 200),
            description=None if hidden else line(raw.get("description"), 500),
            organization=bool(first(raw, "isOrg", "is_org")) or None,
            badge=next((title for title in titles if title), None),
            followers=number(first(raw, "followerCount", "follower_count")),
            following=number(first(raw, "followingCount", "following_count")),
            answers=number(first(raw, "answerCount", "answer_count")),
            articles=number(first(raw, "articlesCount", "articles_count")),
            votes=number(first(raw, "voteupCount", "voteup_count")),
            favorites=number(first(raw, "favoritedCount", "favorited_count")),
            location=parser.place(first(raw, "ipInfo", "ip_info")),
            url="" if hidden else self._sources.references.url(reference),
            items=fitting,
            count=len(fitting),
        )
        if chosen and len(works) < limit:
            total = answer.answers if tab == "answers" else answer.articles
            if total is None or total > len(works):
                answer.warnings.append(tr("The page shows only its first {count} entries", count=len(works)))
        return answer
