"""Calls that go through the hub: to the right service, in the caller's name, unchanged in both directions."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2
import pytest

from tests.servers.hub.asking import (
    HUB,
    PET,
    WAYS,
    answer_in,
    asking,
    headers_of,
    message,
    modern_headers,
    post,
)
from tests.servers.hub.conftest import Hub
from tests.stand_in.header_attacks import META, MODERN
from tests.stand_in.hub import services as hub_services

STREAM = "application/json, text/event-stream"
LARGE = 2**53 + 1
SCOPES = [
    "all",
    "alpha=all beta=all gamma=all",
    "alpha=read",
    "alpha=read beta=tools:beta_clear",
    "alpha=tools:alpha_echo,alpha_write gamma=all",
    "beta=tools:BETA_ECHO",
    "gamma=tools:alpha_echo",
]
ARGUMENTS: dict[str, dict[str, Any]] = {
    "alpha_echo": {"text": "a"},
    "alpha_number": {"number": 1},
    "alpha_write": {"text": "a"},
    "alpha_wait": {"name": "a"},
    "alpha_ask": {},
    "beta_echo": {"text": "a"},
    "beta_clear": {},
    "gamma_echo": {"text": "a"},
    "say": {"text": "a"},
    "keep": {"text": "a"},
    "no_such_tool": {},
}


async def call(
    base: str, name: str, scope: str = "all", *, modern: bool = True, path: str = HUB, **arguments: Any
) -> Any:
    sent = message("tools/call", modern=modern, name=name, arguments=arguments)
    return await post(base, sent, modern=modern, path=path, headers=headers_of(scope))


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_a_call_goes_to_its_service_in_the_name_of_the_caller(hub, gateway, era, accept):
    async with asking(hub.base, era, accept, "alpha=read beta=tools:beta_echo") as ask:
        answer = await ask("tools/call", 7, name="beta_echo", arguments={"text": "a"})
    assert answer["id"] == 7
    assert answer["result"]["structuredContent"] == {"text": "beta a"}
    (passed,) = gateway.calls()
    assert (passed.service, passed.headers["x-dyber-client"]) == ("beta", "phone")
    assert passed.headers["x-dyber-scope"] == "tools:beta_echo"
    assert "x-dyber-tool" not in passed.headers


@pytest.mark.parametrize("path", [HUB, PET])
@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_21_a_tool_is_listed_if_and_only_if_it_can_be_called(hub, gateway, era, accept, path):
    for scope in SCOPES:
        if path == PET and scope.startswith(("beta=tools:BETA", "gamma")):
            continue  # The group does not exist for this caller.
        gateway.passed.clear()
        async with asking(hub.base, era, accept, scope, path) as ask:
            listed = {tool["name"] for tool in (await ask("tools/list"))["result"]["tools"]}
            called = set()
            for number, (name, arguments) in enumerate(ARGUMENTS.items(), 2):
                answer = await ask("tools/call", number, name=name, arguments=arguments)
                called |= set() if answer.get("error", {}).get("code") == -32602 else {name}
        assert called == listed, scope
        assert {passed.message["params"]["name"] for passed in gateway.calls()} == listed


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_20_unknown_and_denied_tools_and_those_of_other_groups_are_answered_alike(hub, gateway, era, accept):
    texts = set()
    # The names resemble the names that the caller may use equally much: gamma_echo is denied, and gammu_echo is nothing.
    for path, name in ((HUB, "gammu_echo"), (HUB, "gamma_echo"), (PET, "gammu_echo"), (PET, "gamma_echo")):
        async with asking(hub.base, era, accept, "alpha=tools:alpha_number beta=tools:beta_echo", path) as ask:
            answer = await ask("tools/call", name=name, arguments={})
            assert answer["error"]["code"] == -32602
            texts.add(json.dumps(answer).replace(name, "NAME"))
    assert len(texts) == 1
    assert gateway.calls() == []


@pytest.mark.parametrize(("era", "accept"), WAYS)
@pytest.mark.parametrize(
    ("path", "scope", "name", "named"),
    [
        (HUB, "all", "alpha_ech", ["alpha_echo"]),
        (HUB, "all", "ALPHA_ECHO", ["alpha_echo"]),
        (HUB, "alpha=tools:alpha_wait", "alpha_write", ["alpha_wait"]),
        (HUB, "gamma=all", "alpha_write", []),
        (HUB, "all", "x", []),
        (PET, "all", "alpha_echo", ["say"]),
        (PET, "all", "alpha_writ", ["keep"]),
        (PET, "beta=all", "alpha_write", []),
    ],
)
async def test_the_answer_to_an_unknown_name_has_the_nearest_ones(hub, gateway, era, accept, path, scope, name, named):
    async with asking(hub.base, era, accept, scope, path) as ask:
        error = (await ask("tools/call", name=name, arguments={}))["error"]
        listed = {tool["name"] for tool in (await ask("tools/list", 2))["result"]["tools"]}
    problem, _, next_step = error["message"].partition("；")
    assert (error["code"], problem) == (-32602, f"没有名为 {name} 的工具")
    suggested = next_step.removeprefix("最接近的是 ").split("、") if named else []
    assert suggested[: len(named)] == named and set(suggested) <= listed and len(suggested) <= 3
    assert named or next_step == "请用工具清单里的名字"
    assert gateway.calls() == []


async def test_an_unknown_prompt_is_answered_with_the_nearest(hub):
    sent = message("prompts/get", name="alpha_greeting")
    for scope, named in (("all", "；最接近的是 alpha_greet"), ("beta=all", "")):
        error = answer_in(await post(hub.base, sent, headers=headers_of(scope)))["error"]
        assert error["message"] == f"没有名为 alpha_greeting 的提示词{named}"


async def test_an_unknown_tool_has_the_status_of_its_era(hub):
    assert (await call(hub.base, "no_such_tool")).status_code == 400
    assert (await call(hub.base, "no_such_tool", modern=False)).status_code == 200


@pytest.mark.parametrize("modern", [True, False])
async def test_case_16_a_large_call_keeps_its_content_and_its_numbers(hub, modern):
    text = "汉" * 330_000
    echoed = answer_in(await call(hub.base, "gamma_echo", modern=modern, text=text))
    assert echoed["result"]["content"][0]["text"] == text
    for number in (LARGE, 10**30, -LARGE):
        response = await call(hub.base, "alpha_number", modern=modern, number=number)
        assert answer_in(response)["result"]["structuredContent"] == {"number": number, "text": str(number)}


@pytest.mark.parametrize("modern", [True, False])
async def test_an_answer_is_the_same_as_that_of_the_service(hub, services, modern):
    sent = message("tools/call", modern=modern, name="gamma_echo", arguments={"text": "a"})
    through = answer_in(await post(hub.base, sent, modern=modern, headers=headers_of("all")))
    direct = answer_in(await post(services["gamma"], sent, modern=modern, headers=headers_of("all")))
    assert through == direct
    assert through["result"]["_meta"]["test/extra"] == {"kept": [1, None]}


async def test_case_17_a_header_that_names_another_tool_than_the_body_is_refused(hub, gateway):
    sent = message("tools/call", name="alpha_echo", arguments={"text": "a"})
    response = await post(hub.base, sent, headers={"Mcp-Name": "alpha_write"})
    assert (response.status_code, answer_in(response)["error"]["code"]) == (400, -32020)
    assert gateway.calls() == []


async def test_case_18_names_in_headers_may_be_encoded_and_must_be_there_once_in_the_right_case(hub, gateway):
    sent = message("tools/call", name="gamma_echo", arguments={"text": "a"})
    coded = base64.b64encode(b"gamma_echo").decode()
    response = await post(hub.base, sent, headers={"Mcp-Name": f"=?base64?{coded}?="})
    assert answer_in(response)["result"]["content"][0]["text"] == "a"
    headers = [*modern_headers(sent).items(), ("Mcp-Name", "gamma_echo"), ("accept", "application/json")]
    async with httpx2.AsyncClient(verify=False) as http:
        twice = await http.post(f"{hub.base}/mcp", json=sent, headers=headers)
    assert (twice.status_code, twice.json()["error"]["code"]) == (400, -32020)
    other_case = await call(hub.base, "Gamma_echo", text="a")
    assert (other_case.status_code, answer_in(other_case)["error"]["code"]) == (400, -32602)


async def test_case_19_a_modern_call_without_its_method_in_a_header_is_refused(hub, gateway):
    sent = message("tools/call", name="alpha_echo", arguments={"text": "a"})
    headers = {"MCP-Protocol-Version": MODERN, "Mcp-Name": "alpha_echo"}
    response = await post(hub.base, sent, modern=False, headers=headers)
    assert (response.status_code, answer_in(response)["error"]["code"]) == (400, -32020)
    assert gateway.calls() == []


async def test_headers_that_repeat_arguments_reach_the_service_which_checks_them(hub):
    sent = message("tools/call", name="alpha_echo", arguments={"text": "a", "region": "south"})
    good = await post(hub.base, sent, headers={"Mcp-Param-Region": "south"})
    assert answer_in(good)["result"]["structuredContent"] == {"text": "asouth"}
    bad = await post(hub.base, sent, headers={"Mcp-Param-Region": "north"})
    assert (bad.status_code, answer_in(bad)["error"]["code"]) == (400, -32020)


@pytest.mark.parametrize("modern", [True, False])
async def test_headers_with_bytes_beyond_ascii_are_passed_on_as_they_came(hub, gateway, modern):
    sent = message("tools/call", modern=modern, name="gamma_echo", arguments={"text": "a"})
    era = modern_headers(sent) if modern else {}
    odd = {b"accept-language": "中文".encode(), b"x-dyber-text": b"\xff", b"mcp-param-odd": "区".encode()}
    headers = [*((key.encode(), value.encode()) for key, value in era.items()), *odd.items()]
    async with httpx2.AsyncClient(verify=False) as http:
        response = await http.post(f"{hub.base}/mcp", json=sent, headers=[*headers, (b"accept", b"application/json")])
    assert answer_in(response)["result"]["content"][0]["text"] == "a"
    (passed,) = gateway.calls()
    for name, value in odd.items():
        assert passed.headers[name.decode()].encode("latin-1") == value


async def test_case_26_batches_are_refused_and_nothing_of_them_runs(hub, gateway):
    batch = [message("tools/call", 1, modern=False, name="alpha_write", arguments={"text": "a"}) for _ in range(2)]
    response = await post(hub.base, batch, modern=False)
    assert (response.status_code, answer_in(response)["error"]["code"]) == (400, -32600)
    assert hub_services.written == []


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_39_a_renamed_tool_is_listed_and_called_by_its_name_in_the_group(hub, gateway, era, accept):
    async with asking(hub.base, era, accept, "alpha=tools:alpha_echo,alpha_write", PET) as ask:
        tools = {tool["name"]: tool for tool in (await ask("tools/list"))["result"]["tools"]}
        said = await ask("tools/call", 2, name="say", arguments={"text": "a"})
        kept = await ask("tools/call", 3, name="keep", arguments={"text": "a"})
        refused = await ask("tools/call", 4, name="alpha_write", arguments={"text": "b"})
    assert list(tools) == ["say", "keep"]
    assert (tools["say"]["title"], tools["say"]["description"]) == ("说", "Return the text. keep stores it.")
    assert tools["say"]["annotations"]["openWorldHint"] is True
    assert tools["say"]["annotations"]["readOnlyHint"] is True
    assert tools["keep"]["description"] == "Keep it."
    assert said["result"]["structuredContent"] == {"text": "a"}
    assert "error" not in kept
    assert refused["error"]["code"] == -32602
    assert hub_services.written == ["a"]
    assert [passed.headers["x-dyber-tool"] for passed in gateway.calls()] == ["alpha_echo", "alpha_write"]


async def test_calls_are_counted_by_canonical_names(hub):
    await call(hub.base, "say", path=PET, text="a")
    await call(hub.base, "no_such_tool")
    async with httpx2.AsyncClient(verify=False) as http:
        text = (await http.get(f"{hub.base}/metrics")).text
    assert 'mcp_tool_calls_total{outcome="ok",service="hub",tool="alpha_echo"}' in text
    assert 'tool="say"' not in text
    assert "no_such_tool" not in text


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_prompts_resources_and_suggestions_come_from_their_service(hub, era, accept):
    for path in (HUB, PET):
        async with asking(hub.base, era, accept, "alpha=read", path) as ask:
            prompt = await ask("prompts/get", 2, name="alpha_greet", arguments={"name": "Ada"})
            about = await ask("resources/read", 3, uri="alpha://about")
            item = await ask("resources/read", 4, uri="alpha://items/7")
            reference = {"type": "ref/prompt", "name": "alpha_greet"}
            names = await ask("completion/complete", 5, ref=reference, argument={"name": "name", "value": "A"})
        assert prompt["result"]["messages"][0]["content"]["text"] == "Hello Ada"
        assert about["result"]["contents"][0]["text"] == "alpha itself"
        assert item["result"]["contents"][0]["text"] == "item 7"
        assert names["result"]["completion"]["values"] == ["Ada", "Alan"]


@pytest.mark.parametrize(("era", "accept"), WAYS)
async def test_case_42_unknown_and_denied_prompts_and_resources_do_not_exist(hub, gateway, era, accept):
    for scope, uri, prompt in (
        ("all", "other://about", "other"),
        ("alpha=tools:alpha_echo", "alpha://about", "alpha_greet"),
    ):
        async with asking(hub.base, era, accept, scope) as ask:
            read = await ask("resources/read", 2, uri=uri)
            got = await ask("prompts/get", 3, name=prompt)
            reference = {"type": "ref/prompt", "name": prompt}
            completed = await ask("completion/complete", 4, ref=reference, argument={"name": "name", "value": ""})
        assert read["error"]["code"] == (-32602 if era == "modern" else -32002)
        assert read["error"]["data"] == {"uri": uri}
        assert (got["error"]["code"], completed["error"]["code"]) == (-32602, -32602)
    assert [passed.message["method"] for passed in gateway.passed if passed.headers["x-dyber-client"] == "phone"] == []


async def test_a_call_without_a_name_is_refused(hub):
    for params in ({}, {"name": 7}, {"name": None, "arguments": {}}):
        response = await post(hub.base, message("tools/call", modern=False, **params), modern=False)
        assert answer_in(response)["error"]["code"] == -32602


async def test_unusual_arguments_reach_the_service_which_reads_them(hub):
    sent = message("tools/call", modern=False, name="alpha_echo", arguments='{"text": "a"}')
    answer = answer_in(await post(hub.base, sent, modern=False, headers=headers_of("all")))
    assert answer["result"]["structuredContent"] == {"text": "a"}


async def test_the_ids_of_a_request_reach_the_service(hub, gateway):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = headers_of("all", **{"X-Request-Id": "request-1", "traceparent": trace, "Accept-Language": "en"})
    sent = message("tools/call", name="gamma_echo", arguments={"text": "a"})
    await post(hub.base, sent, headers=headers)
    (passed,) = gateway.calls()
    assert (passed.headers["x-request-id"], passed.headers["accept-language"]) == ("request-1", "en")
    assert passed.headers["traceparent"].split("-")[1] == trace.split("-")[1]
    assert (passed.message["id"], META.keys() - passed.message["params"]["_meta"].keys()) != (1, set())


def test_the_token_is_not_shown(hub: Hub):
    assert "token-of-the-hub" not in repr(hub.app)
