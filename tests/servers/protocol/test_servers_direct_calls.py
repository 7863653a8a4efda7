"""Tests which calls are answered without the SDK, and that their answers are the same as the SDK's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import ServiceApp, Settings, create_app, tool
from dyber_kit.serving import bodies
from dyber_kit.serving.mcp import exchanges
from dyber_kit.serving.mcp.direct_calls import DirectCalls
from dyber_kit.serving.server import build_server
from mcp.server.mcpserver import Context
from mcp.types import Annotations, CallToolResult, ImageContent, ResourceLink, TextContent
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running

NEWEST = "2026-07-28"
OLDER = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
META = {
    "io.modelcontextprotocol/protocolVersion": NEWEST,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1"},
}
TEXT = TextContent(type="text", text="一")


class Text(BaseModel):
    """Is the answer of the tools here."""

    text: str
    nothing: str | None = None
    number: float = 0


@tool(title="回声", read_only=True, open_world=False)
async def try_echo(text: Annotated[str, Field(description="Text", max_length=20)]) -> Text:
    """Return the text."""
    return Text(text=text)


@tool(title="上下文", read_only=True, open_world=False)
async def try_context(ctx: Context) -> Text:
    """Return what the context knows of the request."""
    request = ctx.request_context
    known = [ctx.request_id, ctx.protocol_version, request.method, request.request.headers["x-odd"], request.meta]
    capabilities = ctx.client_capabilities.model_dump(exclude_none=True) if ctx.client_capabilities else None
    return Text(text=json.dumps([*known, dict(request.params or {}), capabilities, ctx.session.can_send_request]))


ANSWERS: dict[str, CallToolResult] = {
    "text": CallToolResult(content=[TEXT, TEXT]),
    "nothing": CallToolResult(content=[]),
    "structure": CallToolResult(content=[TEXT], structured_content={"a": [1, None, {"b": None}]}),
    "failure": CallToolResult(content=[TEXT], is_error=True),
    "meta": CallToolResult(content=[TEXT], _meta={"dyber/x": {"y": None}}),
    "picture": CallToolResult(content=[TEXT, ImageContent(type="image", data="QQ==", mime_type="image/png")]),
    "link": CallToolResult(content=[ResourceLink(type="resource_link", uri="a://b", name="b")]),
    "annotated": CallToolResult(content=[TextContent(type="text", text="x", annotations=Annotations(priority=1))]),
    "list": CallToolResult(content=[TEXT], structured_content=[1]),
}
ONLY_THE_SDK_WRITES = {"picture", "link", "annotated"}


@tool(title="答案", read_only=True, open_world=False, structured=False)
async def try_answer(name: Annotated[str, Field(description="Name of the answer")]) -> CallToolResult:
    """Return an answer by name."""
    return ANSWERS[name].model_copy(deep=True)


@dataclass
class Kit:
    """Holds a running service, and the requests that its SDK has answered."""

    base: str
    app: ServiceApp
    of_sdk: list[str] = field(default_factory=list)

    async def answer(self, params: dict[str, Any], version: str, **headers: str) -> tuple[int, Any]:
        """Return status and body of the answer to a call."""
        sent = {"accept": "application/json", "mcp-protocol-version": version, "x-odd": "o", **headers}
        if version == NEWEST:
            params = {**params, "_meta": {**META, **params.get("_meta", {})}}
            sent |= {"mcp-method": "tools/call", "mcp-name": params["name"]}
        body = {"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": params}
        async with httpx2.AsyncClient(timeout=30) as http:
            answer = await http.post(f"{self.base}/mcp", json=body, headers=sent)
        return answer.status_code, answer.json()


@pytest.fixture(scope="module")
def service() -> Iterator[Kit]:
    tools = [try_echo, try_context, try_answer]
    app = create_app(name="try", title="测试", version="1", instructions="", tools=tools, settings=_settings())
    with running(build_server(app)) as base:
        yield Kit(base, app)


@pytest.fixture
def kit(service: Kit, monkeypatch: pytest.MonkeyPatch) -> Kit:
    serve = exchanges.serve_one
    service.of_sdk.clear()

    async def recording(*arguments: Any, **named: Any) -> dict[str, Any]:
        # The servers of other tests run in threads of this process, and are asked at any time.
        if arguments[0] is service.app.mcp.protocol:
            service.of_sdk.append(arguments[2])
        return await serve(*arguments, **named)

    monkeypatch.setattr(exchanges, "serve_one", recording)
    return service


def _settings() -> Settings:
    return Settings(port=free_port(), language="en")


def call(name: str, /, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "arguments": arguments}


async def both(kit: Kit, monkeypatch: pytest.MonkeyPatch, params: dict[str, Any], version: str) -> list[Any]:
    """Return the answers to a call, made as usual and by the SDK alone."""
    usual = await kit.answer(params, version)
    with monkeypatch.context() as patched:
        patched.setattr(DirectCalls, "read", lambda *_: None)
        return [usual, await kit.answer(params, version)]


@pytest.mark.parametrize("version", [*OLDER, NEWEST])
@pytest.mark.parametrize("name", ANSWERS)
async def test_an_answer_is_the_same_as_the_sdks(kit, monkeypatch, name, version):
    usual, sdks = await both(kit, monkeypatch, call("try_answer", name=name), version)
    assert usual == sdks
    assert kit.of_sdk.count("tools/call") == (2 if name in ONLY_THE_SDK_WRITES or _is_refused(sdks) else 1)


def _is_refused(answer: tuple[int, Any]) -> bool:
    """Return whether the SDK refuses to write an answer, as older versions have no structure that is a list."""
    return "error" in answer[1]


@pytest.mark.parametrize("version", [*OLDER, NEWEST])
@pytest.mark.parametrize("tool_name", ["try_echo", "try_context"])
async def test_a_tool_learns_the_same_of_its_request_as_through_the_sdk(kit, monkeypatch, tool_name, version):
    arguments = {"text": "你好"} if tool_name == "try_echo" else {}
    usual, sdks = await both(kit, monkeypatch, call(tool_name, **arguments), version)
    assert usual == sdks
    assert usual[1]["result"]["isError"] is False
    assert kit.of_sdk == ["tools/call"]


@pytest.mark.parametrize("version", [OLDER[2], NEWEST])
@pytest.mark.parametrize(
    "params",
    [
        {**call("try_echo", text="x"), "_meta": {"progressToken": 1}},
        {**call("try_echo", text="x"), "inputResponses": {}},
        {**call("try_echo", text="x"), "requestState": "s"},
        {**call("try_echo", text="x"), "task": {}},
        {"name": "try_echo", "arguments": '{"text": "x"}'},
        {"name": "try_echo"},
        call("try_nothing"),
    ],
)
async def test_what_is_no_ordinary_call_is_answered_by_the_sdk(kit, params, version):
    await kit.answer(params, version)
    assert kit.of_sdk == ["tools/call"]


async def test_a_tool_that_the_scope_excludes_is_answered_by_the_sdk_like_one_that_does_not_exist(kit):
    _, answer = await kit.answer(call("try_echo", text="x"), OLDER[2], **{"x-dyber-scope": "tools:try_answer"})
    assert "There is no tool try_echo" in answer["result"]["content"][0]["text"]
    assert kit.of_sdk == ["tools/call"]


@pytest.mark.parametrize(
    "meta",
    [
        {"io.modelcontextprotocol/clientCapabilities": {"elicitation": 5}},
        {"io.modelcontextprotocol/clientInfo": {"name": 5}},
        {"io.modelcontextprotocol/logLevel": "loud"},
    ],
)
async def test_metadata_that_the_sdk_refuses_is_refused_also_after_calls_of_other_clients(kit, meta):
    assert "result" in (await kit.answer(call("try_echo", text="x"), NEWEST))[1]
    for _ in range(2):
        status, answer = await kit.answer({**call("try_echo", text="x"), "_meta": meta}, NEWEST)
        assert (status, answer["error"]["code"]) == (400, -32602)


@pytest.mark.parametrize("version", [OLDER[2], NEWEST])
async def test_metadata_that_cannot_be_written_as_json_is_left_to_the_sdk(kit, monkeypatch, version):
    monkeypatch.setattr(bodies, "_MOST_LEVELS", 500)
    deep: list[Any] = []
    for _ in range(300):
        deep = [deep]
    params = {**call("try_echo", text="x"), "_meta": {"of": deep}}
    usual, sdks = await both(kit, monkeypatch, params, version)
    assert kit.of_sdk == ["tools/call", "tools/call"]
    assert usual == sdks


async def test_the_metadata_of_a_client_is_checked_once_also_when_its_traces_differ(kit, monkeypatch):
    checked = []
    validate = exchanges.DirectCalls.__init__.__globals__["protocol_methods"].validate_client_request
    monkeypatch.setattr(
        "dyber_kit.serving.mcp.direct_calls.protocol_methods.validate_client_request",
        lambda *arguments: (checked.append(arguments), validate(*arguments))[1],
    )
    for number in range(3):
        meta = {"traceparent": f"00-{number:032x}-{number:016x}-01", "of": "this test"}
        await kit.answer({**call("try_echo", text="x"), "_meta": meta}, NEWEST)
    assert len([method for method, *_ in checked if method == "tools/call"]) == 1
    assert kit.of_sdk == []
