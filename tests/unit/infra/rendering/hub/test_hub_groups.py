"""A group offers the tools that its settings choose, and unusable groups are refused with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.rendering.hub import groups
from infra.rendering.hub.groups import GroupTool
from infra.schema.problems import Problem
from infra.services.catalog import load_catalog
from infra.services.offers import Offers, offers_of
from infra.settings.hub import GroupSettings
from tests.support.services_on_disk import WRITES, tool, write_service

FILE = "Pulumi.dev.yaml"
KNOWN = ("notes", "books", "asleep")


@pytest.fixture
def offers(tmp_path: Path) -> dict[str, Offers]:
    all_tools = "environment: {DYBER_READ_ONLY: 'false'}\n"
    write_service(tmp_path, "notes", 8003, {"notes_get": tool(), "notes_put": tool(WRITES)}, all_tools)
    write_service(tmp_path, "books", 8004, {"books.get": tool(), "books_list": tool(), "books_buy": tool(WRITES)})
    return {name: offers_of(spec) for name, spec in load_catalog(tmp_path).items()}


def names(offers: dict[str, Offers], **settings: Any) -> list[str]:
    group = groups.resolve("pet", GroupSettings(title="宠物", **settings), offers)
    return [entry.exposed for entry in group.tools]


def problems(offers: dict[str, Offers], name: str = "pet", **settings: Any) -> list[Problem]:
    group = GroupSettings(title="宠物", **settings)
    hidden = {"notes": (), "books": ("books_buy",)}
    return list(groups.problems(FILE, name, group, offers, hidden, KNOWN))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"services": ["notes"]}, ["notes_get", "notes_put"]),
        ({"services": {"notes": "read"}}, ["notes_get"]),
        ({"services": {"books": ("books_list",), "notes": "read"}}, ["notes_get", "books_list"]),
        ({"services": ["notes", "books"], "exclude": ["books.get", "notes_put"]}, ["notes_get", "books_list"]),
        ({"services": ["notes", "asleep"]}, ["notes_get", "notes_put"]),
    ],
)
def test_a_group_chooses_tools(offers: dict[str, Offers], settings: dict[str, Any], expected: list[str]) -> None:
    assert names(offers, **settings) == expected


def test_a_group_shows_a_tool_as_its_settings_say(offers: dict[str, Offers]) -> None:
    change = {"name": "read", "title": "读", "description": "Reads.", "annotations": {"openWorldHint": True}}
    settings = GroupSettings(title="宠物", services={"notes": "read"}, tools={"notes_get": change})
    group = groups.resolve("pet", settings, offers)
    assert group.tools == (GroupTool("read", "notes", "notes_get", "读", "Reads.", {"openWorldHint": True}),)
    assert group.services == ("notes",)


def test_a_usable_group_has_no_problem(offers: dict[str, Offers]) -> None:
    change = {"notes_put": {"name": "write"}, "books.get": {"name": "book"}}
    assert problems(offers, services=["notes", "books", "asleep"], tools=change) == []


@pytest.mark.parametrize(
    ("settings", "path", "near"),
    [
        ({"services": ["note", "books"], "tools": {"books.get": {"name": "book"}}}, ("services", "note"), "notes"),
        ({"services": {"notes": ("notes_gte",)}}, ("services", "notes"), "notes_get"),
        ({"services": ["notes"], "exclude": ["notes_putt"]}, ("exclude",), "notes_put"),
        ({"services": ["notes"], "tools": {"notes_gt": {"title": "x"}}}, ("tools", "notes_gt"), "notes_get"),
    ],
)
def test_an_unknown_name_is_refused_with_the_near_names(
    offers: dict[str, Offers], settings: dict[str, Any], path: tuple[str, ...], near: str
) -> None:
    problem = problems(offers, **settings)[0]
    assert problem.path == ("groups", "pet", *path)
    assert near in problem.text()


def test_a_hidden_tool_may_be_named(offers: dict[str, Offers]) -> None:
    chosen = {"services": {"books": ("books_list", "books_buy")}, "exclude": ["books_buy"]}
    assert problems(offers, **chosen) == []
    assert names(offers, **chosen) == ["books_list"]


def test_names_in_a_group_are_unique_whatever_their_case(offers: dict[str, Offers]) -> None:
    (problem,) = problems(offers, services=["notes"], tools={"notes_put": {"name": "Notes_Get"}})
    assert problem.message == "group_name_twice"
    assert problem.path == ("groups", "pet", "tools", "notes_put", "name")


def test_a_tool_that_not_all_clients_can_name_needs_another_name(offers: dict[str, Offers]) -> None:
    (problem,) = problems(offers, services={"books": ("books.get",)})
    assert problem.message == "group_name_form"
    assert problem.instead[-1] == "        name: books_get"


def test_a_name_is_too_long_with_the_prefix_of_client_programs(offers: dict[str, Offers]) -> None:
    longest = "a" * (64 - len("mcp__pet__"))
    settings = {"services": {"notes": "read"}}
    assert problems(offers, **settings, tools={"notes_get": {"name": longest}}) == []
    (problem,) = problems(offers, **settings, tools={"notes_get": {"name": longest + "a"}})
    assert problem.message == "group_name_long"
    assert problem.instead[-1].endswith(f"name: {longest}")


def test_the_names_of_the_search_are_taken(offers: dict[str, Offers]) -> None:
    (problem,) = problems(offers, services={"notes": "read"}, tools={"notes_get": {"name": "find_tools"}})
    assert problem.message == "group_name_reserved"


@pytest.mark.parametrize(
    ("tool_name", "hints", "expected"),
    [
        ("notes_put", {"readOnlyHint": True}, ["group_hint_read_only"]),
        ("notes_put", {"destructiveHint": False}, ["group_hint_destructive"]),
        ("notes_get", {"readOnlyHint": True, "destructiveHint": False}, []),
        ("notes_get", {"readOnlyHint": False}, []),
        ("notes_put", {"idempotentHint": True, "openWorldHint": False}, []),
    ],
)
def test_a_group_cannot_call_a_tool_more_harmless_than_it_is(
    offers: dict[str, Offers], tool_name: str, hints: dict[str, bool], expected: list[str]
) -> None:
    refused = problems(offers, services=["notes"], tools={tool_name: {"annotations": hints}})
    assert [problem.message for problem in refused] == expected


def test_a_group_without_tools_is_refused(offers: dict[str, Offers]) -> None:
    assert [problem.message for problem in problems(offers, services=["asleep"])] == ["group_without_tools"]


def test_a_group_of_a_service_without_a_lock_file_is_refused(offers: dict[str, Offers]) -> None:
    unknown = Offers("books", "Books", False, {}, frozenset())
    hidden: dict[str, tuple[str, ...]] = {"notes": (), "books": ()}
    group = GroupSettings(title="宠物", services={"notes": "all", "books": "all"})
    refused = list(groups.problems(FILE, "pet", group, {**offers, "books": unknown}, hidden, KNOWN))
    assert [(problem.message, problem.path[-1]) for problem in refused] == [("group_tools_unknown", "books")]
