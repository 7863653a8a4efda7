"""What every service promises about each of its tools, whatever the tools do: a new folder is tested without a change
here. The functions behind the tools are replaced, so that nothing is asked of any platform."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import yaml
from dyber_kit import ErrorCode, ServiceApp, ServiceError
from dyber_kit.contract import all_tools
from dyber_kit.errors import KINDS
from mcp import Client
from stand_in.running import SERVERS, free_port

PACKAGES = {spec.parent.name: yaml.safe_load(spec.read_text())["package"] for spec in SERVERS.glob("*/service.yaml")}

Rules = dict[str, Any]


@dataclass
class Service:
    """A service whose tools all end with `outcome`, and the arguments they got."""

    app: ServiceApp
    outcome: Exception
    received: list[dict[str, Any]] = field(default_factory=list)

    async def schemas(self) -> dict[str, Rules]:
        """Input schema by tool."""
        return {tool.name: tool.input_schema for tool in await self.app.mcp.list_tools()}

    async def end(self, **arguments: Any) -> None:
        """Stands in for the function of every tool."""
        self.received.append(arguments)
        raise self.outcome


@pytest.fixture(params=sorted(PACKAGES))
def service(request: pytest.FixtureRequest) -> Service:
    """Each service that has a folder."""
    app = importlib.import_module(f"{PACKAGES[request.param]}.service").build_app(all_tools(free_port()))
    stubbed = Service(app, ServiceError(ErrorCode.BUSY, "到达"))
    for tool in app.mcp._tool_manager.list_tools():
        tool.fn = stubbed.end
    return stubbed


def example(rules: Rules) -> Any:
    """A value within the bounds."""
    if "enum" in rules:
        return rules["enum"][0]
    if rules["type"] == "string":
        return "a" * max(1, rules.get("minLength", 1))
    return rules["minimum"] if rules["type"] in ("integer", "number") else True


def needed(schema: Rules) -> dict[str, Any]:
    """The smallest arguments the tool takes."""
    return {name: example(schema["properties"][name]) for name in schema.get("required", [])}


def inside(rules: Rules) -> Iterator[Any]:
    """The values on the bounds."""
    yield from rules.get("enum", [])
    yield from (rules[bound] for bound in ("minimum", "maximum") if bound in rules)
    yield from ("a" * rules[bound] for bound in ("minLength", "maxLength") if bound in rules and "pattern" not in rules)


def outside(rules: Rules) -> Iterator[Any]:
    """The values next to the bounds, and one of another type."""
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


def test_services_were_found():
    assert {"template", "xiaohongshu"} <= set(PACKAGES)


async def test_values_on_the_bounds_of_each_argument_are_accepted(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                for value in inside(rules):
                    result = await client.call_tool(tool, {**needed(schema), argument: value})
                    assert result.content[0].text.startswith("BUSY：到达"), (tool, argument, value)
                    assert service.received[-1][argument] == value, (tool, argument)


async def test_values_next_to_the_bounds_of_each_argument_are_refused_before_anything_is_done(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            for argument, rules in schema["properties"].items():
                for value in outside(rules):
                    result = await client.call_tool(tool, {**needed(schema), argument: value})
                    text = result.content[0].text
                    assert result.is_error, (tool, argument, value)
                    assert text.startswith("INVALID_ARGUMENT：") and argument in text, (tool, argument, value, text)
    assert service.received == []


async def test_an_argument_nobody_declared_is_refused_and_a_missing_one_is_named(service):
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            result = await client.call_tool(tool, {**needed(schema), "argumentNobodyDeclared": 1})
            assert result.is_error, tool
            assert "没有名为 argumentNobodyDeclared 的参数" in result.content[0].text, tool
            for name in schema.get("required", []):
                others = {key: value for key, value in needed(schema).items() if key != name}
                result = await client.call_tool(tool, others)
                assert result.is_error, tool
                assert f"缺少参数 {name}" in result.content[0].text, tool
    assert service.received == []


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_each_tool_tells_each_failure_by_code_cause_and_next_step(service, code):
    service.outcome = ServiceError(code)
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            result = await client.call_tool(tool, needed(schema))
            assert result.is_error, tool
            kind = KINDS[code]
            expected = f"{code}：{kind.message}。下一步：{kind.next_step}"
            assert [block.text.startswith(expected) for block in result.content] == [True], tool


async def test_a_crash_of_any_tool_tells_nothing_internal(service):
    service.outcome = RuntimeError("/srv/private: token=abc")
    async with Client(service.app.mcp) as client:
        for tool, schema in (await service.schemas()).items():
            result = await client.call_tool(tool, needed(schema))
            assert result.is_error, tool
            assert [block.text for block in result.content] == [ServiceError(ErrorCode.INTERNAL).text], tool


async def test_the_tools_are_listed_in_the_same_order_each_time_and_by_each_process(service):
    module = importlib.import_module(f"{PACKAGES[service.app.mcp.name]}.service")
    again = module.build_app(all_tools(free_port()))
    names = list(await service.schemas())
    async with Client(service.app.mcp) as client:
        for _ in range(2):
            assert [tool.name for tool in (await client.list_tools()).tools] == names
    assert [tool.name for tool in await again.mcp.list_tools()] == names
