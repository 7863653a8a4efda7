"""Defines the answers of the tools and the data of the website.

Docstrings and descriptions of answers are part of the contract that agents read.
"""

from __future__ import annotations

from dyber_kit.website.login_answers import LoginQrCode, LoginState
from pydantic import BaseModel, ConfigDict, Field


class Post(BaseModel):
    """One post."""

    id: str
    author: str | None
    text: str
    likes: int | None = Field(description="Null when the page shows no number")
    published: str | None = Field(description="UTC time, or null when unknown")


class PostList(BaseModel):
    """Posts, newest first."""

    items: list[Post]
    count: int = Field(description="Number of items here")
    complete: bool = Field(description="False when the website has more posts")
    truncated: bool = Field(False, description="Items were left out because the answer was too long")


class LoginStatus(LoginState):
    """Whether an account is logged in, and what a QR code waits for."""


class LoginCode(LoginQrCode):
    """A QR code that logs an account in; its picture and drawing are separate parts of the result."""


class WirePost(BaseModel):
    """Describes a post as the website sends it; only `id` and `text` are required."""

    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(max_length=100)
    text: str
    author: str | None = None
    likes: str | None = None
    time: str | None = None
