"""Defines the answers of the tools and the data of the upstream.

Docstrings and descriptions of answers are part of the contract that agents read.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Echo(BaseModel):
    """An echoed text."""

    text: str = Field(description="The text as received")
    length: int = Field(description="Number of characters")


class Countdown(BaseModel):
    """A finished countdown."""

    steps: int = Field(description="Steps counted")
    seconds: float = Field(description="Time it took, in seconds")


class EntrySummary(BaseModel):
    """One entry in a list of results."""

    id: str = Field(description="Pass it to template_get")
    title: str
    published: str | None = Field(description="UTC time, or null when unknown")
    summary: str = Field(description="The first 200 characters")


class SearchResult(BaseModel):
    """Entries that match, newest first as the feed has them."""

    source: str = Field(description="Title of the feed")
    items: list[EntrySummary]
    count: int = Field(description="Number of items here")
    next_cursor: str | None = Field(description="Pass it back for the next page; null on the last one")
    complete: bool = Field(description="False when the feed goes on beyond what was searched")


class Entry(BaseModel):
    """One entry in full."""

    id: str
    title: str
    url: str | None
    published: str | None = Field(description="UTC time, or null when unknown")
    authors: list[str]
    tags: list[str]
    text: str
    truncated: bool = Field(description="The text goes on")


class FeedPage(BaseModel):
    """Holds one cleaned page of the feed, as it is cached."""

    title: str
    entries: list[Entry]
    next_url: str | None


class WireAuthor(BaseModel):
    """Describes an author in JSON Feed 1.1."""

    name: str | None = None


class WireItem(BaseModel):
    """Describes an item in JSON Feed 1.1; only `id` is required."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str
    url: str | None = None
    title: str | None = None
    content_html: str | None = None
    content_text: str | None = None
    summary: str | None = None
    date_published: str | None = None
    authors: list[WireAuthor] = Field(default_factory=list)
    tags: list[str] = Field(default_factory=list)


class WireFeed(BaseModel):
    """Describes a page of a feed in JSON Feed 1.1."""

    version: str = Field(pattern=r"^https://jsonfeed\.org/version/1(\.1)?$")
    title: str
    next_url: str | None = None
    items: list[WireItem]
