"""Defines REST routes in the form of the first release, for callers that do not speak MCP."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from douyin_server.model.filters import SearchFilters
from douyin_server.reading.site import Site


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=40)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=2000)


def rest_routes(site: Site) -> list[RestRoute]:
    """Return the routes POST /search and /analyze."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search videos; `title` and `description` are the start of the video's text, as it has no title."""
        result = await site.search(required(body.keyword, "关键词不能为空"), SearchFilters(), body.limit)
        return [
            {
                "title": item.text,
                "url": item.url,
                "author": item.author,
                "likes": item.likes,
                "description": item.text,
                "video_id": item.video_id,
            }
            for item in result.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Read one video; `url` is its link, or a share text. `followers` is null, because the video has no number."""
        video = await site.video(required(body.url, "视频URL不能为空"))
        return {
            "url": video.url,
            "title": video.text.partition("\n")[0],
            "content": video.text,
            "tags": video.tags,
            "likes": video.likes,
            "comments": video.comments_total,
            "shares": video.shares,
            "author": {"name": video.author.name, "followers": None},
        }

    return [
        RestRoute("/search", "search_videos", search),
        RestRoute("/analyze", "analyze_video", analyze),
    ]
