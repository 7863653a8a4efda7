"""Defines the three REST routes of the first release."""

from __future__ import annotations

from typing import Any

from dyber_kit import RestRoute, required
from pydantic import BaseModel, Field

from xiaohongshu_server.model.filters import SearchFilters
from xiaohongshu_server.reading.site import Site
from xiaohongshu_server.texts import tr


class SearchBody(BaseModel):
    """Describes the body of POST /search."""

    keyword: str = Field("", max_length=100)
    limit: int = Field(10, ge=1, le=40)


class AnalyzeBody(BaseModel):
    """Describes the body of POST /analyze."""

    url: str = Field("", max_length=1000)


class CommentsBody(BaseModel):
    """Describes the body of POST /comments."""

    url: str = Field("", max_length=1000)
    limit: int = Field(50, ge=1, le=100)


def rest_routes(site: Site) -> list[RestRoute]:
    """Return the routes POST /search, /analyze and /comments."""

    async def search(body: SearchBody) -> list[dict[str, Any]]:
        """Search notes; `description` is empty, because the site's list of results has no text."""
        result = await site.search(required(body.keyword, tr("keyword must not be empty")), SearchFilters(), body.limit)
        return [
            {
                "title": item.title,
                "url": item.url,
                "author": item.author,
                "likes": item.likes,
                "description": "",
                "note_ref": item.note_ref,
            }
            for item in result.items
        ]

    async def analyze(body: AnalyzeBody) -> dict[str, Any]:
        """Read one note; `followers` is null, because the note page does not show it."""
        url = required(body.url, tr("url of a note must not be empty"))
        note = await site.note(url)
        return {
            "url": note.url,
            "title": note.title,
            "content": note.content,
            "tags": note.tags,
            "likes": note.likes,
            "comments": note.comments_total,
            "shares": note.shares,
            "author": {"name": note.author.name, "followers": None},
        }

    async def comments(body: CommentsBody) -> list[dict[str, Any]]:
        """Read the comments of one note; `time` is the day, in China's time."""
        url = required(body.url, tr("url of a note must not be empty"))
        result = await site.comments(url, body.limit)
        return [
            {
                "author": comment.author,
                "content": comment.content,
                "likes": comment.likes,
                "time": (comment.date or "")[:10],
            }
            for comment in result.items
        ]

    return [
        RestRoute("/search", "search_notes", search),
        RestRoute("/analyze", "analyze_note", analyze),
        RestRoute("/comments", "get_comments", comments),
    ]
