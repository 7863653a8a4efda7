"""Has small services for the tests of the hub, and makes the hub's catalogue from them as the deployment does."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

from dyber_hub.catalogue import Catalogue, parse_catalogue
from dyber_kit import ServiceApp, Settings, completion, create_app, prompt, resource, tool
from dyber_kit.contract import tools_contract
from mcp.server.mcpserver import Context, Elicit, Resolve
from mcp.types import CallToolResult, TextContent
from pydantic import BaseModel, Field
from pydantic_core import to_json

from tests.stand_in.running import free_port

#: What happened in the tools: the texts written, and how waiting calls ended.
written: list[str] = []
ended: list[str] = []


class Text(BaseModel):
    """Is the answer of most tools."""

    text: str


class Number(BaseModel):
    """Is a number with its text."""

    number: int
    text: str


@tool(title="回声", read_only=True, open_world=False)
async def alpha_echo(
    text: Annotated[str, Field(description="Text")],
    region: Annotated[str, Field(description="Region", json_schema_extra={"x-mcp-header": "Region"})] = "",
) -> Text:
    """Return the text. alpha_write stores it."""
    return Text(text=f"{text}{region}")


@tool(title="大数", read_only=True, open_world=False)
async def alpha_number(number: Annotated[int, Field(description="Number")]) -> Number:
    """Return a number."""
    return Number(number=number, text=str(number))


@tool(title="写入", read_only=False, open_world=False)
async def alpha_write(text: Annotated[str, Field(description="Text")] = "") -> Text:
    """Store the text."""
    written.append(text)
    return Text(text=text)


@tool(title="等待", read_only=True, open_world=False)
async def alpha_wait(
    ctx: Context,
    name: Annotated[str, Field(description="Name")],
    steps: Annotated[int, Field(description="Steps")] = 0,
    stay: Annotated[bool, Field(description="Wait until cancelled")] = False,
) -> Text:
    """Report steps of progress, and wait."""
    try:
        for step in range(steps):
            await asyncio.sleep(0.02)
            await ctx.report_progress(step + 1, steps, name)
        if stay:
            await asyncio.sleep(60)
    except asyncio.CancelledError:
        ended.append(name)
        raise
    return Text(text=name)


def ask_text() -> Elicit[Text]:
    """Ask for a text."""
    return Elicit("Which text?", Text)


@tool(title="询问", read_only=True, open_world=False)
async def alpha_ask(answer: Annotated[Text, Resolve(ask_text)]) -> Text:
    """Return the text that the user gives."""
    written.append(answer.text)
    return Text(text=f"asked {answer.text}")


@prompt(title="问候")
async def alpha_greet(name: Annotated[str, Field(description="Name", max_length=100)]) -> str:
    """Greet somebody."""
    return f"Hello {name}"


@completion(alpha_greet, "name")
async def suggest_names(typed: str, filled: dict[str, str]) -> list[str]:
    """Suggest names."""
    return [name for name in ("Ada", "Alan", "Grace") if name.startswith(typed)]


@resource("alpha://about", title="说明")
async def alpha_about() -> str:
    """Tell what alpha is."""
    return "alpha itself"


@resource("alpha://items/{number}", title="条目")
async def alpha_item(number: str) -> str:
    """Contain an item."""
    return f"item {number}"


@tool(title="回声", read_only=True, open_world=False)
async def beta_echo(text: Annotated[str, Field(description="Text")]) -> Text:
    """Return the text."""
    return Text(text=f"beta {text}")


@tool(title="清空", read_only=False, open_world=False)
async def beta_clear() -> Text:
    """Remove everything."""
    written.clear()
    return Text(text="cleared")


@tool(title="回声", read_only=True, open_world=False, structured=False)
async def gamma_echo(text: Annotated[str, Field(description="Text")]) -> CallToolResult:
    """Return the text and more than the protocol asks for."""
    return CallToolResult(content=[TextContent(type="text", text=text)], _meta={"test/extra": {"kept": [1, None]}})


def alpha(settings: Settings | None = None) -> ServiceApp:
    """Return a service with everything that a service can offer."""
    return create_app(
        name="alpha",
        title="甲",
        version="1",
        instructions="Alpha is the first.",
        tools=[alpha_echo, alpha_number, alpha_write, alpha_wait, alpha_ask],
        prompts=[alpha_greet],
        completions=[suggest_names],
        resources=[alpha_about, alpha_item],
        sessions=False,
        settings=settings or _settings(),
    )


def beta(settings: Settings | None = None) -> ServiceApp:
    """Return a service with tools only."""
    return create_app(
        name="beta",
        title="乙",
        version="1",
        instructions="Beta is the second.",
        tools=[beta_echo, beta_clear],
        settings=settings or _settings(),
    )


def gamma(settings: Settings | None = None) -> ServiceApp:
    """Return a service with a single tool."""
    return create_app(
        name="gamma", title="丙", version="1", instructions="", tools=[gamma_echo], settings=settings or _settings()
    )


SERVICES = {"alpha": alpha, "beta": beta, "gamma": gamma}


def entry(app: ServiceApp, **changed: Any) -> dict[str, Any]:
    """Return what `hub.json` has of a service."""
    with ThreadPoolExecutor(1) as executor:  # It runs an event loop, and tests have their own.
        contract = executor.submit(tools_contract, app).result()

    def items(kind: str, key: str) -> list[dict[str, Any]]:
        return [
            {key: name, **{field: value for field, value in item.items() if field != "sha256"}}
            for name, item in contract.get(kind, {}).items()
        ]

    return {
        "name": app.mcp.name,
        "title": app.mcp.title or "",
        "description": f"The service {app.mcp.name}",
        "instructions": None,
        "max_call_seconds": 20,
        "tools": items("tools", "name"),
        "prompts": items("prompts", "name"),
        "resources": items("resources", "uri"),
        "resource_templates": items("resource_templates", "uriTemplate"),
        "completions": contract.get("completions", []),
        **changed,
    }


PET = {
    "name": "pet",
    "title": "宠物",
    "instructions": "Be kind.",
    "services": ["alpha"],
    "tools": [
        {
            "exposed": "say",
            "service": "alpha",
            "tool": "alpha_echo",
            "title": "说",
            "annotations": {"openWorldHint": True},
        },
        {"exposed": "keep", "service": "alpha", "tool": "alpha_write", "description": "Keep it."},
        {"exposed": "beta_echo", "service": "beta", "tool": "beta_echo"},
    ],
}


def catalogue(*services: dict[str, Any], groups: tuple[dict[str, Any], ...] = (PET,)) -> Catalogue:
    """Return the hub's catalogue; without `services`, that of all services here."""
    listed = services or tuple(entry(build()) for build in SERVICES.values())
    return parse_catalogue(to_json({"services": list(listed), "groups": list(groups), "search": False}).decode())


def _settings() -> Settings:
    return Settings(port=free_port(), read_only=False, require_scope=True, max_answer_chars=1_000_000)
