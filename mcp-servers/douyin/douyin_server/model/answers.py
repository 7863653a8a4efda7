"""Defines the answers of the tools; these docstrings are for people, since agents see only the types (`schema`)."""

from __future__ import annotations

from typing import Literal

from dyber_kit.website.login_answers import LoginQrCode, LoginState

from douyin_server.model.schema import Answer, Item

VideoType = Literal["video", "images"]

_DETAILS = ("published_at", "url", "cover", "user_ref", "comments", "collects", "shares", "tags")


class Author(Item):
    """Names the author of a video; douyin_get_user accepts `user_ref`."""

    name: str
    user_ref: str | None = None
    douyin_id: str | None = None


class VideoSummary(Item):
    """Describes one video of a list; the fields from `published_at` on are only in answers with `verbose`."""

    video_id: str
    text: str
    type: VideoType
    author: str | None = None
    likes: int | None = None
    seconds: int | None = None
    date: str | None = None
    pinned: bool = False
    lower_bounds: list[str] = []
    published_at: str | None = None
    url: str | None = None
    cover: str | None = None
    user_ref: str | None = None
    comments: int | None = None
    collects: int | None = None
    shares: int | None = None
    tags: list[str] | None = None

    def shown(self, verbose: bool, *, author: bool = True) -> VideoSummary:
        """Return the video with the fields that an answer shows; lists of one author's videos leave the author out."""
        dropped = [] if verbose else list(_DETAILS)
        dropped += [] if author else ["author", "user_ref"]
        return self.model_copy(update=dict.fromkeys(dropped))


class VideoList(Answer):
    """Holds videos; `complete` is true when the site has no videos after these."""

    items: list[VideoSummary]
    count: int
    complete: bool
    next_cursor: str | None = None


class SearchResults(VideoList):
    """Holds videos of a search; `applied` has the filters that the page sent with its request."""

    applied: dict[str, str] = {}


class Comment(Item):
    """Describes a comment; with `verbose`, it has its author's `user_ref` and place, and `date` has the time."""

    comment_id: str
    author: str
    content: str
    likes: int | None = None
    replies: int | None = None
    pictures: int | None = None
    date: str | None = None
    pinned: bool = False
    user_ref: str | None = None
    location: str | None = None

    def shown(self, verbose: bool) -> Comment:
        """Return the comment with the fields that an answer shows."""
        if verbose:
            return self
        return self.model_copy(update={"user_ref": None, "location": None, "date": (self.date or "")[:10] or None})


class Comments(Answer):
    """Holds comments of a video in the site's order; `total` is the site's number, with replies."""

    video_id: str
    items: list[Comment]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None


class Video(Answer):
    """Describes a video or a set of pictures, with its first comments; `truncated` is true when the text was cut."""

    video_id: str
    url: str
    type: VideoType
    text: str
    truncated: bool
    tags: list[str] = []
    author: Author
    likes: int | None = None
    comments_total: int | None = None
    collects: int | None = None
    shares: int | None = None
    plays: int | None = None
    lower_bounds: list[str] = []
    seconds: int | None = None
    pictures: int | None = None
    music: str | None = None
    cover: str | None = None
    images: list[str] | None = None
    published_at: str | None = None
    location: str | None = None
    comments: list[Comment] = []
    comments_complete: bool = False


class User(Answer):
    """Describes a profile and its latest videos, without lists of followers."""

    user_ref: str
    url: str
    name: str
    douyin_id: str | None = None
    description: str
    verified: str | None = None
    location: str | None = None
    follows: int | None = None
    fans: int | None = None
    likes: int | None = None
    videos_total: int | None = None
    lower_bounds: list[str] = []
    private: bool = False
    videos: list[VideoSummary] = []
    videos_complete: bool = False


class HotEntry(Item):
    """Describes one entry of a hot list; the fields from `url` on are only in answers with `verbose`."""

    rank: int
    word: str
    heat: int | None = None
    videos: int | None = None
    url: str | None = None
    since: str | None = None
    cover: str | None = None

    def shown(self, verbose: bool) -> HotEntry:
        """Return the entry with the fields that an answer shows."""
        return self if verbose else self.model_copy(update=dict.fromkeys(("url", "since", "cover")))


class HotList(Answer):
    """Holds the entries of a hot list; `as_of` is the site's own time of the list."""

    board: Literal["hot", "rising"]
    items: list[HotEntry]
    count: int
    as_of: str | None = None


class ResolvedLink(Answer):
    """Identifies the target of a link; douyin_get_video or douyin_get_user accepts `ref`."""

    kind: Literal["video", "user"]
    ref: str
    url: str


class LoginStatus(LoginState, Answer):
    """Reports whether an account's browser is logged in."""

    user_ref: str | None = None


class LoginCode(LoginQrCode, Answer):
    """Describes a QR code to scan with the phone's app; its picture and drawing are separate parts of the result."""
