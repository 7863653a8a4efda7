"""The hub's catalogue says what each service offers, as its contract has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.rendering.gateway.model import GatewayHub
from infra.rendering.hub.content import catalogue, hub_content
from infra.rendering.hub.for_gateway import gateway_hub
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.stack import StackSettings, parse_settings
from tests.support.services_on_disk import hashed, tool, write_service


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    write_service(tmp_path, "notes", 8003, {"notes_get": tool(outputSchema={"type": "object"})})
    write_service(tmp_path, "books", 8004, {"books_list": tool()}, prompts=hashed({"books_sum": {"title": "总结"}}))
    return tmp_path


def settings(**values: Any) -> StackSettings:
    return parse_settings("dev", {f"dyber:{key}": json.dumps(value) for key, value in values.items()}, {})


def rendered(servers: Path, search: bool = False, **values: Any) -> dict[str, Any]:
    known = load_catalog(servers)
    stack = settings(**values)
    specs = stack.select(known)
    content = hub_content(stack, specs, known)
    assert content is not None
    return dict(json.loads(catalogue(content, specs, search=search)))


def gateway_knows(servers: Path, **values: Any) -> GatewayHub:
    known = load_catalog(servers)
    stack = settings(**values)
    content = hub_content(stack, stack.select(known), known)
    assert content is not None
    return gateway_hub(stack, content)


def test_a_tool_has_exactly_the_fields_of_its_contract(servers: Path) -> None:
    (_, notes) = rendered(servers)["services"]
    assert notes["tools"] == [{"name": "notes_get", **tool(outputSchema={"type": "object"})}]


def test_a_service_is_described(servers: Path) -> None:
    books = rendered(servers)["services"][0]
    assert {key: value for key, value in books.items() if key != "tools"} == {
        "name": "books",
        "title": "Books",
        "description": "About books.",
        "instructions": None,
        "max_call_seconds": 60,
        "prompts": [{"name": "books_sum", "title": "总结"}],
        "resources": [],
        "resource_templates": [],
        "completions": [],
    }


def test_tools_that_the_stack_does_not_run_are_unknown(servers: Path) -> None:
    contract = {"sha256": "0" * 64, "tools": {"notes_old": "read"}}
    document = rendered(
        servers, services={"notes": {"contract": contract}}, groups={"old": {"title": "旧", "services": ["notes"]}}
    )
    assert [entry["tools"] is None for entry in document["services"]] == [False, True]
    assert [entry["exposed"] for entry in document["groups"][0]["tools"]] == ["notes_old"]


@pytest.mark.parametrize(
    ("others", "readable"),
    [
        ({}, False),
        ({"prompts": hashed({"pages_sum": {"title": "总结"}})}, True),
        ({"resources": hashed({"https://pages.example/": {"name": "pages"}})}, True),
        ({"resource_templates": hashed({"pages://{name}": {"name": "page"}})}, True),
    ],
)
def test_the_gateway_knows_which_services_have_something_to_read(
    tmp_path: Path, others: dict[str, Any], readable: bool
) -> None:
    write_service(tmp_path, "pages", 8003, {"pages_get": tool()}, **others)
    assert gateway_knows(tmp_path).readable == ({"pages"} if readable else set())


def test_a_service_of_which_nothing_is_known_may_have_something_to_read(servers: Path) -> None:
    contract = {"sha256": "0" * 64, "tools": {"notes_old": "read"}}
    assert gateway_knows(servers, services={"notes": {"contract": contract}}).readable == {"books", "notes"}


def test_groups_are_resolved(servers: Path) -> None:
    group = {
        "title": "宠物",
        "description": "For pets.",
        "services": ["notes"],
        "tools": {"notes_get": {"name": "get"}},
    }
    changed = {"exposed": "get", "service": "notes", "tool": "notes_get"}
    assert rendered(servers, groups={"pet": group})["groups"] == [
        {
            "name": "pet",
            "title": "宠物",
            "instructions": "For pets.",
            "services": ["notes"],
            "tools": [{**changed, "title": None, "description": None, "annotations": {}}],
        }
    ]


def test_a_stack_can_do_without_the_hub(servers: Path) -> None:
    known = load_catalog(servers)
    stack = settings(hub={"enabled": False})
    assert hub_content(stack, stack.select(known), known) is None


def test_names_that_come_twice_are_refused_only_with_the_hub(servers: Path) -> None:
    write_service(servers, "more", 8005, {"Notes_Get": tool()})
    known = load_catalog(servers)
    with pytest.raises(
        ConfigurationError, match="more and notes have tools of the same name, .*: Notes_Get = notes_get"
    ):
        hub_content(settings(), list(known.values()), known)
    assert hub_content(settings(hub={"enabled": False}), list(known.values()), known) is None


def test_every_service_of_the_repository_has_names_of_its_own() -> None:
    known = load_catalog(Path(__file__).resolve().parents[5] / "mcp-servers")
    assert hub_content(settings(), list(known.values()), known)


def test_a_tool_with_another_name_keeps_the_name_in_its_service(servers: Path) -> None:
    renamed = {"notes": {"tools": {"notes_get": {"name": "read_note"}}}}
    books, notes = rendered(servers, services=renamed)["services"]
    assert ([entry["name"] for entry in notes["tools"]], notes["names"]) == (["notes_get"], {"notes_get": "read_note"})
    assert "names" not in books
    known = gateway_knows(servers, services=renamed)
    assert (known.tools["notes"], known.names) == (("notes_get",), {"notes": {"notes_get": "read_note"}})


def test_services_with_the_same_tools_can_have_names_of_their_own(tmp_path: Path) -> None:
    for number, name in enumerate(("clock", "time")):
        write_service(tmp_path, name, 8003 + number, {"get_current_time": tool()})
    with pytest.raises(ConfigurationError, match="get_current_time") as raised:
        rendered(tmp_path)
    assert "time_get_current_time" in str(raised.value)
    renamed = {"time": {"tools": {"get_current_time": {"name": "time_get_current_time"}}}}
    groups = {"pet": {"title": "宠物", "services": ["clock", "time"], "exclude": ["get_current_time"]}}
    catalogue = rendered(tmp_path, services=renamed, groups=groups)
    (entry,) = catalogue["groups"][0]["tools"]
    assert (entry["exposed"], entry["service"], entry["tool"]) == ("time_get_current_time", "time", "get_current_time")


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        ({"notes_gte": {"name": "a"}}, "notes_get"),
        ({"notes_get": {"name": "find_tools"}}, "find_tools"),
        ({"notes_get": {"name": "n" * 53}}, "mcp__dyber__nnn"),
        ({"notes_get": {"name": "books_list"}}, "books_list"),
        ({"notes_get": {"name": "a.b"}}, "a.b"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(servers: Path, tools: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError, match="services.notes.tools") as raised:
        rendered(servers, services={"notes": {"tools": tools}})
    assert expected in str(raised.value)
