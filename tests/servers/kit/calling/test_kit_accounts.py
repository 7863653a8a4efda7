"""Tests of arguments that name an account: agents see them only where there is a choice; the contract always has them."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from dyber_kit import AccountName, ServiceApp, Settings, create_app, tool
from dyber_kit.calling.answers import WARNINGS_META
from dyber_kit.contract import tools_contract
from mcp import Client
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port

Account = Annotated[str, AccountName(), Field(description="Empty: first", max_length=32)]
Count = Annotated[int, Field(description="How many", ge=1, le=9)]


class Used(BaseModel):
    """Is the answer: the arguments that the function received."""

    account: str
    count: int


@tool(title="取信", read_only=True, open_world=False)
async def post_fetch(count: Count = 1, account: Account = "") -> Used:
    """Fetch letters."""
    return Used(account=account, count=count)


def build(accounts: tuple[str, ...], *tools: Any) -> ServiceApp:
    settings = Settings(port=free_port())
    return create_app(
        name="post", title="邮局", version="1", instructions="", tools=list(tools or (post_fetch,)), accounts=accounts,
        settings=settings,
    )  # fmt: skip


async def called(accounts: tuple[str, ...], **arguments: object) -> CallToolResult:
    async with Client(build(accounts).mcp) as client:
        return await client.call_tool("post_fetch", arguments)


@pytest.mark.parametrize(
    ("accounts", "seen"),
    [(("main",), {"count"}), (("main", "second"), {"count", "account"}), ((), {"count", "account"})],
    ids=["one", "two", "not stated"],
)
async def test_agents_see_the_account_only_where_there_is_a_choice(accounts, seen):
    async with Client(build(accounts).mcp) as client:
        (listed,) = (await client.list_tools()).tools
    assert set(listed.input_schema["properties"]) == seen


def test_the_contract_is_the_same_for_one_account_and_for_several():
    contract = tools_contract(build(("main",)))
    assert contract == tools_contract(build(("main", "second")))
    assert "account" in contract["tools"]["post_fetch"]["inputSchema"]["properties"]


@pytest.mark.parametrize("given", ["main", "", None, "null"])
async def test_the_only_account_may_be_given_although_agents_do_not_see_the_argument(given):
    result = await called(("main",), count="2", account=given)
    assert result.structured_content == {"account": "", "count": 2}
    assert not (result.meta or {}).get(WARNINGS_META)


@pytest.mark.parametrize("given", ["second", 7, ["main"]])
async def test_another_account_than_the_only_one_is_ignored_with_a_warning(given):
    result = await called(("main",), account=given)
    assert result.structured_content == {"account": "", "count": 1}
    assert result.meta[WARNINGS_META] == ["account 只能是 main，已忽略给的值"]


async def test_the_function_gets_the_account_where_there_is_a_choice():
    assert (await called(("main", "second"), account="second")).structured_content["account"] == "second"


def test_an_account_without_a_default_is_refused_by_name():
    @tool(title="寄信", read_only=True, open_world=False)
    async def post_send(account: Account) -> Used:
        """Send a letter."""
        return Used(account=account, count=1)

    with pytest.raises(ValueError, match="post_send needs a default for its account account"):
        build(("main",), post_send)
