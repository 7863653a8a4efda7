"""Declares the MCP tools; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from typing import Annotated

from dyber_kit import AccountName, tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.website.accounts import Accounts
from mcp.types import CallToolResult
from pydantic import Field

from douyin_server.model.analysis import Analysis
from douyin_server.model.answers import (
    Comments,
    HotList,
    LoginCode,
    LoginStatus,
    ResolvedLink,
    SearchResults,
    User,
    Video,
    VideoList,
)
from douyin_server.model.filters import Board, PublishTime, SearchFilters, Sort
from douyin_server.reading.site import Site

VideoArgument = Annotated[
    str, Field(description="video_id、链接，或整段分享文字（v.douyin.com 短链也行）", min_length=1, max_length=2000)
]
UserArgument = Annotated[str, Field(description="user_ref、主页链接或分享文字", min_length=1, max_length=2000)]
Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
Cursor = Annotated[str, Field(description="上次的 next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="连同 url、user_ref 等")]
Limit = Annotated[int, Field(description="条数", ge=1, le=40)]


def read_tools(site: Site, accounts: Accounts[LoginStatus]) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="抖音热榜", read_only=True, open_world=True)
    async def douyin_hot_list(
        board: Annotated[Board, Field(description="hot 热榜，rising 上升热点")] = "hot",
        limit: Annotated[int, Field(description="条数", ge=1, le=60)] = 20,
        verbose: Verbose = False,
        account: Account = "",
    ) -> HotList:
        """抖音此刻的热点：名次、词、热度。不用登录。要看相关视频，用词去 douyin_search。"""
        return await site.hot(board, limit, account, verbose)

    @tool(title="读取抖音视频", read_only=True, open_world=True)
    async def douyin_get_video(
        video: VideoArgument,
        comments: Annotated[int, Field(description="评论条数；0 最快，不用登录", ge=0, le=50)] = 0,
        max_chars: Annotated[int, Field(description="文案最多字数", ge=50, le=20000)] = 2000,
        verbose: Verbose = False,
        account: Account = "",
    ) -> Video:
        """读一个视频或图集：文案、话题、作者、点赞等数量、发布时间、前几条评论。不提供下载地址，也没有语音文字。

        更多评论用 douyin_get_comments。"""
        return await site.video(video, comments, max_chars, account, verbose)

    @tool(title="读取抖音评论", read_only=True, open_world=True)
    async def douyin_get_comments(
        video: VideoArgument,
        limit: Annotated[int, Field(description="条数", ge=1, le=100)] = 20,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> Comments:
        """分页读一个视频的评论（不含回复），按网站的顺序。未登录时往往只有前几条，看 warnings。"""
        return await site.comments(video, limit, cursor, account, verbose)

    @tool(title="搜索抖音视频", read_only=True, open_world=True)
    async def douyin_search(
        keyword: Annotated[str, Field(description="如 上海 手冲咖啡", min_length=1, max_length=100)],
        sort: Annotated[Sort, Field(description="排序")] = "general",
        publish_time: Annotated[PublishTime, Field(description="发布于多久之内")] = "any",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> SearchResults:
        """按词搜视频；须登录。applied 是真正用上的筛选；空表示没有结果，先看 warnings。约 10 秒，越往后翻越慢。"""
        return await site.search(keyword, SearchFilters(sort, publish_time), limit, cursor, account, verbose)

    @tool(title="读取抖音用户", read_only=True, open_world=True)
    async def douyin_get_user(
        user: UserArgument,
        videos: Annotated[int, Field(description="附带的最近作品数", ge=0, le=40)] = 10,
        verbose: Verbose = False,
        account: Account = "",
    ) -> User:
        """读一个用户的主页：简介、粉丝数、获赞数、最近的作品。更多作品用 douyin_list_user_videos。约 10 秒。"""
        return await site.user(user, videos, account, verbose)

    @tool(title="抖音用户的作品", read_only=True, open_world=True)
    async def douyin_list_user_videos(
        user: UserArgument,
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> VideoList:
        """分页列出一个用户的作品，最新的在前，置顶的（pinned）更前。"""
        return await site.user_videos(user, limit, cursor, account, verbose)

    @tool(title="分析抖音视频", read_only=True, open_world=True)
    async def douyin_analyze(
        keyword: Annotated[str, Field(description="分析搜索结果，须登录", max_length=100)] = "",
        user: Annotated[str, Field(description="或一个用户最近的作品", max_length=2000)] = "",
        sample: Annotated[int, Field(description="视频数", ge=1, le=40)] = 20,
        account: Account = "",
    ) -> Analysis:
        """统计一批视频：互动、形式、时长、点赞最多的十个、作者、话题、发布时间（北京）。keyword、user 填一个。

        约 10 秒。结论要连同 caveats。"""
        return await site.analyze(keyword, user, sample, account)

    @tool(title="解析抖音链接", read_only=True, open_world=True)
    async def douyin_resolve_link(
        url: Annotated[str, Field(description="链接或整段分享文字", min_length=1, max_length=2000)],
    ) -> ResolvedLink:
        """看分享链接指向视频还是用户，不打开页面。已知是视频时直接用 douyin_get_video。"""
        return await site.resolve(url)

    @tool(title="抖音登录状态", read_only=True, open_world=True)
    async def douyin_login_status(account: Account = "") -> LoginStatus:
        """看是否登录、扫码到了哪一步、访问暂停到几时。报 LOGIN_REQUIRED 时和扫码后用；按 next_step 做。"""
        return await accounts.status(account)

    @tool(title="抖音扫码登录", read_only=True, open_world=True, idempotent=False)
    async def douyin_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """取登录二维码，给用户用抖音 App 扫。未登录时才用；新码使旧码作废，等待时用 douyin_login_status 查看。"""
        return await accounts.code(account)

    return [
        douyin_hot_list, douyin_get_video, douyin_get_comments, douyin_search, douyin_get_user,
        douyin_list_user_videos, douyin_analyze, douyin_resolve_link, douyin_login_status, douyin_login_qrcode,
    ]  # fmt: skip
