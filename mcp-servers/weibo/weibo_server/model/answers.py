"""Defines the answers of the tools."""

from __future__ import annotations

from typing import Any

from dyber_kit.website.login_answers import LoginQrCode, LoginState

from weibo_server.model.schema import Answer, Item


class HotWord(Item):
    """Describes a topic on a hot list; a topic that the platform pinned has no rank."""

    rank: int | None = None
    word: str
    heat: int | None = None
    flag: str | None = None
    url: str | None = None


class HotList(Answer):
    """Holds the topics of a hot list; `attribution` names the origin, which has to be shown with it."""

    board: str
    items: list[HotWord]
    count: int
    as_of: str | None = None
    attribution: str


class AiSearch(Answer):
    """Holds the platform's summary of what is posted about a query."""

    query: str
    content: str
    truncated: bool = False
    complete: bool
    references: int | None = None
    as_of: str | None = None
    attribution: str


class Media(Item):
    """Describes what is attached to a post besides pictures."""

    kind: str
    title: str | None = None
    url: str | None = None
    seconds: int | None = None


class PostItem(Item):
    """Describes a post; `lower_bounds` names the numbers that the platform shows with a plus sign."""

    post: str
    author: str | None = None
    text: str
    truncated: bool = False
    created_at: str | None = None
    likes: int | None = None
    reposts: int | None = None
    comments: int | None = None
    lower_bounds: list[str] = []
    pinned: bool = False
    pictures: int | None = None
    media: Media | None = None
    repost_of: PostItem | None = None
    user_id: str | None = None
    region: str | None = None
    device: str | None = None
    tags: list[str] = []
    picture_urls: list[str] = []
    url: str | None = None

    def shown(self, verbose: bool, *, author: bool = True) -> PostItem:
        """Return the post as answers show it: without the rarely used fields unless `verbose`."""
        left_out: dict[str, Any] = {} if author else {"author": None, "user_id": None}
        if not verbose:
            left_out |= {"user_id": None, "region": None, "device": None, "tags": [], "picture_urls": [], "url": None}
        origin = self.repost_of.shown(verbose) if self.repost_of else None
        return self.model_copy(update={**left_out, "repost_of": origin})


class PostList(Answer):
    """Holds posts of a list; `complete` is false when the site has more."""

    items: list[PostItem]
    count: int
    complete: bool
    next_cursor: str | None = None
    applied: dict[str, str] = {}


class Comment(Item):
    """Describes a comment; `reply_count` is the number of replies, of which `replies` are the first."""

    comment_id: str
    author: str | None = None
    text: str
    created_at: str | None = None
    likes: int | None = None
    reply_count: int | None = None
    replies: list[Comment] = []
    by_author: bool = False
    user_id: str | None = None
    region: str | None = None

    def shown(self, verbose: bool) -> Comment:
        """Return the comment as answers show it."""
        hidden: dict[str, Any] = {} if verbose else {"user_id": None, "region": None}
        return self.model_copy(update={**hidden, "replies": [reply.shown(verbose) for reply in self.replies]})


class CommentList(Answer):
    """Holds comments on a post, or replies to a comment."""

    post: str
    items: list[Comment]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None
    applied: dict[str, str] = {}


class Post(Answer):
    """Holds a post with its first comments."""

    post: str
    url: str
    author: str | None = None
    user_id: str | None = None
    verified: str | None = None
    text: str
    text_truncated: bool = False
    created_at: str | None = None
    edited: bool = False
    region: str | None = None
    device: str | None = None
    likes: int | None = None
    reposts: int | None = None
    comments_total: int | None = None
    lower_bounds: list[str] = []
    tags: list[str] = []
    picture_urls: list[str] = []
    media: Media | None = None
    repost_of: PostItem | None = None
    comments: list[Comment] = []
    comments_complete: bool = False


class User(Answer):
    """Holds a profile."""

    user_id: str | None = None
    name: str | None = None
    description: str | None = None
    verified: str | None = None
    gender: str | None = None
    location: str | None = None
    followers: int | None = None
    following: int | None = None
    posts: int | None = None
    lower_bounds: list[str] = []
    url: str | None = None


class LoginStatus(LoginState, Answer):
    """Tells whether an account is logged in, whether pages are paused, and what is left of the official API."""

    user_id: str | None = None
    official_api: bool
    official_left_today: int | None = None


class LoginCode(LoginQrCode, Answer):
    """Describes the QR code that comes with it as a picture and as text."""
