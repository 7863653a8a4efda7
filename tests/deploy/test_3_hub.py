"""One address has the tools of all services, in both eras, whatever becomes of a service or of the hub."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError

from tests.deploy.checkout import BASE, STACK, Checkout, docker, hub_client, inspect
from tests.deploy.steady_load import HubLoad, nothing_lost

MODES = ("auto", "legacy")
GROUP = {
    "pet": {
        "title": "宠物",
        "services": {"template": "all"},
        "exclude": ["template_countdown"],
        "tools": {"template_echo": {"name": "echo", "title": "学舌", "description": "Says it again."}},
    }
}


def text_of(result: Any) -> str:
    return "".join(item.text for item in result.content if item.type == "text")


def locked(checkout: Checkout, service: str) -> list[str]:
    lock = checkout.root / "mcp-servers" / service / "tools.lock.json"
    return list(json.loads(lock.read_text(encoding="utf-8"))["tools"])


def eventually(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


@pytest.mark.parametrize("mode", MODES)
async def test_the_hub_lists_the_tools_of_every_service_in_the_order_of_the_contracts(
    deployed: Checkout, mode: str
) -> None:
    async with hub_client(deployed.token, mode=mode) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
    assert [name for name in listed if name.startswith("template_")] == locked(deployed, "template")
    shown = [name for name in listed if name.startswith("xhs_")]
    assert shown == [name for name in locked(deployed, "xiaohongshu") if name in shown]
    assert {name.partition("_")[0] for name in listed} == {"template", "xhs"}


@pytest.mark.parametrize("mode", MODES)
async def test_a_call_at_the_hub_is_answered_by_the_service(deployed: Checkout, mode: str) -> None:
    async with hub_client(deployed.token, mode=mode) as client:
        assert "through the hub" in text_of(await client.call_tool("template_echo", {"text": "through the hub"}))
        with pytest.raises(MCPError):
            await client.call_tool("template_nothing", {})


@pytest.mark.parametrize("mode", MODES)
async def test_a_stopped_service_stays_listed_and_its_calls_say_so(deployed: Checkout, mode: str) -> None:
    identity = inspect("template")["Id"]
    docker("stop", identity)
    try:
        async with hub_client(deployed.token, mode=mode) as client:
            assert "template_echo" in {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("template_echo", {"text": "x"})
            assert result.is_error and "template" in text_of(result)
            status = await client.call_tool("xhs_login_status", {})
            assert "template" not in text_of(status)
    finally:
        docker("start", identity)
    eventually(lambda: inspect("template")["State"]["Health"]["Status"] == "healthy", "template is healthy again")
    async with hub_client(deployed.token, mode=mode) as client:
        deadline = time.monotonic() + 30
        while (await client.call_tool("template_echo", {"text": "x"})).is_error:
            assert time.monotonic() < deadline, "the service answers again"
            await asyncio.sleep(0.5)


async def test_a_group_has_its_tools_under_its_names(restored: Checkout) -> None:
    restored.configure("groups", GROUP)
    planned = json.loads(restored.deploy_sh("preview", "--json").stdout)
    (group,) = [item for item in planned["tool_lists"] if item["address"] == "/groups/pet/mcp"]
    expected = ["echo", *(name for name in locked(restored, "template")[1:] if name != "template_countdown")]
    assert [tool["name"] for tool in group["tools"]] == expected
    restored.deploy_sh()
    for mode in MODES:
        async with hub_client(restored.token, "/groups/pet/mcp", mode) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == expected
            assert (tools[0].title, tools[0].description) == ("学舌", "Says it again.")
            assert "polly" in text_of(await client.call_tool("echo", {"text": "polly"}))
            with pytest.raises(MCPError):
                await client.call_tool("template_echo", {"text": "x"})
    outputs = json.loads(restored.shell(f"pulumi stack output --json -s {STACK}").stdout)
    assert outputs["hub"]["groups"] == {
        "pet": {"title": "宠物", "mcp": f"{BASE}/groups/pet/mcp", "sse": f"{BASE}/groups/pet/mcp/sse"}
    }


async def test_a_hub_that_was_removed_comes_back_and_calls_go_on_meanwhile(deployed: Checkout) -> None:
    async with hub_client(deployed.token, mode="legacy") as client:
        # The client checks results by the schemas of a list, which it otherwise asks for now.
        await client.list_tools()
        docker("rm", "--force", inspect("hub")["Id"])
        assert "on" in text_of(await client.call_tool("template_echo", {"text": "on"}))
        deployed.deploy_sh()
        assert inspect("hub")["State"]["Health"]["Status"] == "healthy"
        assert (await client.list_tools()).tools
    assert "没有变化" in deployed.deploy_sh().stdout


def test_the_hub_is_replaced_under_load_without_a_lost_call(
    restored: Checkout, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    limits = {"requestsPerSecond": 1000, "burst": 1000}
    restored.configure("gateway", {**restored.configured("gateway"), "limits": limits})
    xiaohongshu = {**restored.configured("services")["xiaohongshu"], "maxCallSeconds": 5}
    restored.configure("services", {"xiaohongshu": xiaohongshu, "template": {"maxCallSeconds": 5}})
    restored.deploy_sh()
    before = inspect("hub")["Id"]
    with HubLoad(BASE, "template", restored.token, stack=STACK, folder=tmp_path) as load:
        time.sleep(1)
        restored.configure("groups", GROUP)
        restored.deploy_sh()
    print(f"\n| {request.node.name} | {load.outcome.row} |")
    assert inspect("hub")["Id"] != before
    nothing_lost(load.outcome)


def test_status_logs_and_restart_know_the_hub(deployed: Checkout) -> None:
    shown = {item["name"]: item for item in json.loads(deployed.deploy_sh("status", "--json").stdout)["services"]}
    assert (shown["hub"]["state"], shown["hub"]["replicas"]) == ("up", {"ready": 1, "total": 1})
    before = inspect("hub")["State"]["StartedAt"]
    deployed.deploy_sh("restart", "hub")
    assert inspect("hub")["State"]["StartedAt"] != before
    lines = deployed.deploy_sh("logs", "hub", "--tail", "3").stdout.splitlines()
    assert lines and {json.loads(line)["service"] for line in lines} == {"hub"}
