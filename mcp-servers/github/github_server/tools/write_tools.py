"""Declares the MCP tools that write, each in two steps; they are offered only with DYBER_READ_ONLY=false."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from dyber_kit import tool
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.writes.flow import Confirmation, DryRun, WriteResult, Writes
from pydantic import Field

from github_server.model.references import References
from github_server.tools.read_tools import Repo, Target
from github_server.writing.writer import Writer, written

#: Longest text; GitHub takes 65536 characters, but the whole text has to fit into the dry run's answer.
MAX_TEXT_CHARS = 10_000
MAX_TITLE_CHARS = 256


def write_tools(writer: Writer, references: References, writes: Writes) -> list[ToolDeclaration]:
    """Return the tools that change something on GitHub, in the order in which agents see them.

    Args:
        writer: Checks, describes and carries out writes.
        references: Reads how callers name repositories and issues.
        writes: Requires the confirmation.
    """

    @tool(title="新建 GitHub 议题", read_only=False, open_world=True, destructive=False, idempotent=False)
    async def github_create_issue(
        repo: Repo,
        title: Annotated[str, Field(description="一行", min_length=1, max_length=MAX_TITLE_CHARS)],
        body: Annotated[str, Field(description="Markdown", max_length=MAX_TEXT_CHARS)] = "",
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
    ) -> WriteResult:
        """新建议题。先搜有没有相同的；先预演（默认），用户同意再提交。"""
        writer.require_token()
        name = references.repository(repo)
        headline = written("title", title, lines=False)
        text = written("body", body, lines=True) if body.strip() else ""
        summaries: list[str] = []

        async def act(spend: Callable[[], None]) -> None:
            summaries.append(await writer.open_issue(name, headline, text, spend))

        arguments = {"repo": name.full_name.lower(), "title": headline, "body": text}
        result = await writes.run(
            "github_create_issue",
            arguments,
            dry_run,
            confirmation,
            lambda: writer.describe_issue(name, headline, text),
            act,
        )
        return _with_summary(result, summaries)

    @tool(title="评论 GitHub 议题或拉取请求", read_only=False, open_world=True, destructive=False, idempotent=False)
    async def github_add_comment(
        issue: Target,
        body: Annotated[str, Field(description="Markdown", min_length=1, max_length=MAX_TEXT_CHARS)],
        dry_run: DryRun = True,
        confirmation: Confirmation = "",
    ) -> WriteResult:
        """评论议题或拉取请求。先预演（默认），用户同意再提交。"""
        writer.require_token()
        target = references.issue(issue)
        text = written("body", body, lines=True)
        summaries: list[str] = []

        async def act(spend: Callable[[], None]) -> None:
            summaries.append(await writer.comment(target, text, spend))

        arguments = {"issue": f"{target.repository.full_name.lower()}#{target.number}", "body": text}
        result = await writes.run(
            "github_add_comment",
            arguments,
            dry_run,
            confirmation,
            lambda: writer.describe_comment(target, text),
            act,
        )
        return _with_summary(result, summaries)

    return [github_create_issue, github_add_comment]


def _with_summary(result: WriteResult, summaries: list[str]) -> WriteResult:
    """Return the result of a write with what GitHub said about it."""
    return result.model_copy(update={"summary": summaries[0]}) if summaries else result
