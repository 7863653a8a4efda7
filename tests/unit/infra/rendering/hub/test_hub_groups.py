"""A group offers the tools that its settings choose, and unusable groups are refused with what to write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.rendering.hub import groups
from infra.rendering.hub.groups import GroupTool
from infra.schema.problems import Problem
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.offers import Offers, offers_of
from infra.settings.hub import GroupSettings
from tests.support.services_on_disk import WRITES, tool, write_service

FILE = "Pulumi.dev.yaml"


@pytest.fixture
def catalog(tmp_path: Path) -> dict[str, ServiceSpec]:
    """Two services that run, and one that does not run without its profile."""
    all_tools = "environment: {DYBER_READ_ONLY: 'false'}\n"
    write_service(tmp_path, "notes", 8003, {"notes_get": tool(), "notes_put": tool(WRITES)}, all_tools)
    write_service(tmp_path, "books", 8004, {"books.get": tool(), "books_list": tool(), "books_buy": tool(WRITES)})
    write_service(tmp_path, "asleep", 8005, {"asleep_dream": tool()}, "profile: night\n")
    return load_catalog(tmp_path)


@pytest.fixture
def offers(catalog: dict[str, ServiceSpec]) -> dict[str, Offers]:
    return {name: offers_of(spec) for name, spec in catalog.items() if name != "asleep"}


def names(offers: dict[str, Offers], **settings: Any) -> list[str]:
    group = groups.resolve("pet", GroupSettings(title="宠物", **settings), offers)
    return [entry.exposed for entry in group.tools]


class Problems:
    """Returns the problems of a group with these settings."""

    def __init__(self, offers: dict[str, Offers], catalog: dict[str, ServiceSpec]) -> None:
        self._offers, self._catalog = offers, catalog

    def __call__(self, **settings: Any) -> list[Problem]:
        group = GroupSettings(title="宠物", **settings)
        return list(groups.problems(FILE, "pet", group, self._offers, self._catalog))


@pytest.fixture
def problems(offers: dict[str, Offers], catalog: dict[str, ServiceSpec]) -> Problems:
    return Problems(offers, catalog)


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


def test_a_usable_group_has_no_problem(problems: Problems) -> None:
    change = {"notes_put": {"name": "write"}, "books.get": {"name": "book"}}
    assert problems(services=["notes", "books", "asleep"], tools=change) == []


@pytest.mark.parametrize(
    ("settings", "path", "near"),
    [
        ({"services": ["note", "books"], "tools": {"books.get": {"name": "book"}}}, ("services", "note"), "notes"),
        ({"services": {"notes": ("notes_gte",)}}, ("services", "notes"), "notes_get"),
        ({"services": {"asleep": ("asleep_draem",)}}, ("services", "asleep"), "asleep_dream"),
        ({"services": ["notes"], "exclude": ["notes_putt"]}, ("exclude",), "notes_put"),
        ({"services": ["notes", "asleep"], "exclude": ["notes_putt"]}, ("exclude",), "notes_put"),
        ({"services": ["notes"], "tools": {"notes_gt": {"title": "x"}}}, ("tools", "notes_gt"), "notes_get"),
    ],
)
def test_an_unknown_name_is_the_only_problem_and_told_with_the_nearest(
    problems: Problems, settings: dict[str, Any], path: tuple[str, ...], near: str
) -> None:
    unknown = [problem for problem in problems(**settings) if problem.message != "group_name_form"]
    assert [problem.path for problem in unknown] == [("groups", "pet", *path)]
    assert unknown[0].text().endswith(f"the nearest is {near}")


def test_an_unknown_name_that_resembles_none_is_told_with_all(problems: Problems) -> None:
    assert problems(services=["xyz"])[0].text().endswith("no such service; known: notes, books, asleep")
    (problem,) = problems(services=["books"], exclude=["xyz"], tools={"books.get": {"name": "book"}})
    assert problem.text().endswith("'xyz': no such tool; known: books.get, books_list, books_buy")


def test_a_hidden_tool_may_be_named(problems: Problems, offers: dict[str, Offers]) -> None:
    chosen = {"services": {"books": ("books_list", "books_buy")}, "exclude": ["books_buy"]}
    assert problems(**chosen) == []
    assert names(offers, **chosen) == ["books_list"]


def test_names_in_a_group_are_unique_whatever_their_case(problems: Problems) -> None:
    (problem,) = problems(services=["notes"], tools={"notes_put": {"name": "Notes_Get"}})
    assert problem.message == "group_name_twice"
    assert problem.path == ("groups", "pet", "tools", "notes_put", "name")


def test_a_tool_that_not_all_clients_can_name_needs_another_name(problems: Problems) -> None:
    (problem,) = problems(services={"books": ("books.get",)})
    assert problem.message == "group_name_form"
    assert problem.instead[-1] == "        name: books_get"


def test_a_name_is_too_long_with_the_prefix_of_client_programs(problems: Problems) -> None:
    longest = "a" * (64 - len("mcp__pet__"))
    settings = {"services": {"notes": "read"}}
    assert problems(**settings, tools={"notes_get": {"name": longest}}) == []
    (problem,) = problems(**settings, tools={"notes_get": {"name": longest + "a"}})
    assert problem.message == "group_name_long"
    assert problem.instead[-1].endswith(f"name: {longest}")


def test_the_names_of_the_search_are_taken(problems: Problems) -> None:
    (problem,) = problems(services={"notes": "read"}, tools={"notes_get": {"name": "find_tools"}})
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
    problems: Problems, tool_name: str, hints: dict[str, bool], expected: list[str]
) -> None:
    refused = problems(services=["notes"], tools={tool_name: {"annotations": hints}})
    assert [problem.message for problem in refused] == expected


def test_a_group_of_services_that_do_not_run_is_told_with_what_would_run_them(problems: Problems) -> None:
    (problem,) = problems(services=["asleep"])
    assert problem.message == "group_services_off"
    assert "does not run asleep; add to profiles: night" in problem.text()


def test_a_group_of_which_all_is_left_out_is_refused(problems: Problems) -> None:
    refused = problems(services=["notes"], exclude=["notes_get", "notes_put"])
    assert [problem.message for problem in refused] == ["group_without_tools"]


def test_a_group_of_a_service_without_a_lock_file_is_refused(
    offers: dict[str, Offers], catalog: dict[str, ServiceSpec]
) -> None:
    unknown = Offers("books", "Books", False, {}, frozenset())
    without = {**catalog, "books": catalog["books"].model_copy(update={"tools": {}})}
    refused = Problems({**offers, "books": unknown}, without)(services=["notes", "books"])
    assert [(problem.message, problem.path[-1]) for problem in refused] == [("group_tools_unknown", "books")]
