"""Declares the MCP tools that read; agents read the docstrings of the tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dyber_kit import tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from pydantic import Field

from github_server.analysis import Analyzer
from github_server.model.analysis import Analysis
from github_server.model.answers import (
    CodeList,
    CommitList,
    File,
    Issue,
    IssueList,
    Pull,
    RateLimits,
    ReleaseList,
    Repository,
    RepositoryList,
    Run,
    RunList,
    Trending,
    User,
)
from github_server.reading.actions import ActionsReader, RunStatus
from github_server.reading.api import GitHub
from github_server.reading.code import CodeReader
from github_server.reading.issues import IssueReader, Kind, State
from github_server.reading.issues import Sort as IssueSort
from github_server.reading.limits import rate_limits
from github_server.reading.repositories import RepositoryReader
from github_server.reading.repositories import Sort as RepositorySort
from github_server.reading.trending import Since, TrendingReader

Repo = Annotated[str, Field(description="owner/name or link", min_length=1, max_length=1000)]
InRepo = Annotated[str, Field(description="Only in this owner/name", max_length=1000)]
Target = Annotated[str, Field(description="owner/name#number or link", min_length=1, max_length=1000)]
Query = Annotated[
    str,
    Field(description="Words and qualifiers of GitHub, as in `parser language:go stars:>50`", max_length=256),
]
Limit = Annotated[int, Field(description="Most items", ge=1, le=50)]
Cursor = Annotated[str, Field(description="next_cursor; same other arguments", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="More fields")]
MaxChars = Annotated[int, Field(description="Cut texts here", ge=100, le=10000)]


@dataclass(frozen=True)
class Readers:
    """Holds what the tools ask."""

    github: GitHub
    repositories: RepositoryReader
    issues: IssueReader
    code: CodeReader
    actions: ActionsReader
    trending: TrendingReader
    analyzer: Analyzer


def read_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools that change nothing, in the order in which agents see them."""
    return [*repository_tools(readers), *issue_tools(readers), *code_tools(readers), *other_tools(readers)]


def repository_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for repositories and users."""

    @tool(title="搜索 GitHub 仓库", read_only=True, open_world=True)
    async def github_search_repos(
        query: Annotated[Query, Field(min_length=1)],
        sort: Annotated[RepositorySort, Field(description="Order")] = "best_match",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> RepositoryList:
        """Search repositories. Items: repo, description, stars, language, pushed_at.

        No items: nothing matches, never a failure.
        """
        return await readers.repositories.search(query, sort, limit, cursor, verbose)

    @tool(title="GitHub 热门仓库", read_only=True, open_world=True)
    async def github_list_trending(
        language: Annotated[str, Field(description="Such as python; empty for all", max_length=50)] = "",
        since: Annotated[Since, Field(description="Period")] = "daily",
        limit: Annotated[int, Field(description="Most items", ge=1, le=25)] = 10,
    ) -> Trending:
        """List repositories that are popular now, with stars_in_period. Warnings say when a search took its place."""
        return await readers.trending.read(language, since, limit)

    @tool(title="GitHub 仓库概况", read_only=True, open_world=True)
    async def github_get_repo(
        repo: Repo,
        max_chars: Annotated[int, Field(description="README's length; 0: without", ge=0, le=20000)] = 3000,
    ) -> Repository:
        """Read a repository's numbers and README. Start here to learn what a project is."""
        return await readers.repositories.get(repo, max_chars)

    @tool(title="GitHub 仓库统计", read_only=True, open_world=True)
    async def github_analyze_repo(
        repo: Repo,
        sample: Annotated[int, Field(description="Newest issues and commits to count", ge=10, le=100)] = 100,
    ) -> Analysis:
        """Compute activity: time to close, commits per week, releases, top labels, authors and title words."""
        return await readers.analyzer.analyze(repo, sample)

    @tool(title="GitHub 提交记录", read_only=True, open_world=True)
    async def github_list_commits(
        repo: Repo,
        path: Annotated[str, Field(description="Only of this file or folder", max_length=1000)] = "",
        ref: Annotated[str, Field(description="Branch, tag or commit", max_length=250)] = "",
        author: Annotated[str, Field(description="Login", max_length=100)] = "",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> CommitList:
        """List commits, newest first: sha, message, author, date."""
        return await readers.repositories.commits(repo, path, ref, author, limit, cursor, verbose)

    @tool(title="GitHub 发行版", read_only=True, open_world=True)
    async def github_list_releases(
        repo: Repo,
        limit: Limit = 5,
        max_chars: Annotated[int, Field(description="Length of each note", ge=0, le=10000)] = 500,
        cursor: Cursor = "",
        verbose: Annotated[bool, Field(description="With files to download")] = False,
    ) -> ReleaseList:
        """List releases with notes, newest first."""
        return await readers.repositories.releases(repo, limit, max_chars, cursor, verbose)

    @tool(title="GitHub 用户或组织", read_only=True, open_world=True)
    async def github_get_user(
        user: Annotated[str, Field(description="Login or link", min_length=1, max_length=1000)],
        repos: Annotated[int, Field(description="Repositories to list", ge=0, le=30)] = 5,
    ) -> User:
        """Read a user's or organisation's profile and latest repositories."""
        return await readers.repositories.user(user, repos)

    return [
        github_search_repos, github_list_trending, github_get_repo, github_analyze_repo, github_list_commits,
        github_list_releases, github_get_user,
    ]  # fmt: skip


def issue_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for issues and pull requests."""

    @tool(title="搜索 GitHub 议题与拉取请求", read_only=True, open_world=True)
    async def github_search_issues(
        query: Annotated[Query, Field(description="Words and qualifiers, as in `crash label:bug author:x`")] = "",
        repo: InRepo = "",
        kind: Annotated[Kind, Field(description="Issues or pull requests")] = "issue",
        state: Annotated[State, Field(description="State")] = "any",
        sort: Annotated[IssueSort, Field(description="Order")] = "best_match",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> IssueList:
        """Search issues or pull requests; without query, list those of repo. Items have a ref for the tools below."""
        return await readers.issues.search(query, repo, kind, state, sort, limit, cursor, verbose)

    @tool(title="读取 GitHub 议题", read_only=True, open_world=True)
    async def github_get_issue(
        issue: Target,
        comments: Annotated[int, Field(description="Most comments, oldest first", ge=0, le=50)] = 10,
        max_chars: MaxChars = 3000,
        cursor: Annotated[str, Field(description="next_cursor: further comments", max_length=MAX_CURSOR_CHARS)] = "",
        verbose: Verbose = False,
    ) -> Issue:
        """Read the discussion of an issue or pull request: text and comments."""
        return await readers.issues.get(issue, comments, max_chars, cursor, verbose)

    @tool(title="读取 GitHub 拉取请求", read_only=True, open_world=True)
    async def github_get_pull(
        pull: Target,
        files: Annotated[int, Field(description="Most changed files", ge=0, le=50)] = 20,
        patch: Annotated[bool, Field(description="With the diff of each file")] = False,
        max_chars: MaxChars = 3000,
        cursor: Annotated[str, Field(description="next_cursor: further files", max_length=MAX_CURSOR_CHARS)] = "",
    ) -> Pull:
        """Read what a pull request changes: branches, size, files, diff, reviews."""
        return await readers.issues.pull(pull, files, patch, max_chars, cursor)

    return [github_search_issues, github_get_issue, github_get_pull]


def code_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for files and code."""

    @tool(title="读取 GitHub 文件或目录", read_only=True, open_world=True)
    async def github_read_file(
        repo: Annotated[str, Field(description="owner/name, or link to a file", min_length=1, max_length=1000)],
        path: Annotated[str, Field(description="Empty: the link's, or the root folder", max_length=1000)] = "",
        ref: Annotated[str, Field(description="Branch, tag or commit", max_length=250)] = "",
        start_line: Annotated[int, Field(description="0: the link's, or the first", ge=0, le=10_000_000)] = 0,
        max_chars: Annotated[int, Field(description="Most characters", ge=100, le=18000)] = 6000,
        cursor: Cursor = "",
    ) -> File:
        """Read a text file in parts, or list a folder. Follow next_cursor for the rest; soon after, it costs no request."""
        return await readers.code.read(repo, path, ref, start_line, max_chars, cursor)

    @tool(title="搜索 GitHub 代码", read_only=True, open_world=True)
    async def github_search_code(
        query: Annotated[
            str, Field(description="Words, as in `addClass in:file language:js`", min_length=1, max_length=256)
        ],
        repo: InRepo = "",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> CodeList:
        """Search code on default branches: repo, path, fragments. Needs a token; 10 a minute."""
        return await readers.code.search(query, repo, limit, cursor, verbose)

    return [github_read_file, github_search_code]


def other_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for workflow runs and rate limits."""

    @tool(title="GitHub Actions 运行记录", read_only=True, open_world=True)
    async def github_list_runs(
        repo: Repo,
        branch: Annotated[str, Field(description="Only of this branch", max_length=250)] = "",
        status: Annotated[RunStatus, Field(description="Only with this status")] = "any",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> RunList:
        """List workflow runs of GitHub Actions, newest first."""
        return await readers.actions.runs(repo, branch, status, limit, cursor, verbose)

    @tool(title="读取 GitHub Actions 运行", read_only=True, open_world=True)
    async def github_get_run(
        run: Annotated[str, Field(description="ref of github_list_runs, or link", min_length=1, max_length=1000)],
        max_chars: Annotated[int, Field(description="Length of each message", ge=100, le=5000)] = 500,
    ) -> Run:
        """Read the jobs of a workflow run, and of failed jobs the failed steps and messages."""
        return await readers.actions.run(run, max_chars)

    @tool(title="GitHub 请求余量", read_only=True, open_world=True)
    async def github_get_rate_limit() -> RateLimits:
        """Show whether there is a token and how many requests are left. Free. Use after RATE_LIMITED."""
        return await rate_limits(readers.github)

    return [github_list_runs, github_get_run, github_get_rate_limit]
