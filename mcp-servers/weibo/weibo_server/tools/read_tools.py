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

from weibo_server.analysis.answers import Analysis
from weibo_server.analysis.sampling import Sampler
from weibo_server.login.members import Members
from weibo_server.model.answers import AiSearch, CommentList, HotList, LoginCode, LoginStatus, Post, PostList, User
from weibo_server.model.references import UserReference
from weibo_server.reading.hot import MOST_HOT_WORDS, Board, HotReader
from weibo_server.reading.lists import ListReader, Sort
from weibo_server.reading.posts import CommentSort, PostReader

#: The name by which callers mean the user who is logged in.
ME = "me"

PostArgument = Annotated[str, Field(description="结果里的 post、微博链接或分享文字", min_length=1, max_length=1000)]
UserArgument = Annotated[
    str, Field(description="编号、准确的昵称或主页链接；me 是登录的账号", min_length=1, max_length=1000)
]
Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
Cursor = Annotated[str, Field(description="上次的 next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="连同链接、编号、地区等")]
Limit = Annotated[int, Field(description="条数", ge=1, le=50)]
Keyword = Annotated[str, Field(description="词，或 #话题#", min_length=1, max_length=100)]


@dataclass(frozen=True)
class Readers:
    """Holds what the tools ask."""

    accounts: Accounts[LoginStatus]
    members: Members
    hot: HotReader
    lists: ListReader
    posts: PostReader
    sampler: Sampler

    async def user(self, user: str, account: str) -> UserReference:
        """Return the user that a caller names."""
        if user.strip() == ME:
            return await self.members.reference(account)
        return await self.posts.user_reference(user, account)


def read_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""
    return [*hot_tools(readers), *post_tools(readers), *user_tools(readers), *login_tools(readers)]


def hot_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for what is talked about."""

    @tool(title="微博热搜榜", read_only=True, open_world=True)
    async def weibo_hot_list(
        board: Annotated[Board, Field(description="榜单；没有官方凭证时只有主榜")] = "主榜",
        limit: Annotated[int, Field(description="条数", ge=1, le=MOST_HOT_WORDS)] = 20,
        verbose: Verbose = False,
    ) -> HotList:
        """现在的热搜：名次、词、热度。给用户看时连同 attribution。看一个词的内容用 weibo_ai_search。"""
        return await readers.hot.hot_list(board, limit, verbose)

    @tool(title="微博智搜", read_only=True, open_world=True)
    async def weibo_ai_search(
        query: Keyword,
        max_chars: Annotated[int, Field(description="最多字数", ge=100, le=20000)] = 4000,
    ) -> AiSearch:
        """微博官方的 AI 摘要：大家怎么谈一个词或话题。是平台生成的，不是原帖；引用时连同 attribution。须有官方凭证。"""
        return await readers.hot.summary(query, max_chars)

    @tool(title="搜索微博", read_only=True, open_world=True)
    async def weibo_search_posts(
        keyword: Keyword,
        sort: Annotated[Sort, Field(description="general 综合，hot 热门，latest 最新")] = "general",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> PostList:
        """按词搜帖子，须登录。正文只有开头（truncated），全文与评论用 weibo_get_post。空表示没有结果，先看 warnings。"""
        return await readers.lists.search(keyword, sort, limit, cursor, verbose, account)

    @tool(title="微博热门", read_only=True, open_world=True)
    async def weibo_hot_timeline(limit: Limit = 10, verbose: Verbose = False, account: Account = "") -> PostList:
        """首页推荐的热门帖子，每次不同，不能翻页。不是热搜榜。"""
        return await readers.lists.timeline(limit, verbose, account)

    return [weibo_hot_list, weibo_ai_search, weibo_search_posts, weibo_hot_timeline]


def post_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for a post."""

    @tool(title="读取微博", read_only=True, open_world=True)
    async def weibo_get_post(
        post: PostArgument,
        comments: Annotated[int, Field(description="附带的热门评论数", ge=0, le=50)] = 10,
        max_chars: Annotated[int, Field(description="正文最多字数", ge=100, le=20000)] = 4000,
        verbose: Verbose = False,
        account: Account = "",
    ) -> Post:
        """读一条微博：全文、转发的原文、图片、数量、作者和前几条评论。更多评论用 weibo_get_comments。"""
        return await readers.posts.post(post, comments, max_chars, verbose, account)

    @tool(title="读取微博评论", read_only=True, open_world=True)
    async def weibo_get_comments(
        post: PostArgument,
        sort: Annotated[CommentSort, Field(description="hot 热度，time 时间")] = "hot",
        reply_to: Annotated[
            str, Field(description="只看这条评论（comment_id）的回复", pattern=r"^\d{0,20}$", max_length=20)
        ] = "",
        limit: Limit = 20,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> CommentList:
        """分页读评论，或一条评论的回复。网站会折叠一部分，所以总比 total 少。"""
        return await readers.posts.comments(post, sort, reply_to, limit, cursor, verbose, account)

    return [weibo_get_post, weibo_get_comments]


def user_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for a user, and for a sample of posts."""

    @tool(title="读取微博用户", read_only=True, open_world=True)
    async def weibo_get_user(user: UserArgument, account: Account = "") -> User:
        """读一个用户的资料：简介、认证、粉丝数、微博数。帖子用 weibo_user_posts。没有粉丝名单。"""
        return await readers.posts.user(await readers.user(user, account), account)

    @tool(title="微博用户的帖子", read_only=True, open_world=True)
    async def weibo_user_posts(
        user: UserArgument,
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> PostList:
        """分页列出一个用户的帖子，新的在前，置顶（pinned）最前。未登录只有带视频的，见 warnings。"""
        return await readers.lists.user_posts(await readers.user(user, account), limit, cursor, verbose, account)

    @tool(title="分析微博内容", read_only=True, open_world=True)
    async def weibo_analyze(
        keyword: Annotated[str, Field(description="分析搜索结果", max_length=100)] = "",
        user: Annotated[str, Field(description="或一个用户的帖子", max_length=1000)] = "",
        sample: Annotated[int, Field(description="帖子条数", ge=5, le=50)] = 30,
        account: Account = "",
    ) -> Analysis:
        """统计一批帖子：互动、最热的、作者、话题、常见词、发布时间。keyword、user 填一个。结论要连同 caveats。"""
        reference = await readers.user(user, account) if user.strip() and not keyword.strip() else None
        return await readers.sampler.analyze(keyword, user, reference, sample, account)

    return [weibo_get_user, weibo_user_posts, weibo_analyze]


def login_tools(readers: Readers) -> list[ToolDeclaration]:
    """Return the tools for logins."""

    @tool(title="微博登录状态", read_only=True, open_world=True)
    async def weibo_login_status(account: Account = "") -> LoginStatus:
        """看是否登录、扫码到了哪一步、访问暂停到几时、官方接口今天还剩几次。按 next_step 做。"""
        return await readers.accounts.status(account)

    @tool(title="微博扫码登录", read_only=True, open_world=True, idempotent=False)
    async def weibo_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """取登录二维码，给用户用微博 App 扫。未登录时才用；新码使旧码作废，等待时用 weibo_login_status 查看。"""
        return await readers.accounts.code(account)

    return [weibo_login_status, weibo_login_qrcode]
