"""The search of a group: it finds and calls the tools of the group only, by their names in the group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.servers.hub.asking import WAYS, asking, headers_of, message, post
from tests.servers.hub.conftest import ONCE, Hub, serving_hub
from tests.stand_in.hub import services as hub_services

SEARCH = "/groups/pet/search"


@pytest.fixture(scope="module")
def _search_hub(_running_gateway) -> Iterator[Hub]:
    with serving_hub(*_running_gateway, replace(hub_services.catalogue(), search=True), ONCE) as hub:
        yield hub


@pytest.fixture
def hub(_search_hub: Hub, gateway) -> Hub:
    hub_services.written.clear()
    return _search_hub


def found(answer: dict[str, Any]) -> dict[str, str]:
    """Return by name the service of each tool in an answer of find_tools."""
    return {tool["name"]: tool["service"] for tool in json.loads(answer["result"]["content"][0]["text"])["tools"]}


@pytest.mark.parametrize("way", WAYS)
async def test_only_the_groups_tools_are_found_and_called_and_by_its_names(hub, way):
    async with asking(hub.base, *way, "all", SEARCH) as ask:
        listed = [tool["name"] for tool in (await ask("tools/list"))["result"]["tools"]]
        assert listed == ["find_tools", "call_tool", "list_services"]
        answer = await ask("tools/call", 2, name="find_tools", arguments={"query": "echo text store clear number"})
        assert found(answer) == {"say": "alpha", "keep": "alpha", "beta_echo": "beta"}
        inner = {"name": "keep", "arguments": {"text": "kept"}}
        result = (await ask("tools/call", 3, name="call_tool", arguments=inner))["result"]
        assert json.loads(result["content"][0]["text"]) == {"text": "kept"}
        for number, name in enumerate(("alpha_write", "alpha_number", "beta_clear"), 4):
            refused = await ask("tools/call", number, name="call_tool", arguments={"name": name, "arguments": {}})
            assert refused["result"]["isError"] is True
    assert hub_services.written == ["kept"]


async def test_the_scope_counts_for_the_tools_real_name(hub):
    async with asking(hub.base, *WAYS[0], "alpha=tools:alpha_echo", SEARCH) as ask:
        answer = await ask("tools/call", 1, name="find_tools", arguments={"query": "echo store text"})
        assert found(answer) == {"say": "alpha"}
        refused = await ask("tools/call", 2, name="call_tool", arguments={"name": "keep", "arguments": {"text": "a"}})
        assert refused["result"]["isError"] is True
    assert hub_services.written == []


async def test_the_server_is_named_after_the_group_and_tells_its_purpose(hub):
    async with asking(hub.base, *WAYS[0], "all", SEARCH) as ask:
        discovered = (await ask("server/discover"))["result"]
    assert discovered["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "dyber-pet-search"
    assert discovered["instructions"].startswith("Be kind.")
    assert "find_tools" in discovered["instructions"] and "(alpha)" in discovered["instructions"]


async def test_a_group_without_anything_for_the_caller_has_no_search(hub):
    sent = message("tools/list")
    answers = [
        await post(hub.base, sent, path=path, headers=headers_of(scope))
        for path, scope in ((SEARCH, "gamma=all"), ("/groups/none/search", "all"), ("/groups/pet/other", "all"))
    ]
    assert [answer.status_code for answer in answers] == [404] * 3


async def test_without_the_search_no_group_has_one(_running_gateway):
    with serving_hub(*_running_gateway, hub_services.catalogue(), ONCE) as without:
        answer = await post(without.base, message("tools/list"), path=SEARCH, headers=headers_of("all"))
    assert answer.status_code == 404
