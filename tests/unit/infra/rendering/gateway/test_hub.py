"""What the gateway knows of the hub: which service a call is for, what the hub is told, and who may use a group."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

import pytest
from dyber_hub.forwarding.gateway import HUB_CLIENT
from hypothesis import given
from hypothesis import strategies as some
from pydantic import TypeAdapter, ValidationError

from infra.rendering.gateway import hub as hubs
from infra.rendering.gateway.configuration import render
from infra.rendering.gateway.model import GatewayClient, GatewayGroup, GatewayHub, GatewayService, Scope
from infra.schema.problems import UnusableValue
from infra.settings.clients import ClientName
from infra.settings.gateway import GatewaySettings

HASH = hashlib.sha256(b"hub").hexdigest()
ALPHA = GatewayService("alpha", 9000, "甲", 60, read_tools=("alpha_read",), write_tools=("alpha_write",))
BETA = GatewayService("beta", 9001, "乙", 300, read_tools=("beta_read",))
SERVICES = (ALPHA, BETA)
TOOLS = {"alpha": ("alpha_read", "alpha_write"), "beta": ("beta_read",)}


def hub(**changes: object) -> GatewayHub:
    return GatewayHub(**{"token_sha256": HASH, "tools": TOOLS, **changes})


def client(scopes: Mapping[str, Scope] | None, accounts: Mapping[str, tuple[str, ...]] | None = None) -> GatewayClient:
    return GatewayClient("phone", (hashlib.sha256(b"phone").hexdigest(),), scopes, accounts or {})


def routed(described: GatewayHub) -> dict[str, tuple[str, str]]:
    return {route.key: (route.service, route.name) for route in hubs.routes(described, SERVICES)}


def rendered(described: GatewayHub | None, **changes: object) -> dict[str, str]:
    arguments = {"settings": GatewaySettings(), "services": SERVICES, "clients": [client(None)], **changes}
    return render(**arguments, hub=described)


def test_every_tool_leads_to_its_service() -> None:
    assert routed(hub()) == {
        "|tools/call|alpha_read": ("alpha", "alpha_read"),
        "|tools/call|alpha_write": ("alpha", "alpha_write"),
        "|tools/call|beta_read": ("beta", "beta_read"),
    }


def test_prompts_and_schemes_lead_to_their_service() -> None:
    described = hub(tools={}, prompts={"alpha": ("greet",)}, resource_schemes={"beta": ("beta",)})
    assert routed(described) == {"|prompts/get|greet": ("alpha", "greet"), "|resources/read|beta:": ("beta", "beta:")}


def test_a_group_has_its_names_and_what_its_services_let_clients_read() -> None:
    group = GatewayGroup("pet", {"look": ("alpha", "alpha_read")}, ("beta",))
    described = hub(tools={}, prompts={"alpha": ("a",), "beta": ("b",)}, groups=(group,))
    assert {key: target for key, target in routed(described).items() if key.startswith("pet")} == {
        "pet|tools/call|look": ("alpha", "alpha_read"),
        "pet|prompts/get|b": ("beta", "b"),
    }


def test_services_that_do_not_run_have_no_routes() -> None:
    group = GatewayGroup("pet", {"look": ("gone", "gone_read")}, ("gone",))
    described = hub(tools={"gone": ("gone_read",)}, prompts={"gone": ("greet",)}, groups=(group,))
    assert routed(described) == {}


@pytest.mark.parametrize("names", [("same", "same"), ("Same", "same"), ("SAME", "sAmE")])
def test_names_that_differ_in_case_only_are_left_to_the_hub(names: tuple[str, str]) -> None:
    described = hub(prompts={"alpha": (names[0],), "beta": (names[1],)}, tools={"alpha": ("other",)})
    assert routed(described) == {"|tools/call|other": ("alpha", "other")}


@pytest.mark.parametrize("name", ["a b", "", "问候", 'a"b', "a$b", "a;b", "a\nb", "x" * 129])
def test_prompts_with_unusual_names_are_left_to_the_hub(name: str) -> None:
    described = hub(tools={}, prompts={"alpha": (name,)})
    assert routed(described) == {}
    assert rendered(described)["hub.conf"]


@given(some.text(max_size=30))
def test_no_name_of_a_prompt_breaks_the_configuration(name: str) -> None:
    lines = rendered(hub(tools={}, prompts={"alpha": (name,)}))["hub.conf"].splitlines()
    entries = [line for line in lines if "|prompts/get|" in line]
    assert all(re.fullmatch(r'    "\|prompts/get\|[^"\s]+" "alpha \S+ \S+";', line) for line in entries)
    assert len(entries) <= 1


@pytest.mark.parametrize(
    ("scopes", "accounts", "told"),
    [
        (None, {}, "all"),
        ({}, {}, "none"),
        ({"gone": "all"}, {}, "none"),
        ({"beta": "all", "alpha": "read"}, {}, "alpha=read beta=all"),
        ({"alpha": ("alpha_write", "alpha_read")}, {}, "alpha=tools:alpha_read,alpha_write"),
        ({"alpha": "all"}, {"alpha": ("main", "other")}, "alpha=all;accounts=main,other"),
        ({"alpha": ()}, {}, "alpha=none"),
    ],
)
def test_the_hub_is_told_what_a_client_may_call_at_each_service(
    scopes: Mapping[str, Scope] | None, accounts: Mapping[str, tuple[str, ...]], told: str
) -> None:
    assert hubs.scope_header(client(scopes, accounts), SERVICES) == told


def test_lists_of_tools_that_are_too_long_together_are_refused() -> None:
    services = [GatewayService(f"service-{number}", 9000 + number, "", 60) for number in range(9)]
    lists = {service.name: tuple(f"{'tool':x<99}{number}" for number in range(60)) for service in services}
    with pytest.raises(UnusableValue, match="phone"):
        rendered(hub(), services=services, clients=[client(lists)])
    assert rendered(None, services=services, clients=[client(lists)])
    assert rendered(hub(), services=services, clients=[client(dict(list(lists.items())[:3]))])


GROUPS = {
    "tools": GatewayGroup("pet", {"look": ("alpha", "alpha_read"), "keep": ("alpha", "alpha_write")}),
    "writes": GatewayGroup("pet", {"keep": ("alpha", "alpha_write")}),
    "prompts": GatewayGroup("pet", {}, ("beta",)),
}


@pytest.mark.parametrize(
    ("group", "content"),
    [
        ("tools", {"alpha": {"tools": "alpha_read\nalpha_write", "reads": False}}),
        ("writes", {"alpha": {"tools": "alpha_write", "reads": False}}),
        ("prompts", {"beta": {"tools": "", "reads": True}}),
    ],
)
def test_the_gateway_knows_what_a_group_has_of_each_service(group: str, content: Mapping[str, object]) -> None:
    described = hub(readable=frozenset({"beta"}), groups=(GROUPS[group],))
    assert hubs.group_content(GROUPS[group], described, SERVICES) == content


def test_without_a_hub_no_address_of_it_is_there() -> None:
    files = rendered(None)
    assert "location" not in files["hub_addresses.conf"]
    assert "server {" not in files["relay.conf"]
    assert "upstream" not in files["hub.conf"]
    assert json.loads(files["njs/topology.json"])["hub"] is None


def test_every_call_that_passes_through_is_checked_and_gets_all_headers() -> None:
    files = rendered(hub(groups=(GROUPS["tools"],), search=True))
    for name in ("hub_addresses.conf", "relay.conf"):
        locations = re.findall(r"location [^{]*\{[^{}]*proxy_pass[^{}]*\}", files[name])
        assert len(locations) >= 2 * len(SERVICES)
        assert all("include sessionless.conf;" in location for location in locations)
        assert not any("proxy_set_header" in location or "add_header" in location for location in locations)
    assert "include proxy.conf;" in files["sessionless.conf"]
    assert "proxy_set_header X-Dyber-Tool $told_tool;" in files["proxy.conf"]


def test_every_entrance_limits_its_callers() -> None:
    addresses = rendered(hub(groups=(GROUPS["tools"],), search=True))["hub_addresses.conf"]
    entrances = re.findall(r"location (?:=|\^~) [^{]*\{(?:[^{}]|\{[^{}]*\})*\}", addresses)
    reached = [entrance for entrance in entrances if "internal;" not in entrance]
    assert len(reached) == 4 * 5 + 1
    assert all("include caller_limits.conf;" in entrance for entrance in reached)
    # A call that its headers name leaves its entrance before the limits there apply.
    straight = [entrance for entrance in entrances if "/-/gateway/call/" in entrance and "internal;" in entrance]
    assert len(straight) == 2
    assert all("include caller_limits.conf;" in location for location in straight)


def test_the_configuration_has_the_hash_of_the_hubs_token_only() -> None:
    files = rendered(hub())
    assert HASH in files["hub.conf"]
    assert HASH in files["access.conf"]


def test_the_hub_may_wait_longer_than_every_service() -> None:
    addresses = rendered(hub())["hub_addresses.conf"]
    waits = {int(seconds) for seconds in re.findall(r"proxy_read_timeout (\d+)s;", addresses)}
    assert max(waits) > BETA.read_timeout_seconds


@pytest.mark.parametrize("name", ["", "Pet", "-pet", "a b", "x" * 33, "a/b", "/search"])
def test_an_unusable_name_of_a_group_is_refused(name: str) -> None:
    with pytest.raises(UnusableValue):
        GatewayGroup(name)


@pytest.mark.parametrize("tools", [{"a b": ("alpha", "alpha_read")}, {"look": ("alpha", "alpha read")}])
def test_an_unusable_name_of_a_tool_is_refused(tools: dict[str, tuple[str, str]]) -> None:
    with pytest.raises(UnusableValue):
        GatewayGroup("pet", tools)


def test_an_unusable_hash_is_refused_without_being_shown() -> None:
    with pytest.raises(UnusableValue) as caught:
        GatewayHub("5ecret")
    assert "5ecret" not in str(caught.value)


def test_no_client_can_have_the_name_in_which_the_hub_asks() -> None:
    assert hub().client == HUB_CLIENT
    with pytest.raises(UnusableValue):
        GatewayClient(HUB_CLIENT, (HASH,))
    with pytest.raises(ValidationError):
        TypeAdapter(ClientName).validate_python(HUB_CLIENT)


def test_many_names_get_a_hash_of_their_size() -> None:
    tools = {"alpha": tuple(f"alpha_tool_{number}" for number in range(5000))}
    size = re.search(r"map_hash_max_size (\d+);", rendered(hub(tools=tools))["nginx.conf"])
    assert size is not None
    assert int(size.group(1)) >= 4 * 5000


@pytest.mark.parametrize(("described", "address"), [(hub(), "/mcp"), (None, None)])
def test_the_gateways_document_has_the_address_for_all_tools(described: GatewayHub | None, address: str | None) -> None:
    information = json.loads(rendered(described)["njs/catalog.json"])["information"]
    assert information.get("mcp") == address


def test_a_tool_is_called_by_its_name_at_the_hub() -> None:
    described = hub(
        names={"alpha": {"alpha_read": "look"}}, groups=(GatewayGroup("pet", {"see": ("alpha", "alpha_read")}),)
    )
    known = routed(described)
    assert (known["|tools/call|look"], known["pet|tools/call|see"]) == (("alpha", "alpha_read"),) * 2
    assert "|tools/call|alpha_read" not in known
