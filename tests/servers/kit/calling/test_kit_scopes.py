"""Tests of scopes: how the gateway's header is read, and what a service without the rest of the program does with it."""

from __future__ import annotations

import doctest
from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from dyber_kit import RestRoute, ServiceApp, Settings, create_app, current_caller, prompt, resource, tool
from dyber_kit.calling import scopes
from dyber_kit.calling.scopes import EVERYTHING, NOTHING, READING, CallerScope, parse_scope
from dyber_kit.serving.server import build_server
from hypothesis import given
from hypothesis import strategies as some
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import Completion, PromptReference
from pydantic import BaseModel

from tests.servers.conftest import Connect
from tests.stand_in.running import free_port, running

TOOL_NAMES = some.text("abcXYZ019_.-", min_size=1, max_size=128)
done: list[str] = []


class Told(BaseModel):
    """Is what every tool and route here returns."""

    client: str
    kind: str


def _told(action: str) -> Told:
    done.append(action)
    caller = current_caller()
    return Told(client=caller.client, kind=caller.scope.kind)


@tool(title="读", read_only=True, open_world=False)
async def shelf_read() -> Told:
    """Read."""
    return _told("read")


@tool(title="查", read_only=True, open_world=False)
async def shelf_find() -> Told:
    """Find."""
    return _told("find")


@tool(title="写", read_only=False, open_world=False, destructive=True, idempotent=False)
async def shelf_write() -> Told:
    """Write."""
    return _told("write")


class Body(BaseModel):
    """Is the body of the route."""


async def rest_read(body: Body) -> Told:
    """Read."""
    return _told("rest")


@prompt(title="问候")
async def greet() -> str:
    """Greet."""
    return "你好"


@resource("shelf://note", title="便条", mime_type="text/plain")
async def note() -> str:
    """Read the note."""
    return "一"


def build_shelf(*tools: object, with_extras: bool = True, **settings: bool) -> ServiceApp:
    """Return a service with these tools (all, when none is named), a prompt and a resource."""
    return create_app(
        name="shelf",
        title="书架",
        version="1.0.0",
        instructions="",
        tools=list(tools or (shelf_read, shelf_find, shelf_write)),  # type: ignore[arg-type]
        prompts=[greet] if with_extras else [],
        resources=[note] if with_extras else [],
        rest=[RestRoute("/read", "read", rest_read)],
        settings=Settings(port=free_port(), **{"read_only": False, **settings}),  # type: ignore[arg-type]
    )


def connections(scope: str | None, client: str = "phone") -> dict[str, Connect]:
    """Return by transport and era how the gateway connects for a client with a scope."""
    headers = {"X-Dyber-Client": client} | ({} if scope is None else {"X-Dyber-Scope": scope})

    def streamable(base: str, mode: str) -> Client:
        http = httpx2.AsyncClient(headers=headers, timeout=30)
        return Client(streamable_http_client(f"{base}/mcp", http_client=http), mode=mode)  # type: ignore[arg-type]

    return {
        "modern": lambda base: streamable(base, "auto"),
        "legacy": lambda base: streamable(base, "legacy"),
        "sse": lambda base: Client(sse_client(f"{base}/mcp/sse", headers=headers), mode="legacy"),
    }


@pytest.fixture(params=["modern", "legacy", "sse"])
def way(request: pytest.FixtureRequest) -> str:
    """Return the name of a transport and protocol era."""
    return request.param


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    """Return the base URL of the service as it runs behind a gateway."""
    with running(build_server(build_shelf(require_scope=True))) as base:
        yield base


@pytest.fixture(scope="module")
def lenient() -> Iterator[str]:
    """Return the base URL of the service as it runs without a gateway."""
    with running(build_server(build_shelf())) as base:
        yield base


@pytest.fixture(autouse=True)
def clear_done() -> None:
    done.clear()


def test_the_example_in_the_documentation_is_right():
    assert doctest.testmod(scopes).failed == 0
    assert doctest.testmod(scopes).attempted > 2


@pytest.mark.parametrize("required", [True, False])
def test_the_three_forms_of_a_scope_are_read(required):
    assert parse_scope(["all"], required=required) == EVERYTHING
    assert parse_scope(["read"], required=required) == READING
    assert parse_scope(["tools:a_b,c-d.E"], required=required) == CallerScope("tools", frozenset({"a_b", "c-d.E"}))


def test_without_the_header_everything_or_nothing_is_allowed():
    assert parse_scope([], required=False) == EVERYTHING
    assert parse_scope([], required=True) == NOTHING


@pytest.mark.parametrize(
    "value",
    ["", " ", "none", "ALL", "All", "all ", "read,all", "all,read", "tools:", "tools:,", "tools:a,", "tools:,a",
     "tools: a", "tools:a, b", "tools:a b", "tools:a\n", "tools:a\nall", "tools:" + "a" * 129, "tools:读", "Tools:a",
     "tools:a;b", "tools:*", "ref:00", "write", "all;", "all;accounts", "all;accounts=", "all;accounts=,", "all;accounts=a,",
     "all;accounts=,a", "all;accounts=a b", "all; accounts=a", "all ;accounts=a", "all;accounts = a", "all;accounts=A",
     "all;accounts=账号", "all;accounts=-a", "all;accounts=a\n", "all;accounts=a;accounts=b", "all;accounts=a;", "none;accounts=a",
     ";accounts=a", "accounts=a", "accounts=a;all", "all;Accounts=a", "all;tools=a", "all,accounts=a", "tools:;accounts=a",
     "all;accounts=" + "a" * 33, "all;accounts=*", "read;all", "all;read", "all;accounts=a;all"],
)  # fmt: skip
@pytest.mark.parametrize("required", [True, False])
def test_a_scope_that_cannot_be_read_allows_nothing(value, required):
    assert parse_scope([value], required=required) == NOTHING


ACCOUNT_NAMES = some.from_regex(r"[a-z0-9][a-z0-9_-]{0,31}", fullmatch=True)


@given(some.sampled_from(["all", "read", "tools:a,b"]), some.lists(ACCOUNT_NAMES, min_size=1, max_size=8))
def test_accounts_are_the_second_part_of_a_scope_and_leave_the_first_as_before(first, names):
    scope = parse_scope([f"{first};accounts={','.join(names)}"], required=True)
    assert scope.accounts == tuple(dict.fromkeys(names))
    assert replace(scope, accounts=None) == parse_scope([first], required=True)
    assert parse_scope([first], required=True).accounts is None
    assert not scope.allows_everything


def test_a_scope_that_is_told_twice_allows_nothing():
    assert parse_scope(["all", "all"], required=False) == NOTHING
    assert parse_scope(["read", "all"], required=True) == NOTHING


@given(some.sets(TOOL_NAMES, min_size=1, max_size=8), TOOL_NAMES, some.booleans())
def test_a_list_of_tools_allows_exactly_these(names, other, read_only):
    scope = parse_scope(["tools:" + ",".join(sorted(names))], required=True)
    assert all(scope.allows_tool(name, read_only=read_only) for name in names)
    assert scope.allows_tool(other, read_only=read_only) == (other in names)
    assert not scope.allows_everything and not scope.allows_prompts_and_resources


@given(some.text(max_size=40), TOOL_NAMES)
def test_text_of_any_kind_never_allows_more_than_it_says(text, name):
    scope = parse_scope([text], required=True)
    assert scope.accounts is None or text.endswith(f";accounts={','.join(scope.accounts)}")
    if text not in ("all", "read") and f"{name}," not in f"{text.partition(':')[2]},":
        assert not scope.allows_tool(name, read_only=True)


@pytest.mark.parametrize(
    ("scope", "names"),
    [
        ("all", ["shelf_read", "shelf_find", "shelf_write"]),
        ("read", ["shelf_read", "shelf_find"]),
        ("tools:shelf_write,shelf_find", ["shelf_find", "shelf_write"]),
        ("tools:shelf_gone", []),
    ],
)
async def test_a_caller_sees_the_tools_of_its_scope_in_the_usual_order(strict, way, scope, names):
    async with connections(scope)[way](strict) as client:
        assert [listed.name for listed in (await client.list_tools()).tools] == names


async def test_a_tool_knows_its_caller(strict, way):
    async with connections("tools:shelf_read", "phone-2")[way](strict) as client:
        told = (await client.call_tool("shelf_read", {})).structured_content
    assert told == {"client": "phone-2", "kind": "tools"}


async def answer_to(way: str, base: str, scope: str, name: str) -> object:
    """Return the whole answer to a call of a tool."""
    async with connections(scope)[way](base) as client:
        return (await client.call_tool(name, {})).model_dump()


async def test_a_refused_tool_is_answered_as_by_a_service_that_does_not_have_the_tool(strict, way):
    with running(build_server(build_shelf(shelf_read, shelf_find, require_scope=True))) as without:
        expected = await answer_to(way, without, "read", "shelf_write")
    assert await answer_to(way, strict, "read", "shelf_write") == expected
    assert await answer_to(way, strict, "tools:shelf_read,shelf_find", "shelf_write") == expected
    assert "没有名为 shelf_write 的工具" in str(expected)
    assert done == []


async def test_a_tool_withheld_by_read_only_mode_is_told_only_to_those_who_may_write(way):
    with running(build_server(build_shelf(read_only=True, require_scope=True))) as base:
        assert "READ_ONLY" in str(await answer_to(way, base, "all", "shelf_write"))
        assert "READ_ONLY" in str(await answer_to(way, base, "tools:shelf_write", "shelf_write"))
        for scope in ("read", "tools:shelf_read"):
            refused = str(await answer_to(way, base, scope, "shelf_write"))
            assert "没有名为 shelf_write 的工具" in refused and "READ_ONLY" not in refused


@pytest.mark.parametrize("scope", ["all", "read", "tools:shelf_read"])
async def test_prompts_and_resources_are_for_callers_who_may_read_everything(strict, way, scope):
    allowed = scope != "tools:shelf_read"
    async with connections(scope)[way](strict) as client:
        prompts, resources = (await client.list_prompts()).prompts, (await client.list_resources()).resources
        templates = (await client.list_resource_templates()).resource_templates
        assert (bool(prompts), bool(resources), templates) == (allowed, allowed, [])
        if allowed:
            assert (await client.get_prompt("greet")).messages
            assert (await client.read_resource("shelf://note")).contents
            return
    with running(build_server(build_shelf(with_extras=False))) as without:
        for ask in (lambda asked: asked.get_prompt("greet"), lambda asked: asked.read_resource("shelf://note")):
            errors = []
            for base, granted in ((strict, scope), (without, "all")):
                async with connections(granted)[way](base) as client:
                    with pytest.raises(MCPError) as raised:
                        await ask(client)
                errors.append(raised.value.error)
            assert errors[0] == errors[1]


async def test_a_service_that_expects_scopes_refuses_calls_without_one_only_after_the_first_scope() -> None:
    with running(build_server(build_shelf(expect_scope=True))) as base:
        async with httpx2.AsyncClient(base_url=base) as client:
            before = await client.post("/read", json={})
            scoped = await client.post("/read", json={}, headers={"X-Dyber-Scope": "read"})
            after = await client.post("/read", json={})
            everything = await client.post("/read", json={}, headers={"X-Dyber-Scope": "all"})
    assert [answer.status_code for answer in (before, scoped, after, everything)] == [200, 403, 403, 200]


async def test_completions_are_for_callers_who_may_read_everything(way):
    app = build_shelf(require_scope=True)

    @app.mcp.completion()
    async def complete(ref, argument, context):
        return Completion(values=["甲"])

    reference = PromptReference(type="ref/prompt", name="greet")
    with running(build_server(app)) as base, running(build_server(build_shelf(require_scope=True))) as without:
        async with connections("read")[way](base) as client:
            assert (await client.complete(reference, {"name": "x", "value": ""})).completion.values == ["甲"]
        errors = []
        for asked, scope in ((base, "tools:shelf_read"), (without, "all")):
            async with connections(scope)[way](asked) as client:
                with pytest.raises(MCPError) as raised:
                    await client.complete(reference, {"name": "x", "value": ""})
            errors.append(raised.value.error)
    assert errors[0] == errors[1]


@pytest.mark.parametrize("headers", [[], ["none"], ["everything"], ["all", "all"], ["read", "all"]])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/mcp"), ("GET", "/mcp"), ("DELETE", "/mcp/"), ("GET", "/mcp/sse"), ("POST", "/mcp/messages/"),
     ("POST", "/read"), ("GET", "/"), ("GET", "/docs/../read"), ("GET", "/elsewhere"), ("POST", "/health"),
     ("POST", "/docs")],
)  # fmt: skip
async def test_behind_a_gateway_nothing_is_served_without_a_readable_scope(strict, headers, method, path):
    async with httpx2.AsyncClient(timeout=20) as http:
        sent = [("X-Dyber-Scope", value) for value in headers]
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "shelf_read", "arguments": {}}}
        answer = await http.request(method, strict + path, headers=sent, json=call)
    assert (answer.status_code, done) == (403, [])
    assert "X-Dyber-Scope" in answer.text


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/openapi.json", "/docs"])
async def test_health_metrics_and_documentation_need_no_scope(strict, path):
    async with httpx2.AsyncClient(timeout=20) as http:
        assert (await http.get(strict + path)).status_code == 200
        assert (await http.get(strict + path, headers={"X-Dyber-Scope": "none"})).status_code == 200


async def test_without_a_gateway_everything_is_served(lenient, way):
    async with connections(None)[way](lenient) as client:
        assert len((await client.list_tools()).tools) == 3
        assert (await client.call_tool("shelf_write", {})).structured_content["kind"] == "all"
    async with httpx2.AsyncClient(timeout=20) as http:
        assert (await http.post(f"{lenient}/read", json={})).status_code == 200


@pytest.mark.parametrize(
    ("scope", "status"),
    [("all", 200), ("read", 403), ("tools:shelf_read", 403), ("all;accounts=main", 403), ("read;accounts=main", 403)],
)
async def test_routes_need_the_scope_of_everything(lenient, strict, scope, status):
    async with httpx2.AsyncClient(timeout=20, headers={"X-Dyber-Scope": scope}) as http:
        for base in (lenient, strict):
            for prefix in ("", "/api/shelf"):
                answer = await http.post(f"{base}/read", json={}, headers={"X-Forwarded-Prefix": prefix})
                assert answer.status_code == status
    assert bool(done) == (status == 200)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_narrow_scope_gets_the_usual_answer_to_other_methods(strict, method):
    async with httpx2.AsyncClient(timeout=20, headers={"X-Dyber-Scope": "read"}) as http:
        answer = await http.request(method, f"{strict}/mcp")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_the_environment_says_whether_a_scope_is_required(monkeypatch):
    assert not Settings.from_environment().require_scope
    monkeypatch.setenv("DYBER_REQUIRE_SCOPE", "true")
    assert Settings.from_environment().require_scope
