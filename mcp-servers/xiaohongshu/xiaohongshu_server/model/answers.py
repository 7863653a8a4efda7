"""Defines the answers of the tools.

These docstrings are for people: agents see only the names and types of the fields, without those that need `verbose`,
which the argument's description names.
"""

from __future__ import annotations

from typing import Literal, Self

from dyber_kit.answer_models import Answer, Item
from dyber_kit.website.login_answers import LoginQrCode, LoginState
from pydantic.json_schema import SkipJsonSchema

Source = Literal["browser", "cache"]

_DAY_CHARS = len("2025-05-19")
_DETAILS = ("url", "cover", "user_ref", "collects", "comments", "shares")


class Author(Item):
    """Names the author of a note; xhs_get_user accepts `user_ref`."""

    name: str
    user_ref: str | None = None


class NoteSummary(Item):
    """Describes one note of a list; the fields from `url` on are only in answers with `verbose`.

    `date` is derived from the note's id. `lower_bounds` names the counts that the site shows as "10万+": their true
    value may be larger.
    """

    note_ref: str
    title: str
    type: Literal["image", "video"]
    author: str | None = None
    likes: int | None = None
    date: str | None = None
    lower_bounds: list[str] = []
    url: SkipJsonSchema[str | None] = None
    cover: SkipJsonSchema[str | None] = None
    user_ref: SkipJsonSchema[str | None] = None
    collects: SkipJsonSchema[int | None] = None
    comments: SkipJsonSchema[int | None] = None
    shares: SkipJsonSchema[int | None] = None

    def shown(self, verbose: bool, *, count: str = "", author: bool = True) -> NoteSummary:
        """Return the note with the fields that an answer shows.

        Args:
            verbose: Whether to show all fields.
            count: A count that is shown in any case, such as the one by which the list is sorted.
            author: False for lists whose notes all have the same author.
        """
        dropped = [] if verbose else [field for field in _DETAILS if field != count]
        dropped += [] if author else ["author", "user_ref"]
        return self.model_copy(update=dict.fromkeys(dropped))


class NoteList(Answer):
    """Holds notes of a user or of the home feed.

    `complete` is true when the site has no notes after these. `warnings` names the peculiarities and gaps of the list.
    """

    items: list[NoteSummary]
    count: int
    complete: bool
    next_cursor: str | None = None
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class SearchResults(NoteList):
    """Holds notes of a search; `applied` has the filters that were set on the page."""

    applied: dict[str, str] = {}


class Reply(Item):
    """Describes a reply to a comment; with `verbose`, it names its author by `user_ref`, and `date` has the time."""

    comment_id: str
    author: str
    content: str
    likes: int | None = None
    date: str | None = None
    user_ref: SkipJsonSchema[str | None] = None

    def shown(self, verbose: bool) -> Self:
        """Return the reply with the fields that an answer shows."""
        if verbose:
            return self
        return self.model_copy(update={"user_ref": None, "date": self.date[:_DAY_CHARS] if self.date else None})


class Comment(Reply):
    """Describes a comment on a note; `replies` are those that were requested and loaded."""

    location: SkipJsonSchema[str | None] = None
    reply_count: int | None = None
    replies: list[Reply] = []

    def shown(self, verbose: bool) -> Self:
        """Return the comment, with its replies, with the fields that an answer shows."""
        location = self.location if verbose else None
        replies = [reply.shown(verbose) for reply in self.replies]
        return super().shown(verbose).model_copy(update={"location": location, "replies": replies})


class Comments(Answer):
    """Holds comments of a note in the site's order; `complete` is true when the site offers no more."""

    note_ref: str
    items: list[Comment]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None
    source: Source = "browser"
    fetched_at: str


class Note(Answer):
    """Describes a note with its text, counts and first comments; `truncated` is true when the text was cut."""

    note_ref: str
    url: str
    title: str
    content: str
    truncated: bool
    type: Literal["image", "video"]
    tags: list[str]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments_total: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = []
    images: list[str] = []
    video_seconds: float | None = None
    location: str | None = None
    published_at: str | None = None
    comments: list[Comment] = []
    comments_complete: bool = False
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class User(Answer):
    """Describes a profile and its latest notes, without lists of followers."""

    user_ref: str
    url: str
    name: str
    description: str
    red_id: str | None = None
    location: str | None = None
    tags: list[str] = []
    follows: int | None = None
    fans: int | None = None
    likes_and_collects: int | None = None
    lower_bounds: list[str] = []
    notes: list[NoteSummary] = []
    notes_complete: bool = False
    source: Source = "browser"
    fetched_at: str


class UserSummary(Item):
    """Describes one user of a search; `notes` is the number of the user's notes; `verified` is true or left out."""

    user_ref: str
    name: str
    red_id: str | None = None
    profession: str | None = None
    fans: int | None = None
    notes: int | None = None
    lower_bounds: list[str] = []
    verified: bool | None = None


class UserList(Answer):
    """Holds users of a search; `complete` is true when the site has no users after these."""

    items: list[UserSummary]
    count: int
    complete: bool
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class Suggestions(Answer):
    """Holds the words that the search box suggests, which are not a hot list of the platform."""

    keyword: str
    words: list[str]
    source: Source = "browser"
    fetched_at: str


class LoginStatus(LoginState, Answer):
    """Reports whether an account's browser is logged in, at the time `checked_at`."""

    user_id: str | None = None
    checked_at: str


class LoginCode(LoginQrCode, Answer):
    """Describes a QR code to scan with the phone's app; its picture and drawing are separate parts of the result."""
