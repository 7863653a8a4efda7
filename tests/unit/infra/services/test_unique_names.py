"""In a stack with the hub, no two services offer something of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.services.catalog import load_catalog
from infra.services.source import Source
from infra.services.unique_names import name_problems
from tests.support.services_on_disk import hashed, tool, write_service

FILE = "Pulumi.dev.yaml"


def problems(servers: Path, foreign: str | None = None) -> list[Any]:
    specs = load_catalog(servers)
    if foreign:
        source = Source.model_construct(kind="npm")
        specs[foreign] = specs[foreign].model_copy(update={"source": source})
    return name_problems(FILE, list(specs.values()))


def test_services_with_names_of_their_own_are_accepted(tmp_path: Path) -> None:
    write_service(tmp_path, "notes", 8003, {"notes_get": tool()}, prompts=hashed({"notes_sum": {}}))
    write_service(tmp_path, "books", 8004, {"books_get": tool()}, prompts=hashed({"books_sum": {}}))
    assert problems(tmp_path) == []


def test_a_tool_of_the_same_name_in_another_case_is_refused(tmp_path: Path) -> None:
    write_service(tmp_path, "notes", 8003, {"search": tool()})
    write_service(tmp_path, "books", 8004, {"Search": tool()})
    (problem,) = problems(tmp_path)
    assert (problem.message, problem.file) == ("tool_names_twice", FILE)
    assert problem.text().startswith(
        "Pulumi.dev.yaml: services: books and notes have tools of the same name, without regard to case: "
        "Search = search (mcp-servers/notes/tools.lock.json, mcp-servers/books/tools.lock.json)"
    )
    assert "services.<service>.enabled: false" in problem.text()
    assert "hub.enabled: false" in problem.text()


def test_two_services_with_the_same_tools_are_a_single_problem(tmp_path: Path) -> None:
    tools = {"get": tool(), "list": tool()}
    write_service(tmp_path, "notes", 8003, tools)
    write_service(tmp_path, "books", 8004, {**tools, "buy": tool()})
    write_service(tmp_path, "shop", 8005, {"buy": tool()})
    assert [(problem.parameters["service"], problem.parameters["names"]) for problem in problems(tmp_path)] == [
        ("books", "get, list"),
        ("shop", "buy"),
    ]


def test_two_tools_of_one_service_must_differ_in_more_than_case(tmp_path: Path) -> None:
    write_service(tmp_path, "notes", 8003, {"Search": tool(), "search": tool()})
    (problem,) = problems(tmp_path)
    assert "notes has names that differ only in case: search = Search" in problem.text()


@pytest.mark.parametrize("foreign", ["notes", "books"])
def test_a_tool_of_a_program_of_others_can_be_switched_off(tmp_path: Path, foreign: str) -> None:
    write_service(tmp_path, "notes", 8003, {"search": tool(), "get": tool()})
    write_service(tmp_path, "books", 8004, {"Search": tool(), "get": tool()})
    (problem,) = problems(tmp_path, foreign)
    name = {"notes": "search", "books": "Search"}[foreign]
    assert problem.file == f"mcp-servers/{foreign}/service.yaml"
    assert set(problem.instead) == {"source:", "  tools:", f"    {name}: 'off'", "    get: 'off'"}


def test_a_hidden_tool_takes_no_name(tmp_path: Path) -> None:
    write_service(tmp_path, "notes", 8003, {"put": tool({"readOnlyHint": False})})
    write_service(tmp_path, "books", 8004, {"put": tool()})
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"prompts": hashed({"sum": {}})}, "prompt_names_twice"),
        ({"resources": hashed({"notes://a": {}})}, "resource_owners_twice"),
        ({"resource_templates": hashed({"notes://{id}": {}})}, "resource_owners_twice"),
    ],
)
def test_prompts_and_owners_of_resources_are_unique(tmp_path: Path, others: dict[str, Any], message: str) -> None:
    write_service(tmp_path, "notes", 8003, {"notes_get": tool()}, **others)
    write_service(tmp_path, "books", 8004, {"books_get": tool()}, **others)
    (problem,) = problems(tmp_path)
    assert problem.message == message
    assert {problem.parameters["service"], problem.parameters["other"]} == {"notes", "books"}


def test_several_resources_of_one_service_share_their_scheme(tmp_path: Path) -> None:
    resources = hashed({"notes://a": {}, "notes://b": {}})
    write_service(tmp_path, "notes", 8003, {}, resources=resources, resource_templates=hashed({"notes://{id}": {}}))
    assert problems(tmp_path) == []
