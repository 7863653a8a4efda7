"""Builds every service with the functions of its tools replaced, so that no platform is called.

`python -m tests.stand_in.services PACKAGE` serves such a service, on HOST and PORT like any other.
`python -m tests.stand_in.services PACKAGE CALLS` calls its tools in turn and prints the memory of the process, in MiB,
after each quarter of the calls.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import yaml
from dyber_kit import ServiceApp, Settings, run
from mcp import Client
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult
from polyfactory.factories.pydantic_factory import ModelFactory
from pydantic import BaseModel

from tests.stand_in.running import SERVERS

SPECS: dict[str, dict[str, Any]] = {
    spec.parent.name: yaml.safe_load(spec.read_text(encoding="utf-8")) for spec in SERVERS.glob("*/service.yaml")
}
PACKAGES: dict[str, str] = {name: spec["package"] for name, spec in SPECS.items()}
#: Keys of a call's `_meta` that a `scripted_function` obeys.
MARK, STEPS, UNTIL = "test/mark", "test/steps", "test/until"
_POLL_SECONDS = 0.05

Rules = dict[str, Any]


def build(package: str, settings: Settings | None = None) -> ServiceApp:
    """Return the application of a service's package."""
    return importlib.import_module(f"{package}.service").build_app(settings)


def tools_of(app: ServiceApp) -> list[Tool]:
    """Return the app's tools; their functions may be replaced."""
    return app.mcp._tool_manager.list_tools()


def example(rules: Rules) -> Any:
    """Return a value within the bounds of an argument's schema."""
    if "enum" in rules:
        return rules["enum"][0]
    if rules["type"] == "string":
        return "a" * max(1, rules.get("minLength", 1))
    return rules["minimum"] if rules["type"] in ("integer", "number") else True


def minimal_arguments(schema: Rules) -> dict[str, Any]:
    """Return the fewest and smallest arguments that a tool with this input schema accepts."""
    return {name: example(schema["properties"][name]) for name in schema.get("required", [])}


def answer_of(tool: Tool) -> BaseModel:
    """Return a small answer of the model that the tool declares; it is the same each time."""
    model = tool.fn_metadata.output_model
    factory = ModelFactory.create_factory(model, __random_seed__=1, __allow_none_optionals__=False)
    return factory.build()


def scripted_function(tool: Tool) -> Callable[..., Awaitable[CallToolResult]]:
    """Return a function for the tool that obeys the call's `_meta`.

    It reports STEPS steps of progress, waits until the file UNTIL exists, and returns an answer of the tool's model,
    with the call's MARK in the answer's `_meta`.
    """
    answer = answer_of(tool).model_dump(mode="json", by_alias=True)

    async def function(ctx: Context[Any, Any], **_: Any) -> CallToolResult:
        meta: dict[str, Any] = dict(ctx.request_context.meta or {})
        steps = meta.get(STEPS, 0)
        for step in range(steps):
            await ctx.report_progress(step + 1, steps)
        while UNTIL in meta and not Path(meta[UNTIL]).exists():
            await asyncio.sleep(_POLL_SECONDS)
        return CallToolResult(content=[], structured_content=answer, _meta={MARK: meta.get(MARK)})

    return function


def with_scripted_tools(app: ServiceApp) -> ServiceApp:
    """Return `app` with the function of every tool replaced by a `scripted_function`."""
    for tool in tools_of(app):
        tool.fn = scripted_function(tool)
        tool.context_kwarg = "ctx"
    return app


def resident_mib(pid: int | str = "self") -> float:
    """Return the resident memory (RSS) of a process, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def call_often(app: ServiceApp, calls: int) -> list[float]:
    """Call the tools in turn, without HTTP; return the memory after each quarter of the calls."""
    schemas = {tool.name: tool.input_schema for tool in await app.mcp.list_tools()}
    names, memory = list(schemas), []
    async with Client(app.mcp) as client:
        for number in range(calls):
            tool = names[number % len(names)]
            meta: Any = {MARK: number}
            result = await client.call_tool(tool, minimal_arguments(schemas[tool]), meta=meta)
            assert result.meta is not None and result.meta[MARK] == number, (tool, result)
            if (number + 1) % (calls // 4) == 0:
                memory.append(resident_mib())
    return memory


if __name__ == "__main__":
    served = with_scripted_tools(build(sys.argv[1]))
    if sys.argv[2:]:
        print(json.dumps(asyncio.run(call_often(served, int(sys.argv[2])))))
    else:
        run(served)
