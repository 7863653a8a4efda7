"""`clients` prints one entry for all tools, and each service only where that is asked for or all there is."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from cli.commands.settings import clients
from cli.previews.tool_lists import ToolList
from infra.rendering.clients import formats
from infra.settings.gateway import GatewaySettings
from infra.settings.hub import HubSettings

BASE = "http://127.0.0.1"
TOKEN = "0f" * 32
SERVICES = {
    name: {"title": name, "mcp": f"{BASE}/api/{name}/mcp", "sse": f"{BASE}/api/{name}/mcp/sse", "max_call_seconds": 60}
    for name in ("template", "xiaohongshu")
}
HUB = {
    "mcp": f"{BASE}/mcp",
    "sse": f"{BASE}/mcp/sse",
    "groups": {
        name: {"title": name, "mcp": f"{BASE}/groups/{name}/mcp", "sse": f"{BASE}/groups/{name}/mcp/sse"}
        for name in ("pet", "notes", "deleted")
    },
    "search": f"{BASE}/search/mcp",
    "max_call_seconds": 60,
}

#: What the hub lists: too many tools for Cursor, and a name that is too long for it.
LISTS = [
    ToolList("/mcp", "phone", (), 0, True, ("Cursor: 3 tools",), ("Cursor",)),
    ToolList("/groups/pet/mcp", "", (), 0, True, ("Cursor: long names", "Claude Code, VS Code: long names")),
]


class Printed:
    """Runs the command for a stack with these outputs, and keeps what it printed."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        hub_is_written: bool = True,
        **outputs: Any,
    ) -> None:
        gateway = {"url": BASE, "https": "https://127.0.0.1", "certificate": "self-signed"}
        settings = SimpleNamespace(
            clients={"phone": SimpleNamespace(services={"template": "read"})},
            gateway=GatewaySettings(),
            hub=HubSettings(enabled=hub_is_written, search=True),
            groups={
                "pet": SimpleNamespace(services={"template": "all"}),
                "notes": SimpleNamespace(services={"xiaohongshu": "all"}),
                "written": SimpleNamespace(services={"template": "all"}),
            },
        )
        everything = {"gateway": gateway, "services": SERVICES, "tokens": {"phone": TOKEN}, **outputs}
        deployment = SimpleNamespace(settings=settings, hub_content=lambda: None)
        monkeypatch.setattr(clients, "deployed", lambda *_, **__: (deployment, everything))
        monkeypatch.setattr("cli.previews.tool_lists.tool_lists", lambda *_: LISTS)
        self._capsys = capsys

    def servers(self, format: str = "claude-code", **options: Any) -> tuple[dict[str, Any], str]:
        """Return the servers of the configuration by name, and what was said beside it."""
        clients.client_configuration(format, **{"client": None, **options})
        printed = self._capsys.readouterr()
        return json.loads(printed.out)["mcpServers"], " ".join(printed.err.split())


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(monkeypatch, capsys, hub=HUB)


def urls(servers: dict[str, Any]) -> dict[str, str]:
    return {name: server["url"] for name, server in servers.items()}


def test_without_options_there_is_one_entry_for_all_tools(printed: Printed) -> None:
    servers, said = printed.servers()
    assert urls(servers) == {"dyber": HUB["mcp"]}
    assert "hub" not in said


def test_options_choose_a_group_the_search_or_each_service(printed: Printed) -> None:
    assert urls(printed.servers(group="pet")[0]) == {"dyber-pet": HUB["groups"]["pet"]["mcp"]}
    assert urls(printed.servers(search=True)[0]) == {"dyber-search": HUB["search"]}
    each = printed.servers(per_service=True)[0]
    assert urls(each) == {name: service["mcp"] for name, service in SERVICES.items()}


def test_a_stack_without_a_hub_gets_each_service_and_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without = Printed(monkeypatch, capsys, hub_is_written=False)
    servers, said = without.servers()
    assert list(servers) == list(SERVICES)
    assert "hub.enabled true" in said
    assert "hub.enabled" not in without.servers(per_service=True)[1]


def test_the_token_of_a_limited_client_is_written_beside_the_one_address(printed: Printed) -> None:
    servers, said = printed.servers(client="phone", with_token=True)
    assert servers["dyber"]["headers"]["Authorization"] == f"Bearer {TOKEN}"
    # The hub itself lists to each client what it may call, so no revision of MCP is refused.
    assert "2026-07-28" not in said
    assert list(printed.servers(client="phone", per_service=True)[0]) == ["template"]


def test_a_client_in_a_container_reaches_the_hub_by_the_name_of_the_machine(printed: Printed) -> None:
    servers, said = printed.servers(from_container=True)
    assert urls(servers) == {"dyber": "http://host.docker.internal/mcp"}
    assert "--add-host" in said


def test_a_program_of_the_legacy_transport_gets_the_hubs_address_for_it(printed: Printed) -> None:
    assert urls(printed.servers("qwen-agent")[0]) == {"dyber": HUB["sse"]}
    assert urls(printed.servers("qwen-agent", search=True)[0]) == {"dyber-search": f"{HUB['search']}/sse"}


@pytest.mark.parametrize(
    "options",
    [{"search": True, "per_service": True}, {"group": "pet", "per_service": True}],
)
def test_only_one_address_can_be_chosen(printed: Printed, options: dict[str, Any]) -> None:
    with pytest.raises(typer.BadParameter, match="--per-service"):
        printed.servers(**options)


def said_for(printed: Printed, format: str, **options: Any) -> str:
    """Return what is said beside a configuration, which may be no JSON."""
    clients.client_configuration(format, **{"client": None, **options})
    return " ".join(printed._capsys.readouterr().err.split())


@pytest.mark.parametrize("format", formats.FORMATS)
def test_where_the_token_comes_from_is_told_unless_it_is_written(printed: Printed, format: str) -> None:
    assert "./deploy.sh token show" in said_for(printed, format)
    assert "./deploy.sh token show phone" in said_for(printed, format, client="phone") or format == "n8n"
    assert "token show" not in said_for(printed, format, with_token=True) or format == "n8n"


def test_a_variable_is_set_and_a_placeholder_is_replaced(printed: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'export DYBER_TOKEN="$(./deploy.sh token show)"' in said_for(printed, "claude-code")
    assert "<TOKEN>" in said_for(printed, "cherry-studio")
    assert 'api_key: ""' in said_for(printed, "dyberpet")
    monkeypatch.setattr("os.name", "nt")
    assert "$env:DYBER_TOKEN = ./deploy.sh token show" in formats.token_note("codex", "./deploy.sh token show")


def test_an_unknown_group_is_a_mistake_of_the_command_line(printed: Printed) -> None:
    with pytest.raises(typer.BadParameter, match="pet"):
        printed.servers(group="cat")


def test_a_client_gets_no_group_in_which_it_may_use_nothing(printed: Printed) -> None:
    assert list(printed.servers(client="phone", group="pet")[0]) == ["dyber-pet"]
    with pytest.raises(typer.BadParameter, match=r"clients.phone.services.*xiaohongshu"):
        printed.servers(client="phone", group="notes")


@pytest.mark.parametrize("client", [None, "phone"])
def test_a_group_that_is_only_written_is_not_deployed_yet(printed: Printed, client: str | None) -> None:
    with pytest.raises(typer.BadParameter, match=r"written.*\./deploy\.sh"):
        printed.servers(client=client, group="written")


def test_a_search_or_a_hub_that_is_only_written_is_not_deployed_yet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = Printed(monkeypatch, capsys)
    with pytest.raises(typer.BadParameter) as refused:
        before.servers(search=True)
    assert "./deploy.sh" in refused.value.message
    assert "config set" not in refused.value.message
    servers, said = before.servers()
    assert list(servers) == list(SERVICES)
    assert "./deploy.sh" in said
    assert "config set" not in said


@pytest.mark.parametrize("client", [None, "phone"])
def test_a_deployed_group_that_was_deleted_from_the_file_is_still_there(printed: Printed, client: str | None) -> None:
    servers, said = printed.servers(client=client, group="deleted")
    assert list(servers) == ["dyber-deleted"]
    assert "./deploy.sh" in said


@pytest.mark.parametrize(
    ("format", "options", "expected"),
    [
        ("cursor", {}, "Cursor: 3 tools"),
        ("cursor", {"group": "pet"}, "Cursor: long names"),
        ("claude-code", {"group": "pet"}, "Claude Code, VS Code: long names"),
        ("claude-code", {}, ""),
        ("cursor", {"search": True}, ""),
        ("cursor", {"per_service": True}, ""),
        ("gemini", {"group": "pet"}, ""),
    ],
)
def test_the_limits_of_the_program_are_told_for_the_address_it_gets(
    printed: Printed, format: str, options: dict[str, Any], expected: str
) -> None:
    said = printed.servers(format, **options)[1]
    told = [sentence for item in LISTS for sentence in item.exceeded if sentence in said]
    assert told == ([expected] if expected else [])


def test_the_search_of_a_group_is_an_entry_of_its_own(monkeypatch: Any, capsys: Any) -> None:
    address = f"{BASE}/groups/pet/search/mcp"
    groups = {**HUB["groups"], "pet": {**HUB["groups"]["pet"], "search": address}}
    printed = Printed(monkeypatch, capsys, hub={**HUB, "groups": groups})
    assert urls(printed.servers(group="pet", search=True)[0]) == {"dyber-pet-search": address}
    with pytest.raises(typer.BadParameter, match="--per-service"):
        printed.servers(group="pet", per_service=True)
