"""Declares the MCP tools that read; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

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

Repo = Annotated[str, Field(description="owner/name 或链接", min_length=1, max_length=1000)]
InRepo = Annotated[str, Field(description="只在这个 owner/name 里", max_length=1000)]
Target = Annotated[str, Field(description="owner/name#编号 或链接", min_length=1, max_length=1000)]
Query = Annotated[
    str,
    Field(description="词与限定词，如 parser language:go stars:>50", max_length=256),
]
Limit = Annotated[int, Field(description="条数", ge=1, le=50)]
Cursor = Annotated[str, Field(description="next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="更多字段")]
MaxChars = Annotated[int, Field(description="文字最多字数", ge=100, le=10000)]


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
        sort: Annotated[RepositorySort, Field(description="排序")] = "best_match",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> RepositoryList:
        """搜仓库：repo、简介、星标、语言、推送时间。空表示没有结果。"""
        return await readers.repositories.search(query, sort, limit, cursor, verbose)

    @tool(title="GitHub 热门仓库", read_only=True, open_world=True)
    async def github_list_trending(
        language: Annotated[str, Field(description="如 python；留空为全部", max_length=50)] = "",
        since: Annotated[Since, Field(description="时段")] = "daily",
        limit: Annotated[int, Field(description="条数", ge=1, le=25)] = 10,
    ) -> Trending:
        """现在热门的仓库，和这段时间新增的星标；以搜索代替时看 warnings。"""
        return await readers.trending.read(language, since, limit)

    @tool(title="GitHub 仓库概况", read_only=True, open_world=True)
    async def github_get_repo(
        repo: Repo,
        max_chars: Annotated[int, Field(description="README 最多字数；0 不要", ge=0, le=20000)] = 3000,
    ) -> Repository:
        """读仓库的简介、数量、许可证和 README；了解项目从这里开始。"""
        return await readers.repositories.get(repo, max_chars)

    @tool(title="GitHub 仓库统计", read_only=True, open_world=True)
    async def github_analyze_repo(
        repo: Repo,
        sample: Annotated[int, Field(description="最近几个议题和提交", ge=10, le=100)] = 100,
    ) -> Analysis:
        """统计项目的活跃：关闭议题多久、每周提交、发行版、常见标签、作者与词。"""
        return await readers.analyzer.analyze(repo, sample)

    @tool(title="GitHub 提交记录", read_only=True, open_world=True)
    async def github_list_commits(
        repo: Repo,
        path: Annotated[str, Field(description="只看这个路径", max_length=1000)] = "",
        ref: Annotated[str, Field(description="分支、标签或提交", max_length=250)] = "",
        author: Annotated[str, Field(description="登录名", max_length=100)] = "",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> CommitList:
        """列出提交，新的在前：sha、说明、作者、时间。"""
        return await readers.repositories.commits(repo, path, ref, author, limit, cursor, verbose)

    @tool(title="GitHub 发行版", read_only=True, open_world=True)
    async def github_list_releases(
        repo: Repo,
        limit: Limit = 5,
        max_chars: Annotated[int, Field(description="说明最多字数", ge=0, le=10000)] = 500,
        cursor: Cursor = "",
        verbose: Annotated[bool, Field(description="连同下载的文件")] = False,
    ) -> ReleaseList:
        """列出发行版和更新说明，新的在前。"""
        return await readers.repositories.releases(repo, limit, max_chars, cursor, verbose)

    @tool(title="GitHub 用户或组织", read_only=True, open_world=True)
    async def github_get_user(
        user: Annotated[str, Field(description="登录名或链接", min_length=1, max_length=1000)],
        repos: Annotated[int, Field(description="仓库数", ge=0, le=30)] = 5,
    ) -> User:
        """读用户或组织的资料和最近的仓库。"""
        return await readers.repositories.user(user, repos)

    return [
        github_search_repos, github_list_trending, github_get_repo, github_analyze_repo, github_list_commits,
        github_list_releases, github_get_user,
    ]  # fmt: skip


def issue_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for issues and pull requests."""

    @tool(title="搜索 GitHub 议题与拉取请求", read_only=True, open_world=True)
    async def github_search_issues(
        query: Annotated[Query, Field(description="词与限定词，如 crash label:bug author:x")] = "",
        repo: InRepo = "",
        kind: Annotated[Kind, Field(description="议题或拉取请求")] = "issue",
        state: Annotated[State, Field(description="状态")] = "any",
        sort: Annotated[IssueSort, Field(description="排序")] = "best_match",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> IssueList:
        """搜议题或拉取请求；不填 query 就列出 repo 的。ref 给下面的工具用。"""
        return await readers.issues.search(query, repo, kind, state, sort, limit, cursor, verbose)

    @tool(title="读取 GitHub 议题", read_only=True, open_world=True)
    async def github_get_issue(
        issue: Target,
        comments: Annotated[int, Field(description="评论条数，旧的在前", ge=0, le=50)] = 10,
        max_chars: MaxChars = 3000,
        cursor: Annotated[str, Field(description="next_cursor，后面的评论", max_length=MAX_CURSOR_CHARS)] = "",
        verbose: Verbose = False,
    ) -> Issue:
        """读议题或拉取请求的讨论：正文和评论。"""
        return await readers.issues.get(issue, comments, max_chars, cursor, verbose)

    @tool(title="读取 GitHub 拉取请求", read_only=True, open_world=True)
    async def github_get_pull(
        pull: Target,
        files: Annotated[int, Field(description="文件数", ge=0, le=50)] = 20,
        patch: Annotated[bool, Field(description="连同差异")] = False,
        max_chars: MaxChars = 3000,
        cursor: Annotated[str, Field(description="next_cursor，后面的文件", max_length=MAX_CURSOR_CHARS)] = "",
    ) -> Pull:
        """读拉取请求改了什么：分支、大小、文件、差异、评审。"""
        return await readers.issues.pull(pull, files, patch, max_chars, cursor)

    return [github_search_issues, github_get_issue, github_get_pull]


def code_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for files and code."""

    @tool(title="读取 GitHub 文件或目录", read_only=True, open_world=True)
    async def github_read_file(
        repo: Annotated[str, Field(description="owner/name，或文件的链接", min_length=1, max_length=1000)],
        path: Annotated[str, Field(description="留空：链接里的或根", max_length=1000)] = "",
        ref: Annotated[str, Field(description="分支、标签或提交", max_length=250)] = "",
        start_line: Annotated[int, Field(description="0：链接里的或首行", ge=0, le=10_000_000)] = 0,
        max_chars: Annotated[int, Field(description="最多字数", ge=100, le=18000)] = 6000,
        cursor: Cursor = "",
    ) -> File:
        """分段读文本文件，或列出目录。不久之内用 next_cursor 接着读，不费请求。"""
        return await readers.code.read(repo, path, ref, start_line, max_chars, cursor)

    @tool(title="搜索 GitHub 代码", read_only=True, open_world=True)
    async def github_search_code(
        query: Annotated[str, Field(description="词，如 addClass in:file language:js", min_length=1, max_length=256)],
        repo: InRepo = "",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> CodeList:
        """在默认分支上搜代码：repo、路径、片段。须有令牌，每分钟 10 次。"""
        return await readers.code.search(query, repo, limit, cursor, verbose)

    return [github_read_file, github_search_code]


def other_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for workflow runs and rate limits."""

    @tool(title="GitHub Actions 运行记录", read_only=True, open_world=True)
    async def github_list_runs(
        repo: Repo,
        branch: Annotated[str, Field(description="只看这个分支", max_length=250)] = "",
        status: Annotated[RunStatus, Field(description="状态")] = "any",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
    ) -> RunList:
        """列出 Actions 的运行，新的在前。"""
        return await readers.actions.runs(repo, branch, status, limit, cursor, verbose)

    @tool(title="读取 GitHub Actions 运行", read_only=True, open_world=True)
    async def github_get_run(
        run: Annotated[str, Field(description="ref 或链接", min_length=1, max_length=1000)],
        max_chars: Annotated[int, Field(description="消息最多字数", ge=100, le=5000)] = 500,
    ) -> Run:
        """读一次运行的任务，和失败的步骤与消息；没有日志。"""
        return await readers.actions.run(run, max_chars)

    @tool(title="GitHub 请求余量", read_only=True, open_world=True)
    async def github_get_rate_limit() -> RateLimits:
        """看有没有令牌、还剩几次请求；不费请求。报 RATE_LIMITED 后用。"""
        return await rate_limits(readers.github)

    return [github_list_runs, github_get_run, github_get_rate_limit]
