"""Defines the answers of the tools and the data of the platform.

Docstrings and descriptions of answers are part of the contract that agents read. Answers have the few fields that
agents need, whatever else the platform sends.
"""

# Their Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ItemSummary(BaseModel):
    """结果里的一条"""

    id: str = Field(description="交给 sample_api_get")
    title: str
    author: str | None
    updated: str | None = Field(description="UTC 时间；不知道时为 null")
    summary: str = Field(description="开头 100 字")


class ItemList(BaseModel):
    """匹配的条目，按平台的顺序"""

    items: list[ItemSummary]
    count: int = Field(description="这里的条数")
    next_cursor: str | None = Field(description="翻到下一页时传回；最后一页为 null")


class Item(BaseModel):
    """一条的全文"""

    id: str
    title: str
    author: str | None
    updated: str | None = Field(description="UTC 时间；不知道时为 null")
    url: str | None
    text: str
    truncated: bool = Field(description="正文没有读完")


class Limit(BaseModel):
    """平台最近一次说的限额"""

    name: str
    limit: int | None = Field(description="每个时段的请求数")
    remaining: int | None = Field(description="还剩的请求数")
    resets_in_seconds: int | None


class Status(BaseModel):
    """服务能否访问平台"""

    configured: bool = Field(description="设置了平台的地址")
    token_set: bool
    limits: list[Limit] = Field(description="第一次请求之前，或平台不说限额时，为空")
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
