"""Declares the MCP tools; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from dyber_kit import AccountName, tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.website.accounts import Accounts
from mcp.types import CallToolResult
from pydantic import Field

from zhihu_server.analysis.questions import Analyzer
from zhihu_server.model.answers import (
    Analysis,
    Comments,
    Content,
    Generated,
    HotList,
    LoginCode,
    Question,
    SearchResults,
    Status,
    User,
)
from zhihu_server.official.api import Model
from zhihu_server.reading.common import Source
from zhihu_server.reading.contents import ContentReader
from zhihu_server.reading.lists import Kind, ListReader, Period, Scope, Sort
from zhihu_server.reading.questions import AnswerSort, QuestionReader
from zhihu_server.reading.users import Tab, UserReader

Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
QuestionArgument = Annotated[str, Field(description="question:编号、编号或链接", min_length=1, max_length=1000)]
ContentArgument = Annotated[
    str, Field(description="answer:编号、article:编号、链接或分享文字", min_length=1, max_length=1000)
]
Cursor = Annotated[str, Field(description="上次的 next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="更多字段，如 url、author_ref")]
SourceArgument = Annotated[Source, Field(description="auto 官方接口优先；browser 用登录的浏览器")]


@dataclass(frozen=True)
class Readers:
    """Holds what the tools ask."""

    accounts: Accounts[Status]
    lists: ListReader
    questions: QuestionReader
    contents: ContentReader
    users: UserReader
    analyzer: Analyzer


def read_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return all tools in the order in which agents see them."""
    return [*finding_tools(readers), *reading_tools(readers), *account_tools(readers)]


def finding_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools that find something."""

    @tool(title="知乎热榜", read_only=True, open_world=True)
    async def zhihu_list_hot(
        limit: Annotated[int, Field(description="条数", ge=1, le=50)] = 10,
        source: SourceArgument = "auto",
        verbose: Verbose = False,
        account: Account = "",
    ) -> HotList:
        """看知乎热榜，缓存 15 分钟。官方接口没有热度值，要热度用 source=browser。"""
        return await readers.lists.hot(limit, source, verbose, account)

    @tool(title="搜索知乎", read_only=True, open_world=True)
    async def zhihu_search_content(
        query: Annotated[str, Field(description="2 到 100 个字", min_length=2, max_length=100)],
        scope: Annotated[Scope, Field(description="web 是全网，只有官方接口有")] = "zhihu",
        kind: Annotated[Kind, Field(description="只要回答或文章")] = "all",
        sort: Annotated[Sort, Field(description="votes 最多赞同，newest 最新")] = "default",
        period: Annotated[Period, Field(description="发布于多久之内")] = "any",
        limit: Annotated[int, Field(description="条数；官方知乎 10、全网 20 条为止", ge=1, le=30)] = 10,
        cursor: Cursor = "",
        source: SourceArgument = "auto",
        verbose: Verbose = False,
        account: Account = "",
    ) -> SearchResults:
        """搜知乎的回答与文章，或全网：ref、标题、摘要、作者、赞同、日期；全文用 zhihu_get_content。

        kind、sort、period、cursor 用浏览器（慢，须登录）；applied 是用上的；空表示没有结果，先看 warnings。"""
        return await readers.lists.search(query, scope, kind, sort, period, limit, cursor, source, verbose, account)

    @tool(title="知乎直答", read_only=True, open_world=True, idempotent=False)
    async def zhihu_ask(
        query: Annotated[str, Field(description="问题", min_length=2, max_length=1000)],
        model: Annotated[Model, Field(description="快、深思、智能体")] = "fast",
    ) -> Generated:
        """让知乎的 AI 生成回答：不是来源，会出错，每次花额度。须管理员开启；用户要求时才用。"""
        return await readers.lists.ask(query, model)

    return [zhihu_search_content, zhihu_list_hot, zhihu_ask]


def reading_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools that read something by its name."""

    @tool(title="读取知乎问题", read_only=True, open_world=True)
    async def zhihu_get_question(
        question: QuestionArgument,
        answers: Annotated[int, Field(description="回答数；0 只看问题（browser）", ge=0, le=20)] = 3,
        sort: Annotated[AnswerSort, Field(description="updated 按更新时间（browser）")] = "default",
        max_chars: Annotated[int, Field(description="每个回答最多字数", ge=50, le=4000)] = 600,
        cursor: Cursor = "",
        source: SourceArgument = "auto",
        verbose: Verbose = False,
        account: Account = "",
    ) -> Question:
        """看一个问题和它的回答。官方接口只有回答的摘要；source=browser 有题目、说明、赞同数与正文。"""
        return await readers.questions.get(question, answers, sort, max_chars, cursor, source, verbose, account)

    @tool(title="读取知乎回答或文章", read_only=True, open_world=True)
    async def zhihu_get_content(
        content: ContentArgument,
        comments: Annotated[int, Field(description="连同几条评论", ge=0, le=20)] = 0,
        max_chars: Annotated[int, Field(description="正文最多字数，其余用 cursor", ge=100, le=10000)] = 3000,
        cursor: Cursor = "",
        account: Account = "",
    ) -> Content:
        """读回答或文章的全文，用浏览器，约 10 秒；接着读不再打开页面。"""
        return await readers.contents.get(content, comments, max_chars, cursor, account)

    @tool(title="读取知乎评论", read_only=True, open_world=True)
    async def zhihu_list_comments(
        content: ContentArgument,
        limit: Annotated[int, Field(description="条数", ge=1, le=40)] = 20,
        cursor: Cursor = "",
        account: Account = "",
    ) -> Comments:
        """读回答或文章的评论，按知乎的次序，带几条回复；用浏览器，越往后翻越慢，最多 100 条。"""
        return await readers.contents.comments(content, limit, cursor, account)

    @tool(title="读取知乎用户", read_only=True, open_world=True)
    async def zhihu_get_user(
        user: Annotated[str, Field(description="author_ref、主页链接或链接里的名字", min_length=1, max_length=1000)],
        works: Annotated[Tab, Field(description="连同最新的回答或文章")] = "none",
        limit: Annotated[int, Field(description="篇数", ge=1, le=20)] = 10,
        account: Account = "",
    ) -> User:
        """看一个用户的简介和数量；没有关注者名单。用浏览器。"""
        return await readers.users.get(user, works, limit, account)

    @tool(title="统计知乎问题", read_only=True, open_world=True)
    async def zhihu_analyze_question(
        question: QuestionArgument,
        sample: Annotated[int, Field(description="读几个回答", ge=3, le=50)] = 20,
        account: Account = "",
    ) -> Analysis:
        """统计一个问题的回答：赞同、评论、长度、年份、常用词、最受赞同的；用浏览器，只说明读到的 n 个。"""
        return await readers.analyzer.analyze(question, sample, account)

    return [
        zhihu_get_question,
        zhihu_get_content,
        zhihu_list_comments,
        zhihu_get_user,
        zhihu_analyze_question,
    ]


def account_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for the state of the service and for logins."""

    @tool(title="知乎状态与额度", read_only=True, open_world=True)
    async def zhihu_status(
        check_login: Annotated[bool, Field(description="打开页面看是否登录，约 10 秒")] = True,
        account: Account = "",
    ) -> Status:
        """看官方接口今天的额度、是否登录、扫码到哪一步、暂停到几时；查额度不花额度。按 next_step 做。"""
        return await readers.accounts.status(account, check_login=check_login)

    @tool(title="知乎扫码登录", read_only=True, open_world=True, idempotent=False)
    async def zhihu_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """取登录二维码，给用户用知乎 App 扫。未登录时才用；新码使旧码作废，等待时用 zhihu_status 查看。"""
        return await readers.accounts.code(account)

    return [zhihu_status, zhihu_login_qrcode]
