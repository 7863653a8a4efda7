"""Defines what is kept of a video, its comments and a user, besides what answers show."""

from __future__ import annotations

from pydantic import BaseModel

from bilibili_server.model.answers import Comment, Video, VideoDetail
from bilibili_server.reading.memory import Listing


class UserPage(Listing[Video]):
    """Holds a page of a user's videos, with the user."""

    name: str
    sign: str | None = None
    level: int | None = None
    verified: str | None = None
    fans: int | None = None
    following: int | None = None


class KeptVideo(BaseModel):
    """Holds a video as it is kept, with what decides about warnings."""

    detail: VideoDetail
    guest: bool
    comment_problem: str | None = None


class VideoComments(Listing[Comment]):
    """Holds the start of a video's comments.

    Attributes:
        guest: Whether nobody was logged in.
        problem: Why further comments did not load, or None.
    """

    bvid: str
    guest: bool
    problem: str | None = None
