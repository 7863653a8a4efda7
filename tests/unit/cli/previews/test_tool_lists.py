"""A preview says what the hub lists for each client and group, and for which programs that is too much."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.previews.comment import render
from cli.previews.model import StackPreview
from cli.previews.table import lists_table
from cli.previews.tokens import SEEN, tokens_of
from cli.previews.tool_lists import ToolList, tool_lists
from infra.rendering.hub.content import hub_content
from infra.services.catalog import load_catalog
from infra.settings.stack import parse_settings
from tests.support.services_on_disk import WRITES, tool, write_service


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYBER_LANG", "en")


@pytest.fixture
def servers(tmp_path: Path) -> Path:
    all_tools = "environment: {DYBER_READ_ONLY: 'false'}\n"
    write_service(tmp_path, "notes", 8003, {"notes_get": tool(), "notes_put": tool(WRITES)}, all_tools)
    write_service(tmp_path, "books", 8004, {"books_list": tool(), "books_find": tool()})
    return tmp_path


def lists(servers: Path, **values: Any) -> list[ToolList]:
    known = load_catalog(servers)
    given = {"hub": {"enabled": True}, **values}
    settings = parse_settings("dev", {f"dyber:{key}": json.dumps(value) for key, value in given.items()}, {})
    return tool_lists(settings, hub_content(settings, settings.select(known), known))


def names(item: ToolList) -> list[str]:
    return [entry.exposed for entry in item.tools]


def test_a_stack_without_the_hub_lists_nothing(servers: Path) -> None:
    assert lists(servers, hub={"enabled": False}) == []


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (None, ["books_list", "books_find", "notes_get", "notes_put"]),
        ({"notes": "all"}, ["notes_get", "notes_put"]),
        ({"notes": "read", "books": ["books_find"]}, ["books_find", "notes_get"]),
    ],
)
def test_a_client_gets_the_tools_of_its_scope(servers: Path, scope: Any, expected: list[str]) -> None:
    (item,) = lists(servers, clients={"pet": {"services": scope} if scope else {}})
    assert (item.address, item.client, names(item)) == ("/mcp", "pet", expected)


def test_the_size_is_that_of_what_clients_show_to_the_model(servers: Path) -> None:
    (item,) = lists(servers, clients={"pet": {"services": {"books": "all"}}})
    shown = [{"name": name, **tool()} for name in ("books_list", "books_find")]
    assert item.tokens == tokens_of(shown, *SEEN) > 0
    assert item.is_complete


def test_a_group_lists_its_names_and_where_they_lead(servers: Path) -> None:
    change = {"books_list": {"name": "list", "description": "Lists all books of the shelf."}}
    _, item = lists(servers, groups={"shelf": {"title": "书架", "services": ["books"], "tools": change}})
    assert [(entry.exposed, entry.service, entry.tool) for entry in item.tools] == [
        ("list", "books", "books_list"),
        ("books_find", "books", "books_find"),
    ]
    assert item.tools[0].seen["description"] == "Lists all books of the shelf."


def test_unknown_tools_make_a_list_incomplete(servers: Path) -> None:
    write_service(servers, "dark", 8005, None)
    (item,) = lists(servers)
    assert not item.is_complete


@pytest.mark.parametrize(
    ("number", "programs"), [(40, []), (41, ["Cursor"]), (128, ["Cursor"]), (129, ["Cursor", "VS Code, Copilot"])]
)
def test_programs_that_pass_on_fewer_tools_are_named(tmp_path: Path, number: int, programs: list[str]) -> None:
    write_service(tmp_path, "many", 8003, {f"many_{index}": tool() for index in range(number)})
    (item,) = lists(tmp_path)
    assert [sentence.partition(":")[0] for sentence in item.exceeded] == programs


def test_names_and_descriptions_that_programs_cut_are_named(tmp_path: Path) -> None:
    long = "n" * 60
    write_service(tmp_path, "many", 8003, {long: tool(), "many_b": tool(description="d" * 2049)})
    (item,) = lists(tmp_path)
    assert item.exceeded == (
        f"Cursor: server and tool names longer than 60 characters: {long}",
        f"Claude Code, VS Code: server and tool names longer than 64 characters: {long}",
        "Claude Code: descriptions longer than 2048 characters, which it cuts: many_b",
    )


def test_the_comment_and_the_terminal_show_each_list(servers: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change = {"books_list": {"name": "list"}}
    shown = lists(servers, groups={"shelf": {"title": "书架", "services": ["books"], "tools": change}})
    comment = render([StackPreview("dev", {"steps": []}, tool_lists=tuple(shown))], {})
    assert "- `/mcp` for the client `desktop-pet`: 4 tools, about " in comment
    assert "| `list` | books | `books_list` |" in comment
    Console(width=200).print(lists_table(shown))
    terminal = capsys.readouterr().out
    assert "/groups/shelf/mcp: 2 tools, about " in terminal
    assert [line.split() for line in terminal.splitlines()][-2] == ["list", "←", "books/books_list"]


def test_without_a_hub_the_comment_and_the_terminal_say_nothing_of_it() -> None:
    assert "hub" not in render([StackPreview("dev", {"steps": []})], {})
    assert lists_table([]) is None
