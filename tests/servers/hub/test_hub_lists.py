"""Lists of the hub: what is listed for whom, in which order, and what a service that is down changes."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.servers.hub.asking import HUB, PET, WAYS, answer_in, asking, headers_of, message, post, until
from tests.servers.hub.conftest import ONCE, QUICK, Hub, serving_hub
from tests.stand_in.hub import services as hub_services

ALL_TOOLS = [
    *("alpha_echo", "alpha_number", "alpha_write", "alpha_wait", "alpha_ask"),
    *("beta_echo", "beta_clear", "gamma_echo"),
]
ARRAY = {
    "name": "delta_list",
    "description": "Return a list.",
    "inputSchema": {"type": "object"},
    "outputSchema": {"type": "array", "items": {"type": "string"}},
}


async def listed(hub: Hub, method: str = "tools/list", *, scope: str = "all", **more: Any) -> dict[str, Any]:
    sent = message(method, modern=more.get("modern", True))
    return answer_in(await post(hub.base, sent, headers=headers_of(scope), **more))["result"]


def names(result: dict[str, Any]) -> list[str]:
    return [tool["name"] for tool in result["tools"]]


async def all_fresh(hub: Hub) -> None:
    await until(lambda: all(hub.app.live.state(name) == "ok" for name in hub.app.live.services))


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_6_every_era_lists_the_same_tools_in_the_order_of_services_and_locks(hub, era, accept):
    async with asking(hub.base, era, accept) as ask:
        result = (await ask("tools/list"))["result"]
    assert names(result) == ALL_TOOLS
    assert ("ttlMs" in result, "resultType" in result) == (era == "modern", era == "modern")


async def test_case_5_two_replicas_list_the_same_bytes(hub, gateway, gateway_url):
    await all_fresh(hub)
    with serving_hub(gateway, gateway_url) as second:
        await all_fresh(second)
        answers = {(await post(each.base, message("tools/list"))).content for each in (hub, second, hub)}
    assert len(answers) == 1


async def test_a_fresh_list_may_be_kept_for_a_minute_by_its_client_only(hub):
    await all_fresh(hub)
    result = await listed(hub)
    assert (result["ttlMs"], result["cacheScope"]) == (60_000, "private")
    assert result["_meta"]["cn.dyberpet/services"] == {"alpha": "ok", "beta": "ok", "gamma": "ok"}


async def test_case_8_a_stopped_service_stays_listed(hub, gateway):
    await all_fresh(hub)
    gateway.down.add("beta")
    await until(lambda: hub.app.live.state("beta") == "down")
    result = await listed(hub)
    assert names(result) == ALL_TOOLS
    assert result["_meta"]["cn.dyberpet/services"] == {"alpha": "ok", "beta": "down", "gamma": "ok"}
    assert result["ttlMs"] == 5_000
    assert (await listed(hub, scope="alpha=all"))["ttlMs"] == 60_000


async def test_case_13_a_service_that_returns_changes_nothing_for_clients(hub, gateway):
    await all_fresh(hub)
    before = names(await listed(hub))
    gateway.down.add("beta")
    await until(lambda: hub.app.live.state("beta") == "down")
    gateway.down.clear()
    await all_fresh(hub)
    result = await listed(hub)
    assert (names(result), result["ttlMs"]) == (before, 60_000)
    called = answer_in(await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"})))
    assert called["result"]["structuredContent"] == {"text": "beta a"}


async def test_case_9_a_service_that_was_never_reached_and_has_no_lock_hides_no_other(gateway, gateway_url):
    gateway.down.add("beta")
    entries = [hub_services.entry(build()) for build in hub_services.SERVICES.values()]
    catalogue = hub_services.catalogue(
        *({**each, "tools": None} if each["name"] == "beta" else each for each in entries)
    )
    with serving_hub(gateway, gateway_url, catalogue) as hub:
        await until(lambda: hub.app.live.state("gamma") == "ok")
        result = await listed(hub)
        assert names(result) == [name for name in ALL_TOOLS if not name.startswith("beta")]
        assert result["_meta"]["cn.dyberpet/services"]["beta"] == "unknown"
        assert result["ttlMs"] == 5_000
        gateway.down.clear()
        await all_fresh(hub)
        assert names(await listed(hub)) == ALL_TOOLS


@pytest.mark.parametrize("modern", [True, False])
async def test_case_10_nothing_known_at_all_is_an_error_and_no_empty_list(gateway, gateway_url, modern):
    gateway.down.update(gateway.services)
    nothing = {"tools": None, "prompts": [], "resources": [], "resource_templates": []}
    entries = [hub_services.entry(build(), **nothing) for build in hub_services.SERVICES.values()]
    with serving_hub(gateway, gateway_url, hub_services.catalogue(*entries, groups=())) as hub:
        for method in ("tools/list", "prompts/list", "resources/list", "resources/templates/list"):
            answer = answer_in(await post(hub.base, message(method, modern=modern), modern=modern))
            assert answer["error"]["code"] == -32603
            assert "alpha" in answer["error"]["message"]


async def test_case_7_a_tool_with_an_array_as_output_is_listed_for_old_clients_without_it(gateway, gateway_url):
    delta = hub_services.entry(hub_services.gamma(), name="delta", tools=[ARRAY, {**ARRAY, "name": "delta_other"}])
    with serving_hub(gateway, gateway_url, hub_services.catalogue(delta, groups=()), ONCE) as hub:
        modern, legacy = await listed(hub), await listed(hub, modern=False)
    assert [tool.get("outputSchema") for tool in modern["tools"]] == [ARRAY["outputSchema"]] * 2
    assert names(legacy) == ["delta_list", "delta_other"]
    assert [tool.get("outputSchema") for tool in legacy["tools"]] == [None] * 2


@pytest.mark.parametrize("modern", [True, False])
async def test_case_50_a_tool_is_described_as_its_service_does(hub, services, modern):
    await all_fresh(hub)
    tools = {tool["name"]: tool for tool in (await listed(hub, modern=modern))["tools"]}
    for base in services.values():
        sent = message("tools/list", modern=modern)
        direct = answer_in(await post(base, sent, modern=modern, headers=headers_of("all")))["result"]
        assert [tools[tool["name"]] for tool in direct["tools"]] == direct["tools"]


async def test_prompts_resources_and_templates_are_those_of_their_services(hub, services):
    await all_fresh(hub)
    for method, field in (
        ("prompts/list", "prompts"),
        ("resources/list", "resources"),
        ("resources/templates/list", "resourceTemplates"),
    ):
        direct = answer_in(await post(services["alpha"], message(method), headers=headers_of("all")))["result"]
        assert (await listed(hub, method))[field] == direct[field] != []
        assert (await listed(hub, method, scope="alpha=tools:alpha_echo"))[field] == []


async def test_a_list_asks_no_service(hub, gateway):
    await all_fresh(hub)
    gateway.slow.update(gateway.services)
    assert names(await listed(hub)) == ALL_TOOLS


@pytest.mark.parametrize("path", [HUB, PET])
async def test_lists_are_different_for_each_scope(hub, path):
    shown = [names(await listed(hub, scope=scope, path=path)) for scope in ("all", "beta=all", "alpha=read")]
    whole = [ALL_TOOLS, ["beta_echo", "beta_clear"], ["alpha_echo", "alpha_number", "alpha_wait", "alpha_ask"]]
    pet = [["say", "keep", "beta_echo"], ["beta_echo"], ["say"]]
    assert shown == (whole if path == HUB else pet)


async def test_a_new_tool_of_a_service_is_listed_after_the_next_refresh(gateway, gateway_url, services):
    gamma = hub_services.entry(hub_services.gamma(), tools=[])
    with serving_hub(gateway, gateway_url, hub_services.catalogue(gamma, groups=()), QUICK) as hub:
        await all_fresh(hub)
        assert names(await listed(hub)) == ["gamma_echo"]


async def test_a_service_cannot_take_the_name_of_anothers_tool(gateway, gateway_url, services):
    gateway.services = {**services, "gamma": services["beta"]}
    with serving_hub(gateway, gateway_url) as hub:
        await all_fresh(hub)
        assert names(await listed(hub)) == ALL_TOOLS[:-1]
        called = answer_in(await post(hub.base, message("tools/call", name="beta_echo", arguments={"text": "a"})))
        assert gateway.calls()[-1].service == "beta"
        assert called["result"]["structuredContent"] == {"text": "beta a"}


def many(count: int, chars: int = 10) -> dict[str, Any]:
    tools = [
        {"name": f"delta_{number}", "description": "x" * chars, "inputSchema": {"type": "object"}}
        for number in range(count)
    ]
    return hub_services.entry(hub_services.gamma(), name="delta", tools=tools)


async def all_pages(hub: Hub, *, modern: bool) -> list[list[str]]:
    pages, cursor = [], {}
    while True:
        sent = message("tools/list", modern=modern, **cursor)
        result = answer_in(await post(hub.base, sent, modern=modern))["result"]
        pages.append(names(result))
        if "nextCursor" not in result:
            return pages
        cursor = {"cursor": result["nextCursor"]}


@pytest.mark.parametrize("modern", [True, False])
@pytest.mark.parametrize(
    ("count", "chars", "sizes"), [(200, 10, [200]), (450, 10, [200, 200, 50]), (3, 200_000, [1, 1, 1])]
)
async def test_long_lists_have_pages(gateway, gateway_url, modern, count, chars, sizes):
    with serving_hub(gateway, gateway_url, hub_services.catalogue(many(count, chars), groups=()), ONCE) as hub:
        pages = await all_pages(hub, modern=modern)
    assert [len(page) for page in pages] == sizes
    assert [name for page in pages for name in page] == [f"delta_{number}" for number in range(count)]


@pytest.mark.parametrize("modern", [True, False])
async def test_case_43_cursors_that_the_hub_did_not_make_for_this_list_are_refused(gateway, gateway_url, modern):
    group = {"name": "some", "title": "", "services": [], "tools": []}
    group["tools"] = [{"exposed": f"delta_{n}", "service": "delta", "tool": f"delta_{n}"} for n in range(250)]
    catalogue = hub_services.catalogue(many(250), groups=(group,))
    with serving_hub(gateway, gateway_url, catalogue, ONCE) as hub:
        other = (await listed(hub, modern=modern, path="/groups/some"))["nextCursor"]
        mine = (await listed(hub, modern=modern))["nextCursor"]
        changed = ("A" if mine[0] != "A" else "B") + mine[1:]
        for cursor in ("garbage", "", "x" * 600, other, changed, mine + "A", 7):
            sent = message("tools/list", modern=modern, cursor=cursor)
            response = await post(hub.base, sent, modern=modern)
            assert answer_in(response)["error"]["code"] == -32602, cursor
            assert response.status_code == (400 if modern else 200)
        sent = message("prompts/list", modern=modern, cursor=mine)
        assert answer_in(await post(hub.base, sent, modern=modern))["error"]["code"] == -32602


async def test_the_hub_counts_lists_and_shows_which_services_answer(hub):
    await all_fresh(hub)
    await listed(hub)
    async with httpx2.AsyncClient(verify=False) as http:
        text = (await http.get(f"{hub.base}/metrics")).text
    assert 'hub_lists_total{address="hub",method="tools/list",service="hub"}' in text
    assert 'hub_service_answers{listed="alpha",service="hub"} 1.0' in text
    assert 'hub_changed_tools{listed="alpha",service="hub"} 0.0' in text


async def test_an_item_that_no_client_can_read_is_left_out(gateway, gateway_url):
    broken = {"name": "delta_broken", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": "perhaps"}}
    delta = hub_services.entry(hub_services.gamma(), name="delta", tools=[broken, {**ARRAY, "name": "delta_good"}])
    with serving_hub(gateway, gateway_url, hub_services.catalogue(delta, groups=()), ONCE) as hub:
        assert names(await listed(hub)) == ["delta_good"]
        assert json.dumps(await listed(hub, modern=False)).count("delta_broken") == 0


async def test_a_group_with_the_name_of_the_hub_has_its_own_list(gateway, gateway_url):
    catalogue = hub_services.catalogue(groups=({**hub_services.PET, "name": "hub"},))
    with serving_hub(gateway, gateway_url, catalogue, ONCE) as hub:
        assert names(await listed(hub)) == ALL_TOOLS
        assert names(await listed(hub, path="/groups/hub")) == ["say", "keep", "beta_echo"]
        assert names(await listed(hub)) == ALL_TOOLS
