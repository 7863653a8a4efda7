"""Tests of the MCP addresses with the requests of many kinds of clients, byte by byte."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

BOTH_FORMS = "application/json, text/event-stream"
MODERN = "2026-07-28"
META = {"io.modelcontextprotocol/protocolVersion": MODERN, "io.modelcontextprotocol/clientCapabilities": {}}
LINES = "你好 \u2028 \u2029 \u0085 😀"


def message(method: str = "tools/list", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def echo(text: str = "x", **params: Any) -> dict[str, Any]:
    return message("tools/call", name="template_echo", arguments={"text": text}, **params)


def modern(body: dict[str, Any], **headers: str) -> dict[str, str]:
    """Return the headers of the newest protocol version for `body`, and add the matching `_meta` to it."""
    body["params"]["_meta"] = META
    tool = {"Mcp-Name": body["params"]["name"]} if "name" in body["params"] else {}
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": body["method"], **tool, **headers}


async def send(
    base: str, body: Any, path: str = "/mcp", method: str = "POST", **headers: str | None
) -> httpx2.Response:
    """Send a request with exactly these headers; in names `_` stands for `-`, and None removes a header."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {
        "content-type": "application/json",
        "accept": BOTH_FORMS,
        **{k.replace("_", "-"): v for k, v in headers.items()},
    }
    async with httpx2.AsyncClient(timeout=30) as http:
        request = http.build_request(method, base + path, content=content)
        for name in ("accept", "content-type"):
            request.headers.pop(name, None)
        request.headers.update({name: value for name, value in sent.items() if value is not None})
        return await http.send(request)


def event(answer: httpx2.Response) -> dict[str, Any]:
    """Return the only JSON-RPC answer in a stream, read line by line like simple clients do."""
    data = [line for line in answer.content.decode().splitlines() if line.startswith("data:")]
    assert len(data) == 1, answer.text
    return json.loads(data[0][5:])


@pytest.mark.parametrize("accept", ["application/json", "application/json;q=0.5", "*/*", None])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_client_that_accepts_json_gets_json(template, accept, era):
    body = echo("你好")
    answer = await send(template, body, accept=accept, **(modern(body) if era == "modern" else {}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.json()["result"]["structuredContent"]["text"] == "你好"


@pytest.mark.parametrize("accept", ["text/event-stream", "text/event-stream ; q=0.5"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_client_that_accepts_streams_gets_a_stream(template, accept, era):
    body = echo("你好")
    answer = await send(template, body, accept=accept, **(modern(body) if era == "modern" else {}))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert event(answer)["result"]["structuredContent"]["text"] == "你好"


async def test_the_error_for_a_client_that_accepts_neither_names_what_to_accept(template):
    answer = await send(template, echo(), accept="text/html")
    assert answer.status_code == 406
    assert "Accept: application/json, text/event-stream" in answer.json()["error"]["message"]


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_streams_have_a_charset_and_forbid_buffering(template, era):
    body = echo()
    answer = await send(template, body, accept="text/event-stream", **(modern(body) if era == "modern" else {}))
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["cache-control"] == "no-cache, no-transform"


async def test_the_legacy_stream_has_a_charset_and_forbids_buffering(template):
    async with httpx2.AsyncClient() as http, http.stream("GET", f"{template}/mcp/sse") as opened:
        assert opened.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert opened.headers["x-accel-buffering"] == "no"
        assert opened.headers["cache-control"] == "no-cache, no-transform"


@pytest.mark.parametrize("era", ["modern", "legacy"])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", BOTH_FORMS])
async def test_characters_that_look_like_line_ends_are_returned_unchanged(template, era, accept):
    body = echo(LINES)
    answer = await send(template, body, accept=accept, **(modern(body) if era == "modern" else {}))
    stream = answer.headers["content-type"].startswith("text/event-stream")
    result = event(answer) if stream else answer.json()
    assert result["result"]["structuredContent"]["text"] == LINES


async def test_an_unknown_version_is_negotiated_when_a_client_initializes(template):
    params = {"protocolVersion": "2099-01-01", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    answer = await send(
        template, message("initialize", **params), accept="application/json", mcp_protocol_version="2099-01-01"
    )
    assert (answer.status_code, answer.json()["result"]["protocolVersion"]) == (200, "2025-11-25")


async def test_the_body_of_initialize_takes_precedence_over_another_known_version_in_the_header(template):
    params = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    answer = await send(
        template, message("initialize", **params), accept="application/json", mcp_protocol_version="2025-11-25"
    )
    assert answer.json()["result"]["protocolVersion"] == "2024-11-05"


@pytest.mark.parametrize("version", ["foobar", "2099-01-01", ""])
async def test_after_initialize_an_unknown_version_is_refused_with_the_supported_ones(template, version):
    answer = await send(template, message(), mcp_protocol_version=version)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["data"]["requested"]) == (400, -32022, version)
    assert {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", MODERN} == set(error["data"]["supported"])
    assert "2025-11-25" in error["message"]


async def test_a_request_without_a_version_is_answered(template):
    assert (await send(template, message())).status_code == 200


async def test_the_newest_version_without_its_meta_is_refused_naming_the_missing_key(template):
    answer = await send(template, message(), mcp_protocol_version=MODERN)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32602)
    assert "_meta" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "changed",
    [
        {"Mcp-Method": "tools/list"},
        {"Mcp-Method": None},
        {"MCP-Protocol-Version": "2099-01-01"},
        {"Mcp-Name": "template_get"},
        {"Mcp-Name": None},
    ],
)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream", "*/*", BOTH_FORMS])
async def test_headers_that_disagree_with_the_body_are_refused_for_every_accept_header(template, changed, accept):
    body = echo()
    answer = await send(template, body, accept=accept, **{**modern(body), **changed})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert answer.headers["content-type"].startswith("application/json")


@pytest.mark.parametrize("name", ["mcp-protocol-version", "mcp-method", "mcp-name"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_repeated_header_is_refused(template, name, era):
    body = echo()
    headers = list(modern(body).items()) if era == "modern" else [("mcp-protocol-version", "2025-06-18")]
    repeated = [*headers, (name, "template_get"), (name, "template_get")]
    async with httpx2.AsyncClient() as http:
        answer = await http.post(f"{template}/mcp", json=body, headers=[("accept", BOTH_FORMS), *repeated])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("version", [None, "2025-03-26", MODERN])
async def test_a_batch_is_refused_with_an_explanation(template, version):
    answer = await send(template, [echo("a"), echo("b")], mcp_protocol_version=version)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert "不支持批量请求" in answer.json()["error"]["message"]


@pytest.mark.parametrize("request_id", ["a", "0", 0, 7, -1, 2**53, ""])
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_an_id_is_returned_as_it_was_sent(template, request_id, accept, era):
    body = {**echo(), "id": request_id}
    answer = await send(template, body, accept=accept, **(modern(body) if era == "modern" else {}))
    returned = (answer.json() if accept == "application/json" else event(answer))["id"]
    assert (returned, type(returned)) == (request_id, type(request_id))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"jsonrpc": "2.0", "id": None, "method": "tools/list"}, "id 应为"),
        ({"jsonrpc": "2.0", "id": True, "method": "tools/list"}, "id 应为"),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "tools/list"}, "id 应为"),
        ({"jsonrpc": "2.0", "id": 1, "method": 5}, "method 应为"),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": [1]}, "params 应为"),
        ({"jsonrpc": "2.0", "id": 1, "method": "x" * 300}, "名字超过"),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "x" * 300}}, "名字超过"),
        ({"jsonrpc": "2.0", "id": 1}, "缺少 method"),
        ({"id": 1, "method": "tools/list"}, '"jsonrpc": "2.0"'),
        ("hunter2", "JSON-RPC 对象"),
        (5, "JSON-RPC 对象"),
        (None, "JSON-RPC 对象"),
        ({"jsonrpc": "2.0", "id": 1, "error": "hunter2"}, "不是 JSON-RPC"),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/messages/?session_id=0"])
async def test_a_body_that_is_not_a_message_is_refused_without_repeating_it(template, body, reason, path):
    answer = await send(template, body, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
    assert reason in answer.json()["error"]["message"]
    assert "hunter2" not in answer.text and "pydantic" not in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH", "OPTIONS"])
@pytest.mark.parametrize(
    ("path", "allowed", "hint"),
    [
        ("/mcp", "POST", "/api/template/mcp/sse"),
        ("/mcp/", "POST", "/api/template/mcp/sse"),
        ("/mcp/sse", "GET", "/api/template/mcp"),
        ("/mcp/messages/", "POST", "/api/template/mcp/sse"),
        ("/mcp/messages", "POST", "/api/template/mcp/sse"),
    ],
)
async def test_a_method_that_an_address_does_not_support_gets_405_with_the_right_address(
    template, method, path, allowed, hint
):
    if method == allowed:
        method = "POST"
    session = {"mcp_session_id": "made-up", "accept": "text/event-stream", "x_forwarded_prefix": "/api/template"}
    answer = await send(template, b"", path, method, **session)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"].startswith("application/json")
    if method == "HEAD":
        assert answer.content == b""
    else:
        assert hint in answer.json()["error"]["message"]


async def test_the_legacy_address_names_the_streamable_address(template):
    answer = await send(template, message(), "/mcp/sse")
    assert answer.status_code == 405
    assert "Streamable HTTP 客户端请用 /mcp" in answer.json()["error"]["message"]


@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_the_header_of_an_old_session_is_ignored(template, era):
    body = echo()
    headers = modern(body) if era == "modern" else {"MCP-Protocol-Version": "2025-06-18"}
    answer = await send(template, body, accept="application/json", mcp_session_id="0" * 32, **headers)
    assert answer.json()["result"]["structuredContent"]["text"] == "x"
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?session_id=" + "0" * 32, 404), ("?session_id=x", 404)])
async def test_the_error_for_a_legacy_message_without_a_session_says_to_open_one(template, query, status):
    answer = await send(template, message(), f"/mcp/messages/{query}")
    assert answer.status_code == status
    assert "SSE" in answer.json()["error"]["message"]


ODD_BODIES = [
    ('{"message":"你好"}'.encode("gbk"), 400, "像是 GBK"),
    ("你好".encode("utf-8-sig"), 400, "BOM"),
    ('{"message":"你好"}'.encode("utf-16"), 400, "UTF-16"),
    ('{"message":"hi"}'.encode("utf-16-le"), 400, "UTF-16"),
    (b'{"message":"\xff\xff\xff"}', 400, "不是 UTF-8"),
    (b'{"message":', 422, "不是 JSON：第 1 行"),
    (b"", 422, "不是 JSON"),
    (b"[" * 100_000, 422, "嵌套太深"),
    (b'{"message": ' + b"[" * 200 + b"]" * 200 + b"}", 422, "嵌套太深"),
    (b'{"a":' * 201 + b"1" + b"}" * 201, 422, "嵌套太深"),
    (b'{"message": NaN}', 422, "不能表示的数"),
    (b'{"message": 1e999}', 422, "不能表示的数"),
    (b'{"message": [-1.5E+400]}', 422, "不能表示的数"),
    (b'{"message": ' + b"9" * 5000 + b"}", 422, "不能表示的数"),
    (b'{"message":"a","message":"b"}', 422, "message 在同一个对象中出现了两次"),
    (b'{"message":"\\ud800"}', 422, "半个字符"),
]


@pytest.mark.parametrize(("body", "status", "reason"), ODD_BODIES)
@pytest.mark.parametrize("path", ["/mcp", "/mcp/messages/?session_id=0", "/test"])
async def test_a_body_that_is_not_utf8_json_is_refused_with_the_next_step(template, body, status, reason, path):
    answer = await send(template, body, path)
    content = answer.json()
    if path == "/test":
        assert (answer.status_code, content["code"]) == (status, "INVALID_ARGUMENT")
        sentence = f"{content['error']}{content['next_step']}"
    else:
        assert (answer.status_code, content["error"]["code"]) == (400, -32700)
        sentence = content["error"]["message"]
    assert reason in sentence
    assert status != 400 or "PowerShell" in sentence


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/messages/"])
async def test_a_body_without_a_json_content_type_is_refused_naming_the_header(template, content_type, path):
    answer = await send(template, message(), path, content_type=content_type)
    assert answer.status_code == 415
    assert "Content-Type: application/json" in answer.json()["error"]["message"]


async def test_a_call_over_json_ends_when_its_caller_leaves(template):
    async with httpx2.AsyncClient() as http:

        async def cancelled() -> bool:
            lines = (await http.get(f"{template}/metrics")).text.splitlines()
            return any('outcome="cancelled"' in line and "template_countdown" in line for line in lines)

        slow = message("tools/call", name="template_countdown", arguments={"steps": 20, "interval_ms": 2000})
        call = asyncio.create_task(send(template, slow, accept="application/json"))
        while 'mcp_calls_in_flight{service="template"} 1.0' not in (await http.get(f"{template}/metrics")).text:
            await asyncio.sleep(0.02)
        call.cancel()
        for _ in range(200):
            if await cancelled():
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the call went on without its caller")


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource/mcp", "/mcp/.well-known/openid-configuration"])
async def test_a_client_that_looks_for_oauth_gets_a_plain_404_in_json(template, path):
    answer = await send(template, b"", path, "GET")
    assert (answer.status_code, answer.json()["error"]) == (404, "not_found")


async def test_an_error_repeats_only_a_short_part_of_the_request(template):
    answer = await send(
        template, message("resources/read", uri="template://" + "x" * 100_000), accept="application/json"
    )
    assert "error" in answer.json() and len(answer.content) < 2000
