"""Defines the answers of the tools; these docstrings are for people, since agents see only the names (`schema`)."""

from __future__ import annotations

from dyber_kit.website.login_answers import LoginQrCode, LoginState

from zhihu_server.model.schema import Answer, Item


class HotItem(Item):
    """Describes an entry of the hot list; the fields from `answers` on are there with `verbose`."""

    rank: int
    ref: str | None = None
    title: str
    heat: int | None = None
    excerpt: str | None = None
    answers: int | None = None
    url: str | None = None


class HotList(Answer):
    """Holds the hot list; only pages tell the heat."""

    items: list[HotItem]
    count: int


class SearchItem(Item):
    """Describes a result; the fields from `url` on are there with `verbose`, `url` and `site` also for the web."""

    ref: str | None = None
    title: str
    excerpt: str | None = None
    author: str | None = None
    votes: int | None = None
    comments: int | None = None
    date: str | None = None
    site: str | None = None
    url: str | None = None
    question_ref: str | None = None
    author_ref: str | None = None
    badge: str | None = None
    authority: int | None = None
    featured_comments: list[str] | None = None


class SearchResults(Answer):
    """Holds results; `applied` are the filters that were used, `complete` is false when Zhihu has more."""

    items: list[SearchItem]
    count: int
    applied: dict[str, str]
    complete: bool
    next_cursor: str | None = None


class AnswerItem(Item):
    """Describes an answer of a question; the fields from `headline` on are there with `verbose`."""

    ref: str
    author: str | None = None
    text: str | None = None
    truncated: bool | None = None
    votes: int | None = None
    comments: int | None = None
    date: str | None = None
    headline: str | None = None
    author_ref: str | None = None
    updated_at: str | None = None
    url: str | None = None


class Question(Answer):
    """Describes a question and some of its answers; the official API has neither title nor numbers."""

    ref: str
    title: str | None = None
    detail: str | None = None
    topics: list[str] | None = None
    answers_total: int | None = None
    followers: int | None = None
    views: int | None = None
    created_at: str | None = None
    url: str
    items: list[AnswerItem]
    count: int
    complete: bool
    next_cursor: str | None = None


class ReplyItem(Item):
    """Describes a reply to a comment."""

    author: str | None = None
    text: str
    likes: int | None = None


class CommentItem(Item):
    """Describes a comment; `replies` is the site's number, and `shown` the replies that come with the list."""

    author: str | None = None
    text: str
    likes: int | None = None
    replies: int | None = None
    date: str | None = None
    location: str | None = None
    by_author: bool | None = None
    shown: list[ReplyItem] | None = None


class Content(Answer):
    """Holds an answer or article; `text` begins at `start`, and `next_cursor` brings the rest."""

    ref: str
    title: str | None = None
    question_ref: str | None = None
    author: str | None = None
    author_ref: str | None = None
    headline: str | None = None
    text: str
    start: int = 0
    chars_total: int
    images: int | None = None
    votes: int | None = None
    comments_total: int | None = None
    favorites: int | None = None
    created_at: str | None = None
    updated_at: str | None = None
    location: str | None = None
    url: str
    comments: list[CommentItem] = []
    next_cursor: str | None = None


class Comments(Answer):
    """Holds comments of an answer or article; `total` is the site's number, replies included."""

    ref: str
    title: str | None = None
    total: int | None = None
    items: list[CommentItem]
    count: int
    complete: bool
    next_cursor: str | None = None


class UserItem(Item):
    """Describes an answer or article of a user."""

    ref: str
    title: str | None = None
    excerpt: str | None = None
    votes: int | None = None
    comments: int | None = None
    date: str | None = None


class User(Answer):
    """Describes a user, with the newest answers or articles."""

    ref: str
    name: str | None = None
    headline: str | None = None
    description: str | None = None
    organization: bool | None = None
    badge: str | None = None
    followers: int | None = None
    following: int | None = None
    answers: int | None = None
    articles: int | None = None
    votes: int | None = None
    favorites: int | None = None
    location: str | None = None
    url: str
    items: list[UserItem]
    count: int
    truncated: bool = False


class Generated(Answer):
    """Holds a text that Zhihu generated; it is no source."""

    text: str
    model: str
    truncated: bool = False


class QuotaItem(Item):
    """Describes a daily quota: what Zhihu says, or else what this service counted."""

    name: str
    title: str
    total: int
    used: int
    left: int
    used_here: int


class Status(LoginState, Answer):
    """Tells what can be used at present, and whether an account is logged in."""

    official: bool
    ask_allowed: bool
    quotas: list[QuotaItem]
    quotas_reset_at: str


class LoginCode(LoginQrCode, Answer):
    """Describes a QR code to scan with the app; its picture and drawing are separate parts of the result."""

    source: str = "browser"


class Spread(Item):
    """Describes a number over the answers that show it."""

    n: int
    median: float
    p90: int
    max: int


class Counted(Item):
    """Holds a word or a name, and in how many answers it is."""

    name: str
    count: int


class TopAnswer(Item):
    """Describes an answer with many votes."""

    ref: str
    author: str | None = None
    votes: int | None = None
    chars: int


class Analysis(Answer):
    """Holds figures about the answers of a question that were read."""

    ref: str
    title: str | None = None
    answers_total: int | None = None
    followers: int | None = None
    views: int | None = None
    created_at: str | None = None
    n: int
    votes: Spread | None = None
    comments: Spread | None = None
    chars: Spread | None = None
    by_year: dict[str, int]
    anonymous: int
    top_share: float | None = None
    top_answers: list[TopAnswer]
    top_words: list[Counted]
    truncated: bool = False
