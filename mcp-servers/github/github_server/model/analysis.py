"""Defines the answer of the analysis of a repository."""

from __future__ import annotations

from dyber_kit.analysis.figures import Counted
from dyber_kit.answer_models import Item

from github_server.model.schema import Answer


class IssueFigures(Item):
    """Describes the newest issues, or pull requests: `closed` includes merged ones."""

    n: int
    open: int
    closed: int
    merged: int | None = None
    median_hours_to_close: float | None = None
    median_comments: float | None = None
    first: str | None = None
    last: str | None = None


class CommitFigures(Item):
    """Describes the newest commits."""

    n: int
    authors: int
    first: str | None = None
    last: str | None = None
    per_week: float | None = None
    by_weekday: dict[str, int]


class ReleaseFigures(Item):
    """Describes the newest releases."""

    n: int
    last_tag: str | None = None
    last: str | None = None
    median_days_between: float | None = None


class Analysis(Answer):
    """Holds figures about the newest issues, pull requests, commits and releases of a repository.

    `warnings` says what the samples leave out.
    """

    repo: str
    stars: int | None = None
    forks: int | None = None
    open_issues: int | None = None
    language: str | None = None
    archived: bool | None = None
    issues: IssueFigures
    pulls: IssueFigures
    commits: CommitFigures
    releases: ReleaseFigures
    top_labels: list[Counted] = []
    top_authors: list[Counted] = []
    top_words: list[Counted] = []
    truncated: bool = False
