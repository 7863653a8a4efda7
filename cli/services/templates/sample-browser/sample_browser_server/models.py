"""Defines the answers of the tools and the data of the website.

Docstrings and descriptions of answers are part of the contract that agents read.
"""

# Their Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from dyber_kit.website.login_answers import LoginQrCode, LoginState
from pydantic import BaseModel, ConfigDict, Field


class Post(BaseModel):
    """一个帖子"""

    id: str
    author: str | None
    text: str
    likes: int | None = Field(description="页面没有写数时为 null")
    published: str | None = Field(description="UTC 时间；不知道时为 null")


class PostList(BaseModel):
    """帖子，新的在前"""

    items: list[Post]
    count: int = Field(description="这里的条数")
    complete: bool = Field(description="网站还有更多帖子时为 false")
    truncated: bool = Field(False, description="回答太长，略去了一些")


class LoginStatus(LoginState):
    """账号是否登录，二维码在等什么"""


class LoginCode(LoginQrCode):
    """登录用的二维码；图片和字符画是结果里单独的部分"""


class WirePost(BaseModel):
    """Describes a post as the website sends it; only `id` and `text` are required."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(max_length=100)
    text: str
    author: str | None = None
    likes: str | None = None
    time: str | None = None
