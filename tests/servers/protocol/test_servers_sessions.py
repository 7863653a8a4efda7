"""Tests of services with sessions over Streamable HTTP: which messages belong to one, and which scope counts in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import httpx2
import pytest
from dyber_kit import Settings, create_app, tool
from dyber_kit.serving.server import build_server
from pydantic import BaseModel, Field

from tests.stand_in.header_attacks import META, MODERN
from tests.stand_in.running import free_port, running

BOTH_FORMS = "application/json, text/event-stream"
OLDER = "2025-11-25"
INITIALIZE = {
    "method": "initialize",
    "params": {"protocolVersion": OLDER, "capabilities": {}, "clientInfo": {"name": "tester", "version": "1"}},
}


class Text(BaseModel):
    """Is the answer of the tools here."""

    text: str


@tool(title="甲", read_only=True, open_world=False)
async def try_first(
    region: Annotated[str, Field(description="Region", json_schema_extra={"x-mcp-header": "Region"})] = "",
) -> Text:
    """Return the region."""
    return Text(text=f"first {region}")


@tool(title="乙", read_only=True, open_world=False)
async def try_second() -> Text:
    """Return a text."""
    return Text(text="second")


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """Return the base URL of a service with sessions, which takes requests from a gateway only."""
    app = create_app(
        name="try",
        title="测试",
        version="1",
        instructions="",
        tools=[try_first, try_second],
        sessions=True,
        settings=Settings(port=free_port(), require_scope=True),
    )
    with running(build_server(app)) as url:
        yield url


async def post(base: str, message: dict[str, Any], scope: str = "all", **headers: str) -> httpx2.Response:
    sent = {"accept": BOTH_FORMS, "X-Dyber-Scope": scope}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient(timeout=20) as http:
        return await http.post(f"{base}/mcp", json={"jsonrpc": "2.0", "id": 1, **message}, headers=sent)


def call(name: str, **more: Any) -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": name, "arguments": {}, **more}}


async def open_session(base: str) -> dict[str, str]:
    """Open a session of an older client; return the headers of its further messages."""
    opened = await post(base, INITIALIZE)
    return {"Mcp_Session_Id": opened.headers["mcp-session-id"], "MCP_Protocol_Version": OLDER}


async def test_the_scope_of_each_message_counts_and_not_that_of_the_session(base):
    session = await open_session(base)
    for scope, runs in {"tools:try_second": True, "tools:try_first": False, "all": True}.items():
        answer = await post(base, call("try_second"), scope, **session)
        assert (answer.status_code, "没有名为 try_second 的工具" in answer.text) == (200, not runs)
        assert ('"text":"second"' in answer.text) == runs
    assert (await post(base, call("try_second"), "none", **session)).status_code == 403


async def test_a_session_ends_when_its_client_deletes_it(base):
    session = {name.replace("_", "-"): value for name, value in (await open_session(base)).items()}
    async with httpx2.AsyncClient() as http:
        ended = await http.delete(f"{base}/mcp", headers={"X-Dyber-Scope": "all", **session})
    assert ended.status_code == 200
    gone = await post(base, call("try_second"), **{name.replace("-", "_"): value for name, value in session.items()})
    assert gone.status_code == 404


async def test_a_session_is_unknown_to_every_client_but_the_one_that_opened_it(base):
    opened = await post(base, INITIALIZE, X_Dyber_Client="alice")
    session = {"Mcp_Session_Id": opened.headers["mcp-session-id"], "MCP_Protocol_Version": OLDER}
    headers = {name.replace("_", "-"): value for name, value in session.items()}
    unknown = await post(base, call("try_second"), **{**session, "Mcp_Session_Id": "0" * 32})
    for other in ({"X_Dyber_Client": "bob"}, {}):
        answer = await post(base, call("try_second"), **session, **other)
        assert (answer.status_code, answer.text) == (404, unknown.text)
    async with httpx2.AsyncClient() as http:
        scope = {"X-Dyber-Scope": "all", "X-Dyber-Client": "bob"}
        assert (await http.delete(f"{base}/mcp", headers={**scope, **headers})).status_code == 404
    answer = await post(base, call("try_second"), **session, X_Dyber_Client="alice")
    assert (answer.status_code, '"text":"second"' in answer.text) == (200, True)


@pytest.mark.parametrize("accept", ["text/event-stream", BOTH_FORMS])
@pytest.mark.parametrize("version", [None, OLDER, "2099-01-01"])
async def test_an_older_client_gets_a_session_in_whichever_form_of_stream_it_accepts(base, accept, version):
    opened = await post(base, INITIALIZE, accept=accept, **({"MCP_Protocol_Version": version} if version else {}))
    assert (opened.status_code, '"protocolVersion":"2025-11-25"' in opened.text) == (200, True)
    assert opened.headers["mcp-session-id"]


async def test_a_client_that_accepts_only_json_is_answered_without_a_session(base):
    opened = await post(base, INITIALIZE, accept="application/json")
    assert opened.json()["result"]["protocolVersion"] == OLDER
    assert "mcp-session-id" not in opened.headers


async def test_messages_without_a_session_are_answered_beside_those_with_one(base):
    older = await post(base, call("try_second"), MCP_Protocol_Version=OLDER)
    headers = {"MCP_Protocol_Version": MODERN, "Mcp_Method": "tools/call", "Mcp_Name": "try_second"}
    newest = await post(base, call("try_second", _meta=META), Mcp_Session_Id="made-up", **headers)
    for answer in (older, newest):
        assert (answer.status_code, "second" in answer.text) == (200, True)
        assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize(("scope", "status"), [("tools:try_first", 400), ("tools:try_second", 200)])
async def test_headers_that_contradict_arguments_do_not_tell_that_a_tool_outside_the_scope_exists(base, scope, status):
    headers = {"MCP_Protocol_Version": MODERN, "Mcp_Method": "tools/call", "Mcp_Name": "try_first"}
    answer = await post(base, call("try_first", _meta=META), scope, Mcp_Param_Region="x", **headers)
    assert (answer.status_code, "没有名为 try_first 的工具" in answer.text) == (status, status == 200)
