"""The template's tools and REST routes."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from dyber_kit import RestRoute, ServiceApp, Settings, create_app, tool
from mcp.server.mcpserver import Context
from pydantic import BaseModel, Field

NAME = "template"
VERSION = "1.0.0"
DEFAULT_PORT = 8002


class Echo(BaseModel):
    """An echoed text."""

    text: str = Field(description="The text as received")
    length: int = Field(description="Number of characters")


class Countdown(BaseModel):
    """A finished countdown."""

    steps: int = Field(description="Steps counted")
    seconds: float = Field(description="Time it took, in seconds")


@tool(title="回声", read_only=True, open_world=False)
async def template_echo(
    text: Annotated[str, Field(description="Text to send back", min_length=1, max_length=2000)],
) -> Echo:
    """Send a text back unchanged. Use it to check that a connection works. Returns the text and its length."""
    return Echo(text=text, length=len(text))


@tool(title="倒计时", read_only=True, open_world=False)
async def template_countdown(
    ctx: Context,
    steps: Annotated[int, Field(description="How many steps to count", ge=1, le=20)] = 3,
    interval_ms: Annotated[int, Field(description="Pause before each step, in milliseconds", ge=0, le=2000)] = 200,
) -> Countdown:
    """Count down and report progress at each step. Use it to check progress and cancellation. At most 40 seconds."""
    started = time.perf_counter()
    for step in range(1, steps + 1):
        await asyncio.sleep(interval_ms / 1000)
        await ctx.report_progress(step, steps, f"还剩 {steps - step} 步")
    return Countdown(steps=steps, seconds=round(time.perf_counter() - started, 3))


class TestBody(BaseModel):
    """Body of POST /test."""

    message: str = Field("Hello", max_length=2000)


class AsyncTestBody(BaseModel):
    """Body of POST /async-test."""

    data: str = Field("Test", max_length=2000)


async def answer_test(body: TestBody) -> dict[str, Any]:
    """Send a message back with the time."""
    return {"message": f"Template response: {body.message}", "timestamp": time.time()}


async def answer_async_test(body: AsyncTestBody) -> dict[str, Any]:
    """Send data back after giving other calls a turn."""
    await asyncio.sleep(0)
    return {"data": f"Template async response: {body.data}", "processed": True}


def build_app(settings: Settings | None = None) -> ServiceApp:
    """The template service's application."""
    return create_app(
        name=NAME,
        title="模板 MCP",
        version=VERSION,
        instructions="Example service. template_echo checks a connection, template_countdown checks progress.",
        tools=[template_echo, template_countdown],
        rest=[
            RestRoute("/test", "test_function", answer_test),
            RestRoute("/async-test", "async_test_function", answer_async_test),
        ],
        settings=settings or Settings.from_environment(DEFAULT_PORT),
    )
