"""Reads which repositories are popular: from GitHub's page, as the API does not have them, else by a search."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Literal

from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.upstream.api.client import ApiClient
from dyber_kit.upstream.api.requests import ApiLimits
from dyber_kit.upstream.text import parse_count
from selectolax.lexbor import LexborHTMLParser, LexborNode

from github_server.config import GitHubSettings
from github_server.model.answers import RepositoryItem, Trending
from github_server.reading.api import GitHub, Listing, now
from github_server.reading.repositories import repository_items
from github_server.reading.texts import line
from github_server.translations import tr

Since = Literal["daily", "weekly", "monthly"]
_SECONDS = 300.0
# The search that takes the page's place looks for repositories of the last days.
_DAYS: dict[Since, int] = {"daily": 7, "weekly": 30, "monthly": 90}
_IN_PERIOD = re.compile(r"([\d,.]+[km]?)\s+stars?\s+(?:today|this)", re.IGNORECASE)
_REPLACED = {
    ErrorCode.UPSTREAM_CHANGED, ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.NOT_FOUND, ErrorCode.RATE_LIMITED,
    ErrorCode.ACCESS_RESTRICTED, ErrorCode.LOGIN_REQUIRED, ErrorCode.NOT_CONFIGURED, ErrorCode.INVALID_ARGUMENT,
}  # fmt: skip


class TrendingReader:
    """Returns the repositories that are popular at present.

    Args:
        github: Asks the API.
        settings: Where the site is.
        metrics: Where requests are counted.
    """

    def __init__(self, github: GitHub, settings: GitHubSettings, metrics: Metrics) -> None:
        self._github = github
        self._site = ApiClient(
            settings.web_url,
            name="github-site",
            headers={"Accept": "text/html", "User-Agent": "dyber-github-mcp"},
            limits=ApiLimits(in_flight=1, total_seconds=15, attempts=2),
            allowed_hosts=settings.allowed_addresses,
            proxy=settings.proxy,
            certificates=settings.certificates,
            metrics=metrics,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._site.close()

    async def read(self, language: str, since: Since, limit: int) -> Trending:
        """Return popular repositories, of one language or of all.

        Raises:
            ServiceError: GitHub's refusal of the search, when the page could not be read either.
        """
        slug = language.strip().lower().replace(" ", "-")

        async def load() -> Trending:
            try:
                items = await self._page(slug, since)
            except ServiceError as error:
                if error.code not in _REPLACED:
                    raise
                return await self._search(slug, since, error.code)
            warnings = []
            if not items:
                warnings = [
                    tr(
                        "GitHub's page says that nothing is trending now; check how the language is written, such as "
                        "c++ or jupyter-notebook"
                    )
                ]
            return Trending(
                items=items, count=len(items), since=since, source="web", warnings=warnings, fetched_at=now()
            )

        trending = await self._github.cached(Trending, f"{slug} {since}", _SECONDS, load)
        items = trending.items[:limit]
        return trending.model_copy(update={"items": items, "count": len(items)})

    async def _page(self, slug: str, since: Since) -> list[RepositoryItem]:
        path, values = ("/trending/{language}", {"language": slug}) if slug else ("/trending", {})
        answer = await self._site.get(path, values, params={"since": since})
        return trending_items(answer.text)

    async def _search(self, slug: str, since: Since, reason: ErrorCode) -> Trending:
        days = _DAYS[since]
        first = (datetime.now(UTC) - timedelta(days=days)).date()
        query = f"created:>{first}" + (f' language:"{slug}"' if slug else "")
        params = {"q": query, "sort": "stars", "order": "desc"}
        listing = Listing("trending", "/search/repositories", params=params, items_at="items")
        page = await self._github.page(listing, 25, "", lambda raw: repository_items(raw, False))
        return Trending(
            items=page.items,
            count=len(page.items),
            since=since,
            warnings=[
                tr(
                    "This is not the trending list: its page could not be read ({reason}). These are the repositories "
                    "of the last {days} days with the most stars",
                    reason=reason,
                    days=days,
                )
            ],
            fetched_at=now(),
        )


def trending_items(page: str) -> list[RepositoryItem]:
    """Return the repositories of the page, in its order.

    Raises:
        ServiceError: UPSTREAM_CHANGED when the page has neither repositories nor says that there are none.
    """
    tree = LexborHTMLParser(page)
    rows = tree.css("article.Box-row")
    items = [item for row in rows if (item := _item(row))]
    if not items and (rows or tree.css_first(".blankslate") is None):
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED)
    return items


def _item(row: LexborNode) -> RepositoryItem | None:
    link = row.css_first("h2 a")
    name = (link.attributes.get("href") or "").strip("/") if link else ""
    if name.count("/") != 1:
        return None
    stars = parse_count(_text(row, "a[href$='/stargazers']"))
    in_period = _IN_PERIOD.search(" ".join(row.text(separator=" ").split()))
    gained = parse_count(in_period[1]) if in_period else None
    return RepositoryItem(
        repo=name,
        description=line(_text(row, "p"), 200),
        stars=stars.value if stars else None,
        language=_text(row, "[itemprop=programmingLanguage]"),
        stars_in_period=gained.value if gained else None,
    )


def _text(row: LexborNode, selector: str) -> str | None:
    node = row.css_first(selector)
    return line(node.text()) if node else None
