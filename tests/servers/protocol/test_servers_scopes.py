"""Tests of scopes over every transport: a tool is listed if and only if it can be called, in every service."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import pytest
from dyber_kit.calling.arguments.accounts import account_parameters
from dyber_kit.contract import all_tools

from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE, Session, session
from tests.stand_in.header_attacks import META, MODERN, Target, serving
from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES, build, minimal_arguments, tools_of

#: Ways to send a message: by era and transport, and by the form of the answer.
WAYS = [
    ("modern", "application/json"),
    ("modern", "text/event-stream"),
    ("legacy", "application/json"),
    ("legacy", "text/event-stream"),
    ("sse", "*/*"),
]
Ask = Any


@dataclass
class Scoped:
    """Is a running service whose tools only record their names, and what its code says of each tool."""

    target: Target
    read_only: dict[str, bool]
    arguments: dict[str, dict[str, Any]]

    @property
    def scopes(self) -> list[str]:
        """Return scopes of every kind: each tool alone, each without one, and names that are not those of tools."""
        names = list(self.read_only)
        lists = [[name] for name in names] + [[name for name in names if name != other] for other in names]
        odd = [[f"{names[0]}_", names[0].upper()], [names[0], "no_such_tool"]]
        return ["all", "read", *(f"tools:{','.join(sorted(chosen))}" for chosen in [*lists, names, *odd])]

    def allowed(self, scope: str) -> set[str]:
        """Return the tools of a scope, once more and in other words."""
        names = self.read_only
        if scope == "read":
            return {name for name in names if names[name]}
        return set(names) if scope == "all" else set(names) & set(scope.removeprefix("tools:").split(","))


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def scoped(request: pytest.FixtureRequest) -> Iterator[Scoped]:
    package, settings = PACKAGES[request.param], replace(all_tools(free_port()), require_scope=True)
    tools = tools_of(build(package, settings))
    with serving(package, settings) as target:
        yield Scoped(
            target,
            {tool.name: bool(tool.annotations and tool.annotations.read_only_hint) for tool in tools},
            {tool.name: minimal_arguments(tool.parameters) for tool in tools},
        )


@asynccontextmanager
async def asking(base: str, era: str, accept: str, scope: str, **more_headers: str) -> AsyncIterator[Ask]:
    """Yield a function that sends a request of a caller with this scope, and returns the JSON-RPC answer."""
    headers = {"X-Dyber-Scope": scope, "X-Dyber-Client": "phone", **more_headers}
    if era == "sse":
        async with session(base, **headers) as stream, httpx2.AsyncClient(timeout=20, headers=headers) as http:

            async def through_stream(message: dict[str, Any]) -> dict[str, Any]:
                sent = await http.post(base + stream.endpoint, json=message)
                assert sent.status_code == 202, sent.text
                return await stream.answer(message["id"])

            await through_stream(INITIALIZE)
            await http.post(base + stream.endpoint, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield through_stream
        return
    async with httpx2.AsyncClient(timeout=20, headers={**headers, "accept": accept}) as http:

        async def directly(message: dict[str, Any]) -> dict[str, Any]:
            more = {}
            if era == "modern":
                message = {**message, "params": {**message["params"], "_meta": META}}
                name = message["params"].get("name")
                more = {"MCP-Protocol-Version": MODERN, "Mcp-Method": message["method"]}
                more |= {"Mcp-Name": name} if name else {}
            answer = await http.post(f"{base}/mcp", json=message, headers=more)
            assert answer.status_code == 200, answer.text
            if answer.headers["content-type"].startswith("application/json"):
                return answer.json()
            (data,) = [line for line in answer.text.splitlines() if line.startswith("data: {")]
            return json.loads(data[6:])

        yield directly


def request(number: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_a_tool_is_listed_if_and_only_if_it_can_be_called(scoped, era, accept):
    for scope in scoped.scopes:
        async with asking(scoped.target.base, era, accept, scope) as ask:
            tools = (await ask(request(1, "tools/list")))["result"]["tools"]
            scoped.target.called.clear()
            for number, (name, arguments) in enumerate(scoped.arguments.items(), 2):
                answer = await ask(request(number, "tools/call", name=name, arguments=arguments))
                ran = name in scoped.target.called
                assert ("没有名为" in answer["result"]["content"][0]["text"]) == (not ran)
        listed = {tool["name"] for tool in tools}
        assert (listed, set(scoped.target.called)) == (scoped.allowed(scope), scoped.allowed(scope)), scope


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_the_answer_to_a_refused_tool_names_no_other_tool_that_is_refused(scoped, era, accept):
    allowed, *others = scoped.read_only
    async with asking(scoped.target.base, era, accept, f"tools:{allowed}") as ask:
        for number, name in enumerate([*others, "no_such_tool"], 1):
            answer = json.dumps(await ask(request(number, "tools/call", name=name, arguments={})), ensure_ascii=False)
            assert f"没有名为 {name} 的工具" in answer
            assert set(re.findall(r"[A-Za-z0-9_.-]+", answer)) & set(others) <= {name}
            assert f"可用的工具：{allowed}" in answer


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_every_argument_that_names_an_account_is_kept_to_the_accounts_of_the_caller(package):
    for tool in tools_of(build(PACKAGES[package], all_tools(free_port()))):
        assert account_parameters(tool) == {name for name in tool.all_parameters["properties"] if "account" in name}


async def test_a_list_that_depends_on_the_scope_may_not_be_kept_for_others(scoped):
    async with asking(scoped.target.base, "modern", "application/json", "read") as ask:
        assert (await ask(request(1, "tools/list")))["result"]["cacheScope"] == "private"


def call_of(scoped: Scoped, number: int, name: str) -> dict[str, Any]:
    return request(number, "tools/call", name=name, arguments=scoped.arguments[name])


async def post(stream: Session, message: Any, **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(timeout=20) as http:
        return await http.post(stream.base + stream.endpoint, json=message, headers=headers)


NARROW = {"X-Dyber-Client": "phone", "X-Dyber-Scope": "read"}


async def test_a_message_from_another_client_than_the_one_of_the_stream_is_not_carried_out(scoped):
    scoped.target.called.clear()
    call = call_of(scoped, 1, scoped.target.allowed)
    async with session(scoped.target.base, **NARROW) as stream:
        unknown = await post(replace(stream, endpoint=f"/mcp/messages/?session_id={'0' * 32}"), call, **NARROW)
        for client in ("laptop", "phone-2", "PHONE", "-", ""):
            foreign = await post(stream, call, **{"X-Dyber-Client": client, "X-Dyber-Scope": "all"})
            assert (foreign.status_code, foreign.content) == (404, unknown.content)
        assert (await post(stream, INITIALIZE, **NARROW)).status_code == 202
        assert (await stream.answer(0))["result"]
    assert scoped.target.called == []


async def test_a_stream_opened_without_a_client_is_not_open_to_a_client(scoped):
    async with session(scoped.target.base, **{"X-Dyber-Scope": "all"}) as stream:
        assert (await post(stream, INITIALIZE, **NARROW)).status_code == 404
        assert (await post(stream, INITIALIZE, **{"X-Dyber-Scope": "all"})).status_code == 202


async def test_the_scope_of_each_message_counts_and_not_that_of_the_stream(scoped):
    name, call = scoped.target.allowed, call_of(scoped, 1, scoped.target.allowed)
    async with session(scoped.target.base, **{**NARROW, "X-Dyber-Scope": "all"}) as stream:
        await post(stream, INITIALIZE, **NARROW)
        await stream.answer(0)
        for number, (scope, runs) in enumerate(
            {f"tools:{name}": True, "tools:no_such_tool": False, "all": True, "none": False}.items(), 1
        ):
            scoped.target.called.clear()
            sent = await post(stream, {**call, "id": number}, **{**NARROW, "X-Dyber-Scope": scope})
            if sent.status_code == 202:
                await stream.answer(number)
            assert sent.status_code == (403 if scope == "none" else 202)
            assert scoped.target.called == ([name] if runs else [])


@pytest.mark.parametrize("headers", [{}, {"X-Dyber-Client": "phone"}, {"X-Dyber-Scope": "everything"}])
async def test_a_message_without_a_readable_scope_is_refused(scoped, headers):
    scoped.target.called.clear()
    async with session(scoped.target.base, **NARROW) as stream:
        refused = await post(stream, call_of(scoped, 1, scoped.target.allowed), **headers)
    assert (refused.status_code, scoped.target.called) == (403, [])


async def test_an_allowed_call_carries_no_other_call_along_in_a_batch(scoped):
    scoped.target.called.clear()
    batch = [call_of(scoped, 1, scoped.target.allowed), call_of(scoped, 2, scoped.target.wanted)]
    narrow = {**NARROW, "X-Dyber-Scope": f"tools:{scoped.target.allowed}"}
    async with session(scoped.target.base, **narrow) as stream, httpx2.AsyncClient(timeout=20, headers=narrow) as http:
        for version in ("2025-03-26", "2025-11-25", MODERN):
            for url in (f"{scoped.target.base}/mcp", scoped.target.base + stream.endpoint):
                answer = await http.post(url, json=batch, headers={"MCP-Protocol-Version": version})
                assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert scoped.target.called == []
