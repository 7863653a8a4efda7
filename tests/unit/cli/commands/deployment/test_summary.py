"""The summary of a deployment leads with the address of all tools, and its configuration uses that address."""

from __future__ import annotations

from typing import Any

import pytest

from cli.commands.deployment import deploy
from cli.inventory import notices
from cli.previews.tool_lists import ListedTool, ToolList

BASE = "http://127.0.0.1"
OUTPUTS: dict[str, Any] = {
    "gateway": {"url": BASE, "http": BASE, "https": "https://127.0.0.1", "development": f"{BASE}:8080"},
    "services": {"template": {"title": "模板", "mcp": f"{BASE}/api/template/mcp", "max_call_seconds": 60}},
}
HUB = {
    "mcp": f"{BASE}/mcp",
    "sse": f"{BASE}/mcp/sse",
    "groups": {"pet": {"title": "桌宠", "mcp": f"{BASE}/groups/pet/mcp", "sse": f"{BASE}/groups/pet/mcp/sse"}},
    "max_call_seconds": 60,
}


def printed(capsys: pytest.CaptureFixture[str], **outputs: Any) -> tuple[list[str], str]:
    """Return the lines before the configuration, and the configuration."""
    deploy._summary("dev", {**OUTPUTS, **outputs}, {}, 5.0)
    head, _, configuration = capsys.readouterr().out.partition("{\n")
    return [line.strip() for line in head.splitlines()], configuration


def test_the_address_of_all_tools_comes_before_those_of_services(capsys: pytest.CaptureFixture[str]) -> None:
    lines, configuration = printed(capsys, hub=HUB)
    addresses = [line for line in lines if line.endswith("/mcp")]
    assert addresses == [
        f"全部工具: {HUB['mcp']}",
        f"组 pet (桌宠): {HUB['groups']['pet']['mcp']}",
        f"template (模板): {BASE}/api/template/mcp",
    ]
    assert f'"url": "{HUB["mcp"]}"' in configuration
    assert "/api/" not in configuration


def test_without_a_hub_the_configuration_has_each_service(capsys: pytest.CaptureFixture[str]) -> None:
    lines, configuration = printed(capsys)
    assert not [line for line in lines if "全部工具" in line]
    assert f'"url": "{BASE}/api/template/mcp"' in configuration


def test_the_address_of_the_search_is_told_where_it_is_on(capsys: pytest.CaptureFixture[str]) -> None:
    search = f"{BASE}/search/mcp"
    assert f"工具搜索: {search}" in printed(capsys, hub={**HUB, "search": search})[0]
    assert not [line for line in printed(capsys, hub=HUB)[0] if "/search/" in line]


def test_a_service_that_lacks_a_secret_is_named_with_the_command_that_sets_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    warnings = notices.missing_secrets("test", {"amap": ("AMAP_MAPS_API_KEY",)})
    deploy._summary("test", OUTPUTS, {}, 5.0, warnings=warnings)
    shown = " ".join(capsys.readouterr().out.split())
    assert "amap 缺机密 AMAP_MAPS_API_KEY" in shown
    assert "./deploy.sh config set services.amap.secrets.AMAP_MAPS_API_KEY --secret -s test" in shown


def test_lists_that_are_too_large_for_a_program_are_told_once_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    tools = tuple(ListedTool(f"tool_{number}", "template", f"tool_{number}", {}) for number in range(41))
    lists = [
        ToolList("/mcp", client, tools[:number], 0, True, (), programs)
        for client, number, programs in (("phone", 41, ("Cursor",)), ("pet", 40, ()), ("tv", 41, ("Cursor",)))
    ]
    deploy._summary("test", {**OUTPUTS, "hub": HUB}, {}, 5.0, lists)
    shown = " ".join(capsys.readouterr().out.split())
    assert shown.count("Cursor") == 1
    assert "41" in shown and "preview -s test" in shown
    deploy._summary("test", {**OUTPUTS, "hub": HUB}, {}, 5.0, lists[1:2])
    assert "Cursor" not in capsys.readouterr().out
