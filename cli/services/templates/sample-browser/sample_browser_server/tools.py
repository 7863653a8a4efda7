"""Declares the MCP tools; agents read the docstrings of the tools."""

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

Account = Annotated[str, AccountName(), Field(description="Account name; empty for the first", max_length=32)]
#: The picture and the drawing of a QR code, with its structured description.
QrCode = Annotated[CallToolResult, LoginCode]


def site_tools(site: Site, accounts: Accounts[LoginStatus]) -> list[ToolDeclaration]:
    """Return the tools in the order in which agents see them."""

    @tool(title="登录状态", read_only=True, open_world=True)
    async def sample_browser_login_status(account: Account = "") -> LoginStatus:
        """Tell whether an account is logged in, and how far a login by QR code has come."""
        return await accounts.status(account)

    @tool(title="扫码登录", read_only=True, open_world=True, idempotent=False)
    async def sample_browser_login_qrcode(account: Account = "") -> QrCode:
        """Get a QR code that logs an account in. An earlier code becomes void."""
        site.url(LOGIN.path)  # Says which setting is missing; not needed once config.py has the address.
        return await accounts.code(account)

    @tool(title="最新帖子", read_only=True, open_world=True)
    async def sample_browser_list_posts(
        limit: Annotated[int, Field(description="Most posts to return", ge=1, le=50)] = 10, account: Account = ""
    ) -> PostList:
        """List the newest posts of the website: text, author, likes and time of each."""
        return await site.posts(limit, account)

    return [
        sample_browser_login_status,
        sample_browser_login_qrcode,
        sample_browser_list_posts,
    ]
