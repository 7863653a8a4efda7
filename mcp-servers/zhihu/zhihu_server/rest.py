"""Defines REST routes in the form of the first release, for callers that do not speak MCP."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from zhihu_server.analysis.questions import Analyzer
from zhihu_server.model.references import References
from zhihu_server.reading.contents import ContentReader
from zhihu_server.reading.lists import ListReader
from zhihu_server.texts import tr


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=30)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=1000)


def rest_routes(
    references: References, lists: ListReader, contents: ContentReader, analyzer: Analyzer
) -> list[RestRoute]:
    """Return the routes POST /search and /analyze."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search answers and articles; `likes` are their votes."""
        keyword = required(body.keyword, tr("The keyword must not be empty"))
        answer = await lists.search(keyword, "zhihu", "all", "default", "any", body.limit, "", "auto", True, "")
        return [
            {
                "title": item.title,
                "url": item.url,
                "author": item.author,
                "likes": item.votes,
                "description": item.excerpt or "",
            }
            for item in answer.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Read an answer or article, or compute figures about a question; `url` is its link."""
        url = required(body.url, tr("The URL must not be empty"))
        reference = references.find(url)
        if reference is not None and reference.kind == "question":
            return (await analyzer.analyze(url, 20, "")).model_dump(mode="json")
        content = await contents.get(url, 0, 10_000, "", "")
        return {
            "url": content.url,
            "title": content.title,
            "content": content.text,
            "complete": content.next_cursor is None,
            "likes": content.votes,
            "comments": content.comments_total,
            "author": {"name": content.author, "followers": None},
            "source": content.source,
            "fetched_at": content.fetched_at,
        }

    return [
        RestRoute("/search", "search_content", search),
        RestRoute("/analyze", "analyze_content", analyze),
    ]
