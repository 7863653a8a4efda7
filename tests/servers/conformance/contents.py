"""The tools, prompts and resources of the conformance suite that only return contents."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Annotated

from dyber_kit import ErrorCode, ServiceError, completion, prompt, resource, tool
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.types import AudioContent, CallToolResult, EmbeddedResource, ImageContent, TextContent, TextResourceContents
from pydantic import BaseModel, Field

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="
PAUSE_SECONDS = 0.05


def text_answer(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=text)])


def picture() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, text: str, mime_type: str = "text/plain") -> EmbeddedResource:
    return EmbeddedResource(type="resource", resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


@tool(title="文字", read_only=True, open_world=False, structured=False)
async def test_simple_text() -> CallToolResult:
    """Return a text."""
    return text_answer("This is a simple text response for testing.")


@tool(title="图片", read_only=True, open_world=False, structured=False)
async def test_image_content() -> CallToolResult:
    """Return a picture."""
    return CallToolResult(content=[picture()])


@tool(title="声音", read_only=True, open_world=False, structured=False)
async def test_audio_content() -> CallToolResult:
    """Return a sound."""
    return CallToolResult(content=[AudioContent(type="audio", data=WAV, mime_type="audio/wav")])


@tool(title="资源", read_only=True, open_world=False, structured=False)
async def test_embedded_resource() -> CallToolResult:
    """Return a resource."""
    return CallToolResult(content=[embedded("test://embedded-resource", "This is an embedded resource content.")])


@tool(title="多种内容", read_only=True, open_world=False, structured=False)
async def test_multiple_content_types() -> CallToolResult:
    """Return a text, a picture and a resource."""
    data = json.dumps({"test": "data", "value": 123})
    return CallToolResult(
        content=[
            TextContent(type="text", text="Multiple content types test:"),
            picture(),
            embedded("test://mixed-content-resource", data, "application/json"),
        ]
    )


@tool(title="日志", read_only=True, open_world=False, structured=False)
async def test_tool_with_logging(ctx: Context) -> CallToolResult:
    """Send three log messages."""
    for message in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await ctx.info(message)
        await asyncio.sleep(PAUSE_SECONDS)
    return text_answer("Tool with logging executed successfully")


@tool(title="进度", read_only=True, open_world=False, structured=False)
async def test_tool_with_progress(ctx: Context) -> CallToolResult:
    """Report progress three times."""
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100, f"Completed step {progress} of 100")
        await asyncio.sleep(PAUSE_SECONDS)
    return text_answer("Progress reported")


@tool(title="错误", read_only=True, open_world=False, structured=False)
async def test_error_handling() -> CallToolResult:
    """Fail."""
    raise ServiceError(ErrorCode.UPSTREAM_CHANGED, "This tool intentionally returns an error for testing")


class Region(BaseModel):
    """Is the answer of the tool with a routed argument."""

    region: str


@tool(title="请求头", read_only=True, open_world=False)
async def test_custom_headers(
    region: Annotated[
        str, Field(description="Part of the world", max_length=100, json_schema_extra={"x-mcp-header": "Region"})
    ] = "",
) -> Region:
    """Return an argument that clients repeat in a header."""
    return Region(region=region)


@prompt(title="简单")
async def test_simple_prompt() -> str:
    """Return one message."""
    return "This is a simple prompt for testing."


@prompt(title="有参数")
async def test_prompt_with_arguments(
    arg1: Annotated[str, Field(description="First argument", max_length=100)],
    arg2: Annotated[str, Field(description="Second argument", max_length=100)],
) -> str:
    """Return one message with the arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@prompt(title="带资源")
async def test_prompt_with_embedded_resource(
    resourceUri: Annotated[str, Field(description="Address of the resource", max_length=500)],
) -> list[UserMessage]:
    """Return a message with a resource, and a request."""
    return [
        UserMessage(embedded(resourceUri, "Embedded resource content for testing.")),
        UserMessage("Please process the embedded resource above."),
    ]


@prompt(title="带图片")
async def test_prompt_with_image() -> list[UserMessage]:
    """Return a message with a picture, and a request."""
    return [UserMessage(picture()), UserMessage("Please analyze the image above.")]


@completion(test_prompt_with_arguments, "arg1")
async def suggest_arg1(typed: str, filled: dict[str, str]) -> list[str]:
    """Suggest words."""
    return [word for word in ("paris", "park", "party") if word.startswith(typed)]


@resource("test://static-text", title="文字")
async def static_text() -> str:
    """Contain a text."""
    return "This is the content of the static text resource."


@resource("test://static-binary", title="图片", mime_type="image/png")
async def static_binary() -> bytes:
    """Contain a picture."""
    return base64.b64decode(PNG)


class Data(BaseModel):
    """Is the content of the resources of the template."""

    id: str
    templateTest: bool = True
    data: str


@resource("test://template/{id}/data", title="模板", mime_type="application/json")
async def template_data(id: str) -> Data:
    """Contain data of an id."""
    return Data(id=id, data=f"Data for ID: {id}")


@resource("test://watched-resource", title="可订阅")
async def watched_resource() -> str:
    """Contain a text that clients subscribe to."""
    return "Watched resource content"


TOOLS = [
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_tool_with_logging,
    test_tool_with_progress,
    test_error_handling,
    test_custom_headers,
]
PROMPTS = [
    test_simple_prompt,
    test_prompt_with_arguments,
    test_prompt_with_embedded_resource,
    test_prompt_with_image,
]
RESOURCES = [static_text, static_binary, template_data, watched_resource]
COMPLETIONS = [suggest_arg1]
