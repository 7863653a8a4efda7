"""Defines REST routes in the form of the first release, for callers that do not speak MCP."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from bilibili_server.reading.site import Site


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=50)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=1000)


def rest_routes(site: Site) -> list[RestRoute]:
    """Return the routes POST /search and /analyze."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search videos; `views` are their plays."""
        keyword = required(body.keyword, "关键词不能为空")
        result = await site.search(keyword, limit=body.limit, verbose=True)
        return [
            {
                "title": item.title,
                "url": item.url,
                "author": item.author,
                "likes": item.likes,
                "description": item.description or "",
                "views": item.views,
                "bvid": item.bvid,
            }
            for item in result.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Read one video; `url` is its link, id or share text."""
        video = await site.video(required(body.url, "视频URL不能为空"))
        return {
            "url": video.url,
            "title": video.title,
            "content": video.description,
            "tags": video.tags,
            "views": video.views,
            "likes": video.likes,
            "comments": video.comments_total,
            "shares": video.shares,
            "author": {"name": video.author.name, "followers": video.author.fans},
        }

    return [
        RestRoute("/search", "search_videos", search),
        RestRoute("/analyze", "analyze_video", analyze),
    ]
