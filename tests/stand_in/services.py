"""Every service that has a folder, with the functions behind its tools replaced: nothing is asked of any platform.

`python -m tests.stand_in.services PACKAGE` serves such a service, on HOST and PORT like any other;
`python -m tests.stand_in.services PACKAGE CALLS` calls its tools in turn and prints the process's memory, MiB, after each
quarter of the calls.
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
#: Keys of a call's `_meta` that `answering` obeys.
MARK, STEPS, UNTIL = "test/mark", "test/steps", "test/until"
_POLL_SECONDS = 0.05

Rules = dict[str, Any]


def build(package: str, settings: Settings | None = None) -> ServiceApp:
    """The application of a service's package."""
    return importlib.import_module(f"{package}.service").build_app(settings)


def tools_of(app: ServiceApp) -> list[Tool]:
    """The app's tools, whose functions may be replaced."""
    return app.mcp._tool_manager.list_tools()


def example(rules: Rules) -> Any:
    """A value within the bounds of an argument's schema."""
    if "enum" in rules:
        return rules["enum"][0]
    if rules["type"] == "string":
        return "a" * max(1, rules.get("minLength", 1))
    return rules["minimum"] if rules["type"] in ("integer", "number") else True


def needed(schema: Rules) -> dict[str, Any]:
    """The smallest arguments that a tool with this input schema takes."""
    return {name: example(schema["properties"][name]) for name in schema.get("required", [])}


def answer_of(tool: Tool) -> BaseModel:
    """A small answer in the shape that the tool declares, the same each time."""
    model = tool.fn_metadata.output_model
    factory = ModelFactory.create_factory(model, __random_seed__=1, __allow_none_optionals__=False)
    return factory.build()


def answering(tool: Tool) -> Callable[..., Awaitable[CallToolResult]]:
    """A function for the tool which obeys the call's `_meta`: reports STEPS steps of progress, waits until the file
    UNTIL is there, and answers in the tool's shape, with the call's MARK in the answer's `_meta`."""
    answer = answer_of(tool).model_dump(mode="json", by_alias=True)

    async def function(ctx: Context[Any, Any], **_: Any) -> CallToolResult:
        asked: dict[str, Any] = dict(ctx.request_context.meta or {})
        steps = asked.get(STEPS, 0)
        for step in range(steps):
            await ctx.report_progress(step + 1, steps)
        while UNTIL in asked and not Path(asked[UNTIL]).exists():
            await asyncio.sleep(_POLL_SECONDS)
        return CallToolResult(content=[], structured_content=answer, _meta={MARK: asked.get(MARK)})

    return function


def replaced(app: ServiceApp) -> ServiceApp:
    """`app`, every tool of which is `answering`."""
    for tool in tools_of(app):
        tool.fn = answering(tool)
        tool.context_kwarg = "ctx"
    return app


def resident(pid: int | str = "self") -> float:
    """Memory of a process, RSS in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


async def call_often(app: ServiceApp, calls: int) -> list[float]:
    """Calls the tools in turn, without HTTP; the memory after each quarter."""
    schemas = {tool.name: tool.input_schema for tool in await app.mcp.list_tools()}
    names, memory = list(schemas), []
    async with Client(app.mcp) as client:
        for number in range(calls):
            tool = names[number % len(names)]
            meta: Any = {MARK: number}
            result = await client.call_tool(tool, needed(schemas[tool]), meta=meta)
            assert result.meta is not None and result.meta[MARK] == number, (tool, result)
            if (number + 1) % (calls // 4) == 0:
                memory.append(resident())
    return memory


if __name__ == "__main__":
    served = replaced(build(sys.argv[1]))
    if sys.argv[2:]:
        print(json.dumps(asyncio.run(call_often(served, int(sys.argv[2])))))
    else:
        run(served)
