"""How the hub meets clients: both eras and every version, addresses, scopes, sessions, and its end."""

from __future__ import annotations

import json
import signal
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from dyber_hub.__main__ import main
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from infra.settings.names import HUB_NAME
from tests.servers.hub.asking import HUB, PET, answer_in, headers_of, message, post, until
from tests.servers.hub.conftest import Hub, serving_hub
from tests.servers.protocol.test_servers_legacy_sse import INITIALIZE, session
from tests.stand_in.hub import services as hub_services
from tests.stand_in.hub.gateway import TOKEN
from tests.stand_in.running import free_port, process

HEADERS = headers_of("all")


def initialize(version: str) -> dict[str, Any]:
    return {**INITIALIZE, "params": {**INITIALIZE["params"], "protocolVersion": version}}


@asynccontextmanager
async def connected(base: str, mode: str, path: str = HUB):
    async with httpx2.AsyncClient(verify=False, timeout=30, headers=HEADERS) as http:
        if mode == "sse":
            transport: Any = sse_client(f"{base}{path}/mcp/sse", headers=HEADERS)
            async with Client(transport, mode="legacy") as client:
                yield client
        else:
            async with Client(streamable_http_client(f"{base}{path}/mcp", http_client=http), mode=mode) as client:
                yield client


@pytest.mark.parametrize("path", [HUB, PET])
@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28", "sse"])
async def test_case_4_clients_of_the_sdk_connect_list_and_call(hub, mode, path):
    name = "alpha_echo" if path == HUB else "say"
    async with connected(hub.base, mode, path) as client:
        listed = (await client.list_tools()).tools
        result = await client.call_tool(name, {"text": "a"})
        prompt = await client.get_prompt("alpha_greet", {"name": "Ada"})
        read = await client.read_resource("alpha://items/5")
    assert name in {tool.name for tool in listed}
    assert result.structured_content == {"text": "a"}
    assert prompt.messages[0].content.text == "Hello Ada"
    assert read.contents[0].text == "item 5"


async def test_case_1_discover_needs_no_service(gateway):
    with serving_hub(gateway, f"http://127.0.0.1:{free_port()}") as hub:
        response = await post(hub.base, message("server/discover"), headers=HEADERS)
    result = answer_in(response)["result"]
    assert response.status_code == 200
    assert result["supportedVersions"] == ["2026-07-28"]
    assert result["capabilities"].keys() == {"tools", "prompts", "resources", "completions"}
    assert 0 < len(result["instructions"]) <= 2048
    assert (result["cacheScope"], result["ttlMs"]) == ("private", 60_000)


async def test_discover_tells_of_what_the_caller_may_use_only(hub):
    await until(lambda: all(hub.app.live.state(name) == "ok" for name in hub.app.live.services))
    sent = message("server/discover")
    narrow = answer_in(await post(hub.base, sent, headers=headers_of("beta=all")))["result"]
    assert narrow["capabilities"].keys() == {"tools"}
    assert "Beta is the second." in narrow["instructions"]
    assert "Alpha" not in narrow["instructions"]
    group = answer_in(await post(hub.base, sent, headers=HEADERS, path=PET))["result"]
    assert group["instructions"].startswith("Be kind.")
    assert "gamma" not in group["instructions"]
    info = group["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert (info["name"], info["title"]) == ("dyber-pet", "宠物")


async def test_instructions_of_many_services_stay_within_what_clients_show(gateway, gateway_url):
    one = hub_services.entry(hub_services.gamma())
    services = [
        {**one, "name": f"service-{number}", "tools": [], "title": f"第{number}个", "instructions": "长" * 3000}
        for number in range(60)
    ]
    for count in (1, 4, 60):
        catalogue = hub_services.catalogue(*services[:count], groups=())
        with serving_hub(gateway, gateway_url, catalogue) as hub:
            result = answer_in(await post(hub.base, message("server/discover"), headers=HEADERS))["result"]
            legacy = answer_in(await post(hub.base, INITIALIZE, modern=False, headers=HEADERS))["result"]
        assert 1500 < len(result["instructions"]) <= 2048 or count == 60
        assert len(result["instructions"]) <= 2048
        assert all(f"service-{number}" in result["instructions"] for number in range(count))
        assert legacy["instructions"] == result["instructions"]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("2024-11-05", "2024-11-05"),
        ("2025-03-26", "2025-03-26"),
        ("2025-11-25", "2025-11-25"),
        ("1999-01-01", "2025-11-25"),
    ],
)
async def test_case_2_initialize_agrees_on_a_version_without_a_session(hub, gateway, asked, answered):
    gateway.slow.update(gateway.services)
    response = await post(hub.base, initialize(asked), modern=False, headers=HEADERS)
    result = answer_in(response)["result"]
    assert result["protocolVersion"] == answered
    assert result["capabilities"]["tools"]["listChanged"] is False
    assert "logging" not in result["capabilities"]
    assert not result["capabilities"]["resources"].get("subscribe")
    assert "mcp-session-id" not in response.headers
    assert (result["serverInfo"]["name"], result["serverInfo"]["title"]) == (HUB_NAME, "DyberPet")
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert (await post(hub.base, initialized, modern=False, headers=HEADERS)).status_code == 202
    assert answer_in(await post(hub.base, message("ping", modern=False), modern=False))["result"] == {}


async def test_case_3_an_unknown_version_is_refused_with_those_that_are_known(hub):
    sent = message("tools/list")
    sent["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2027-01-01"
    response = await post(hub.base, sent, headers={"MCP-Protocol-Version": "2027-01-01"})
    error = answer_in(response)["error"]
    assert (response.status_code, error["code"]) == (400, -32022)
    assert error["data"] == {"supported": ["2026-07-28"], "requested": "2027-01-01"}


async def test_unknown_methods_are_not_found(hub):
    assert (await post(hub.base, message("tools/sing"))).status_code == 404
    legacy = await post(hub.base, message("logging/setLevel", modern=False, level="info"), modern=False)
    assert (legacy.status_code, answer_in(legacy)["error"]["code"]) == (200, -32601)


@pytest.mark.parametrize("path", [HUB, PET])
@pytest.mark.parametrize("method", ["GET", "DELETE", "HEAD"])
async def test_case_37_only_post_is_allowed(hub, path, method):
    async with httpx2.AsyncClient(verify=False) as http:
        response = await http.request(method, f"{hub.base}{path}/mcp", headers=HEADERS)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")


async def test_case_38_an_unknown_group_and_one_without_anything_for_the_caller_are_alike(hub):
    await until(lambda: all(hub.app.live.state(name) == "ok" for name in hub.app.live.services))
    answers = []
    for path, scope in (("/groups/other", "all"), (PET, "gamma=all"), (PET, "none"), (PET, "alpha=tools:alpha_wait")):
        for method in ("tools/list", "server/discover"):
            response = await post(hub.base, message(method), path=path, headers=headers_of(scope))
            answers.append((response.status_code, response.content, response.headers["content-type"]))
    assert len(set(answers)) == 1
    assert answers[0][0] == 404


async def test_case_23_a_request_without_a_scope_is_refused_when_a_gateway_sets_it(gateway, gateway_url):
    with serving_hub(gateway, gateway_url, require_scope=True) as hub:
        for path in (HUB, "/mcp/sse", "/mcp/messages/"):
            async with httpx2.AsyncClient(verify=False) as http:
                response = await http.post(f"{hub.base}{path or '/mcp'}", json=message("tools/list"))
            assert response.status_code == 403
            assert "X-Dyber-Scope" in response.json()["error"]["message"]
        assert (await post(hub.base, message("tools/list"), path=PET)).status_code in (403, 404)
        unreadable = await post(hub.base, message("tools/list"), headers=headers_of("everything"))
        assert answer_in(unreadable)["result"]["tools"] == []
        allowed = await post(hub.base, message("tools/list"), headers=headers_of("gamma=all"))
        assert [tool["name"] for tool in answer_in(allowed)["result"]["tools"]] == ["gamma_echo"]
        async with httpx2.AsyncClient(verify=False) as http:
            assert (await http.get(f"{hub.base}/health")).status_code == 200


@pytest.mark.parametrize("path", [HUB, PET])
async def test_case_24_a_message_of_another_client_is_refused(hub, path):
    name = "alpha_write" if path == HUB else "keep"
    async with httpx2.AsyncClient(verify=False, timeout=30) as http:
        async with http.stream("GET", f"{hub.base}{path}/mcp/sse", headers=HEADERS) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: endpoint"
            endpoint = (await anext(lines)).removeprefix("data: ")
            assert endpoint.startswith(f"{path}/mcp/messages/?session_id=")
            sent = message("tools/call", modern=False, name=name, arguments={"text": "a"})
            other = await http.post(hub.base + endpoint, json=sent, headers=headers_of("all", client="laptop"))
            elsewhere = endpoint.replace(path, HUB if path else PET, 1)
            wrong = await http.post(hub.base + elsewhere, json=sent, headers=HEADERS) if path else other
    assert (other.status_code, wrong.status_code) == (404, 404)
    assert hub_services.written == []


async def test_case_25_a_scope_that_shrinks_counts_from_the_next_message_on(hub):
    async with session(hub.base, **HEADERS) as stream, httpx2.AsyncClient(verify=False, timeout=30) as http:

        async def ask(number: int, scope: str) -> dict[str, Any]:
            sent = message("tools/call", number, modern=False, name="alpha_write", arguments={"text": str(number)})
            await http.post(hub.base + stream.endpoint, json=sent, headers=headers_of(scope))
            return await stream.answer(number)

        await http.post(hub.base + stream.endpoint, json=INITIALIZE, headers=HEADERS)
        await stream.answer(0)
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post(hub.base + stream.endpoint, json=initialized, headers=HEADERS)
        assert "result" in await ask(1, "all")
        assert (await ask(2, "alpha=read"))["error"]["code"] == -32602
    assert hub_services.written == ["1"]


async def test_behind_a_prefix_streams_name_it(hub):
    headers = {**HEADERS, "X-Forwarded-Prefix": "/outer"}
    async with httpx2.AsyncClient(verify=False, timeout=30) as http:
        async with http.stream("GET", f"{hub.base}{PET}/mcp/sse", headers=headers) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: endpoint"
            assert (await anext(lines)).startswith(f"data: /outer{PET}/mcp/messages/")


async def test_the_hub_is_ready_once_every_service_was_asked(hub, gateway, gateway_url):
    await until(lambda: all(hub.app.live.state(name) == "ok" for name in hub.app.live.services))
    async with httpx2.AsyncClient(verify=False) as http:
        ready = await http.get(f"{hub.base}/ready")
        assert (ready.status_code, ready.json()["service"]) == (200, "hub")
        gateway.slow.add("beta")
        with serving_hub(gateway, gateway_url) as other:
            waiting = await http.get(f"{other.base}/ready")
            gateway.slow.clear()
    assert (waiting.status_code, waiting.json()["status"]) == (503, "unavailable")


def written_hub(folder: Any, *, search: bool = False) -> dict[str, str]:
    entries = [hub_services.entry(build()) for build in hub_services.SERVICES.values()]
    (folder / "hub.json").write_text(json.dumps({"services": entries, "groups": [], "search": search}))
    (folder / "token").write_text(f"{TOKEN}\n")
    return {"DYBER_HUB_FILE": str(folder / "hub.json"), "DYBER_HUB_TOKEN_FILE": str(folder / "token")}


async def test_a_stopping_hub_finishes_its_calls(gateway, gateway_url, tmp_path):
    environment = {**written_hub(tmp_path), "DYBER_GATEWAY_URL": gateway_url}
    with process("dyber_hub", **environment) as (child, base):
        sent = message("tools/call", name="alpha_wait", arguments={"name": "a", "steps": 30})
        answers = []

        async def run() -> None:
            answers.append(answer_in(await post(base, sent, headers=HEADERS)))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await until(gateway.calls)
            child.send_signal(signal.SIGTERM)
        assert answers[0]["result"]["structuredContent"] == {"text": "a"}
        assert child.wait(20) == 0


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"DYBER_HUB_TOKEN_FILE": ""}, "DYBER_HUB_TOKEN_FILE"),
        ({"DYBER_HUB_FILE": "/nowhere/hub.json"}, "/nowhere/hub.json"),
        ({"DYBER_GATEWAY_URL": "gateway:10070"}, "DYBER_GATEWAY_URL"),
    ],
)
def test_a_hub_that_cannot_start_names_the_setting(tmp_path, monkeypatch, capsys, changed, named):
    for name, value in {**written_hub(tmp_path), **changed}.items():
        monkeypatch.setenv(name, value)
    assert main() == 2
    error = capsys.readouterr().err
    assert named in error
    assert TOKEN not in error


def test_the_hub_has_what_its_server_needs(hub: Hub):
    assert hub.app.settings.max_call_seconds > max(
        service.max_call_seconds for service in hub.app.live.services.values()
    )
