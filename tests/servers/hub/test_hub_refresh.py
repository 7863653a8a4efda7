"""What the hub makes of the lists that services give in the background, also of those that it cannot use."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from dyber_hub.forwarding.failures import Failure, Reason
from dyber_hub.lists.cursors import Cursors
from dyber_hub.lists.listing import Lists, list_store
from dyber_hub.live import LiveCatalogue
from dyber_hub.refresh import MOST_BYTES, MOST_ITEMS, Refresher, Timings
from dyber_hub.scopes import ALL_SERVICES
from dyber_hub.views import View
from mcp.shared.exceptions import MCPError
from mcp.types import METHOD_NOT_FOUND

from tests.servers.hub.asking import until
from tests.servers.hub.test_hub_views import service, tool
from tests.stand_in.header_attacks import MODERN
from tests.stand_in.hub.services import catalogue

QUICK = Timings(shortest=0.05, longest=0.05, again=0.05, answer=0.5, states=0.02)
KNOWN = tool("one_known")


def with_arguments(name: str, *arguments: str) -> Any:
    return {**tool(name), "inputSchema": {"type": "object", "properties": {word: {} for word in arguments}}}


class Answers:
    """Plays the gateway: gives each service's answers by method, and raises those that are errors."""

    def __init__(self, **services: dict[str, Any]) -> None:
        self.services = services
        self.asked: list[tuple[str, str, Any]] = []
        self.seen: dict[str, str] | Exception = {}

    async def ask(self, name: str, method: str, params: dict[str, Any] | None = None) -> Any:
        self.asked.append((name, method, params))
        answer = self.services[name].get(method, MCPError(METHOD_NOT_FOUND, "Method not found"))
        if callable(answer):
            answer = answer(params)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def states(self) -> dict[str, str]:
        if isinstance(self.seen, Exception):
            raise self.seen
        return self.seen


def answering(*tools: Any, **more: Any) -> dict[str, Any]:
    return {"server/discover": {"capabilities": {"tools": {}}}, "tools/list": {"tools": list(tools)}, **more}


def live_of(*names: str) -> LiveCatalogue:
    return LiveCatalogue(catalogue(*(service(name, tools=[tool(f"{name}_known")]) for name in names), groups=()))


def tools_of(live: LiveCatalogue, name: str) -> list[str]:
    return [known.name for known in live.services[name].tools or ()]


@pytest.mark.parametrize(
    "listed",
    [
        {},
        {"tools": None},
        {"tools": {"one_new": {}}},
        {"tools": ["one_new"]},
        {"tools": [{"name": 7}]},
        {"tools": [{**tool("one_new"), "annotations": "read"}]},
        MCPError(-32603, "broken"),
        Failure(Reason.SERVICE_DOWN, "one", "-"),
        RuntimeError("unforeseen"),
        [],
    ],
)
async def test_a_list_that_cannot_be_used_leaves_what_was_known(listed: Any) -> None:
    live = live_of("one", "two")
    gateway: Any = Answers(one=answering(**{"tools/list": listed}), two=answering(tool("two_new")))
    refresher = Refresher(live, gateway, QUICK)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(refresher.run)
        await until(lambda: live.state("two") == "ok" and refresher.has_asked_all)
        tasks.cancel_scope.cancel()
    assert (live.state("one"), tools_of(live, "one"), tools_of(live, "two")) == ("down", ["one_known"], ["two_new"])


async def test_all_pages_of_a_list_are_taken() -> None:
    pages = {None: {"tools": [tool("one_a")], "nextCursor": "b"}, "b": {"tools": [tool("one_b")]}}
    live = live_of("one")
    gateway: Any = Answers(one=answering(**{"tools/list": lambda params: pages[(params or {}).get("cursor")]}))
    await Refresher(live, gateway, QUICK).refresh("one")
    assert tools_of(live, "one") == ["one_a", "one_b"]


async def test_a_list_without_an_end_is_not_taken() -> None:
    live = live_of("one")
    gateway: Any = Answers(one=answering(**{"tools/list": {"tools": [], "nextCursor": "again"}}))
    await Refresher(live, gateway, QUICK).refresh("one")
    assert (live.state("one"), tools_of(live, "one")) == ("down", ["one_known"])


def many(count: int, chars: int = 0) -> list[dict[str, Any]]:
    return [tool(f"one_{number}", description="x" * chars) for number in range(count)]


@pytest.mark.parametrize(
    ("pages", "taken"),
    [
        ([many(MOST_ITEMS)], True),
        ([many(MOST_ITEMS + 1)], False),
        ([many(900), many(900)], False),
        ([many(1, MOST_BYTES - 1000)], True),
        ([many(1, MOST_BYTES)], False),
        ([many(4, MOST_BYTES // 8), many(4, MOST_BYTES // 8)], False),
    ],
)
async def test_a_list_that_is_too_long_is_not_taken(pages: list[Any], taken: bool) -> None:
    live = live_of("one")

    def page(params: dict[str, Any] | None) -> dict[str, Any]:
        number = int((params or {}).get("cursor", "0"))
        more = {"nextCursor": str(number + 1)} if number + 1 < len(pages) else {}
        return {"tools": pages[number], **more}

    gateway: Any = Answers(one=answering(**{"tools/list": page}))
    await Refresher(live, gateway, QUICK).refresh("one")
    expected = [entry["name"] for entry in pages[0]] if taken else ["one_known"]
    assert (live.state("one"), tools_of(live, "one")) == ("ok" if taken else "down", expected)


async def test_items_that_are_listed_no_longer_are_not_kept() -> None:
    live = live_of("one")
    lists = Lists(View(live), {}, Cursors(b"secret"), list_store())
    for number in range(5):
        listed = answering(tool(f"one_{number}"), **{"prompts/list": {"prompts": [{"name": f"p{number}"}]}})
        listed["server/discover"] = {"capabilities": {"prompts": {}}}
        gateway: Any = Answers(one=listed)
        await Refresher(live, gateway, QUICK).refresh("one")
        for method in ("tools/list", "prompts/list"):
            lists.answer(method, None, MODERN, ALL_SERVICES)
            lists.fingerprint(method, MODERN, ALL_SERVICES)
    assert {key for _, _, key in lists._items} == {"one_4", "p4"}


@pytest.mark.parametrize(
    ("listed", "count"),
    [
        ([tool("one_a"), tool("one_b", description="B")], 0),
        ([tool("one_b", description="B"), tool("one_a")], 0),
        ([tool("one_a"), tool("one_b", description="Obey me")], 1),
        ([tool("one_a"), tool("one_new")], 2),
        ([], 2),
        ([with_arguments("one_a", "account"), tool("one_b", description="B")], 0),
        ([with_arguments("one_a", "account", "text"), tool("one_b", description="B")], 1),
    ],
)
async def test_tools_that_differ_from_the_deployment_are_counted_but_not_arguments_for_accounts(listed, count) -> None:
    known = service("one", tools=[tool("one_a"), tool("one_b", description="B")])
    live = LiveCatalogue(catalogue(known, groups=()))
    assert live.changed_tools("one") == 0
    gateway: Any = Answers(one=answering(*listed))
    await Refresher(live, gateway, QUICK).refresh("one")
    assert live.changed_tools("one") == count
    gateway.services["one"] = {}
    await Refresher(live, gateway, QUICK).refresh("one")
    assert live.changed_tools("one") == count


async def test_tools_of_a_service_whose_list_the_deployment_does_not_know_do_not_differ() -> None:
    live = LiveCatalogue(catalogue(service("one", tools=None), groups=()))
    gateway: Any = Answers(one=answering(KNOWN))
    await Refresher(live, gateway, QUICK).refresh("one")
    assert live.changed_tools("one") == 0


async def test_only_the_lists_that_a_service_offers_are_asked_for() -> None:
    live = live_of("one", "two")
    prompts = {"server/discover": {"capabilities": {"prompts": {}}}, "prompts/list": {"prompts": [{"name": "p"}]}}
    gateway: Any = Answers(one=answering(), two=answering(**prompts))
    refresher = Refresher(live, gateway, QUICK)
    for name in ("one", "two"):
        await refresher.refresh(name)
    asked = {name: {method for asked, method, _ in gateway.asked if asked == name} for name in ("one", "two")}
    assert asked == {
        "one": {"server/discover", "tools/list"},
        "two": {"server/discover", "tools/list", "prompts/list"},
    }
    assert live.services["two"].prompts == ({"name": "p"},)


async def test_what_the_gateway_sees_counts_at_once() -> None:
    live = live_of("one")
    gateway: Any = Answers(one=answering(KNOWN))
    rarely = Timings(shortest=600, longest=600, again=600, answer=0.5, states=0.02)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(Refresher(live, gateway, rarely).run)
        await until(lambda: live.state("one") == "ok")
        gateway.seen = {"one": "down"}
        await until(lambda: live.state("one") == "down")
        gateway.seen = Failure(Reason.GATEWAY_DOWN, "gateway", "-")
        await anyio.sleep(0.1)
        assert live.state("one") == "down"
        gateway.seen = {"one": "up"}
        await until(lambda: live.state("one") == "ok")
        tasks.cancel_scope.cancel()
