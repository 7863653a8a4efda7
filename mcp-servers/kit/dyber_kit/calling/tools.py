"""Declares the MCP tools of a service and runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from mcp.types import CallToolResult, ContentBlock, InputRequiredResult, TextContent, ToolAnnotations
from pydantic import BaseModel, PrivateAttr
from pydantic_core import to_json

from dyber_kit.accounts import allowed_accounts, choose_account, usable_accounts
from dyber_kit.calling.answers import add_warnings, failed, short_text, wants_short_text, within_limits
from dyber_kit.calling.arguments.accounts import account_parameters
from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.calling.asking import InputRequired, asked, asking_within
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.cursors import fit_answer
from dyber_kit.calling.declared import description_of, field_with_two_names, name_of
from dyber_kit.calling.direct import CallContext, sdk_context
from dyber_kit.calling.offered import OfferedTool
from dyber_kit.calling.progress import reporting
from dyber_kit.errors import ServiceError


@dataclass(frozen=True)
class ToolDeclaration:
    """Describes one tool as its service declared it; `create_app` makes a running tool of it."""

    function: Callable[..., Awaitable[Any]]
    title: str
    annotations: ToolAnnotations
    structured: bool = True

    @property
    def name(self) -> str:
        """Return the name under which agents call the tool."""
        return name_of(self.function)

    @property
    def read_only(self) -> bool:
        """Return whether the tool changes nothing outside the server."""
        return bool(self.annotations.read_only_hint)

    def build(self, calls: Calls, max_answer_chars: int, accounts: Sequence[str] = ()) -> ServiceTool:
        """Return the running tool; see `ServiceTool.build`."""
        return ServiceTool.build(self, calls, max_answer_chars, accounts)


def tool(
    *,
    title: str,
    read_only: bool,
    open_world: bool,
    destructive: bool = False,
    idempotent: bool = True,
    structured: bool = True,
) -> Callable[[Callable[..., Awaitable[Any]]], ToolDeclaration]:
    """Declare an async function as an MCP tool named after the function.

    The docstring is what agents read. Parameters must be flat scalars, `Literal`s or lists of scalars
    with `Field(description=...)`; the return type must be a Pydantic model. A parameter annotated with the SDK's
    `Resolve` is filled by asking the caller's user before the function runs, and agents do not see it; a function that
    returns an `InputRequiredResult` asks by itself (clients of 2026-07-28 only).

    Args:
        title: Name shown to people, in Chinese.
        read_only: The tool changes nothing outside the server; others exist only with DYBER_READ_ONLY=false.
        open_world: The tool talks to something outside the server.
        destructive: The tool may delete or overwrite; meaningless when read_only.
        idempotent: Repeating the same call has no further effect.
        structured: The answer has a structure, which agents are told; False for pictures, sounds and files alone.
    """
    annotations = ToolAnnotations(
        title=title,
        read_only_hint=read_only,
        destructive_hint=destructive,
        idempotent_hint=idempotent,
        open_world_hint=open_world,
    )

    def declare(function: Callable[..., Awaitable[Any]]) -> ToolDeclaration:
        return ToolDeclaration(function=function, title=title, annotations=annotations, structured=structured)

    return declare


class ServiceTool(OfferedTool):
    """Runs a declared tool under `Calls`: reads its arguments leniently, and answers errors with code and next step."""

    _calls: Calls = PrivateAttr()
    _max_answer_chars: int = PrivateAttr()
    _all_parameters: dict[str, Any] = PrivateAttr()
    _account_parameters: frozenset[str] = PrivateAttr()
    _accounts: tuple[str, ...] = PrivateAttr()
    _settled: dict[str, str] = PrivateAttr()

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Return the JSON Schema of all arguments, also of those that agents do not see; the contract has it."""
        return self._all_parameters

    @property
    def names_account(self) -> bool:
        """Return whether the tool has a parameter that names an account."""
        return bool(self._account_parameters)

    @property
    def caller_parameters(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments that the current caller sees, with the accounts that it may use."""
        known = self._accounts or allowed_accounts.get()
        shown = self._account_parameters - self._settled.keys()
        if not shown or known is None:
            return self.parameters
        usable = usable_accounts(known)
        if len(usable) < 2:
            return _without(self.parameters, shown)
        choice = {"enum": list(usable), "default": usable[0]}
        arguments = self.parameters["properties"]
        return {**self.parameters, "properties": arguments | {name: arguments[name] | choice for name in shown}}

    @classmethod
    def build(
        cls, declaration: ToolDeclaration, calls: Calls, max_answer_chars: int, accounts: Sequence[str] = ()
    ) -> ServiceTool:
        """Make the running tool.

        Args:
            declaration: The declared tool.
            calls: Runs its calls.
            max_answer_chars: Most characters of an answer's JSON.
            accounts: The configured accounts, if the service states them. With exactly one, parameters marked
                `AccountName` are left out.

        Raises:
            ValueError: The function is not async, or has no docstring or no return type that makes an output schema,
                or its inputs are not flat (agents ignore `$ref`), or its account has no default; the message names the
                function.
        """
        name = declaration.name
        description = description_of("tool", declaration.function)
        try:
            sdk_tool = cls.from_function(
                declaration.function,
                title=declaration.title,
                description=description,
                annotations=declaration.annotations,
                structured_output=declaration.structured,
            )
        except Exception as error:
            raise ValueError(f"tool {name} has a signature that cannot be published: {error}") from error
        built = cast(ServiceTool, sdk_tool)
        if declaration.structured and not _has_structure(built):
            raise ValueError(f"tool {name} needs a Pydantic model as its return type: agents get an output schema")
        if declaration.structured and (field := field_with_two_names(built.fn_metadata.output_model)):
            raise ValueError(
                f"tool {name} has an answer whose field {field} is read and written under different names; give answers "
                "no validation_alias, and rename in a model of the platform's data"
            )
        built.parameters = _untitled(built.parameters)
        if "$defs" in built.parameters:
            raise ValueError(f"tool {name} has nested inputs; use flat scalars and Literal")
        built._account_parameters, built._accounts = account_parameters(built), tuple(accounts)
        built._settled = dict.fromkeys(built._account_parameters, accounts[0]) if len(accounts) == 1 else {}
        built._all_parameters = built.parameters
        built.parameters = _without(built.parameters, built._settled.keys())
        built._calls = calls
        built._max_answer_chars = max_answer_chars
        return built

    async def run(self, arguments: Any, context: CallContext, convert_result: bool = False) -> Any:
        """Run the tool; see `mcp.server.mcpserver.tools.Tool.run` for the arguments.

        With `convert_result`, a foreseen failure becomes an answer with `is_error`; without it, it is raised.

        Raises:
            ServiceError: A foreseen failure, or INTERNAL for a crash; its text is what the model reads.
            MCPError: A failure that the protocol itself answers.
        """
        try:
            return await self._calls.run(self.name, lambda: self._execute(arguments, context, convert_result))
        except ServiceError as error:
            if convert_result:
                return failed(error)
            raise

    async def _execute(self, arguments: Any, context: CallContext, convert_result: bool) -> Any:
        read = read_arguments(self.fn_metadata.arg_model, self.parameters, arguments, self._settled)
        checked = read.checked.model_dump_one_level() | self._allowed_accounts(read.checked)
        async with reporting(context) as reported:
            injected: dict[str, Any] = {self.context_kwarg: sdk_context(reported)} if self.context_kwarg else {}
            if self.resolved_params:
                answers = await asked(self, checked, sdk_context(reported))
                if isinstance(answers, InputRequiredResult):
                    return answers
                injected |= answers
            with asking_within(None if self.resolved_params else context):
                try:
                    result = await self.fn(**checked, **injected)
                except InputRequired as required:
                    return required.result
        if isinstance(result, InputRequiredResult):
            return result
        if isinstance(result, BaseModel) and not isinstance(result, CallToolResult):
            result = fit_answer(result, self._max_answer_chars)
        parts = list(result.content) if isinstance(result, CallToolResult) else []
        if not convert_result:
            return result
        return self._answer(self._converted(result), parts, read.warnings, wants_short_text(context))

    def _allowed_accounts(self, checked: BaseModel) -> dict[str, str]:
        """Return the accounts to use by parameter; none when the caller may use every account.

        Raises:
            ServiceError: INVALID_ARGUMENT for an account that the caller may not use.
        """
        allowed = allowed_accounts.get()
        if allowed is None:
            return {}
        named = {name: getattr(checked, name) for name in self._account_parameters & checked.model_fields_set}
        return {
            name: choose_account(named.get(name) or "", self._accounts or allowed)
            for name in sorted(self._account_parameters)
        }

    def _converted(self, result: Any) -> Any:
        """Return the SDK's answer for a result; its text is left out when `_answer` writes that anyway."""
        model = self.fn_metadata.output_model
        if isinstance(model, type) and isinstance(result, model) and isinstance(result, BaseModel):
            return CallToolResult(content=[], structured_content=result.model_dump(mode="json", by_alias=True))
        return self.fn_metadata.convert_result(result)

    def _answer(self, result: Any, parts: Sequence[ContentBlock], warnings: list[str], is_short: bool) -> Any:
        """Return the answer with the warnings and with compact JSON, which has fewer tokens than the SDK's.

        The tool's own `parts`, such as a picture or a text for people, follow the JSON. With `is_short`, one line takes
        the place of the JSON and of the text with the warnings.
        """
        if not isinstance(result, CallToolResult):
            return result
        structure = result.structured_content
        is_short = is_short and structure is not None
        if structure is not None:
            text = short_text(self.name, structure, warnings) if is_short else to_json(structure).decode()
            result.content = [TextContent(type="text", text=text), *parts]
        within_limits(result, self._max_answer_chars)
        add_warnings(result, warnings, as_text=not is_short)
        return result


def _has_structure(built: OfferedTool) -> bool:
    """Return whether the tool returns a Pydantic model of the service, which becomes its output schema."""
    model = built.fn_metadata.output_model
    is_model = (
        isinstance(model, type) and issubclass(model, BaseModel) and not issubclass(model, get_args(ContentBlock))
    )
    return is_model and built.output_schema is not None and not built.fn_metadata.wrap_output


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """Return `schema` without the titles that Pydantic derives from names: they only cost agents tokens."""
    arguments = {name: {**rules} for name, rules in schema.get("properties", {}).items()}
    for rules in arguments.values():
        rules.pop("title", None)
    return {**{key: value for key, value in schema.items() if key != "title"}, "properties": arguments}


def _without(schema: dict[str, Any], names: Collection[str]) -> dict[str, Any]:
    """Return `schema` without the optional arguments of these names."""
    arguments = {name: rules for name, rules in schema.get("properties", {}).items() if name not in names}
    return {**schema, "properties": arguments}
