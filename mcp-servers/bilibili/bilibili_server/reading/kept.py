"""Defines what is kept of a video, its comments and a user, besides what answers show."""

from __future__ import annotations

from typing import Any

from dyber_kit import ServiceError
from dyber_kit.language import Text, text_from_json
from pydantic import BaseModel

from bilibili_server.model.answers import Comment, Video, VideoDetail
from bilibili_server.reading.memory import Listing

#: A text in JSON, which callers with different languages may get.
Problem = dict[str, Any] | str


def problem_of(error: ServiceError) -> Problem:
    """Return what happened, as it is kept."""
    message = error.lazy_message
    return message.to_json() if isinstance(message, Text) else message


def problem_text(problem: Problem) -> str:
    """Return a kept problem in the language of the current request."""
    return str(text_from_json(problem))


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
    comment_problem: Problem | None = None


class VideoComments(Listing[Comment]):
    """Holds the start of a video's comments.

    Attributes:
        guest: Whether nobody was logged in.
        problem: Why further comments did not load, or None.
    """

    bvid: str
    guest: bool
    problem: Problem | None = None
