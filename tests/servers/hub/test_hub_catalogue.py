"""What the hub reads of hub.json, and which tools a caller's scope admits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dyber_hub.catalogue import Tool, parse_catalogue, read_catalogue
from dyber_hub.scopes import ALL_SERVICES, NO_SERVICE, allows, parse_hub_scope

ECHO = {
    "name": "demo_echo",
    "title": "Echo",
    "inputSchema": {"type": "object", "properties": {"text": {"type": "string", "x-own": 1}}},
    "annotations": {"readOnlyHint": True},
}
WRITE = {"name": "demo_write", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": False}}


def service(name: str = "demo", tools: Any = None, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": "Demo",
        "description": "For tests",
        "instructions": None,
        "max_call_seconds": 60,
        "tools": [ECHO, WRITE] if tools is None else tools,
        **more,
    }


def hub(*services: dict[str, Any], groups: Any = (), search: bool = False) -> str:
    return json.dumps({"services": list(services), "groups": list(groups), "search": search})


def test_tools_keep_every_field_and_their_order() -> None:
    tools = parse_catalogue(hub(service())).services["demo"].tools
    assert tools is not None
    assert [tool.entry for tool in tools] == [ECHO, WRITE]
    assert [(tool.name, tool.read_only) for tool in tools] == [("demo_echo", True), ("demo_write", False)]


def test_services_are_in_the_order_of_their_names() -> None:
    assert list(parse_catalogue(hub(service("b", []), service("a", []))).services) == ["a", "b"]


def test_a_service_without_a_lock_has_unknown_tools_and_an_empty_lock_has_none() -> None:
    unknown = {**service(), "tools": None}
    assert parse_catalogue(hub(unknown)).services["demo"].tools is None
    assert parse_catalogue(hub(service(tools=[]))).services["demo"].tools == ()


def test_a_group_has_its_exposed_names() -> None:
    group = {
        "name": "pet",
        "title": "Pet",
        "instructions": "Be kind",
        "services": ["demo"],
        "tools": [{"exposed": "say", "service": "demo", "tool": "demo_echo", "annotations": {"readOnlyHint": False}}],
    }
    pet = parse_catalogue(hub(service(), groups=[group])).groups["pet"]
    assert (pet.tools[0].exposed, pet.tools[0].tool, pet.tools[0].title) == ("say", "demo_echo", None)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{", "JSON"),
        ("{}", "services"),
        (hub({**service(), "max_call_seconds": "60"}), "services[0].max_call_seconds"),
        (hub({**service(), "port": 1}), "services[0].port"),
        (hub(service(tools=[{"name": "a b", "inputSchema": {}}])), "services[0].tools[0].name"),
        (hub(service(tools=[{"name": "a"}])), "services[0].tools[0].inputSchema"),
        (hub(service("a"), service("b")), "demo_echo"),
        (hub(service(tools=[{**WRITE, "name": "Same"}, {**WRITE, "name": "same"}])), "same"),
        (hub(service("a", []), service("a", [])), "services"),
        (hub(groups=[{"name": "g", "title": "", "services": ["gone"], "tools": []}]), "gone"),
        (
            hub(
                service(),
                groups=[
                    {
                        "name": "g",
                        "title": "",
                        "services": [],
                        "tools": [{"exposed": n, "service": "demo", "tool": "demo_echo"} for n in ("X", "x")],
                    }
                ],
            ),
            "groups.g.tools",
        ),
    ],
)
def test_what_cannot_be_used_is_named(text: str, named: str) -> None:
    with pytest.raises(ValueError, match=named.replace("[", r"\[").replace("]", r"\]").replace(".", r"\.")):
        parse_catalogue(text)


def test_the_file_is_named_when_it_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"hub\.json"):
        read_catalogue(tmp_path / "hub.json")
    (tmp_path / "hub.json").write_text("[]")
    with pytest.raises(ValueError, match=r"hub\.json"):
        read_catalogue(tmp_path / "hub.json")


@pytest.mark.parametrize(
    ("header", "service", "allowed"),
    [
        ("all", "demo", {"demo_echo", "demo_write"}),
        ("demo=all", "demo", {"demo_echo", "demo_write"}),
        ("demo=all", "other", set()),
        ("demo=read", "demo", {"demo_echo"}),
        ("other=all demo=tools:demo_write", "demo", {"demo_write"}),
        ("demo=all;accounts=main", "demo", {"demo_echo", "demo_write"}),
        ("demo=", "demo", set()),
        ("demo=none", "demo", set()),
        ("demo=all demo=read", "demo", set()),
        ("demo=all  other=all", "demo", set()),
        ("read", "demo", set()),
        ("", "demo", set()),
    ],
)
def test_a_scope_admits_what_it_names(header: str, service: str, allowed: set[str]) -> None:
    scope = parse_hub_scope([header], required=True)
    tools = [Tool.of(ECHO), Tool.of(WRITE)]
    assert {tool.name for tool in tools if allows(scope, service, tool)} == allowed
    assert scope.reaches(service) == bool(allowed)


def test_a_request_without_a_scope_may_use_nothing_when_a_gateway_sets_it() -> None:
    assert parse_hub_scope([], required=True) == NO_SERVICE
    assert parse_hub_scope([], required=False) == ALL_SERVICES
    assert parse_hub_scope(["all", "all"], required=False) == NO_SERVICE


def test_a_service_gets_its_own_part_of_the_scope() -> None:
    scope = parse_hub_scope(["a=read b=all;accounts=main"], required=True)
    assert [scope.header(name) for name in "abc"] == ["read", "all;accounts=main", "none"]
    assert ALL_SERVICES.header("a") == "all"
