"""Tests of arguments that name an account: agents see them only where there is a choice; the contract always has them."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import (
    AccountName,
    ServiceApp,
    ServiceError,
    Settings,
    choose_account,
    create_app,
    current_caller,
    tool,
    usable_accounts,
)
from dyber_kit import accounts as accounts_module
from dyber_kit.calling.answers import WARNINGS_META
from dyber_kit.calling.scopes import CallerScope, applied_scope
from dyber_kit.contract import tools_contract
from dyber_kit.serving.server import build_server
from hypothesis import given
from hypothesis import strategies as some
from mcp import Client
from mcp.types import CallToolResult
from pydantic import BaseModel, Field

from tests.servers.kit.calling.test_kit_scopes import connections
from tests.stand_in.running import free_port, running

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


def build(accounts: tuple[str, ...], *tools: Any, **more: bool) -> ServiceApp:
    settings = Settings(port=free_port(), **more)  # type: ignore[arg-type]
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


@pytest.mark.parametrize("named", ["main", "", None, "null"])
async def test_the_only_account_may_be_given_although_agents_do_not_see_the_argument(named):
    result = await called(("main",), count="2", account=named)
    assert result.structured_content == {"account": "", "count": 2}
    assert not (result.meta or {}).get(WARNINGS_META)


@pytest.mark.parametrize("named", ["second", 7, ["main"]])
async def test_another_account_than_the_only_one_is_ignored_with_a_warning(named):
    result = await called(("main",), account=named)
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


def test_the_example_in_the_documentation_is_right():
    assert doctest.testmod(accounts_module).failed == 0
    assert doctest.testmod(accounts_module).attempted > 0


CONFIGURED = ("main", "second", "third")
NAMES = some.sampled_from([*CONFIGURED, "fourth", "", "Main", "main,second"])


def told(result: CallToolResult) -> tuple[bool, object]:
    """Return all that a caller is told by an answer."""
    return bool(result.is_error), [block.model_dump() for block in result.content]


def header(allowed: tuple[str, ...]) -> str:
    return f"all;accounts={','.join(allowed)}"


def client_of(base: str, *allowed: str) -> Client:
    """Return a client that may use these accounts only."""
    return connections(header(allowed))["modern"](base)


@given(
    configured=some.lists(some.sampled_from(CONFIGURED), unique=True).map(tuple),
    allowed=some.none() | some.lists(some.sampled_from([*CONFIGURED, "fourth"]), min_size=1, unique=True).map(tuple),
    name=NAMES,
)
def test_an_account_is_usable_if_and_only_if_it_is_configured_and_allowed(configured, allowed, name):
    with applied_scope(CallerScope("read", accounts=allowed)):
        usable = [each for each in (configured if allowed is None else allowed) if each in configured]
        assert list(usable_accounts(configured)) == usable
        if name in usable or (not name and usable):
            assert choose_account(name, configured) == (name or usable[0])
            return
        with pytest.raises(ServiceError) as refused:
            choose_account(name, configured)
        said = f"{refused.value.message.replace(name or '?', '')} {refused.value.next_step}"
        assert {each for each in CONFIGURED if each in said} == set(usable)


@pytest.fixture(scope="module")
def post() -> Iterator[str]:
    """Return the base URL of a service with three accounts as it runs behind a gateway."""
    with running(build_server(build(CONFIGURED, require_scope=True))) as base:
        yield base


@pytest.mark.parametrize("way", ["modern", "legacy", "sse"])
@pytest.mark.parametrize(
    ("allowed", "listed"),
    [
        (("second",), None),
        (("third", "gone", "main"), ["third", "main"]),
        (("gone",), None),
        (CONFIGURED, list(CONFIGURED)),
    ],
)
async def test_a_limited_caller_sees_and_uses_its_accounts_only(post, way, allowed, listed):
    usable = [name for name in allowed if name in CONFIGURED]
    async with connections(header(allowed))[way](post) as client:
        (tool_listed,) = (await client.list_tools()).tools
        argument = tool_listed.input_schema["properties"].get("account")
        assert (argument and argument["enum"]) == listed
        assert (argument and argument["default"]) == (listed and listed[0])
        for name in (*CONFIGURED, "nobody"):
            result = await client.call_tool("post_fetch", {"account": name})
            if name in usable:
                assert result.structured_content == {"account": name, "count": 1}
            else:
                nobody = await client.call_tool("post_fetch", {"account": "nobody"})
                assert str(told(result)).replace(name, "nobody") == str(told(nobody))
                assert result.is_error and "INVALID_ARGUMENT" in result.content[0].text
        for unset in ({}, {"account": ""}, {"account": None}):
            result = await client.call_tool("post_fetch", unset)
            if usable:
                assert result.structured_content["account"] == usable[0]
            else:
                assert result.is_error and "clients.<name>.accounts" in result.content[0].text


@pytest.mark.parametrize("way", ["modern", "legacy", "sse"])
@pytest.mark.parametrize("scope", ["read;accounts=second", "tools:post_fetch;accounts=second"])
async def test_accounts_are_limited_for_every_kind_of_scope(post, way, scope):
    async with connections(scope)[way](post) as client:
        assert (await client.call_tool("post_fetch", {})).structured_content["account"] == "second"
        assert (await client.call_tool("post_fetch", {"account": "main"})).is_error


async def test_a_service_whose_only_account_is_not_allowed_refuses_every_call_with_an_account():
    with running(build_server(build(("main",)))) as base:
        async with client_of(base, "second") as client:
            for arguments in ({}, {"account": "main"}, {"account": "second"}):
                result = await client.call_tool("post_fetch", arguments)
                assert result.is_error and "INVALID_ARGUMENT" in result.content[0].text
        async with client_of(base, "second", "main") as client:
            assert (await client.call_tool("post_fetch", {})).structured_content["account"] == "main"


async def test_a_service_that_does_not_state_its_accounts_gets_allowed_names_only():
    with running(build_server(build(()))) as base:
        async with client_of(base, "second", "main") as client:
            (listed,) = (await client.list_tools()).tools
            assert listed.input_schema["properties"]["account"]["enum"] == ["second", "main"]
            assert (await client.call_tool("post_fetch", {})).structured_content["account"] == "second"
            assert (await client.call_tool("post_fetch", {"account": "third"})).is_error


@tool(title="称", read_only=True, open_world=False)
async def post_weigh() -> Used:
    """Weigh a letter, which needs no account."""
    return Used(account="", count=1)


@pytest.fixture(scope="module")
def scales() -> Iterator[str]:
    """Return the base URL of a service without accounts as it runs behind a gateway."""
    with running(build_server(build((), post_weigh, require_scope=True))) as base:
        yield base


@pytest.mark.parametrize("scope", ["all", "read", "tools:post_weigh"])
async def test_a_service_without_accounts_refuses_everything_to_a_caller_limited_to_accounts(scales, scope):
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "post_weigh", "arguments": {}}}
    async with httpx2.AsyncClient(timeout=30) as http:
        limited = {"X-Dyber-Scope": f"{scope};accounts=main"}
        for method, path in (("POST", "/mcp"), ("POST", "/mcp/messages/"), ("GET", "/mcp/sse"), ("GET", "/")):
            refused = await http.request(method, f"{scales}{path}", json=call, headers=limited)
            assert refused.status_code == 403
            assert "clients.<name>.accounts" in refused.text
        served = await http.post(f"{scales}/mcp", json=call, headers={"X-Dyber-Scope": scope})
        assert served.json()["result"]["structuredContent"] == {"account": "", "count": 1}
        assert (await http.get(f"{scales}/health", headers=limited)).status_code == 200


async def test_a_default_account_that_is_named_is_refused_like_any_other():
    @tool(title="取信", read_only=True, open_world=False)
    async def post_named(account: Account = "main") -> Used:
        """Fetch letters."""
        return Used(account=account, count=1)

    with running(build_server(build(CONFIGURED, post_named))) as base:
        async with client_of(base, "second") as client:
            assert (await client.call_tool("post_named", {})).structured_content["account"] == "second"
            assert (await client.call_tool("post_named", {"account": "main"})).is_error


async def test_a_service_knows_the_accounts_of_its_caller():
    @tool(title="问", read_only=True, open_world=False)
    async def post_ask() -> Used:
        """Ask."""
        return Used(account=",".join(current_caller().accounts or ["*"]), count=1)

    with running(build_server(build(CONFIGURED, post_ask))) as base:
        async with connections("all")["modern"](base) as client:
            assert (await client.call_tool("post_ask", {})).structured_content["account"] == "*"
        async with client_of(base, "second", "main") as client:
            assert (await client.call_tool("post_ask", {})).structured_content["account"] == "second,main"
