"""Defines the answers of the tools; these docstrings are for people, since agents see only the types (`schema`)."""

from __future__ import annotations

from typing import Literal, Self

from dyber_kit.website.login_answers import LoginQrCode, LoginState

from bilibili_server.model.schema import Answer, Item

Source = Literal["browser", "web", "cache"]

_DAY_CHARS = len("2026-11-20")


class Video(Item):
    """Describes a video of a list; the fields from `danmaku` on are only in answers with `verbose`.

    Lists that also have other things have no `bvid` for these.
    """

    bvid: str | None = None
    title: str | None = None
    author: str | None = None
    views: int | None = None
    date: str | None = None
    duration: str | None = None
    danmaku: int | None = None
    likes: int | None = None
    comments: int | None = None
    favorites: int | None = None
    mid: str | None = None
    tags: list[str] = []
    description: str | None = None
    url: str | None = None
    cover: str | None = None

    def shown(self, verbose: bool, *, count: str = "", author: bool = True) -> Self:
        """Return the video with the fields that an answer shows.

        Args:
            verbose: Whether to show all fields.
            count: A count that is shown in any case, such as the one by which the list is sorted.
            author: False for lists whose videos all have the same author.
        """
        details = ("danmaku", "likes", "comments", "favorites", "mid", "tags", "description", "url", "cover")
        hidden = [] if verbose else [name for name in details if name != count]
        hidden += [] if author else ["author", "mid"]
        changed: dict[str, object] = {name: [] if name == "tags" else None for name in hidden}
        if not verbose and self.date:
            changed["date"] = self.date[:_DAY_CHARS]
        return self.model_copy(update=changed)


class HotEntry(Video):
    """Describes an entry of a hot list: a video with its place and the site's reason, or a `keyword` with its heat."""

    rank: int
    reason: str | None = None
    keyword: str | None = None
    heat: int | None = None


class Hit(Video):
    """Describes a result of a search: a video, a user (`mid`, `name` and so on), or an article (`article_id`)."""

    name: str | None = None
    fans: int | None = None
    videos: int | None = None
    level: int | None = None
    verified: str | None = None
    article_id: str | None = None


class List(Answer):
    """Is the base of lists; `complete` is true when the site has nothing after these items."""

    count: int
    complete: bool
    next_cursor: str | None = None
    warnings: list[str] = []
    source: Source
    fetched_at: str


class HotList(List):
    """Holds entries of a hot list, the first ones first."""

    kind: str
    items: list[HotEntry]


class SearchResults(List):
    """Holds results of a search; `total` is the site's own number, which it caps at 1000."""

    items: list[Hit]
    total: int | None = None
    applied: dict[str, str] = {}


class Reply(Item):
    """Describes a reply to a comment; with `verbose`, `mid` names its author and `date` has the time."""

    comment_id: str
    author: str | None = None
    content: str
    likes: int | None = None
    date: str | None = None
    mid: str | None = None
    location: str | None = None

    def shown(self, verbose: bool) -> Self:
        """Return the reply with the fields that an answer shows."""
        if verbose:
            return self
        return self.model_copy(
            update={"mid": None, "location": None, "date": self.date[:_DAY_CHARS] if self.date else None}
        )


class Comment(Reply):
    """Describes a comment; `replies` are the few that the page shows without a click."""

    pinned: bool = False
    reply_count: int | None = None
    replies: list[Reply] = []

    def shown(self, verbose: bool) -> Self:
        """Return the comment, with its replies, with the fields that an answer shows."""
        return super().shown(verbose).model_copy(update={"replies": [reply.shown(verbose) for reply in self.replies]})


class Comments(List):
    """Holds comments of a video in the site's order, the most popular first."""

    bvid: str
    items: list[Comment]
    total: int | None = None


class Author(Item):
    """Names the author of a video."""

    name: str | None = None
    mid: str | None = None
    fans: int | None = None


class VideoPart(Item):
    """Describes a part (分P) of a video."""

    page: int
    title: str
    duration: str | None = None


class VideoDetail(Answer):
    """Describes a video with its counts, parts and first comments; `truncated` says that the description was cut."""

    bvid: str
    aid: str | None = None
    url: str
    title: str
    author: Author
    description: str
    truncated: bool
    category: str | None = None
    tags: list[str]
    published_at: str | None = None
    duration: str | None = None
    views: int | None = None
    danmaku: int | None = None
    likes: int | None = None
    coins: int | None = None
    favorites: int | None = None
    shares: int | None = None
    comments_total: int | None = None
    parts: list[VideoPart] = []
    parts_total: int
    cover: str | None = None
    comments: list[Comment] = []
    comments_complete: bool = False
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class Subtitle(Answer):
    """Holds lines of a subtitle as text, one per line with its time; `link` opens the video at the first of them."""

    bvid: str
    page: int
    title: str | None = None
    language: str
    languages: list[str]
    generated: bool
    text: str
    count: int
    total: int
    link: str | None = None
    next_cursor: str | None = None
    warnings: list[str] = []
    source: Source
    fetched_at: str


class User(Answer):
    """Describes a user with videos, the newest first; no list of fans or followed users."""

    mid: str
    name: str
    url: str | None = None
    sign: str | None = None
    level: int | None = None
    verified: str | None = None
    fans: int | None = None
    following: int | None = None
    videos_total: int | None = None
    videos: list[Video]
    complete: bool
    next_cursor: str | None = None
    warnings: list[str] = []
    source: Source
    fetched_at: str


class LoginStatus(LoginState, Answer):
    """Says whether an account is logged in; `logged_in` has no value while the site may not be asked."""

    mid: str | None = None
    source: Source = "browser"
    fetched_at: str


class LoginCode(LoginQrCode, Answer):
    """Describes a QR code that logs an account in; the picture and a drawing are in the content."""

    source: Source = "browser"
    fetched_at: str
