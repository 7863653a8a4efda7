"""MCP tools: how a service declares them and how the kit runs them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp.types import CallToolResult, ContentBlock, TextContent, ToolAnnotations
from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from dyber_kit.calls import Calls
from dyber_kit.cursors import fit_answer, too_large
from dyber_kit.errors import KINDS, ErrorCode, ServiceError


@dataclass(frozen=True)
class ToolDeclaration:
    """One tool as a service wrote it; `create_app` turns it into a running tool."""

    function: Callable[..., Awaitable[Any]]
    title: str
    annotations: ToolAnnotations

    @property
    def read_only(self) -> bool:
        """Whether the tool changes nothing outside the server."""
        return bool(self.annotations.read_only_hint)


def tool(
    *, title: str, read_only: bool, open_world: bool, destructive: bool = False, idempotent: bool = True
) -> Callable[[Callable[..., Awaitable[Any]]], ToolDeclaration]:
    """Declare an async function as an MCP tool named after the function.

    The docstring is what agents read. Parameters must be flat scalars, `Literal`s or lists of scalars
    with `Field(description=...)`; the return type must be a Pydantic model.

    Args:
        title: Name shown to people, in Chinese.
        read_only: The tool changes nothing outside the server; others exist only with DYBER_READ_ONLY=false.
        open_world: The tool talks to something outside the server.
        destructive: The tool may delete or overwrite; meaningless when read_only.
        idempotent: Repeating the same call has no further effect.
    """
    annotations = ToolAnnotations(
        title=title,
        read_only_hint=read_only,
        destructive_hint=destructive,
        idempotent_hint=idempotent,
        open_world_hint=open_world,
    )

    def declare(function: Callable[..., Awaitable[Any]]) -> ToolDeclaration:
        return ToolDeclaration(function=function, title=title, annotations=annotations)

    return declare


class ServiceTool(Tool):
    """A tool that refuses unknown arguments, runs under `Calls` and answers errors as code, cause, next step."""

    _calls: Calls = PrivateAttr()
    _max_answer_chars: int = PrivateAttr()

    @classmethod
    def build(cls, declaration: ToolDeclaration, calls: Calls, max_answer_chars: int) -> ServiceTool:
        """Make the running tool; its answers stay within `max_answer_chars` characters of JSON.

        Raises:
            ValueError: The tool has no docstring, or its inputs are not flat (agents drop `$ref`s).
        """
        # Cleaned here: Python 3.13 strips a docstring's indentation, earlier versions keep it.
        description = inspect.getdoc(declaration.function)
        if not description:
            raise ValueError(f"tool {declaration.function.__name__} needs a docstring: it is what agents read")
        made = cls.from_function(
            declaration.function,
            title=declaration.title,
            description=description,
            annotations=declaration.annotations,
            structured_output=True,
        )
        built = cast(ServiceTool, made)
        loose = built.fn_metadata.arg_model
        strict: Any = type(loose.__name__, (loose,), {"model_config": ConfigDict(extra="forbid"), "__doc__": loose.__doc__})
        built.fn_metadata.arg_model = strict
        built.parameters = _untitled(strict.model_json_schema(by_alias=True))
        if "$defs" in built.parameters:
            raise ValueError(f"tool {built.name} has nested inputs; use flat scalars and Literal")
        built._calls = calls
        built._max_answer_chars = max_answer_chars
        return built

    async def run(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool = False) -> Any:
        """Run the tool; see `mcp.server.mcpserver.tools.Tool.run` for the arguments.

        Raises:
            ServiceError: A foreseen failure; its text is what the model reads.
            UnexpectedToolError: A crash; the text carries no internals.
        """
        try:
            return await self._calls.run(self.name, lambda: self._execute(arguments, context, convert_result))
        except (ServiceError, MCPError):
            raise
        except Exception as error:
            raise UnexpectedToolError(ServiceError(ErrorCode.INTERNAL).text) from error

    async def _execute(self, arguments: dict[str, Any], context: Context[Any, Any], convert_result: bool) -> Any:
        try:
            checked = self.fn_metadata.validate_arguments(arguments)
        except ValidationError as error:
            raise invalid_arguments(error, list(self.parameters.get("properties", {}))) from None
        injected = {self.context_kwarg: context} if self.context_kwarg else {}
        result = await self.fn(**checked, **injected)
        if isinstance(result, BaseModel) and not isinstance(result, CallToolResult):
            result = fit_answer(result, self._max_answer_chars)
        parts = list(result.content) if isinstance(result, CallToolResult) else []
        return self._compact(self.fn_metadata.convert_result(result), parts) if convert_result else result

    def _compact(self, result: Any, parts: Sequence[ContentBlock]) -> Any:
        """The SDK indents the text copy of structured results; models pay for that by the token. What the tool itself
        put beside its structure (`parts`: a picture, a text for people) follows the copy.

        Raises ServiceError for what `fit_answer` never saw, such as a result with a picture, and is too long.
        """
        if isinstance(result, CallToolResult) and result.structured_content is not None:
            text = json.dumps(result.structured_content, ensure_ascii=False, separators=(",", ":"))
            size = len(text) + sum(len(part.text) for part in parts if isinstance(part, TextContent))
            if size > self._max_answer_chars:
                raise too_large(size, self._max_answer_chars)
            result.content = [TextContent(type="text", text=text), *parts]
        return result


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema` without the titles Pydantic makes of names: they say nothing new, and agents pay for every word."""
    arguments = {name: {**rules} for name, rules in schema.get("properties", {}).items()}
    for rules in arguments.values():
        rules.pop("title", None)
    return {**{key: value for key, value in schema.items() if key != "title"}, "properties": arguments}


def invalid_arguments(error: ValidationError, known: list[str]) -> ServiceError:
    """What is wrong with each argument, without echoing rejected values."""
    problems: list[str] = []
    for entry in error.errors(include_url=False, include_input=False):
        name = ".".join(str(part) for part in entry["loc"]) or "arguments"
        if entry["type"] == "extra_forbidden":
            problems.append(f"没有名为 {name} 的参数")
        elif entry["type"] == "missing":
            problems.append(f"缺少参数 {name}")
        else:
            problems.append(f"{name}：{entry['msg']}")
    names = "、".join(known) or "无"
    return ServiceError(
        ErrorCode.INVALID_ARGUMENT,
        f"{KINDS[ErrorCode.INVALID_ARGUMENT].message}：{'；'.join(problems)}",
        f"此工具可用的参数：{names}",
    )
