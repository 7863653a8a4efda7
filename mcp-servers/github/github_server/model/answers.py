"""Defines the answers of the tools; these docstrings are for people, since agents see only names and types."""

from __future__ import annotations

from dyber_kit.answer_models import Item

from github_server.model.schema import Answer


class RepositoryItem(Item):
    """Describes a repository of a list; the fields from `forks` on are there with `verbose`."""

    repo: str
    description: str | None = None
    stars: int | None = None
    language: str | None = None
    pushed_at: str | None = None
    archived: bool | None = None
    stars_in_period: int | None = None
    forks: int | None = None
    open_issues: int | None = None
    license: str | None = None
    topics: list[str] | None = None
    created_at: str | None = None
    homepage: str | None = None
    url: str | None = None


class RepositoryList(Answer):
    """Holds repositories; `total` is what GitHub counts, `complete` is false when it stopped searching early."""

    items: list[RepositoryItem]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None


class Trending(Answer):
    """Holds the repositories that are popular at present.

    `source` is `web` for GitHub's page, and `official` when the page could not be read and a search for young
    repositories took its place, as a warning then says.
    """

    items: list[RepositoryItem]
    count: int
    since: str


class Repository(Answer):
    """Describes a repository, with its README up to `max_chars`."""

    repo: str
    description: str | None = None
    url: str | None = None
    homepage: str | None = None
    language: str | None = None
    topics: list[str] = []
    license: str | None = None
    stars: int | None = None
    forks: int | None = None
    watchers: int | None = None
    open_issues: int | None = None
    default_branch: str | None = None
    archived: bool | None = None
    private: bool | None = None
    fork_of: str | None = None
    created_at: str | None = None
    pushed_at: str | None = None
    readme_path: str | None = None
    readme: str | None = None
    truncated: bool = False


class IssueItem(Item):
    """Describes an issue or pull request of a list; the fields from `kind` on are there with `verbose`."""

    ref: str
    title: str | None = None
    state: str | None = None
    author: str | None = None
    labels: list[str] | None = None
    comments: int | None = None
    updated_at: str | None = None
    kind: str | None = None
    created_at: str | None = None
    closed_at: str | None = None
    assignees: list[str] | None = None
    reactions: int | None = None
    excerpt: str | None = None
    url: str | None = None


class IssueList(Answer):
    """Holds issues and pull requests; `total` is what GitHub counts."""

    items: list[IssueItem]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None


class CommentItem(Item):
    """Describes a comment; `association` is the author's relation to the repository, such as MEMBER."""

    author: str | None = None
    text: str
    truncated: bool | None = None
    created_at: str | None = None
    association: str | None = None
    reactions: int | None = None
    url: str | None = None


class Issue(Answer):
    """Describes an issue, or a pull request as one, with comments, the oldest first."""

    ref: str
    kind: str
    title: str | None = None
    state: str | None = None
    state_reason: str | None = None
    author: str | None = None
    labels: list[str] = []
    assignees: list[str] = []
    milestone: str | None = None
    text: str
    url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    closed_at: str | None = None
    reactions: int | None = None
    comments_total: int | None = None
    comments: list[CommentItem] = []
    next_cursor: str | None = None
    text_truncated: bool = False


class ChangedFile(Item):
    """Describes a file of a pull request; `patch` is there when it was asked for."""

    path: str
    status: str | None = None
    previous_path: str | None = None
    additions: int | None = None
    deletions: int | None = None
    patch: str | None = None
    patch_truncated: bool | None = None


class ReviewItem(Item):
    """Describes the last review of a reviewer."""

    author: str | None = None
    state: str | None = None
    text: str | None = None
    submitted_at: str | None = None


class Pull(Answer):
    """Describes what a pull request changes, and what its reviewers say."""

    ref: str
    title: str | None = None
    state: str | None = None
    draft: bool | None = None
    merged: bool | None = None
    mergeable: str | None = None
    author: str | None = None
    base: str | None = None
    head: str | None = None
    head_sha: str | None = None
    text: str
    url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    commits: int | None = None
    additions: int | None = None
    deletions: int | None = None
    files_total: int | None = None
    files: list[ChangedFile] = []
    reviews: list[ReviewItem] = []
    next_cursor: str | None = None
    text_truncated: bool = False


class CommitItem(Item):
    """Describes a commit: the first line of its message, or all of it with `verbose`."""

    sha: str
    message: str | None = None
    author: str | None = None
    date: str | None = None
    url: str | None = None


class CommitList(Answer):
    """Holds commits, the newest first."""

    repo: str
    items: list[CommitItem]
    count: int
    complete: bool
    next_cursor: str | None = None


class AssetItem(Item):
    """Describes a file of a release."""

    name: str | None = None
    size: int | None = None
    downloads: int | None = None
    url: str | None = None


class ReleaseItem(Item):
    """Describes a release; its notes are cut at `max_chars`, and its files are there with `verbose`."""

    tag: str
    name: str | None = None
    published_at: str | None = None
    prerelease: bool | None = None
    draft: bool | None = None
    notes: str | None = None
    notes_truncated: bool | None = None
    author: str | None = None
    url: str | None = None
    assets: list[AssetItem] | None = None


class ReleaseList(Answer):
    """Holds releases, the newest first."""

    repo: str
    items: list[ReleaseItem]
    count: int
    complete: bool
    next_cursor: str | None = None


class EntryItem(Item):
    """Describes an entry of a folder."""

    path: str
    type: str
    size: int | None = None


class File(Answer):
    """Holds a part of a text file, or the entries of a folder.

    Lines count from 1. `next_cursor` continues where the text was cut, which is inside a line only when the line alone
    is longer than `max_chars`.
    """

    repo: str
    path: str
    ref: str
    type: str
    size: int | None = None
    sha: str | None = None
    url: str | None = None
    text: str | None = None
    first_line: int | None = None
    last_line: int | None = None
    total_lines: int | None = None
    entries: list[EntryItem] = []
    next_cursor: str | None = None


class CodeItem(Item):
    """Describes a file that a code search found, with the surroundings of the words."""

    repo: str
    path: str
    fragments: list[str] | None = None
    url: str | None = None


class CodeList(Answer):
    """Holds files that a code search found; GitHub searches default branches only."""

    items: list[CodeItem]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None


class User(Answer):
    """Describes a user or organisation, with the repositories pushed to last; there are no lists of followers."""

    login: str
    name: str | None = None
    type: str | None = None
    bio: str | None = None
    company: str | None = None
    location: str | None = None
    website: str | None = None
    url: str | None = None
    public_repos: int | None = None
    followers: int | None = None
    following: int | None = None
    created_at: str | None = None
    repos: list[RepositoryItem] = []
    truncated: bool = False


class RunItem(Item):
    """Describes a workflow run; the fields from `event` on are there with `verbose`."""

    ref: str
    workflow: str | None = None
    title: str | None = None
    status: str | None = None
    branch: str | None = None
    created_at: str | None = None
    event: str | None = None
    sha: str | None = None
    actor: str | None = None
    attempt: int | None = None
    updated_at: str | None = None
    url: str | None = None


class RunList(Answer):
    """Holds workflow runs, the newest first; `status` is the conclusion of those that have ended."""

    repo: str
    items: list[RunItem]
    count: int
    total: int | None = None
    complete: bool
    next_cursor: str | None = None


class AnnotationItem(Item):
    """Describes a message of a failed job."""

    level: str | None = None
    path: str | None = None
    line: int | None = None
    message: str


class JobItem(Item):
    """Describes a job; `failed_steps` and `messages` tell why it failed."""

    name: str | None = None
    status: str | None = None
    seconds: int | None = None
    failed_steps: list[str] | None = None
    messages: list[AnnotationItem] | None = None
    url: str | None = None


class Run(Answer):
    """Describes a workflow run and its jobs, those that failed first."""

    ref: str
    workflow: str | None = None
    title: str | None = None
    status: str | None = None
    event: str | None = None
    branch: str | None = None
    sha: str | None = None
    actor: str | None = None
    attempt: int | None = None
    created_at: str | None = None
    url: str | None = None
    jobs_total: int | None = None
    jobs: list[JobItem] = []
    truncated: bool = False


class LimitItem(Item):
    """Describes a rate limit; `name` is GitHub's."""

    name: str
    limit: int | None = None
    remaining: int | None = None
    reset_at: str | None = None


class RateLimits(Answer):
    """Tells who asks GitHub, and how many requests are left."""

    authenticated: bool
    api: str
    scopes: list[str] = []
    limits: list[LimitItem] = []
    next_step: str | None = None
