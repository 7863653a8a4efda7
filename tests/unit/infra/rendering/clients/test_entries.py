"""A client's configuration has the hub, a group or the search, with the deadline of the longest call of all."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest

from cli.clients import addresses
from infra.rendering.addresses import gateway_urls, hub_urls
from infra.rendering.clients import entries, formats
from infra.rendering.clients.formats import FORMATS, LEGACY_TRANSPORT
from infra.settings.gateway import GatewaySettings

BASE = "http://127.0.0.1"
#: As the program exports it.
HUB: dict[str, Any] = {
    **hub_urls(gateway_urls(GatewaySettings()), {"pet": "桌宠"}, search=True),
    "max_call_seconds": 370,
}
SERVICES: dict[str, Any] = {
    "template": {"title": "模板", "mcp": f"{BASE}/api/template/mcp", "max_call_seconds": 60},
    "xiaohongshu": {"title": "小红书", "mcp": f"{BASE}/api/xiaohongshu/mcp", "max_call_seconds": 370},
}


@pytest.mark.parametrize("format", FORMATS)
def test_every_program_gets_one_entry_with_the_hubs_address(format: str) -> None:
    text = formats.render(format, entries.hub_entry(HUB, SERVICES), None)
    expected = HUB["sse"] if format in LEGACY_TRANSPORT else HUB["mcp"]
    assert re.findall(r'"(https?://[^"]+)"', text) == [expected]
    assert "dyber" in text


@pytest.mark.parametrize("format", FORMATS)
def test_every_program_gets_the_address_of_a_group(format: str) -> None:
    text = formats.render(format, entries.group_entry(HUB, SERVICES, "pet"), None)
    kind = "sse" if format in LEGACY_TRANSPORT else "mcp"
    assert re.findall(r'"(https?://[^"]+)"', text) == [HUB["groups"]["pet"][kind]]


@pytest.mark.parametrize("format", FORMATS)
def test_every_program_gets_the_address_of_the_search(format: str) -> None:
    text = formats.render(format, entries.search_entry(HUB, SERVICES), None)
    expected = f"{HUB['search']}/sse" if format in LEGACY_TRANSPORT else HUB["search"]
    assert re.findall(r'"(https?://[^"]+)"', text) == [expected]


def test_the_addresses_are_those_that_the_gateway_has() -> None:
    assert [entries.hub_entry(HUB, SERVICES)["dyber"][kind] for kind in ("mcp", "sse")] == [
        f"{BASE}/mcp",
        f"{BASE}/mcp/sse",
    ]
    assert entries.group_entry(HUB, SERVICES, "pet")["dyber-pet"]["mcp"] == f"{BASE}/groups/pet/mcp"
    assert entries.search_entry(HUB, SERVICES)["dyber-search"]["mcp"] == f"{BASE}/search/mcp"
    in_group = entries.search_entry(HUB, SERVICES, group="pet")["dyber-pet-search"]
    assert (in_group["mcp"], in_group["sse"]) == (
        f"{BASE}/groups/pet/search/mcp",
        f"{BASE}/groups/pet/search/mcp/sse",
    )
    assert "桌宠" in in_group["title"]


def test_the_names_that_programs_show_are_short_and_tell_the_addresses_apart() -> None:
    servers = {
        **entries.hub_entry(HUB, SERVICES),
        **entries.group_entry(HUB, SERVICES, "pet"),
        **entries.search_entry(HUB, SERVICES),
    }
    assert list(servers) == ["dyber", "dyber-pet", "dyber-search"]
    assert list(formats.FORMATS["dyberpet"](entries.hub_entry(HUB, SERVICES), formats.Access(None))) == ["dyber_mcp"]


def test_a_program_waits_as_long_as_the_longest_call_of_all_services() -> None:
    for hub in (HUB, {key: value for key, value in HUB.items() if key != "max_call_seconds"}):
        codex = tomllib.loads(formats.render("codex", entries.hub_entry(hub, SERVICES), None))
        assert codex["mcp_servers"]["dyber"]["tool_timeout_sec"] == 400
        group = json.loads(formats.render("claude-code", entries.group_entry(hub, SERVICES, "pet"), None))
        assert group["mcpServers"]["dyber-pet"]["timeout"] == 400_000


def test_an_unknown_group_is_answered_with_those_there_are() -> None:
    with pytest.raises(entries.NoSuchEntryError, match=r"'cat'.*pet"):
        entries.group_entry(HUB, SERVICES, "cat")
    with pytest.raises(entries.NoSuchEntryError, match=r"'cat'.*pet"):
        entries.search_entry(HUB, SERVICES, group="cat")
    with pytest.raises(entries.NoSuchEntryError, match="groups"):
        entries.group_entry({**HUB, "groups": {}}, SERVICES, "pet")


def test_a_search_that_is_off_is_answered_with_the_commands_that_turn_it_on() -> None:
    without = {key: value for key, value in HUB.items() if key != "search"}
    group = {"pet": {key: value for key, value in HUB["groups"]["pet"].items() if key != "search"}}
    for name in (None, "pet"):
        with pytest.raises(entries.NoSuchEntryError, match="config set hub.search true -s test"):
            entries.search_entry({**without, "groups": group}, SERVICES, " -s test", name)


def test_a_stack_without_a_hub_has_no_groups_and_no_search() -> None:
    with pytest.raises(entries.NoSuchEntryError, match=r"hub.enabled true"):
        entries.group_entry(None, SERVICES, "pet")
    with pytest.raises(entries.NoSuchEntryError, match=r"hub.enabled true"):
        entries.search_entry(None, SERVICES)
    assert "./deploy.sh -s test" in entries.no_hub_hint(" -s test")


def test_a_client_in_a_container_gets_the_hub_under_the_name_of_the_machine() -> None:
    (entry,) = addresses.for_containers(entries.hub_entry(HUB, SERVICES)).values()
    assert (entry["mcp"], entry["sse"]) == (
        "http://host.docker.internal/mcp",
        "http://host.docker.internal/mcp/sse",
    )
