"""Declares the MCP tools that read; agents read the docstrings of the tools."""

from __future__ import annotations

from typing import Annotated

from dyber_kit import AccountName, tool
from dyber_kit.browser.login_steps import PROOFS, Step
from dyber_kit.calling.cursors import MAX_CURSOR_CHARS
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.times import iso_utc
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import Field

from xiaohongshu_server.analysis.answers import Analysis
from xiaohongshu_server.analysis.sampling import Sampler
from xiaohongshu_server.login.accounts import Accounts
from xiaohongshu_server.model.answers import (
    Comments,
    LoginCode,
    LoginStatus,
    Note,
    NoteList,
    ResolvedLink,
    Suggestions,
    User,
)
from xiaohongshu_server.model.filters import Distance, NoteType, PublishTime, Scope, SearchFilters, Sort
from xiaohongshu_server.reading.site import Site

NoteArgument = Annotated[str, Field(description="note_ref, note URL or share link", max_length=1000)]
Account = Annotated[str, AccountName(), Field(description="Empty: first", max_length=32)]
Replies = Annotated[bool, Field(description="With replies")]


def read_tools(site: Site, accounts: Accounts, sampler: Sampler) -> list[ToolDeclaration]:
    """Return the tools that change nothing, in the order in which agents see them."""

    @tool(title="小红书登录状态", read_only=True, open_world=True)
    async def xhs_login_status(account: Account = "") -> LoginStatus:
        """Is the service's browser logged in? Use after LOGIN_REQUIRED."""
        return await accounts.status(account)

    @tool(title="小红书扫码登录", read_only=True, open_world=True, idempotent=False)
    async def xhs_login_qrcode(account: Account = "") -> Annotated[CallToolResult, LoginCode]:
        """Get a QR code image; the user scans it with the Xiaohongshu app. A new code replaces the last one."""
        return await login_code(accounts, account)

    @tool(title="搜索小红书笔记", read_only=True, open_world=True)
    async def xhs_search_notes(
        keyword: Annotated[str, Field(description="Words to search for", min_length=1, max_length=100)],
        sort: Annotated[Sort, Field(description="Order")] = "general",
        note_type: Annotated[NoteType, Field(description="Format")] = "all",
        publish_time: Annotated[PublishTime, Field(description="Published within")] = "any",
        scope: Annotated[Scope, Field(description="Needs login unless all")] = "all",
        distance: Annotated[Distance, Field(description="Near the account")] = "any",
        limit: Annotated[int, Field(description="Most notes", ge=1, le=40)] = 10,
        cursor: Annotated[str, Field(description="next_cursor, same query", max_length=MAX_CURSOR_CHARS)] = "",
        account: Account = "",
    ) -> NoteList:
        """Search notes: title, author, counts, note_ref each. No items: nothing found, see warnings."""
        filters = SearchFilters(sort, note_type, publish_time, scope, distance)
        return await site.search(keyword, filters, limit, cursor, account)

    @tool(title="读取小红书笔记", read_only=True, open_world=True)
    async def xhs_get_note(
        note: NoteArgument,
        comments: Annotated[int, Field(description="Most comments", ge=0, le=50)] = 10,
        include_replies: Replies = False,
        max_chars: Annotated[int, Field(description="Cut the text here", ge=100, le=20000)] = 4000,
        account: Account = "",
    ) -> Note:
        """Read one note: text, tags, images, counts, first comments."""
        return await site.note(note, comments, include_replies, max_chars, account)

    @tool(title="读取小红书评论", read_only=True, open_world=True)
    async def xhs_get_comments(
        note: NoteArgument,
        limit: Annotated[int, Field(description="Most comments", ge=1, le=100)] = 20,
        include_replies: Replies = False,
        account: Account = "",
    ) -> Comments:
        """Read a note's comments in the site's order. More take longer."""
        return await site.comments(note, limit, include_replies, account)

    @tool(title="读取小红书用户", read_only=True, open_world=True)
    async def xhs_get_user(
        user: Annotated[str, Field(description="user_ref or profile URL", max_length=1000)],
        notes: Annotated[int, Field(description="Most notes", ge=0, le=40)] = 10,
        account: Account = "",
    ) -> User:
        """Read a profile: text, numbers, latest notes."""
        return await site.user(user, notes, account)

    @tool(title="小红书首页推荐", read_only=True, open_world=True)
    async def xhs_home_feed(
        limit: Annotated[int, Field(description="Most notes", ge=1, le=40)] = 10, account: Account = ""
    ) -> NoteList:
        """Notes the home page recommends to the account."""
        return await site.home(limit, account)

    @tool(title="小红书搜索建议", read_only=True, open_world=True)
    async def xhs_suggest(
        keyword: Annotated[str, Field(description="Empty: suggestions unasked", max_length=50)] = "",
        account: Account = "",
    ) -> Suggestions:
        """Words the search box suggests. Not a hot list."""
        return await site.suggestions(keyword, account)

    @tool(title="解析小红书链接", read_only=True, open_world=True)
    async def xhs_resolve_link(
        url: Annotated[str, Field(description="Link, or shared text with one", max_length=2000)],
    ) -> ResolvedLink:
        """Turn a share link (xhslink.com, xiaohongshu.com, rednote.com) into a note_ref or user_ref."""
        return await site.resolve(url)

    @tool(title="分析小红书内容", read_only=True, open_world=True)
    async def xhs_analyze(
        ctx: Context,
        keyword: Annotated[str, Field(description="Analyse a search", max_length=100)] = "",
        user: Annotated[str, Field(description="or a user's notes", max_length=1000)] = "",
        notes: Annotated[str, Field(description="or up to 10 note_refs, separated by spaces", max_length=2000)] = "",
        sample: Annotated[int, Field(description="Notes", ge=1, le=40)] = 20,
        detail_sample: Annotated[int, Field(description="Notes to open, about 10 s each", ge=0, le=10)] = 5,
        account: Account = "",
    ) -> Analysis:
        """Statistics over notes: engagement, formats, authors, tags, keywords, titles, posting times, caveats."""
        return await sampler.analyze(keyword, user, notes, sample, detail_sample, account, ctx.report_progress)

    return [
        xhs_login_status, xhs_login_qrcode, xhs_search_notes, xhs_get_note, xhs_get_comments, xhs_get_user,
        xhs_home_feed, xhs_suggest, xhs_resolve_link, xhs_analyze,
    ]  # fmt: skip


async def login_code(accounts: Accounts, account: str) -> CallToolResult:
    """Return a QR code as a picture and as text, with its structured description."""
    account, code = await accounts.code(account)
    if code is None:
        answer = LoginCode(account=account, logged_in=True, next_step="已经登录，不必扫码")
        return CallToolResult(content=[], structured_content=answer.model_dump(mode="json"))
    notice = f"之前的二维码已作废{_last_step(code.replaced)}。" if code.replaced else ""
    answer = LoginCode(
        account=account,
        logged_in=False,
        url=code.url,
        replaced=code.replaced is not None,
        expires_at=iso_utc(code.expires_at),
        next_step=f"{notice}请用户用小红书 App 扫码并在手机上确认，然后用 xhs_login_status 查看；在那之前不要重新获取。"
        "看不到图片时，把下面的字符画原样放进等宽的代码块（深色背景），或把 url 做成二维码",
    )
    parts: list[ImageContent | TextContent] = [ImageContent(type="image", data=code.base64, mime_type="image/png")]
    if code.text:
        parts.append(TextContent(type="text", text=code.text))
    return CallToolResult(content=parts, structured_content=answer.model_dump(mode="json"))


def _last_step(step: Step) -> str:
    return f"（它停在：{PROOFS[step]}）" if step in PROOFS else ""
