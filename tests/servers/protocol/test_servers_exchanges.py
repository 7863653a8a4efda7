"""Tests that the kit answers POSTs of both protocol eras as the SDK's own session manager does, and when it cancels."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

import httpx2
import pytest
import uvicorn
from dyber_kit import ErrorCode, ServiceError, Settings, create_app, tool
from dyber_kit.serving.mcp import replies
from dyber_kit.serving.server import build_server
from mcp.server.mcpserver import Context
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel, Field

from tests.stand_in.running import free_port, running

BOTH_FORMS = "application/json, text/event-stream"
NEWEST = "2026-07-28"
OLDER = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
CLIENT = {"name": "tester", "version": "1"}
META = {
    "io.modelcontextprotocol/protocolVersion": NEWEST,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": CLIENT,
}


class Text(BaseModel):
    """Is the answer of the tools here."""

    text: str
    nothing: str | None = None


@dataclass
class Waiting:
    """Records the calls of the tool that waits."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)


waiting = Waiting()


@tool(title="回声", read_only=True, open_world=False)
async def try_echo(
    text: Annotated[str, Field(description="Text", max_length=20)],
    region: Annotated[str, Field(description="Region", json_schema_extra={"x-mcp-header": "Region"})] = "",
) -> Text:
    """Return the text."""
    return Text(text=text + region)


@tool(title="进度", read_only=True, open_world=False)
async def try_progress(ctx: Context) -> Text:
    """Report progress twice, with text that only escapes can carry in a stream."""
    await ctx.report_progress(1, 2, "一\u2028二")
    await ctx.report_progress(2, 2)
    return Text(text="完成\u2029")


@tool(title="失败", read_only=True, open_world=False)
async def try_failure(
    kind: Annotated[str, Field(description="What happens: refused, crashed, protocol or question")],
    ctx: Context,
) -> Text:
    """Fail in the way that is asked for."""
    if kind == "refused":
        raise ServiceError(ErrorCode.NOT_FOUND)
    if kind == "protocol":
        raise MCPError(code=-32042, message="a failure of the protocol", data={"kind": kind})
    if kind == "question":
        await ctx.elicit("?", Text)
    raise RuntimeError("secret")


@tool(title="等待", read_only=True, open_world=False)
async def try_wait() -> Text:
    """Wait until the call is cancelled."""
    waiting.started.set()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        waiting.cancelled.set()
        raise
    return Text(text="")


@pytest.fixture(scope="module")
def kit_and_sdk() -> Iterator[dict[str, str]]:
    """Return base URLs: `kit`, and the SDK's managers of the same server by the form of their answers."""
    app = create_app(
        name="try",
        title="测试",
        version="1",
        instructions="",
        tools=[try_echo, try_progress, try_failure, try_wait],
        settings=Settings(port=free_port()),
    )
    bases = {}
    with running(build_server(app)) as bases["kit"]:
        json_app, stream_app = (
            app.mcp.streamable_http_app(
                stateless_http=True,
                json_response=json_response,
                transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
            )
            for json_response in (True, False)
        )
        with running(server_of(json_app)) as bases["json"], running(server_of(stream_app)) as bases["stream"]:
            yield bases


def server_of(app: Any) -> uvicorn.Server:
    return uvicorn.Server(uvicorn.Config(app, port=free_port(), log_level="error"))


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": name, "arguments": arguments}}


REQUESTS = {
    "ping": {"method": "ping"},
    "list": {"method": "tools/list", "params": {}},
    "list without params": {"method": "tools/list"},
    "list with null params": {"method": "tools/list", "params": None},
    "bad cursor": {"method": "tools/list", "params": {"cursor": 5}},
    "discover": {"method": "server/discover", "params": {}},
    "unknown method": {"method": "tools/unknown", "params": {}},
    "method of the other side": {"method": "sampling/createMessage", "params": {}},
    "echo": call("try_echo", text="你好 😀"),
    "wrong argument": call("try_echo", text="x" * 50),
    "unknown tool": call("try_nothing"),
    "no name": {"method": "tools/call", "params": {"arguments": {}}},
    "no arguments": {"method": "tools/call", "params": {"name": "try_echo"}},
    "odd arguments": {"method": "tools/call", "params": {"name": "try_echo", "arguments": None}},
    "refused": call("try_failure", kind="refused"),
    "crashed": call("try_failure", kind="crashed"),
    "protocol error": call("try_failure", kind="protocol"),
    "question to the client": call("try_failure", kind="question"),
    "progress not wanted": call("try_progress"),
    "cancelled": {"method": "notifications/cancelled", "params": {"requestId": 1}, "id": None},
    "initialized": {"method": "notifications/initialized", "id": None},
    "unknown notification": {"method": "notifications/unknown", "id": None},
    "response": {"result": {}},
    "error": {"error": {"code": 1, "message": "x"}},
}


def as_sent(request: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON-RPC message; an id of None stands for no id."""
    body = {"jsonrpc": "2.0", "id": "a", **json.loads(json.dumps(request))}
    return {key: value for key, value in body.items() if (key, value) != ("id", None)}


async def answers(base: str, body: dict[str, Any], **headers: str) -> tuple[int, str, list[Any]]:
    """Return the status, the content type and all messages of an answer; ids of crashes are masked."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.post(f"{base}/mcp", json=body, headers=sent)
    kind = answer.headers.get("content-type", "").partition(";")[0] if answer.content else ""
    text = re.sub(r"\b[0-9a-f]{12}\b", "<id>", answer.content.decode())
    if kind == "text/event-stream":
        return answer.status_code, kind, [json.loads(line[5:]) for line in text.split("\n") if line[:5] == "data:"]
    return answer.status_code, kind, [json.loads(text)] if text else []


def progress_wanted(body: dict[str, Any]) -> dict[str, Any]:
    meta = {**body["params"].get("_meta", {}), "progressToken": "p"}
    return {**body, "params": {**body["params"], "_meta": meta}}


@pytest.mark.parametrize("form", ["json", "stream"])
@pytest.mark.parametrize("version", [None, *OLDER])
@pytest.mark.parametrize("request_name", REQUESTS)
async def test_a_message_of_the_older_versions_is_answered_as_by_the_sdk(kit_and_sdk, request_name, version, form):
    headers = {} if version is None else {"mcp_protocol_version": version}
    body = as_sent(REQUESTS[request_name])
    expected = await answers(kit_and_sdk[form], body, accept=BOTH_FORMS, **headers)
    accept = "application/json" if form == "json" else BOTH_FORMS
    assert await answers(kit_and_sdk["kit"], body, accept=accept, **headers) == expected


@pytest.mark.parametrize("form", ["json", "stream"])
@pytest.mark.parametrize("request_name", [name for name in REQUESTS if name not in ("response", "error")])
async def test_a_message_of_the_newest_version_is_answered_as_by_the_sdk(kit_and_sdk, request_name, form):
    body = as_sent(REQUESTS[request_name])
    if "id" in body and body.get("params", {}) is not None:
        body["params"] = {**body.get("params", {}), "_meta": META}
    name = (body.get("params") or {}).get("name")
    headers = {"mcp_protocol_version": NEWEST, "mcp_method": body["method"]} | ({"mcp_name": name} if name else {})
    expected = await answers(kit_and_sdk[form], body, accept=BOTH_FORMS, **headers)
    accept = "application/json" if form == "json" else BOTH_FORMS
    assert await answers(kit_and_sdk["kit"], body, accept=accept, **headers) == expected


@pytest.mark.parametrize("posted", ["response", "error"])
async def test_a_response_posted_in_the_newest_version_is_refused_with_the_sdks_code(kit_and_sdk, posted):
    found = [
        await answers(kit_and_sdk[name], as_sent(REQUESTS[posted]), accept=BOTH_FORMS, mcp_protocol_version=NEWEST)
        for name in ("kit", "stream")
    ]
    assert [(status, messages[0]["error"]["code"]) for status, _, messages in found] == [(400, -32600)] * 2


@pytest.mark.parametrize("version", [*OLDER, "2099-01-01"])
@pytest.mark.parametrize("form", ["json", "stream"])
async def test_a_version_is_negotiated_as_by_the_sdk(kit_and_sdk, version, form):
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    body = as_sent({"method": "initialize", "params": params})
    expected = await answers(kit_and_sdk[form], body, accept=BOTH_FORMS)
    accept = "application/json" if form == "json" else BOTH_FORMS
    assert await answers(kit_and_sdk["kit"], body, accept=accept) == expected
    assert expected[2][0]["result"]["protocolVersion"] == (version if version in OLDER else OLDER[-1])


@pytest.mark.parametrize("missing", list(META)[:2])
async def test_an_incomplete_envelope_is_refused_as_by_the_sdk(kit_and_sdk, missing):
    meta = {key: value for key, value in META.items() if key != missing}
    body = as_sent({"method": "tools/list", "params": {"_meta": meta}})
    headers = {"accept": BOTH_FORMS, "mcp_protocol_version": NEWEST, "mcp_method": "tools/list"}
    expected = await answers(kit_and_sdk["stream"], body, **headers)
    assert expected[0] == 400
    assert await answers(kit_and_sdk["kit"], body, **headers) == expected


@pytest.mark.parametrize(
    ("region", "header", "status"), [("x", "x", 200), ("x", "y", 400), ("x", None, 400), (None, "x", 400)]
)
async def test_arguments_that_headers_repeat_are_compared_as_by_the_sdk(kit_and_sdk, region, header, status):
    arguments = {"text": "a"} | ({"region": region} if region else {})
    body = as_sent({"method": "tools/call", "params": {"name": "try_echo", "arguments": arguments, "_meta": META}})
    headers = {"mcp_protocol_version": NEWEST, "mcp_method": "tools/call", "mcp_name": "try_echo"}
    headers |= {"mcp_param_region": header} if header else {}
    expected = await answers(kit_and_sdk["stream"], body, accept=BOTH_FORMS, **headers)
    assert expected[0] == status
    assert await answers(kit_and_sdk["kit"], body, accept=BOTH_FORMS, **headers) == expected


@pytest.mark.parametrize("version", ["2025-06-18", NEWEST])
async def test_progress_precedes_the_answer_as_by_the_sdk(kit_and_sdk, version):
    body = progress_wanted(as_sent(call("try_progress")))
    headers = {"accept": BOTH_FORMS, "mcp_protocol_version": version}
    if version == NEWEST:
        body["params"]["_meta"] |= META
        headers |= {"mcp_method": "tools/call", "mcp_name": "try_progress"}
    expected = await answers(kit_and_sdk["stream"], body, **headers)
    assert [entry.get("method") for entry in expected[2]] == ["notifications/progress", "notifications/progress", None]
    assert await answers(kit_and_sdk["kit"], body, **headers) == expected


@pytest.mark.parametrize("version", ["2025-06-18", NEWEST])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", BOTH_FORMS])
async def test_a_call_ends_when_its_client_leaves(kit_and_sdk, version, accept):
    waiting.started.clear()
    waiting.cancelled.clear()
    body = as_sent(call("try_wait"))
    headers = {"accept": accept, "mcp-protocol-version": version}
    if version == NEWEST:
        body["params"]["_meta"] = META
        headers |= {"mcp-method": "tools/call", "mcp-name": "try_wait"}
    async with httpx2.AsyncClient() as http:
        posted = asyncio.create_task(http.post(f"{kit_and_sdk['kit']}/mcp", json=body, headers=headers))
        await until(waiting.started)
        posted.cancel()
    await until(waiting.cancelled)


@pytest.mark.parametrize("accept", ["text/event-stream", BOTH_FORMS])
async def test_a_stream_of_the_older_versions_opens_before_the_answer(kit_and_sdk, accept):
    body, headers = as_sent(call("try_wait")), {"accept": accept, "mcp-protocol-version": "2025-06-18"}
    async with (
        httpx2.AsyncClient() as http,
        http.stream("POST", f"{kit_and_sdk['kit']}/mcp", json=body, headers=headers) as opened,
    ):
        assert (opened.status_code, opened.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")


@pytest.mark.parametrize("version", ["2025-06-18", NEWEST])
async def test_a_silent_stream_gets_comments(kit_and_sdk, version, monkeypatch):
    monkeypatch.setattr(replies, "PING_SECONDS", 0.05)
    body, headers = as_sent(call("try_wait")), {"accept": BOTH_FORMS, "mcp-protocol-version": version}
    if version == NEWEST:
        body["params"]["_meta"] = META
        headers |= {"mcp-method": "tools/call", "mcp-name": "try_wait"}
    async with (
        httpx2.AsyncClient() as http,
        http.stream("POST", f"{kit_and_sdk['kit']}/mcp", json=body, headers=headers) as opened,
    ):
        lines = opened.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": ping", "", ": ping", ""]


async def until(happened: asyncio.Event) -> None:
    """Wait for an event that is set in the server's event loop, on another thread."""
    while not happened.is_set():
        await asyncio.sleep(0.01)
