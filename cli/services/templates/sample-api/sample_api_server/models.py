"""Defines the answers of the tools and the data of the platform.

Docstrings and descriptions of answers are part of the contract that agents read. Answers have the few fields that
agents need, whatever else the platform sends.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ItemSummary(BaseModel):
    """One item in a list of results."""

    id: str = Field(description="Pass it to sample_api_get")
    title: str
    author: str | None
    updated: str | None = Field(description="UTC time, or null when unknown")
    summary: str = Field(description="The first 100 characters")


class ItemList(BaseModel):
    """Items that match, in the platform's order."""

    items: list[ItemSummary]
    count: int = Field(description="Number of items here")
    next_cursor: str | None = Field(description="Pass it back for the next page; null on the last one")


class Item(BaseModel):
    """One item in full."""

    id: str
    title: str
    author: str | None
    updated: str | None = Field(description="UTC time, or null when unknown")
    url: str | None
    text: str
    truncated: bool = Field(description="The text goes on")


class Limit(BaseModel):
    """A rate limit as the platform last stated it."""

    name: str
    limit: int | None = Field(description="Requests per window")
    remaining: int | None = Field(description="Requests left")
    resets_in_seconds: int | None


class Status(BaseModel):
    """Whether the service can ask the platform."""

    configured: bool = Field(description="The platform's address is set")
    token_set: bool
    limits: list[Limit] = Field(description="Empty before the first request, and for platforms that state none")
    next_step: str | None


class WireAuthor(BaseModel):
    """Describes an author as the platform sends it."""

    name: str | None = None


class WireItem(BaseModel):
    """Describes an item as the platform sends it; only `id` and `title` are required."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(max_length=100)
    title: str
    body: str = ""
    url: str | None = None
    author: WireAuthor | None = None
    updated_at: str | None = None
