"""Defines REST routes in the form of the first release, for callers that do not speak MCP."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from github_server.analysis import Analyzer
from github_server.reading.repositories import RepositoryReader
from github_server.translations import tr


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=256)
    limit: int = Field(10, ge=1, le=50)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=1000)


def rest_routes(repositories: RepositoryReader, analyzer: Analyzer) -> list[RestRoute]:
    """Return the routes POST /search and /analyze."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search repositories; `likes` are their stars."""
        keyword = required(body.keyword, tr("keyword must not be empty"))
        result = await repositories.search(keyword, "best_match", body.limit, "", True)
        return [
            {
                "title": item.repo,
                "url": item.url,
                "author": item.repo.partition("/")[0],
                "likes": item.stars,
                "description": item.description or "",
            }
            for item in result.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Compute figures about a repository; `url` is its link, or owner/name."""
        result = await analyzer.analyze(required(body.url, tr("The repository's URL must not be empty")), 100)
        return result.model_dump(mode="json")

    return [
        RestRoute("/search", "search_repositories", search),
        RestRoute("/analyze", "analyze_repository", analyze),
    ]
