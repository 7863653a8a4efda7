"""Makes the tools that agents see: those of the lock, whose calls go to the foreign server."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import PrivateAttr

from dyber_kit.bridge.listing import Item, Lock, Visible
from dyber_kit.bridge.offering.calls import Backend, Wanted
from dyber_kit.bridge.offering.results import read_result
from dyber_kit.bridge.offering.schemas import Checker, read_object
from dyber_kit.bridge.settings import BridgeSettings, Kind
from dyber_kit.calling.answers import add_warnings, failed
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.direct import CallContext, protocol_version
from dyber_kit.calling.offered import OfferedTool
from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import tr, tr_lazy


@dataclass(frozen=True)
class ForeignDeclaration:
    """Describes a tool of the lock; `create_app` makes a running tool of it."""

    name: str
    visible: Visible
    kind: Kind
    backend: Backend

    @property
    def read_only(self) -> bool:
        """Return whether the reviewer, or else the server, says that the tool changes nothing."""
        return self.kind == "read"

    def build(self, calls: Calls, max_answer_chars: int, accounts: Sequence[str]) -> ForeignTool:
        """Return the running tool; the server knows no accounts."""
        return ForeignTool.from_lock(self, calls, max_answer_chars)


def kind_of(name: str, visible: Visible, reviewed: Mapping[str, Kind]) -> Kind:
    """Return the kind of a tool: what the reviewer decided, else `read` for what the server declares read-only."""
    if name in reviewed:
        return reviewed[name]
    return "read" if visible.get("annotations", {}).get("readOnlyHint") is True else "write"


def declarations(settings: BridgeSettings, lock: Lock, backend: Backend) -> list[ForeignDeclaration]:
    """Return the tools that are served, in the order of the lock.

    Raises:
        ValueError: The settings decide about a tool that the lock does not have; the message names it.
    """
    unknown = sorted(settings.tools.keys() - lock.tools.keys())
    if unknown:
        raise ValueError(
            tr(
                "source.tools names {unknown}, which the server does not list; its tools: {known}",
                unknown=", ".join(unknown),
                known=", ".join(lock.tools),
            )
        )
    kinds = {name: kind_of(name, visible, settings.tools) for name, visible in lock.tools.items()}
    return [
        ForeignDeclaration(name, visible, kinds[name], backend)
        for name, visible in lock.tools.items()
        if kinds[name] != "off"
    ]


async def _never_called() -> None:
    """Stand for the function that the SDK expects of a tool; `ForeignTool.run` does the work."""


@dataclass(frozen=True)
class _Parts:
    """Holds what the calls of one tool need."""

    declaration: ForeignDeclaration
    item: Item
    calls: Calls
    max_answer_chars: int
    schema: dict[str, Any]
    arguments: Checker
    structure: Checker | None


class ForeignTool(OfferedTool):
    """Passes the calls of one tool to the foreign server, and answers as the kit's tools do."""

    # One private attribute, because Pydantic takes long for each.
    _parts: _Parts = PrivateAttr()

    @property
    def output_schema(self) -> dict[str, Any] | None:
        """Return the locked schema of structures."""
        return self._parts.declaration.visible.get("outputSchema")

    def read_only_refusal(self) -> ServiceError:
        """Return the error for a call in read-only mode; the server may not have said whether the tool writes."""
        hints = self._parts.declaration.visible.get("annotations", {})
        if "readOnlyHint" in hints:
            return super().read_only_refusal()
        return ServiceError(
            ErrorCode.READ_ONLY,
            tr_lazy(
                "{cause}; its tool {name} is left out, as the server behind it does not say whether it only reads",
                cause=KINDS[ErrorCode.READ_ONLY].lazy_message,
                name=self.name,
            ),
            tr_lazy(
                "Ask the operator: if the tool only reads, write {name}: read below source.tools in the service's "
                "service.yaml; if it writes and that is wanted, set DYBER_READ_ONLY=false; then deploy again",
                name=self.name,
            ),
        )

    @classmethod
    def from_lock(cls, declaration: ForeignDeclaration, calls: Calls, max_answer_chars: int) -> ForeignTool:
        """Make the running tool of a locked one."""
        visible = copy.deepcopy(declaration.visible)
        hints = visible.get("annotations", {}) | {"readOnlyHint": declaration.read_only}
        if declaration.read_only:
            hints.pop("destructiveHint", None)
        built = cls(
            fn=_never_called,
            name=declaration.name,
            title=visible.get("title"),
            description=visible.get("description") or "",
            parameters=visible["inputSchema"],
            fn_metadata=func_metadata(_never_called),
            is_async=True,
            annotations=ToolAnnotations.model_validate(hints),
        )
        structure = visible.get("outputSchema")
        built._parts = _Parts(
            declaration,
            Item("tools", declaration.name),
            calls,
            max_answer_chars,
            built.parameters,
            Checker(built.parameters),
            Checker(structure) if structure else None,
        )
        return built

    async def run(self, arguments: Any, context: CallContext, convert_result: bool = False) -> Any:
        """Run the tool; see `dyber_kit.calling.tools.ServiceTool.run`.

        Raises:
            ServiceError: A foreseen failure, without `convert_result`.
            MCPError: A failure that the protocol itself answers.
        """
        parts = self._parts
        try:
            return await parts.calls.run(parts.item.name, lambda: _execute(parts, arguments, context))
        except ServiceError as error:
            if convert_result:
                return failed(error)
            raise


async def _execute(parts: _Parts, given: Any, context: CallContext) -> CallToolResult | InputRequiredResult:
    backend = parts.declaration.backend
    read = read_object(given, parts.schema, parts.arguments)
    params = {"name": parts.item.name, "arguments": read.arguments}
    names = tuple(parts.schema.get("properties") or ())
    wanted = Wanted(parts.item, "tools/call", params, names, is_write=not parts.declaration.read_only)
    answer = await backend.ask(wanted, context)
    if isinstance(answer, InputRequiredResult):
        return answer
    result = _checked(read_result(answer, backend.masker, parts.max_answer_chars, names), parts, context)
    add_warnings(result, read.warnings)
    return result


def _checked(result: CallToolResult, parts: _Parts, context: CallContext) -> CallToolResult:
    """Return an answer whose structure fits the locked schema, as the caller's SDK raises for others.

    Raises:
        ServiceError: UPSTREAM_CHANGED: it does not; the message names the place.
    """
    structure = result.structured_content
    if parts.structure is None:
        if structure is not None and not isinstance(structure, dict):
            if protocol_version(context) not in MODERN_PROTOCOL_VERSIONS:
                result.structured_content = None
        return result
    if result.is_error:
        return result
    problems = parts.structure.problems(structure) if structure is not None else [("-", tr("is missing"))]
    if problems:
        path, rule = problems[0]
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED,
            tr_lazy(
                "The answer of {tool} does not fit its schema: {path}: {rule}",
                tool=parts.item.name,
                path=path,
                rule=rule,
            ),
            tr_lazy("Tell the operator: the server has to be updated, or outputSchema taken out of the tool's lock"),
        )
    return result
