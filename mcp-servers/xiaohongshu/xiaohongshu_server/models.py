"""What the tools return."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Author(BaseModel):
    """Who wrote a note or a comment."""

    name: str
    user_id: str | None = None


class NoteSummary(BaseModel):
    """One search result."""

    note_ref: str = Field(description="Pass this to xhs_get_note and xhs_get_comments")
    url: str
    title: str
    type: Literal["image", "video"]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = Field(default=[], description="Counts shown as '10万+': the true value is at least this")
    published_at: str | None = Field(None, description="ISO 8601, UTC")
    time_estimated: bool = Field(False, description="True when published_at is derived from the note id")


class SearchResult(BaseModel):
    """Notes found for a keyword."""

    keyword: str
    items: list[NoteSummary]
    count: int
    complete: bool = Field(description="False when the site had more or stopped loading before the limit")
    source: Literal["browser"] = "browser"
    fetched_at: str


class Reply(BaseModel):
    """A reply to a comment."""

    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None


class Comment(BaseModel):
    """A comment on a note."""

    comment_id: str
    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None
    reply_count: int | None = None
    replies: list[Reply] = []


class Comments(BaseModel):
    """Comments of a note, in the site's order."""

    note_ref: str
    items: list[Comment]
    count: int
    total: int | None = Field(None, description="Comments the site says the note has")
    complete: bool = Field(description="True when these are all comments the site offers")
    source: Literal["browser"] = "browser"
    fetched_at: str


class Note(BaseModel):
    """A note with its text, counts and first comments."""

    note_ref: str
    url: str
    title: str
    content: str
    truncated: bool = Field(description="True when content was cut at max_chars")
    type: Literal["image", "video"]
    tags: list[str]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments_total: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = []
    images: list[str] = []
    published_at: str | None = None
    comments: list[Comment] = []
    comments_complete: bool = False
    warnings: list[str] = []
    source: Literal["browser"] = "browser"
    fetched_at: str


class LoginStatus(BaseModel):
    """Whether the service's browser is logged in."""

    logged_in: bool
    nickname: str | None = None
    user_id: str | None = None
    session_file_present: bool
    next_step: str | None = Field(None, description="What to do when not logged in")
    checked_at: str
