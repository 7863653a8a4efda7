"""Defines what is kept of a video, its comments and a user, besides what answers show."""

from __future__ import annotations

from dyber_kit.answer_models import Notice
from dyber_kit.reading.lists import Listing
from pydantic import BaseModel, Field

from bilibili_server.model.answers import Comment, Video, VideoDetail


class UserPage(Listing[Video]):
    """Holds a page of a user's videos, with the user."""

    name: str
    sign: str | None = None
    level: int | None = None
    verified: str | None = None
    fans: int | None = None
    following: int | None = None


class KeptVideo(BaseModel):
    """Holds a video as it is kept.

    Attributes:
        detail: The video with its comments, without warnings.
        guest: Whether nobody was logged in.
        warnings: What is missing in the comments.
    """

    detail: VideoDetail
    guest: bool
    warnings: list[Notice] = Field(default_factory=list)


class VideoComments(Listing[Comment]):
    """Holds the start of a video's comments; `guest` says that nobody was logged in."""

    bvid: str
    guest: bool
