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

from bilibili_server.analysis import MOST_SAMPLED, Analyzer
from bilibili_server.model.analysis import Analysis
from bilibili_server.model.answers import (
    Comments,
    HotList,
    LoginCode,
    LoginStatus,
    SearchResults,
    Subtitle,
    User,
    VideoDetail,
)
from bilibili_server.reading.site import HotKind, Order, SearchKind, Site
from bilibili_server.reading.subtitles import Subtitles

VideoArgument = Annotated[str, Field(description="BV 号、av 号、视频链接、b23.tv 短链或分享文字", max_length=1000)]
Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
Cursor = Annotated[str, Field(description="上次的 next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="连同 url、mid、封面等")]
Limit = Annotated[int, Field(description="条数", ge=1, le=50)]


def read_tools(
    site: Site, subtitles: Subtitles, analyzer: Analyzer, accounts: Accounts[LoginStatus]
) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="B站登录状态", read_only=True, open_world=True)
    async def bilibili_login_status(account: Account = "") -> LoginStatus:
        """看是否登录、扫码到了哪一步、访问暂停到几时。报 LOGIN_REQUIRED 时和扫码后用；按 next_step 做。"""
        return await accounts.status(account)

    @tool(title="B站扫码登录", read_only=True, open_world=True, idempotent=False)
    async def bilibili_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """取登录二维码，给用户用哔哩哔哩 App 扫。未登录时才用；新码使旧码作废，等待时用 bilibili_login_status 查看。"""
        return await accounts.code(account)

    @tool(title="B站热门", read_only=True, open_world=True)
    async def bilibili_list_hot(
        kind: Annotated[
            HotKind, Field(description="popular 综合热门，ranking 全站排行榜（前 100），hot_words 热搜词")
        ] = "popular",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> HotList:
        """看 B站现在热门的视频、排行榜或热搜词。不用登录。"""
        return await site.hot(kind, limit, cursor, verbose, account)

    @tool(title="搜索B站", read_only=True, open_world=True)
    async def bilibili_search_content(
        keyword: Annotated[str, Field(description="如 手冲咖啡 教程", min_length=1, max_length=100)],
        type: Annotated[SearchKind, Field(description="video 视频，user 用户（UP 主），article 专栏")] = "video",
        order: Annotated[
            Order, Field(description="视频的顺序：综合、最多播放、最新、最多弹幕、最多收藏")
        ] = "relevance",
        limit: Limit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> SearchResults:
        """按词搜视频、用户或专栏。得到 bvid、mid，详情用 bilibili_get_video、bilibili_get_user。

        空表示没有结果，先看 warnings；一次可能少于 limit，有 next_cursor 就还有。"""
        return await site.search(keyword, type, order, limit, cursor, verbose, account)

    @tool(title="读取B站视频", read_only=True, open_world=True)
    async def bilibili_get_video(
        video: VideoArgument,
        comments: Annotated[int, Field(description="附带的热门评论条数；0 更快", ge=0, le=50)] = 10,
        max_chars: Annotated[int, Field(description="简介最多字数", ge=0, le=10000)] = 2000,
        verbose: Verbose = False,
        account: Account = "",
    ) -> VideoDetail:
        """读一个视频：标题、简介、标签、UP 主、播放等数量、分P 和热门评论。说了什么用 bilibili_get_subtitle。"""
        return await site.video(video, comments, max_chars, verbose, account)

    @tool(title="读取B站评论", read_only=True, open_world=True)
    async def bilibili_get_comments(
        video: VideoArgument,
        limit: Limit = 20,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> Comments:
        """分页读一个视频的评论，按热度，连同页面上露出的几条回复；最多 100 条。未登录只有前几条。"""
        return await site.comments(video, limit, cursor, verbose, account)

    @tool(title="读取B站字幕", read_only=True, open_world=True)
    async def bilibili_get_subtitle(
        video: VideoArgument,
        page: Annotated[int, Field(description="第几个分P；0 按链接，否则第 1 个", ge=0, le=9999)] = 0,
        language: Annotated[str, Field(description="如 zh、en；留空优先中文", max_length=20)] = "",
        query: Annotated[str, Field(description="只要含这些字的行", max_length=100)] = "",
        max_chars: Annotated[int, Field(description="最多字数", ge=200, le=20000)] = 4000,
        cursor: Cursor = "",
        account: Account = "",
    ) -> Subtitle:
        """读视频的字幕，每行带时间。多数视频登录后才有；generated 表示自动识别，可能有错。不下载视频，不做语音识别。"""
        return await subtitles.read(video, page, language, query, max_chars, cursor, account)

    @tool(title="读取B站用户", read_only=True, open_world=True)
    async def bilibili_get_user(
        user: Annotated[str, Field(description="mid（UID）、空间链接或分享文字", max_length=1000)],
        videos: Annotated[int, Field(description="附带的最新视频个数", ge=0, le=50)] = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> User:
        """读一个用户：签名、认证、粉丝数、最新投稿；cursor 接着看更早的投稿。只知道名字时先用 bilibili_search_content。"""
        return await site.user(user, videos, cursor, verbose, account)

    @tool(title="分析B站视频", read_only=True, open_world=True)
    async def bilibili_analyze_videos(
        keyword: Annotated[str, Field(description="搜索词；与 user 填一个", max_length=100)] = "",
        user: Annotated[str, Field(description="mid 或空间链接", max_length=1000)] = "",
        order: Annotated[Order, Field(description="按搜索词取样的顺序")] = "relevance",
        sample: Annotated[int, Field(description="最多几个视频", ge=1, le=MOST_SAMPLED)] = 40,
        account: Account = "",
    ) -> Analysis:
        """统计一页视频：播放等数量、时长、播放最多的十个、UP 主、标签、发布时间（北京时间）。结论要连同 caveats。"""
        return await analyzer.analyze(keyword, user, order, sample, account)

    return [
        bilibili_login_status, bilibili_login_qrcode, bilibili_list_hot, bilibili_search_content, bilibili_get_video,
        bilibili_get_comments, bilibili_get_subtitle, bilibili_get_user, bilibili_analyze_videos,
    ]  # fmt: skip
