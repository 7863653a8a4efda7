"""Declares the MCP tools that read; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from typing import Annotated

from dyber_kit import AccountName, tool
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.website.accounts import Accounts
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import Field

from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.analysis.sampling import Sampler
from xiaohongshu_server.model.answers import (
    Comments,
    LoginCode,
    LoginStatus,
    Note,
    NoteList,
    SearchResults,
    Suggestions,
    User,
    UserList,
)
from xiaohongshu_server.model.filters import Distance, NoteType, PublishTime, Scope, SearchFilters, Sort, Tab
from xiaohongshu_server.reading.site import ME, Site

NoteArgument = Annotated[str, Field(description="note_ref、笔记链接或分享文字", max_length=1000)]
UserArgument = Annotated[str, Field(description="user_ref 或主页链接；me 是登录的账号自己", max_length=1000)]
Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
Replies = Annotated[bool, Field(description="连同回复，更慢")]
Cursor = Annotated[str, Field(description="上次的 next_cursor，其他参数不变", max_length=MAX_CURSOR_CHARS)]
Verbose = Annotated[bool, Field(description="每篇再加 url、cover、user_ref、collects、comments、shares")]
VerboseComments = Annotated[bool, Field(description="评论再加 user_ref、location 和时刻")]
NoteLimit = Annotated[int, Field(description="篇数", ge=1, le=40)]


def read_tools(site: Site, accounts: Accounts[LoginStatus], sampler: Sampler) -> list[ToolDeclaration]:
    """Return the tools that change nothing, in the order in which agents see them."""

    @tool(title="小红书登录状态", read_only=True, open_world=True)
    async def xhs_login_status(account: Account = "") -> LoginStatus:
        """看是否登录、扫码到了哪一步、访问暂停到几时。报 LOGIN_REQUIRED 时和扫码后用；按 next_step 做。"""
        return await accounts.status(account)

    @tool(title="小红书扫码登录", read_only=True, open_world=True, idempotent=False)
    async def xhs_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """取登录二维码，给用户用小红书 App 扫。未登录时才用；新码使旧码作废，等待时用 xhs_login_status 查看。"""
        return await accounts.code(account)

    @tool(title="搜索小红书笔记", read_only=True, open_world=True)
    async def xhs_search_notes(
        keyword: Annotated[str, Field(description="如 上海 手冲咖啡", min_length=1, max_length=100)],
        sort: Annotated[Sort, Field(description="排序")] = "general",
        note_type: Annotated[NoteType, Field(description="形式")] = "all",
        publish_time: Annotated[PublishTime, Field(description="发布于多久之内")] = "any",
        scope: Annotated[Scope, Field(description="seen 看过，unseen 没看过，following 关注的人；须登录")] = "all",
        distance: Annotated[Distance, Field(description="按账号所在地；问具体城市请写进 keyword")] = "any",
        limit: NoteLimit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> SearchResults:
        """按词搜笔记：标题、作者、点赞、日期（由编号推算）；没有正文，正文用 xhs_get_note。约 10 秒，越往后翻越慢。

        applied 是用上的筛选；空表示没有结果，先看 warnings。"""
        filters = SearchFilters(sort, note_type, publish_time, scope, distance)
        return await site.search(keyword, filters, limit, cursor, account, verbose)

    @tool(title="搜索小红书用户", read_only=True, open_world=True)
    async def xhs_search_users(
        keyword: Annotated[str, Field(description="昵称、小红书号或领域", min_length=1, max_length=100)],
        limit: Annotated[int, Field(description="人数", ge=1, le=40)] = 10,
        account: Account = "",
    ) -> UserList:
        """按昵称、小红书号或领域找用户，得到 user_ref、粉丝数、笔记数。找内容用 xhs_search_notes。约 10 秒。"""
        return await site.search_users(keyword, limit, account)

    @tool(title="读取小红书笔记", read_only=True, open_world=True)
    async def xhs_get_note(
        note: NoteArgument,
        comments: Annotated[int, Field(description="评论条数", ge=0, le=50)] = 10,
        include_replies: Replies = False,
        max_chars: Annotated[int, Field(description="正文最多字数", ge=100, le=20000)] = 4000,
        verbose: VerboseComments = False,
        account: Account = "",
    ) -> Note:
        """读一篇笔记：正文、标签、图片、数量、作者和前几条评论。更多评论用 xhs_get_comments。约 10 秒。"""
        return await site.note(note, comments, include_replies, max_chars, account, verbose)

    @tool(title="读取小红书评论", read_only=True, open_world=True)
    async def xhs_get_comments(
        note: NoteArgument,
        limit: Annotated[int, Field(description="条数", ge=1, le=100)] = 20,
        include_replies: Replies = False,
        cursor: Cursor = "",
        verbose: VerboseComments = False,
        account: Account = "",
    ) -> Comments:
        """分页读一篇笔记的评论，按网站的顺序；comment_id 可用来回复。只看几条时 xhs_get_note 就够。"""
        return await site.comments(note, limit, include_replies, cursor, account, verbose)

    @tool(title="读取小红书用户", read_only=True, open_world=True)
    async def xhs_get_user(
        user: UserArgument,
        notes: Annotated[int, Field(description="附带的最近笔记篇数", ge=0, le=40)] = 10,
        verbose: Verbose = False,
        account: Account = "",
    ) -> User:
        """读一个用户的主页：简介、粉丝数、获赞数、最近的笔记。更多笔记用 xhs_user_notes。约 10 秒。"""
        return await site.user(user, notes, account, verbose)

    @tool(title="小红书用户的笔记与收藏", read_only=True, open_world=True)
    async def xhs_user_notes(
        user: UserArgument = "",
        tab: Annotated[Tab, Field(description="posted 发布的，favorites 收藏的，likes 赞过的")] = "posted",
        limit: NoteLimit = 10,
        cursor: Cursor = "",
        verbose: Verbose = False,
        account: Account = "",
    ) -> NoteList:
        """分页列出一个用户的笔记、收藏或赞过的；不填 user 是“我的笔记”“我的收藏”，须登录。别人的收藏多半不公开。"""
        return await site.user_notes(user.strip() or ME, tab, limit, cursor, account, verbose)

    @tool(title="小红书首页推荐", read_only=True, open_world=True)
    async def xhs_home_feed(limit: NoteLimit = 10, verbose: Verbose = False, account: Account = "") -> NoteList:
        """首页推荐给账号的笔记，每次不同，不能翻页。不是热榜：小红书网页没有热榜。"""
        return await site.home(limit, account, verbose)

    @tool(title="小红书搜索建议", read_only=True, open_world=True)
    async def xhs_suggest(
        keyword: Annotated[str, Field(description="留空：搜索框默认推荐的词", max_length=50)] = "",
        account: Account = "",
    ) -> Suggestions:
        """搜索框的联想词，用来找用户常搜的说法。不是热榜。"""
        return await site.suggestions(keyword, account)

    @tool(title="分析小红书内容", read_only=True, open_world=True)
    async def xhs_analyze(
        ctx: Context,
        keyword: Annotated[str, Field(description="分析搜索结果", max_length=100)] = "",
        user: Annotated[str, Field(description="或一个用户的笔记", max_length=1000)] = "",
        notes: Annotated[str, Field(description="或最多 10 个 note_ref，用空格分开", max_length=2000)] = "",
        sample: NoteLimit = 20,
        detail_sample: Annotated[int, Field(description="打开正文的篇数；0 只看标题，快", ge=0, le=10)] = 5,
        account: Account = "",
    ) -> Analysis:
        """统计一批笔记：互动、形式、点赞最多的十篇、作者、标签、关键词、发布时间、评论主题。

        keyword、user、notes 填一个。每打开一篇约 10 秒。结论要连同 caveats；lower_bounds 里的是“至少”；时间按北京。"""
        return await sampler.analyze(keyword, user, notes, sample, detail_sample, account, ctx.report_progress)

    return [
        xhs_login_status, xhs_login_qrcode, xhs_search_notes, xhs_search_users, xhs_get_note, xhs_get_comments,
        xhs_get_user, xhs_user_notes, xhs_home_feed, xhs_suggest, xhs_analyze,
    ]  # fmt: skip
