"""Declares the MCP tools; agents read the docstrings of the tools."""

# Agents read the docstrings of the tools, whose Chinese sentences do not end in ".".
# ruff: noqa: D400, D415

from __future__ import annotations

from typing import Annotated

from dyber_kit import AccountName, tool
from dyber_kit.calling.tools import ToolDeclaration
from dyber_kit.website.accounts import Accounts
from mcp.types import CallToolResult
from pydantic import Field

from sample_browser_server.models import LoginCode, LoginStatus, PostList
from sample_browser_server.platform import LOGIN
from sample_browser_server.site import Site

Account = Annotated[str, AccountName(), Field(description="账号名；留空是第一个", max_length=32)]
#: The picture and the drawing of a QR code, with its structured description.
QrCode = Annotated[CallToolResult, LoginCode]


def site_tools(site: Site, accounts: Accounts[LoginStatus]) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="登录状态", read_only=True, open_world=True)
    async def sample_browser_login_status(account: Account = "") -> LoginStatus:
        """看账号是否登录、扫码到了哪一步。"""
        return await accounts.status(account)

    @tool(title="扫码登录", read_only=True, open_world=True, idempotent=False)
    async def sample_browser_login_qrcode(account: Account = "") -> QrCode:
        """取登录二维码，给用户扫；新码使旧码作废。"""
        site.url(LOGIN.path)  # Says which setting is missing; not needed once config.py has the address.
        return await accounts.code(account)

    @tool(title="最新帖子", read_only=True, open_world=True)
    async def sample_browser_list_posts(
        limit: Annotated[int, Field(description="条数", ge=1, le=50)] = 10, account: Account = ""
    ) -> PostList:
        """列出网站最新的帖子：文字、作者、赞数和时间。"""
        return await site.posts(limit, account)

    return [
        sample_browser_login_status,
        sample_browser_login_qrcode,
        sample_browser_list_posts,
    ]
