"""What the tools return. Field descriptions are for people: agents see the names (see `schema`)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from xiaohongshu_server.model.schema import Answer

Source = Literal["browser", "cache"]


class Author(BaseModel):
    """Who wrote something; `user_ref` goes into xhs_get_user."""

    name: str
    user_ref: str | None = None


class NoteSummary(BaseModel):
    """One note of a list.

    `lower_bounds` names the counts shown as "10万+": the true value is at least this. `time_estimated`: published_at
    is derived from the note's id.
    """

    note_ref: str
    url: str
    title: str
    type: Literal["image", "video"]
    author: Author
    likes: int | None = None
    collects: int | None = None
    comments: int | None = None
    shares: int | None = None
    lower_bounds: list[str] = []
    cover: str | None = None
    published_at: str | None = None
    time_estimated: bool = False


class NoteList(Answer):
    """Notes of a search or of the home feed. `complete`: the site has no more than these and those before.

    `applied` names the filters that were set on the page, `warnings` what is odd or missing in the list.
    """

    items: list[NoteSummary]
    count: int
    complete: bool
    next_cursor: str | None = None
    applied: dict[str, str] = {}
    warnings: list[str] = []
    source: Source = "browser"
    fetched_at: str


class Reply(BaseModel):
    """A reply to a comment."""

    comment_id: str
    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None


class Comment(BaseModel):
    """A comment on a note; `reply_count` is what the site says, `replies` what was asked for and loaded."""

    comment_id: str
    author: Author
    content: str
    likes: int | None = None
    published_at: str | None = None
    location: str | None = None
    reply_count: int | None = None
    replies: list[Reply] = []


class Comments(Answer):
    """Comments of a note, in the site's order. `complete`: these are all the site offers."""

    note_ref: str
    items: list[Comment]
    count: int
    total: int | None = None
    complete: bool
    truncated: bool = False
    source: Source = "browser"
    fetched_at: str


class Note(Answer):
    """A note with its text, counts and first comments; `truncated` when content was cut at max_chars."""

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
    """A profile and its latest notes. No lists of followers: see the README on data kept small."""

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


class Suggestions(Answer):
    """Words the search box suggests. Not a hot list of the platform."""

    keyword: str
    words: list[str]
    source: Source = "browser"
    fetched_at: str


class ResolvedLink(Answer):
    """What a link names: pass `ref` to xhs_get_note or xhs_get_user."""

    kind: Literal["note", "user"]
    ref: str
    url: str
    has_token: bool


class LoginStatus(Answer):
    """Whether an account's browser is logged in; `logged_in` is null where it cannot be looked up now.

    `risk` says why the platform turns us away, `paused_until` until when no page is opened. `login_step` is what a
    login by QR code waits for, or how it ended.
    """

    account: str
    logged_in: bool | None
    nickname: str | None = None
    user_id: str | None = None
    session_age_s: int | None = None
    login_pending: bool = False
    login_step: Literal["scan", "confirm", "sms_code", "captcha", "second_code", "expired", "failed"] | None = None
    login_expires_at: str | None = None
    risk: Literal["ok", "captcha", "limited", "restricted"] = "ok"
    paused_until: str | None = None
    next_step: str | None = None
    checked_at: str


class LoginCode(Answer):
    """A QR code to scan with the phone's app; the picture and its drawing come beside this as image and text content.

    `url` is what the code says, for those who can only show an address. `replaced`: an earlier code was given up.
    """

    account: str
    logged_in: bool
    url: str | None = None
    replaced: bool = False
    expires_at: str | None = None
    next_step: str


class WriteResult(Answer):
    """What a write did, or with `dry_run` would do; `confirmation` carries out exactly that when passed back."""

    done: bool
    dry_run: bool
    summary: str
    already_so: bool = False
    confirmation: str | None = None
    valid_seconds: int | None = None
    next_step: str
