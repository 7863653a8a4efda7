"""Defines REST routes in the form of the first release, for callers that do not speak MCP."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from weibo_server.reading.lists import ListReader
from weibo_server.reading.posts import PostReader


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=50)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=1000)


def rest_routes(lists: ListReader, posts: PostReader) -> list[RestRoute]:
    """Return the routes POST /search and /analyze."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search posts; posts have no titles, so `title` is the beginning of the text."""
        result = await lists.search(required(body.keyword, "关键词不能为空"), "general", body.limit, "", True)
        return [
            {
                "title": item.text[:40],
                "url": item.url,
                "author": item.author,
                "likes": item.likes,
                "description": item.text,
            }
            for item in result.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Read one post; `followers` is null, because the post does not show it."""
        post = await posts.post(required(body.url, "微博URL不能为空"), 0, 20_000, True)
        return {
            "url": post.url,
            "title": post.text[:40],
            "content": post.text,
            "tags": post.tags,
            "likes": post.likes,
            "comments": post.comments_total,
            "shares": post.reposts,
            "author": {"name": post.author, "followers": None},
        }

    return [
        RestRoute("/search", "search_posts", search),
        RestRoute("/analyze", "analyze_post", analyze),
    ]
