"""Which service an address of the hub means by a name or an address, without any running service."""

from __future__ import annotations

import json
from typing import Any

import pytest
from dyber_hub.lists.instructions import MAX_CHARS, instructions
from dyber_hub.live import LiveCatalogue, Offers
from dyber_hub.scopes import ALL_SERVICES, parse_hub_scope
from dyber_hub.views import View

from tests.stand_in.hub.services import PET, catalogue


def service(name: str, **offers: Any) -> dict[str, Any]:
    about = {"name": name, "title": name, "description": "", "instructions": None, "max_call_seconds": 9, "tools": []}
    return {**about, **offers}


def resource(uri: str) -> dict[str, str]:
    return {"uri": uri, "name": "about"}


def template(pattern: str) -> dict[str, str]:
    return {"uriTemplate": pattern, "name": "item"}


def tool(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "inputSchema": {"type": "object"}, **fields}


@pytest.fixture
def view() -> View:
    one = service("one", resources=[resource("shared://about")], resource_templates=[template("one://{id}")])
    two = service(
        "two",
        resources=[resource("shared://about"), resource("two://about")],
        resource_templates=[template("one://deep/{id}"), template("two://a{?q}"), template("{+path}")],
    )
    return View(LiveCatalogue(catalogue(one, two, groups=())))


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("shared://about", "one"),
        ("two://about", "two"),
        ("one://7", "one"),
        ("one://deep/7", "two"),
        ("two://a?q=1", "two"),
        ("two://anything", "two"),
        ("TWO://anything", "two"),
        ("shared://other", "one"),
        ("three://about", None),
        ("about", None),
        ("{+path}x", None),
        ("", None),
    ],
)
def test_case_41_an_address_leads_to_one_service(view: View, uri: str, expected: str | None) -> None:
    assert view.contents.resource_service(uri, ALL_SERVICES) == expected


def test_a_resource_of_two_services_is_listed_once(view: View) -> None:
    assert {uri: offer.service for uri, offer in view.contents.resources.items()} == {
        "shared://about": "one",
        "two://about": "two",
    }


def test_what_the_scope_excludes_leads_nowhere(view: View) -> None:
    scope = parse_hub_scope(["one=tools:x two=all"], required=True)
    reached = {uri: view.contents.resource_service(uri, scope) for uri in ("shared://about", "one://7", "one://deep/7")}
    assert reached == {"shared://about": None, "one://7": "two", "one://deep/7": "two"}


def group_of(live: LiveCatalogue) -> View:
    return View(live, live.groups["pet"])


def test_a_group_has_its_tools_in_its_order_as_far_as_they_are_known() -> None:
    alpha = service("alpha", tools=[tool("alpha_write"), tool("alpha_echo", annotations={"readOnlyHint": True})])
    live = LiveCatalogue(catalogue(alpha, service("beta", tools=None), groups=(PET,)))
    assert list(group_of(live).contents.tools) == ["say", "keep"]
    live.note_offers("beta", Offers(None, (tool("beta_echo"),)))
    assert list(group_of(live).contents.tools) == ["say", "keep", "beta_echo"]


@pytest.mark.parametrize(
    ("read_only", "stated", "shown"), [(True, False, False), (False, True, False), (True, True, True)]
)
def test_a_group_may_say_that_a_tool_writes_but_not_that_it_only_reads(
    read_only: bool, stated: bool, shown: bool
) -> None:
    alpha = service("alpha", tools=[tool("alpha_echo", annotations={"readOnlyHint": read_only})])
    changed = {**PET["tools"][0], "annotations": {"readOnlyHint": stated}}
    group = {**PET, "services": ["alpha"], "tools": [changed]}
    live = LiveCatalogue(catalogue(alpha, groups=(group,)))
    assert group_of(live).contents.tools["say"].entry["annotations"]["readOnlyHint"] is shown
    scope = parse_hub_scope(["alpha=read"], required=True)
    assert [shown_tool.name for shown_tool in group_of(live).tools(scope)] == (["say"] if read_only else [])


def test_a_list_that_did_not_change_is_no_change() -> None:
    live = LiveCatalogue(catalogue(service("alpha", tools=[tool("alpha_echo")]), groups=()))
    changes: list[int] = []
    end = live.subscribe(lambda: changes.append(live.offers_version))
    live.note_offers("alpha", Offers(None, (tool("alpha_echo"),)))
    assert (changes, live.state("alpha")) == ([], "ok")
    live.note_offers("alpha", Offers(None, (tool("alpha_echo"), tool("alpha_new"))))
    assert changes == [1]
    end()
    live.note_offers("alpha", Offers(None, ()))
    assert changes == [1]


def test_an_item_whose_fields_are_in_another_order_is_the_same_item() -> None:
    echo = tool("alpha_echo", description="a", annotations={"readOnlyHint": True, "openWorldHint": False})
    about = {"uri": "alpha://about", "name": "about", "title": "About"}
    live = LiveCatalogue(catalogue(service("alpha", tools=[echo], resources=[about]), groups=()))
    changes: list[int] = []
    live.subscribe(lambda: changes.append(live.offers_version))
    turned = {
        **dict(reversed(echo.items())),
        "annotations": dict(reversed(echo["annotations"].items())),
    }
    turned_about = dict(reversed(about.items()))
    live.note_offers("alpha", Offers("Alpha is the first.", (turned,), resources=(turned_about,)))
    assert (changes, live.services["alpha"].instructions) == ([], "Alpha is the first.")
    # A change of another list leaves the bytes of this list as they were.
    live.note_offers("alpha", Offers(None, (turned, tool("alpha_new")), resources=(turned_about,)))
    assert changes == [1]
    assert list(live.services["alpha"].resources[0]) == ["uri", "name", "title"]
    # What a service takes back is as the deployment says, as in a hub that starts now.
    live.note_offers("alpha", Offers(None, (turned,), resources=(turned_about,)))
    assert changes == [1, 2]
    assert [json.dumps(known.entry) for known in live.services["alpha"].tools or ()] == [json.dumps(echo)]


def test_what_two_services_have_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    def warned() -> list[tuple[str, str, str]]:
        seen = [(record.listed, record.item, record.used) for record in caplog.records if hasattr(record, "item")]
        caplog.clear()
        return seen

    shared = resource("shared://about")
    one, two = service("one", resources=[shared]), service("two", resources=[shared])
    live = LiveCatalogue(catalogue(one, two, groups=()))
    assert warned() == [("two", "shared://about", "one")]
    greet = ({"name": "greet"},)
    live.note_offers("two", Offers(None, (), prompts=greet, resources=(shared,)))
    assert warned() == []
    live.note_offers("one", Offers(None, (), prompts=greet, resources=(shared,)))
    assert warned() == [("two", "greet", "one")]
    live.note_offers("one", Offers(None, (), prompts=greet, resources=()))
    live.note_offers("one", Offers(None, (), prompts=greet, resources=(shared,)))
    assert warned() == [("two", "shared://about", "one")]


def test_a_tool_with_the_name_of_another_services_tool_is_left_out_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    live = LiveCatalogue(catalogue(service("one", tools=[tool("one_echo")]), service("two"), groups=()))
    for _ in range(3):
        live.note_offers("two", Offers(None, (tool("One_Echo"), tool("two_echo"))))
    assert [known.name for known in live.services["two"].tools or ()] == ["two_echo"]
    assert [record.tool for record in caplog.records if record.message == "tool name taken"] == ["One_Echo"]


def test_short_instructions_leave_their_room_to_the_long_ones() -> None:
    long, short = service("long", instructions="L" * 5000), service("short", instructions="S" * 50)
    view = View(LiveCatalogue(catalogue(long, short, groups=())))
    text = instructions(view, view.services, ALL_SERVICES)
    assert text.count("S") >= 50
    assert text.count("L") > 1000
    assert MAX_CHARS - 20 < len(text) <= MAX_CHARS


@pytest.mark.parametrize("opening", [0, 1900, *range(2040, 2055), 5000])
@pytest.mark.parametrize("services", [0, 1, 40])
def test_instructions_are_never_longer_than_clients_show(opening: int, services: int) -> None:
    group = {**PET, "services": [], "tools": [], "instructions": "x" * opening}
    offered = [service(f"service-{number}", description="about it") for number in range(services)]
    view = View((live := LiveCatalogue(catalogue(service("one"), *offered, groups=(group,)))), live.groups["pet"])
    text = instructions(view, list(live.services.values())[:services], ALL_SERVICES)
    assert len(text) <= MAX_CHARS
    assert text.startswith("x" * min(opening, MAX_CHARS - 3))


def test_services_with_the_same_tools_are_told_apart_by_their_names_at_the_hub() -> None:
    tools = [tool("get_time", description="get_time and convert are for times."), tool("convert")]
    names = {"get_time": "time_get_time", "convert": "time_convert"}
    live = LiveCatalogue(catalogue(service("clock", tools=tools), service("time", tools=tools, names=names), groups=()))
    view = View(live)

    def listed() -> dict[str, tuple[str, str]]:
        return {shown.entry["name"]: (shown.service, shown.tool.name) for shown in view.tools(ALL_SERVICES)}

    expected = {
        "get_time": ("clock", "get_time"),
        "convert": ("clock", "convert"),
        "time_get_time": ("time", "get_time"),
        "time_convert": ("time", "convert"),
    }
    assert listed() == expected
    shown = view.tool("time_get_time", ALL_SERVICES)
    assert shown is not None and shown.is_renamed
    assert shown.entry["description"] == "time_get_time and time_convert are for times."
    assert view.tool("time_get_time", parse_hub_scope("clock=all time=tools:convert", required=True)) is None
    # What a service lists later has the same names; a new tool may take no other's.
    live.note_offers("time", Offers(None, (*tools, tool("new"))))
    assert listed() == {**expected, "new": ("time", "new")}
    live.note_offers("clock", Offers(None, (*tools, tool("time_convert"), tool("new"))))
    assert listed() == {**expected, "new": ("time", "new")}


def test_names_at_the_hub_come_once() -> None:
    tools = [tool("get_time")]
    with pytest.raises(ValueError, match="Get_Time"):
        catalogue(
            service("clock", tools=tools), service("time", tools=tools, names={"get_time": "Get_Time"}), groups=()
        )
