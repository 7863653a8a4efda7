"""Describes the parts of GitHub's answers that are read; everything but what identifies an item may be missing."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Wire(BaseModel):
    """Is the base of the shapes: unknown fields are ignored, and numbers are accepted where texts are expected."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)


class WireUser(Wire):
    """Describes a user or organisation; an account that was deleted is missing altogether."""

    login: str
    name: str | None = None
    type: str | None = None
    bio: str | None = None
    company: str | None = None
    location: str | None = None
    blog: str | None = None
    html_url: str | None = None
    public_repos: int | None = None
    followers: int | None = None
    following: int | None = None
    created_at: str | None = None
    updated_at: str | None = None


class WireLicense(Wire):
    """Describes a licence."""

    spdx_id: str | None = None
    name: str | None = None


class WireParent(Wire):
    """Names the repository of which another is a fork."""

    full_name: str


class WireRepository(Wire):
    """Describes a repository."""

    full_name: str
    owner: WireUser | None = None
    description: str | None = None
    html_url: str | None = None
    homepage: str | None = None
    language: str | None = None
    topics: list[str] | None = None
    license: WireLicense | None = None
    stargazers_count: int | None = None
    forks_count: int | None = None
    subscribers_count: int | None = None
    open_issues_count: int | None = None
    default_branch: str | None = None
    size: int | None = None
    archived: bool | None = None
    fork: bool | None = None
    private: bool | None = None
    disabled: bool | None = None
    has_issues: bool | None = None
    permissions: dict[str, bool] | None = None
    parent: WireParent | None = None
    created_at: str | None = None
    pushed_at: str | None = None


class WireLabel(Wire):
    """Describes a label."""

    name: str | None = None


class WireMilestone(Wire):
    """Describes a milestone."""

    title: str | None = None


class WireReactions(Wire):
    """Counts reactions."""

    total_count: int | None = None


class WireIssue(Wire):
    """Describes an issue, or a pull request as one."""

    number: int
    title: str | None = None
    state: str | None = None
    state_reason: str | None = None
    user: WireUser | None = None
    labels: list[WireLabel | str] | None = None
    assignees: list[WireUser] | None = None
    milestone: WireMilestone | None = None
    reactions: WireReactions | None = None
    comments: int | None = None
    locked: bool | None = None
    draft: bool | None = None
    body: str | None = None
    html_url: str | None = None
    repository_url: str | None = None
    pull_request: dict[str, Any] | None = None
    created_at: str | None = None
    updated_at: str | None = None
    closed_at: str | None = None


class WireComment(Wire):
    """Describes a comment."""

    id: int
    user: WireUser | None = None
    body: str | None = None
    author_association: str | None = None
    created_at: str | None = None
    html_url: str | None = None
    reactions: WireReactions | None = None


class WireCreated(Wire):
    """Describes an issue or comment that was just made; only issues have a number."""

    id: int
    number: int | None = None
    html_url: str


class WireBranch(Wire):
    """Describes a side of a pull request; its repository is missing after the fork was deleted."""

    label: str | None = None
    ref: str | None = None
    sha: str | None = None


class WirePull(WireIssue):
    """Describes a pull request."""

    merged: bool | None = None
    merged_at: str | None = None
    mergeable_state: str | None = None
    base: WireBranch | None = None
    head: WireBranch | None = None
    commits: int | None = None
    additions: int | None = None
    deletions: int | None = None
    changed_files: int | None = None


class WireChangedFile(Wire):
    """Describes a file of a pull request; binary and very large files have no patch."""

    filename: str
    status: str | None = None
    previous_filename: str | None = None
    additions: int | None = None
    deletions: int | None = None
    patch: str | None = None


class WireReview(Wire):
    """Describes a review of a pull request."""

    user: WireUser | None = None
    state: str | None = None
    body: str | None = None
    submitted_at: str | None = None


class WireSignature(Wire):
    """Describes who wrote a commit, and when, as Git knows it."""

    name: str | None = None
    date: str | None = None


class WireGitCommit(Wire):
    """Describes a commit as Git knows it."""

    message: str | None = None
    author: WireSignature | None = None


class WireCommit(Wire):
    """Describes a commit; `author` is missing when GitHub knows no account for it, and may be an empty object."""

    sha: str
    commit: WireGitCommit = Field(default_factory=WireGitCommit)
    author: dict[str, Any] | None = None
    html_url: str | None = None


class WireAsset(Wire):
    """Describes a file of a release."""

    name: str | None = None
    size: int | None = None
    download_count: int | None = None
    browser_download_url: str | None = None


class WireRelease(Wire):
    """Describes a release."""

    tag_name: str
    name: str | None = None
    body: str | None = None
    draft: bool | None = None
    prerelease: bool | None = None
    author: WireUser | None = None
    html_url: str | None = None
    published_at: str | None = None
    created_at: str | None = None
    assets: list[WireAsset] | None = None


class WireContent(Wire):
    """Describes a file, a folder's entry, a symbolic link or a submodule."""

    type: str
    path: str
    name: str | None = None
    sha: str | None = None
    size: int | None = None
    encoding: str | None = None
    content: str | None = None
    target: str | None = None
    submodule_git_url: str | None = None
    html_url: str | None = None


class WireFragment(Wire):
    """Describes the part of a file where a search found something."""

    fragment: str | None = None


class WireCodeMatch(Wire):
    """Describes a file that a code search found."""

    path: str
    repository: WireRepository
    html_url: str | None = None
    text_matches: list[WireFragment] | None = None


class WireRun(Wire):
    """Describes a workflow run."""

    id: int
    name: str | None = None
    display_title: str | None = None
    run_number: int | None = None
    run_attempt: int | None = None
    event: str | None = None
    status: str | None = None
    conclusion: str | None = None
    head_branch: str | None = None
    head_sha: str | None = None
    actor: WireUser | None = None
    html_url: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    run_started_at: str | None = None


class WireStep(Wire):
    """Describes a step of a job."""

    number: int | None = None
    name: str | None = None
    conclusion: str | None = None


class WireJob(Wire):
    """Describes a job of a workflow run; its id is also that of its check run."""

    id: int
    name: str | None = None
    status: str | None = None
    conclusion: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    html_url: str | None = None
    steps: list[WireStep] | None = None


class WireAnnotation(Wire):
    """Describes a message that a job left at a line of a file."""

    path: str | None = None
    start_line: int | None = None
    annotation_level: str | None = None
    message: str | None = None


class WireLimit(Wire):
    """Describes a rate limit."""

    limit: int
    remaining: int
    reset: int | None = None
