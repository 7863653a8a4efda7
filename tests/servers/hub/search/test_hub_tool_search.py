"""What the tools of the search address answer: to whom, in which order, and how much at most."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from dyber_hub.catalogue import Catalogue, parse_catalogue
from dyber_hub.live import LiveCatalogue, Offers
from dyber_hub.scopes import ALL_SERVICES, NO_SERVICE, HubScope, parse_hub_scope
from dyber_hub.search.declarations import ENTRIES
from dyber_hub.search.inner_calls import InnerCall, inner_call, unwrapped
from dyber_hub.search.tool_search import MAX_ANSWER_CHARS, ToolSearch
from dyber_hub.views import View
from dyber_kit.errors import ServiceError
from dyber_kit.language import using_language

from tests.stand_in.hub.catalogues import real_catalogue


def search_of(catalogue: Catalogue) -> ToolSearch:
    return ToolSearch(View(LiveCatalogue(catalogue)))


@pytest.fixture(scope="module")
def real() -> ToolSearch:
    return search_of(real_catalogue())


def scope(text: str) -> HubScope:
    return parse_hub_scope([text], required=True)


def content(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["isError"] is False, answer
    (part,) = answer["content"]
    assert len(part["text"]) <= MAX_ANSWER_CHARS
    return json.loads(part["text"])


def error_text(answer: dict[str, Any]) -> str:
    assert answer["isError"] is True, answer
    return answer["content"][0]["text"]


def names(answer: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in content(answer)["tools"]]


async def test_a_tool_is_described_as_in_the_list_of_its_service(real: ToolSearch) -> None:
    (found,) = content(await real.find_tools({"query": "template_echo", "limit": 1}, ALL_SERVICES))["tools"]
    entry = real_catalogue().services["template"].tools[0].entry
    shown = {key: entry[key] for key in ("name", "title", "description", "inputSchema", "annotations")}
    assert found == {**shown, "service": "template"}


async def test_eight_tools_are_found_unless_another_number_is_asked_for(real: ToolSearch) -> None:
    assert len(names(await real.find_tools({"query": "登录"}, ALL_SERVICES))) == 8
    assert len(names(await real.find_tools({"query": "登录", "limit": 3}, ALL_SERVICES))) == 3
    assert "limit" in error_text(await real.find_tools({"query": "登录", "limit": 21}, ALL_SERVICES))


@pytest.mark.parametrize("wanted", ["weibo", "WEIBO", "微博 MCP"])
async def test_a_service_can_be_chosen_by_name_or_title(real: ToolSearch, wanted: str) -> None:
    found = names(await real.find_tools({"query": "登录", "service": wanted}, ALL_SERVICES))
    assert found and all(name.startswith("weibo_") for name in found)


@pytest.mark.parametrize("wanted", ["twitter", "github"])
async def test_a_service_that_the_caller_may_not_use_is_answered_as_one_that_does_not_exist(
    real: ToolSearch, wanted: str
) -> None:
    text = error_text(await real.find_tools({"query": "a", "service": wanted}, scope("weibo=all zhihu=read")))
    assert wanted in text and "weibo、zhihu" in text and "template" not in text


@pytest.mark.parametrize(
    "text",
    ["weibo=all", "xiaohongshu=read", "template=tools:template_echo zhihu=read;accounts=main", "none", "nonsense", ""],
)
async def test_nothing_that_the_scope_hides_is_found_counted_or_proposed(real: ToolSearch, text: str) -> None:
    caller = scope(text)
    allowed = {tool.name for tool in View(LiveCatalogue(real_catalogue())).tools(caller)}
    for query in ("登录", "搜索", "search issue file", "点赞 收藏 发布", "github_get_repo"):
        answer = content(await real.find_tools({"query": query, "limit": 20}, caller))
        assert {tool["name"] for tool in answer["tools"]} <= allowed
        assert answer["left_out"] == 0
        assert all(service["name"] in text for service in answer.get("services", []))
    services = content(await real.list_services({}, caller))["services"]
    assert sum(service["tools"] for service in services) == len(allowed)
    for name in ("github_get_rep", "xhs_publish", "登录"):
        answer = await real.unknown_tool(name, caller)
        hidden = {tool.name for tool in View(LiveCatalogue(real_catalogue())).tools(ALL_SERVICES)} - allowed
        assert not [other for other in hidden if other in json.dumps(answer, ensure_ascii=False)]


@pytest.mark.parametrize("query", ["", "🙂", "zzzzzz", '"'])
async def test_a_question_that_no_tool_fits_is_answered_with_the_services(real: ToolSearch, query: str) -> None:
    answer = content(await real.find_tools({"query": query}, scope("template=all weibo=all")))
    assert answer["tools"] == [] and "没有合适的工具" in answer["note"]
    assert [service["name"] for service in answer["services"]] == ["template", "weibo"]


async def test_tools_that_only_come_near_are_called_so(real: ToolSearch) -> None:
    answer = content(await real.find_tools({"query": "天气预报"}, ALL_SERVICES))
    assert answer["tools"] and next(iter(answer)) == "note"
    assert answer["note"].startswith("没有很合适的工具") and "list_services" in answer["note"]
    assert "note" not in content(await real.find_tools({"query": "微博热搜"}, ALL_SERVICES))
    with using_language("en"):
        answer = content(await real.find_tools({"query": "天气预报"}, ALL_SERVICES))
    assert answer["note"].startswith("No tool fits well")


async def test_texts_are_in_the_callers_language(real: ToolSearch) -> None:
    with using_language("en"):
        answer = content(await real.find_tools({"query": ""}, ALL_SERVICES))
        assert answer["note"].startswith("No tool fits")


async def test_services_are_listed_with_the_number_of_tools_and_the_state(real: ToolSearch) -> None:
    listed = content(await real.list_services(None, scope("template=all xiaohongshu=read")))["services"]
    reading = [tool for tool in real_catalogue().services["xiaohongshu"].tools if tool.read_only]
    assert [(service["name"], service["tools"], service["state"]) for service in listed] == [
        ("template", 4, "starting"),
        ("xiaohongshu", len(reading), "starting"),
    ]
    assert content(await real.list_services({}, NO_SERVICE)) == {"services": [], "left_out": 0}


async def test_an_unknown_tool_is_answered_with_the_three_nearest(real: ToolSearch) -> None:
    for name, nearest in {
        "weibo_hotlist": "weibo_hot_list",
        "search_github_repositories": "github_search_repos",
        "GITHUB_GET_REPOS": "github_get_repo",
    }.items():
        text = error_text(await real.unknown_tool(name, ALL_SERVICES))
        assert nearest in text and name in text
        assert sum(tool in text for tool in names_of_all()) == 3


async def test_an_unknown_name_that_resembles_nothing_is_answered_with_where_to_look(real: ToolSearch) -> None:
    for name in ("zzzz", "", "z" * 5000, "\n"):
        assert "find_tools" in error_text(await real.unknown_tool(name, ALL_SERVICES))


def names_of_all() -> list[str]:
    return [tool.name for service in real_catalogue().services.values() for tool in service.tools or ()]


def huge(count: int, chars: int) -> Catalogue:
    """Return a catalogue of tools with long descriptions."""
    tools = [
        {"name": f"demo_find_{number}", "description": "长" * chars, "inputSchema": {"type": "object"}}
        for number in range(count)
    ]
    service = {"name": "demo", "title": "示例", "description": "", "instructions": None, "max_call_seconds": 60}
    return parse_catalogue(json.dumps({"services": [{**service, "tools": tools}], "groups": [], "search": True}))


async def test_an_answer_that_would_be_too_long_is_cut_and_says_how_many_tools_were_left_out() -> None:
    answer = content(await search_of(huge(10, 5000)).find_tools({"query": "demo", "limit": 9}, ALL_SERVICES))
    assert (len(answer["tools"]), answer["left_out"]) == (4, 5) and answer["note"]


async def test_a_tool_that_is_longer_than_an_answer_is_shown_in_part() -> None:
    answer = content(await search_of(huge(1, 50_000)).find_tools({"query": "demo"}, ALL_SERVICES))
    (tool,) = answer["tools"]
    assert tool["shortened"] is True and tool["name"] == "demo_find_0" and answer["left_out"] == 0


async def test_the_index_follows_what_services_list(real: ToolSearch) -> None:
    live = LiveCatalogue(real_catalogue())
    search = ToolSearch(View(live))
    before = names(await search.find_tools({"query": "天气预报"}, ALL_SERVICES))
    weather = {"name": "template_weather", "title": "天气预报", "inputSchema": {"type": "object"}}
    live.note_offers("template", Offers(None, (weather,)))
    after = names(await search.find_tools({"query": "天气预报"}, ALL_SERVICES))
    assert "template_weather" not in before and after[0] == "template_weather"
    assert "template_echo" not in names(await search.find_tools({"query": "template_echo", "limit": 20}, ALL_SERVICES))


async def test_search_in_a_group_knows_the_names_of_the_group_only() -> None:
    group = {
        "name": "pet",
        "title": "宠物",
        "services": [],
        "tools": [{"exposed": "say", "service": "template", "tool": "template_echo", "title": "说话"}],
    }
    catalogue = replace(
        real_catalogue(),
        groups=parse_catalogue(
            json.dumps(
                {
                    "services": [
                        {
                            "name": "template",
                            "title": "t",
                            "description": "",
                            "instructions": None,
                            "max_call_seconds": 1,
                            "tools": None,
                        }
                    ],
                    "groups": [group],
                    "search": True,
                }
            )
        ).groups,
    )
    live = LiveCatalogue(catalogue)
    search = ToolSearch(View(live, live.groups["pet"]))
    assert names(await search.find_tools({"query": "说话"}, ALL_SERVICES)) == ["say"]
    assert names(await search.find_tools({"query": "template_get template_echo"}, ALL_SERVICES)) == ["say"]


@pytest.mark.parametrize(
    "given",
    [
        {"name": "a", "arguments": {"x": 1}},
        {"name": " a ", "arguments": '{"x": 1}'},
        '{"name": "a", "arguments": {"x": 1}}',
        {"arguments": {"name": "a", "arguments": {"x": 1}}},
        {"arguments": '{"name": "a", "arguments": "{\\"x\\": 1}"}'},
        {"arguments": {"name": "a", "x": 1}},
        {"name": "a", "x": 1},
        {"tool": "a", "args": {"x": 1}},
        {"tool_name": "a", "parameters": {"x": 1}},
        {"name": "call_tool", "arguments": {"name": "a", "arguments": {"x": 1}}},
    ],
)
def test_a_call_is_understood_however_it_is_nested(given: Any) -> None:
    assert inner_call(given) == InnerCall("a", {"x": 1})


@pytest.mark.parametrize("given", [{"name": "a"}, {"name": "a", "arguments": None}, {"name": "a", "arguments": ""}])
def test_a_call_without_arguments_has_none(given: Any) -> None:
    assert inner_call(given) == InnerCall("a", {})


def test_arguments_of_the_tool_may_have_the_names_of_those_of_the_call() -> None:
    given = {"name": "a", "input": "text", "tool": "b"}
    assert inner_call(given) == InnerCall("a", {"input": "text", "tool": "b"})
    given = {"name": "a", "arguments": {"name": "b", "arguments": {"y": 2}}}
    assert inner_call(given) == InnerCall("a", {"name": "b", "arguments": {"y": 2}})


def test_large_numbers_stay_exact() -> None:
    assert inner_call({"name": "a", "arguments": '{"x": 9007199254740993}'}).arguments == {"x": 9007199254740993}


@pytest.mark.parametrize(
    "given",
    [
        None,
        {},
        [],
        5,
        "x",
        {"name": 5},
        {"name": ""},
        {"arguments": {}},
        {"name": "a", "arguments": [1]},
        {"name": "a", "arguments": "x"},
        {"name": "call_tool", "arguments": {"name": "call_tool"}},
    ],
)
def test_a_call_that_names_no_tool_or_has_no_object_is_refused(given: Any) -> None:
    with pytest.raises(ServiceError) as refused:
        inner_call(given)
    assert refused.value.fields in (("name",), ("arguments",))


def test_an_object_around_the_arguments_is_taken_off_unless_the_tool_has_an_argument_of_its_name() -> None:
    wrapped = {"arguments": {"x": 1}}
    assert unwrapped(wrapped, {"properties": {"x": {}}}) == {"x": 1}
    assert unwrapped(wrapped, {"properties": {"arguments": {}}}) == wrapped
    assert unwrapped({"arguments": {"x": 1}, "y": 2}, {}) == {"arguments": {"x": 1}, "y": 2}


def test_the_tools_of_the_address_are_short() -> None:
    assert len(json.dumps(ENTRIES, ensure_ascii=False)) < 3000
