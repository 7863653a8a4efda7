"""Declares the prompts of a service, which users choose by name, and renders them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, func_metadata
from mcp.types import InputRequiredResult
from pydantic import PrivateAttr
from pydantic_core import to_json

from dyber_kit.calling.answers import MAX_MEDIA_CHARS
from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.cursors import too_large
from dyber_kit.calling.declared import Function, description_of, name_of, protocol_error
from dyber_kit.errors import ServiceError


@dataclass(frozen=True)
class PromptDeclaration:
    """Describes one prompt as its service declared it; `create_app` makes a running prompt of it."""

    function: Function
    title: str

    @property
    def name(self) -> str:
        """Return the name under which users choose the prompt."""
        return name_of(self.function)

    def build(self, calls: Calls, max_answer_chars: int) -> ServicePrompt:
        """Return the running prompt; see `ServicePrompt.build`."""
        return ServicePrompt.build(self, calls, max_answer_chars)


def prompt(*, title: str) -> Callable[[Function], PromptDeclaration]:
    """Declare an async function as an MCP prompt named after the function.

    The docstring says what the prompt is for. Parameters are flat scalars and `Literal`s with
    `Field(description=...)`; clients send them as text, and the function gets them as declared. It returns the
    messages: a text, a content block or a `Message`, or a list of these; a text becomes a message of the user.

    Args:
        title: Name shown to people, in Chinese.

    Example:
        @prompt(title="比较两个条目")
        async def demo_compare(first: Annotated[str, Field(description="编号", max_length=100)]) -> str:
            \"\"\"Compare an entry with the newest one.\"\"\"
            return f"请用 demo_get 读取 {first}，再与最新的条目比较。"
    """
    return lambda function: PromptDeclaration(function=function, title=title)


def task(opening: str, steps: Sequence[str], *, report: str, care: str, condition: str = "") -> str:
    """Return the text of a prompt that leads an agent through a task.

    Args:
        opening: What the user wants.
        steps: What to do one after the other, each with the tool to call; they are numbered.
        report: What to tell the user at the end.
        care: What to beware of all the time, the same for all prompts of a service.
        condition: What the user asks for besides, on a line of its own; "" for nothing.
    """
    numbered = (f"{number}. {step}" for number, step in enumerate(steps, 1))
    return "\n".join([opening, *([condition] if condition else []), *numbered, report, care])


class ServicePrompt(Prompt):
    """Renders a declared prompt under `Calls`: reads its arguments leniently, and answers failures with a next step."""

    _calls: Calls = PrivateAttr()
    _function: Function = PrivateAttr()
    _max_answer_chars: int = PrivateAttr()
    _model: type[ArgModelBase] = PrivateAttr()
    _schema: dict[str, Any] = PrivateAttr()

    @classmethod
    def build(cls, declaration: PromptDeclaration, calls: Calls, max_answer_chars: int) -> ServicePrompt:
        """Make the running prompt; each of its messages stays within `max_answer_chars` characters of JSON.

        Raises:
            ValueError: The function is not async, or has no docstring, or an argument is nested or has no
                description; the message names the function.
        """
        name = declaration.name
        description = description_of("prompt", declaration.function)
        try:
            built = cast(
                ServicePrompt,
                cls.from_function(declaration.function, title=declaration.title, description=description),
            )
            skipped = [built.context_kwarg] if built.context_kwarg else []
            model = func_metadata(declaration.function, skip_names=skipped, structured_output=False).arg_model
        except Exception as error:
            raise ValueError(f"prompt {name} has a signature that cannot be published: {error}") from error
        schema = model.model_json_schema(by_alias=True)
        if "$defs" in schema:
            raise ValueError(f"prompt {name} has nested inputs; use flat scalars and Literal")
        for argument in built.arguments or []:
            if not argument.description:
                raise ValueError(f"argument {argument.name} of prompt {name} needs Field(description=...)")
        built._calls, built._function, built._max_answer_chars = calls, declaration.function, max_answer_chars
        built._model, built._schema = model, schema
        return built

    async def render(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        """Return the prompt's messages, or a question to the user that has to be answered first.

        Raises:
            MCPError: A failure, with code and next step; its data has the details for programs.
        """
        try:
            return await self._calls.run(f"prompt:{self.name}", lambda: self._messages(arguments, context))
        except ServiceError as error:
            raise protocol_error(error) from None

    async def _messages(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        checked = read_arguments(self._model, self._schema, arguments).checked
        injected = {self.context_kwarg: context} if self.context_kwarg else {}
        result = await self._function(**checked.model_dump_one_level(), **injected)
        if isinstance(result, InputRequiredResult):
            return result
        parts = result if isinstance(result, Sequence) and not isinstance(result, str) else [result]
        messages = [part if isinstance(part, Message) else UserMessage(part) for part in parts]
        for message in messages:
            size = len(to_json(message).decode())
            limit = self._max_answer_chars if message.content.type != "image" else MAX_MEDIA_CHARS
            if size > limit:
                raise too_large(size, limit)
        return messages
