"""Tests of the rules that every tool of every service follows; a new service is tested without a change here.

The functions of the tools are replaced, so that no platform is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from dyber_kit import ErrorCode, ServiceApp, ServiceError
from dyber_kit.contract import all_tools
from dyber_kit.errors import KINDS
from mcp import Client
from mcp.server.mcpserver import Context
from mcp.types import CallToolResult
from pydantic import BaseModel
from pydantic_core import to_json

from tests.stand_in.running import free_port
from tests.stand_in.services import PACKAGES, Rules, answer_of, build, minimal_arguments, tools_of


@dataclass
class Service:
    """Holds a service whose tools all end with `outcome`, an error or an answer, and the arguments they received."""

    app: ServiceApp
    outcome: Exception | BaseModel
    received: list[dict[str, Any]] = field(default_factory=list)

    async def schemas(self) -> dict[str, Rules]:
        """Return the input schemas by tool."""
        return {tool.name: tool.input_schema for tool in await self.app.mcp.list_tools()}

    async def end(self, **arguments: Any) -> BaseModel:
        """Replace the function of every tool: record the arguments and end with `outcome`."""
        self.received.append({name: value for name, value in arguments.items() if not isinstance(value, Context)})
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture(scope="module", params=sorted(PACKAGES))
def app(request: pytest.FixtureRequest) -> ServiceApp:
    """Return each service."""
    return build(PACKAGES[request.param], all_tools(free_port()))


@pytest.fixture
def service(app: ServiceApp) -> Service:
    """Return each service with replaced tools."""
    stubbed = Service(app, ServiceError(ErrorCode.BUSY, "到达"))
    for tool in tools_of(app):
        tool.fn = stubbed.end
    return stubbed


def oversized(answer: BaseModel, chars: int) -> Iterator[tuple[str, BaseModel]]:
    """Yield copies of the answer in which one text or list is longer than `chars` characters, with its name."""
    for name, value in answer:
        field_info = type(answer).model_fields[name]
        if isinstance(value, list) and value:
            # A warning can be a text that is translated when it is written, so its length is that of the written text.
            written = answer.model_dump(mode="json")[name]
            yield name, answer.model_copy(update={name: value * (2 * chars // len(to_json(written)) + 1)})
        elif isinstance(value, str) and field_info.annotation in (str, str | None):
            yield name, answer.model_copy(update={name: "长" * chars})


def values_on_bounds(rules: Rules) -> Iterator[Any]:
    """Yield the values on the bounds of an argument."""
    yield from rules.get("enum", [])
    yield from (rules[bound] for bound in ("minimum", "maximum") if bound in rules)
    yield from ("a" * rules[bound] for bound in ("minLength", "maxLength") if bound in rules and "pattern" not in rules)


def values_beyond_bounds(rules: Rules) -> Iterator[Any]:
    """Yield the values next to the bounds of an argument, and a value of another type."""
    if "enum" in rules:
        yield "none-of-these"
    if "minimum" in rules:
        yield rules["minimum"] - 1
    if "maximum" in rules:
        yield rules["maximum"] + 1
    if rules.get("minLength"):
        yield "a" * (rules["minLength"] - 1)
    if "maxLength" in rules:
        yield "a" * (rules["maxLength"] + 1)
    yield ["neither text nor number"]


def test_the_template_and_xiaohongshu_services_are_discovered():
    assert {"template", "xiaohongshu"} <= set(PACKAGES)


async def test_values_on_the_bounds_of_each_argument_are_accepted(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                for value in values_on_bounds(rules):
                    result = await client.call_tool(tool, {**minimal_arguments(schema), argument: value})
                    assert result.content[0].text.startswith("BUSY：到达"), (tool, argument, value)
                    assert service.received[-1][argument] == value, (tool, argument)


async def test_values_next_to_the_bounds_of_each_argument_are_refused_before_anything_is_done(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                for value in values_beyond_bounds(rules):
                    result = await client.call_tool(tool, {**minimal_arguments(schema), argument: value})
                    text = result.content[0].text
                    assert result.is_error, (tool, argument, value)
                    assert text.startswith("INVALID_ARGUMENT：") and argument in text, (tool, argument, value, text)
    assert service.received == []


async def test_undeclared_arguments_are_ignored_and_a_missing_argument_is_named(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            added = {"toolCallId": "call_1", "sessionId": "s", "chatInput": "x", "undeclaredArgument": 1}
            await client.call_tool(tool, {**minimal_arguments(schema), **added})
            received = service.received.pop()
            assert not added.keys() & received.keys(), tool
            for name in schema.get("required", []):
                others = {key: value for key, value in minimal_arguments(schema).items() if key != name}
                result = await client.call_tool(tool, others)
                assert result.is_error, tool
                assert f"缺少参数 {name}" in result.content[0].text, tool
    assert service.received == []


async def test_null_and_texts_that_mean_null_set_the_default_of_each_optional_argument(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            await client.call_tool(tool, minimal_arguments(schema))
            defaults = service.received[-1]
            optional = [name for name in schema["properties"] if name not in schema.get("required", [])]
            await client.call_tool(tool, {**minimal_arguments(schema), **dict.fromkeys(optional)})
            assert service.received[-1] == defaults, tool
            for argument in optional:
                for unset in ("null", ""):
                    await client.call_tool(tool, {**minimal_arguments(schema), argument: unset})
                    assert service.received[-1] == defaults, (tool, argument, unset)


def says_what_fits(text, rules):
    """Return whether a refusal has an example, or says what the argument is for when no value can be named."""
    return "，例如 " in text or f"：{' '.join(rules['description'].split())[:100].rstrip('。.')}" in text


async def test_the_error_for_null_in_a_required_argument_says_what_fits(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for name in schema.get("required", []):
                result = await client.call_tool(tool, {**minimal_arguments(schema), name: None})
                assert f"缺少参数 {name}（给的是 null）：应为" in result.content[0].text, (tool, name)
                assert says_what_fits(result.content[0].text, schema["properties"][name]), (tool, name)


async def test_numbers_and_switches_are_read_from_text_and_a_switch_is_refused_as_a_number(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                if rules["type"] == "integer":
                    low = rules["minimum"]
                    for given in (str(low), f" {low} ", f"{low}.0", float(low)):
                        await client.call_tool(tool, {**minimal_arguments(schema), argument: given})
                        assert service.received[-1][argument] == low, (tool, argument, given)
                    result = await client.call_tool(tool, {**minimal_arguments(schema), argument: True})
                    assert f"{argument}：应为 " in result.content[0].text, (tool, argument)
                if rules["type"] == "boolean":
                    for given, expected in (("true", True), ("False", False), ("yes", True)):
                        await client.call_tool(tool, {**minimal_arguments(schema), argument: given})
                        assert service.received[-1][argument] is expected, (tool, argument, given)


async def test_a_refusal_says_what_fits_in_chinese_and_does_not_repeat_the_value(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                given = {**minimal_arguments(schema), argument: {"secret": "hunter2"}}
                text = (await client.call_tool(tool, given)).content[0].text
                assert f"{argument}：应为" in text and says_what_fits(text, rules), (tool, argument, text)
                assert "hunter2" not in text and "nput should" not in text, (tool, argument, text)


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_each_tool_reports_each_failure_with_code_cause_and_next_step(service, code):
    service.outcome = ServiceError(code)
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            result = await client.call_tool(tool, minimal_arguments(schema))
            assert result.is_error, tool
            kind = KINDS[code]
            expected = f"{code}：{kind.message}。下一步：{kind.next_step}"
            assert [block.text.startswith(expected) for block in result.content] == [True], tool


async def test_each_failure_has_data_for_programs(service):
    service.outcome = ServiceError(ErrorCode.CAPTCHA_REQUIRED, retry_after=899.5)
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            result = await client.call_tool(tool, minimal_arguments(schema))
            details = result.meta["dyber/error"]
            assert (details["code"], details["retry_after_seconds"]) == ("CAPTCHA_REQUIRED", 900), tool
            assert "15 分钟后再试，到 " in result.content[0].text, tool


async def test_a_crash_of_a_tool_shows_only_an_id_that_is_also_in_the_log(service, caplog):
    service.outcome = RuntimeError("/srv/private: token=abc")
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            caplog.clear()
            result = await client.call_tool(tool, minimal_arguments(schema))
            assert result.is_error, tool
            [crash] = [record for record in caplog.records if record.message == "call crashed"]
            texts = [block.text for block in result.content]
            assert texts[0].startswith(f"INTERNAL：服务内部错误（编号 {crash.error_id}）"), tool
            assert len(texts) == 1 and "private" not in texts[0], tool


async def test_the_tools_are_listed_in_the_same_order_each_time_and_by_each_process(service):
    second_app = build(PACKAGES[service.app.mcp.name], all_tools(free_port()))
    names = list(await service.schemas())
    async with Client(service.app.mcp) as client:
        for _ in range(2):
            assert [tool.name for tool in (await client.list_tools()).tools] == names
    assert [tool.name for tool in await second_app.mcp.list_tools()] == names


async def test_an_answer_over_the_limit_is_truncated_or_refused_with_the_argument_to_reduce(service):
    limit = service.app.settings.max_answer_chars
    async with Client(service.app.mcp) as client:
        for tool in tools_of(service.app):
            small = answer_of(tool)
            can_be_truncated = "truncated" in type(small).model_fields
            if "next_cursor" in type(small).model_fields:
                small = small.model_copy(update={"next_cursor": None})
            if can_be_truncated:
                small = small.model_copy(update={"truncated": False})
            for field_name, service.outcome in oversized(small, limit):
                result = await client.call_tool(tool.name, minimal_arguments(tool.parameters))
                text = result.content[0].text
                if can_be_truncated:
                    assert not result.is_error, (tool.name, field_name, text)
                    assert len(text) <= limit, (tool.name, field_name)
                    assert result.structured_content["truncated"] is True, (tool.name, field_name)
                else:
                    assert result.is_error, (tool.name, field_name)
                    assert text.startswith("INVALID_ARGUMENT：结果有"), (tool.name, field_name, text)
                    assert f"超过上限 {limit}" in text, (tool.name, field_name, text)
                    assert len(text) < 500, (tool.name, field_name)


async def test_an_answer_that_a_tool_assembles_itself_has_the_same_limit(service):
    limit = service.app.settings.max_answer_chars
    async with Client(service.app.mcp) as client:
        for tool in tools_of(service.app):
            for field_name, answer in oversized(answer_of(tool), limit):
                service.outcome = CallToolResult(content=[], structured_content=answer.model_dump(mode="json"))
                result = await client.call_tool(tool.name, minimal_arguments(tool.parameters))
                assert result.is_error, (tool.name, field_name)
                assert f"超过上限 {limit}" in result.content[0].text, (tool.name, field_name)
