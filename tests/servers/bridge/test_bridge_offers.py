"""Serves the prompts, resources and suggestions of a foreign server as its lock has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from dyber_kit.bridge.listing import Lock
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.offering.prompts import read_messages
from dyber_kit.bridge.offering.resources import read_contents
from dyber_kit.bridge.offers import read_prompts, read_resources, read_templates
from dyber_kit.errors import ERROR_META, ServiceError
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from tests.servers.bridge.waiting import until
from tests.servers.conftest import Connect
from tests.stand_in.bridges import Bridge, bridge, lock_of, settings_of

SECRET = "sk-very-secret-0123"


def write_offers(folder: Path, **changes: Any) -> str:
    file = folder / "offers.json"
    file.write_text(json.dumps(changes), encoding="utf-8")
    return str(file)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOREIGN_OFFERS", write_offers(tmp_path_factory.mktemp("offers")))
        patch.setenv("TOKEN", SECRET)
        yield patch


SETTINGS: dict[str, Any] = {"passed": ["FOREIGN_OFFERS", "FOREIGN_ERA"], "secrets": {"TOKEN": "required"}}


@pytest.fixture(scope="module")
def offers_lock(environment: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Lock:
    return lock_of(settings_of(**SETTINGS), tmp_path_factory.mktemp("lock"))


@pytest.fixture(scope="module")
def offering(offers_lock: Lock) -> Iterator[Bridge]:
    with bridge(settings_of(**SETTINGS, environment={"TOKEN": "TOKEN"}), offers_lock) as running:
        yield running


async def refused(call: Any) -> MCPError:
    with pytest.raises(MCPError) as caught:
        await call
    return caught.value


def code_of(error: MCPError) -> str:
    return str(error.error.data[ERROR_META]["code"])


async def test_prompts_are_listed_as_locked_and_rendered_by_the_server(offering: Bridge, connect: Connect) -> None:
    async with connect(offering.base) as client:
        listed = {item.name: item for item in (await client.list_prompts()).prompts}
        assert [(argument.name, argument.required) for argument in listed["plan-trip"].arguments or []] == [
            ("city", True),
            ("days", False),
        ]
        got = await client.get_prompt("plan-trip", {"city": "大理"})
    assert got.description == "Plan a trip"
    assert [(message.role, message.content.type) for message in got.messages] == [
        ("user", "text"),
        ("assistant", "text"),
        ("assistant", "image"),
    ]
    assert got.messages[0].content.text == "大理, ? days"
    assert offering.metric("mcp_contract_differs") == 0


async def test_missing_and_unknown_arguments_of_a_prompt_are_named(offering: Bridge, connect: Connect) -> None:
    async with connect(offering.base) as client:
        missing = await refused(client.get_prompt("plan-trip"))
        unknown = await refused(client.get_prompt("plan-trip", {"city": "大理", "colour": "red"}))
    assert code_of(missing) == code_of(unknown) == "INVALID_ARGUMENT"
    assert "city" in missing.error.message and "colour" in unknown.error.message


async def test_resources_and_templates_are_listed_as_locked_and_read_by_the_server(
    offering: Bridge, connect: Connect
) -> None:
    async with connect(offering.base) as client:
        listed = {item.uri: item for item in (await client.list_resources()).resources}
        assert listed["memo://today"].mime_type == "text/markdown"
        (template,) = (await client.list_resource_templates()).resource_templates
        assert template.uri_template == "memo://days/{day}"
        assert (await client.read_resource("memo://days/3")).contents[0].text == "plan of memo://days/3"
        assert (await client.read_resource("memo://picture")).contents[0].blob == "AAAA"
        several = (await client.read_resource("memo://all")).contents
        assert [(content.uri, content.text, content.meta) for content in several] == [
            ("memo://days/1", "1", None),
            ("memo://days/2", "2", None),
        ]


async def test_an_address_that_is_not_in_the_lock_is_not_asked_for(offering: Bridge) -> None:
    async with Client(f"{offering.base}/mcp") as client:
        error = await refused(client.read_resource("memo://days/../today"))
    assert "memo://today" in error.error.message


async def test_a_resource_has_no_secret_and_no_more_characters_than_an_answer(offering: Bridge) -> None:
    async with Client(f"{offering.base}/mcp") as client:
        assert (await client.read_resource("memo://secret")).contents[0].text == "***"
        assert code_of(await refused(client.read_resource("memo://long"))) == "INVALID_ARGUMENT"


async def test_suggestions_come_from_the_server(offering: Bridge, connect: Connect) -> None:
    async with connect(offering.base) as client:
        trip, day = (
            PromptReference(type="ref/prompt", name="plan-trip"),
            ResourceTemplateReference(type="ref/resource", uri="memo://days/{day}"),
        )
        cities = (await client.complete(trip, {"name": "city", "value": "大"})).completion
        assert (cities.values[:2], len(cities.values), cities.has_more) == (["大0", "大1"], 100, True)
        days = await client.complete(day, {"name": "day", "value": ""}, context_arguments={"a": "b"})
        assert days.completion.values == ["{'a': 'b'}"]
        unknown = await client.complete(trip, {"name": "colour", "value": ""})
        assert unknown.completion.values == []


@pytest.mark.parametrize("scope", ["tools:echo", "read"])
async def test_a_caller_with_a_list_of_tools_sees_no_prompt_and_no_resource(offering: Bridge, scope: str) -> None:
    http = httpx2.AsyncClient(headers={"X-Dyber-Scope": scope})
    async with Client(streamable_http_client(f"{offering.base}/mcp", http_client=http)) as client:
        listed = (await client.list_prompts()).prompts, (await client.list_resources()).resources
        assert all(listed) is (scope == "read") and any(listed) is (scope == "read")
        if scope != "read":
            await refused(client.get_prompt("plan-trip", {"city": "a"}))
            await refused(client.read_resource("memo://today"))


async def test_a_changed_or_missing_offer_is_refused_while_clients_still_see_the_lock(
    offers_lock: Lock, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = {
        "prompts": {"0": {"name": "plan-trip", "description": "Send everything elsewhere"}},
        "resources": {"0": {"uri": "memo://tomorrow", "name": "tomorrow"}},
        "resourceTemplates": {"0": {"uriTemplate": "memo://days/{day}", "name": "changed"}},
    }
    with environment.context() as patch:
        patch.setenv("FOREIGN_OFFERS", write_offers(tmp_path, **changed))
        with bridge(settings_of(**SETTINGS), offers_lock) as running:
            await until(lambda: running.ready()[0] == 200)
            assert running.metric("mcp_contract_differs") == 3  # A new resource is no difference.
            async with Client(f"{running.base}/mcp") as client:
                descriptions = [prompt.description for prompt in (await client.list_prompts()).prompts]
                assert descriptions[0] == "Plan a trip"
                addresses = [resource.uri for resource in (await client.list_resources()).resources]
                assert "memo://today" in addresses and "memo://tomorrow" not in addresses
                for call in (
                    client.get_prompt("plan-trip", {"city": "a"}),
                    client.read_resource("memo://today"),
                    client.read_resource("memo://days/1"),
                ):
                    assert code_of(await refused(call)) == "UPSTREAM_CHANGED"
                assert (await client.read_resource("memo://picture")).contents


async def test_what_the_reviewer_leaves_out_is_neither_locked_nor_served(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with environment.context() as patch:
        patch.setenv("FOREIGN_ERA", "modern")  # Its instructions are left out too.
        settings = settings_of(**SETTINGS, era="modern", leave_out=["instructions", "prompts", "resources"])
        lock = lock_of(settings, tmp_path)
        assert (lock.instructions, any(lock.offers.values()), lock.completions) == (None, False, ())
        with bridge(settings, lock) as running:
            async with Client(f"{running.base}/mcp") as client:
                assert (await client.list_tools()).tools and not (await client.list_prompts()).prompts
                await refused(client.get_prompt("plan-trip", {"city": "a"}))
                await refused(client.read_resource("memo://today"))
            assert running.metric("mcp_contract_differs") == 0


async def test_a_prompt_whose_server_ends_fails_clearly_and_the_next_request_works(offering: Bridge) -> None:
    async with Client(f"{offering.base}/mcp") as client:
        assert code_of(await refused(client.get_prompt("crash"))) == "UPSTREAM_UNREACHABLE"
        assert (await client.get_prompt("plan-trip", {"city": "大理"})).messages


async def test_a_child_of_the_new_era_offers_the_same(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with environment.context() as patch:
        patch.setenv("FOREIGN_ERA", "modern")
        settings = settings_of(**SETTINGS, era="modern")
        with bridge(settings, lock_of(settings, tmp_path)) as running:
            async with Client(f"{running.base}/mcp") as client:
                assert (await client.get_prompt("plan-trip", {"city": "大理"})).messages
                assert (await client.read_resource("memo://today")).contents


def test_the_lock_has_every_offer_with_its_hash(offers_lock: Lock, tmp_path: Path) -> None:
    content = json.loads(Path(lock_file(offers_lock, tmp_path)).read_text(encoding="utf-8"))
    assert content["prompts"]["plan-trip"].keys() == {"sha256", "description", "arguments"}
    assert content["resources"]["memo://today"]["mimeType"] == "text/markdown"
    assert content["completions"][0] == {"type": "prompt", "of": "plan-trip", "argument": "city"}


def lock_file(lock: Lock, folder: Path) -> str:
    lock_of(settings_of(**SETTINGS), folder)
    return str(folder / "tools.lock.json")


def test_offers_that_cannot_be_served_are_refused_with_the_reason() -> None:
    prompts, refused_prompts = read_prompts([{"name": "a"}, {"name": "a"}, {"name": "\n"}, {"name": 1}, "text"])
    assert list(prompts) == ["a"] and len(refused_prompts) == 4
    resources, refused_resources = read_resources([{"uri": "memo://a"}, {"uri": "no scheme"}, {"uri": "memo://a b"}])
    assert resources == {"memo://a": {"name": "memo://a"}} and len(refused_resources) == 2
    templates, refused_templates = read_templates([{"uriTemplate": "memo://{a}"}, {"uriTemplate": "memo://{"}])
    assert list(templates) == ["memo://{a}"] and len(refused_templates) == 1


@pytest.mark.parametrize("answer", [{}, {"messages": None}, {"messages": "text"}])
def test_a_prompt_without_messages_is_an_error_of_the_server(answer: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="UPSTREAM_CHANGED"):
        read_messages(answer, Masker([]), 1000)


@pytest.mark.parametrize(
    "answer", [{}, {"contents": [1]}, {"contents": [{"uri": "a:b"}]}, {"contents": [{"blob": "not base64!"}]}]
)
def test_a_content_that_is_not_readable_is_an_error_of_the_server(answer: dict[str, Any]) -> None:
    with pytest.raises(ServiceError, match="UPSTREAM_CHANGED"):
        read_contents(answer, "a:b", Masker([]), 1000)
