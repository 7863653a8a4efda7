"""Defines the answers of the tools and the data of the upstream.

Docstrings and descriptions of answers are part of the contract that agents read, and Chinese as the tools.
"""

# Their Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Echo(BaseModel):
    """送回的文字"""

    text: str = Field(description="收到的文字")
    length: int = Field(description="字数")


class Countdown(BaseModel):
    """数完的倒计时"""

    steps: int = Field(description="数了几步")
    seconds: float = Field(description="用时，秒")


class EntrySummary(BaseModel):
    """结果里的一条"""

    id: str = Field(description="交给 template_get")
    title: str
    published: str | None = Field(description="UTC 时间；不知道时为 null")
    summary: str = Field(description="开头 200 字")


class SearchResult(BaseModel):
    """匹配的条目，按来源的顺序"""

    source: str = Field(description="来源的标题")
    items: list[EntrySummary]
    count: int = Field(description="这里的条数")
    next_cursor: str | None = Field(description="翻到下一页时传回；最后一页为 null")
    complete: bool = Field(description="来源还有没搜到的部分时为 false")


class Entry(BaseModel):
    """一条的全文"""

    id: str
    title: str
    url: str | None
    published: str | None = Field(description="UTC 时间；不知道时为 null")
    authors: list[str]
    tags: list[str]
    text: str
    truncated: bool = Field(description="正文没有读完")


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
