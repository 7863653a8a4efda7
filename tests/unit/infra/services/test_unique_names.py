"""In a stack with the hub, no two services offer something of the same name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.services.catalog import load_catalog
from infra.services.offers import offers_of
from infra.services.source import Source
from infra.services.unique_names import name_problems
from infra.settings.services import ServiceSettings
from tests.support.services_on_disk import hashed, tool, write_service

FILE = "Pulumi.dev.yaml"


def problems(servers: Path, foreign: str | None = None, names: dict[str, dict[str, str]] | None = None) -> list[Any]:
    specs = load_catalog(servers)
    if foreign:
        source = Source.model_construct(kind="npm")
        specs[foreign] = specs[foreign].model_copy(update={"source": source})
    offers = [offers_of(spec, (names or {}).get(spec.name)) for spec in specs.values()]
    return name_problems(FILE, list(specs.values()), offers, "dyber")


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
        "Pulumi.dev.yaml: services.books.tools: books and notes have tools of the same name, without regard to case: "
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
def test_the_problem_says_which_names_to_write_for_a_program_of_others(tmp_path: Path, foreign: str) -> None:
    write_service(tmp_path, "notes", 8003, {"search": tool(), "get": tool()})
    write_service(tmp_path, "books", 8004, {"Search": tool(), "get": tool()})
    (problem,) = problems(tmp_path, foreign)
    name = {"notes": "search", "books": "Search"}[foreign]
    assert f"mcp-servers/{foreign}/service.yaml" in problem.text()
    assert yaml.safe_load("\n".join(problem.instead)) == {
        "dyber:services": {foreign: {"tools": {tool: {"name": f"{foreign}_{tool}"} for tool in (name, "get")}}}
    }


def test_what_the_problem_says_to_write_solves_it(tmp_path: Path) -> None:
    long = "a-very.long" * 10
    write_service(tmp_path, "notes", 8003, {"search": tool(), long: tool()})
    write_service(tmp_path, "my-books", 8004, {"Search": tool(), long: tool()})
    (problem,) = problems(tmp_path)
    written = yaml.safe_load("\n".join(problem.instead))["dyber:services"]
    settings = {name: ServiceSettings.model_validate(value) for name, value in written.items()}
    names = {name: value.names_at_the_hub() for name, value in settings.items()}
    assert names["my-books"]["Search"] == "my_books_Search"
    assert problems(tmp_path, names=names) == []


def test_many_tools_of_the_same_names_get_a_prefix_by_one_command(tmp_path: Path) -> None:
    tools = {name: tool() for name in ("geo", "ip", "maps.route")}
    write_service(tmp_path, "amap", 8003, tools)
    write_service(tmp_path, "amap-maps", 8004, tools)
    (problem,) = problems(tmp_path, "amap-maps")
    assert "./deploy.sh config set services.amap-maps.toolPrefix amap_maps_ -s dev" in problem.text()
    (written,) = yaml.safe_load("\n".join(problem.instead))["dyber:services"].values()
    names = ServiceSettings.model_validate(written).names_at_the_hub(tools)
    assert names == {"geo": "amap_maps_geo", "ip": "amap_maps_ip", "maps.route": "amap_maps_maps_route"}
    assert problems(tmp_path, "amap-maps", {"amap-maps": names}) == []


def test_a_name_of_a_tool_takes_precedence_over_the_prefix() -> None:
    settings = ServiceSettings.model_validate(
        {"toolPrefix": "x_", "tools": {"geo": {"name": "place"}, "ip": {"name": "ip"}, "way": {}}}
    )
    assert settings.names_at_the_hub(["geo", "ip", "way"]) == {"geo": "place", "way": "x_way"}


def test_names_too_long_for_a_prefix_are_written_one_by_one(tmp_path: Path) -> None:
    tools = {f"{'a' * 50}{number}": tool() for number in range(3)}
    write_service(tmp_path, "notes", 8003, tools)
    write_service(tmp_path, "books", 8004, tools)
    (problem,) = problems(tmp_path)
    assert (problem.message, problem.path[-1]) == ("tool_names_twice", "tools")


def test_another_name_can_be_taken_too(tmp_path: Path) -> None:
    write_service(tmp_path, "notes", 8003, {"notes_get": tool()})
    write_service(tmp_path, "books", 8004, {"books_get": tool()})
    for service, other in (("books", "notes"), ("notes", "books")):
        (problem,) = problems(tmp_path, names={service: {f"{service}_get": f"{other}_Get".title()}})
        assert f"{other}_get" in problem.text()
        assert yaml.safe_load("\n".join(problem.instead)) == {
            "dyber:services": {service: {"tools": {f"{service}_get": {"name": f"{service}_get"}}}}
        }


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
