"""Declares the resources of a service, which clients read by address, and reads them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resources import DEFAULT_RESOURCE_SECURITY
from mcp.server.mcpserver.utilities.context_injection import find_context_parameter
from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from mcp.shared.uri_template import UriTemplate
from mcp.types import InputRequiredResult, Resource, ResourceTemplate
from pydantic import BaseModel

from dyber_kit.calling.answers import MAX_MEDIA_CHARS
from dyber_kit.calling.arguments.reading import read_arguments
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.cursors import too_large
from dyber_kit.calling.declared import Function, description_of, name_of, protocol_error
from dyber_kit.calling.offered import Contents
from dyber_kit.errors import ServiceError


@dataclass(frozen=True)
class ResourceDeclaration:
    """Describes one resource, or one template of resources, as its service declared it."""

    function: Function
    uri: str
    title: str
    mime_type: str

    @property
    def name(self) -> str:
        """Return the name of the resource."""
        return name_of(self.function)

    def build(self, calls: Calls, max_answer_chars: int) -> ServiceResource:
        """Return what reads the resource; see `ServiceResource`."""
        return ServiceResource(self, calls, max_answer_chars)


def resource(uri: str, *, title: str, mime_type: str = "text/plain") -> Callable[[Function], ResourceDeclaration]:
    """Declare an async function as an MCP resource named after the function.

    The docstring says what the resource contains. The function returns a text, bytes, or a Pydantic model, which is
    sent as JSON. Parts of the address in braces (RFC 6570) are its parameters: it gets the values as declared.

    Args:
        uri: Address of the resource, or the template of many, such as `demo://entries/{entry_id}`.
        title: Name shown to people, in Chinese.
        mime_type: What the content is, such as `application/json`.

    Example:
        @resource("demo://entries/{entry_id}", title="条目", mime_type="application/json")
        async def demo_entry(entry_id: Annotated[str, Field(max_length=100)]) -> Entry:
            \"\"\"Return one entry with its text.\"\"\"
            return await read(entry_id)
    """
    return lambda function: ResourceDeclaration(function=function, uri=uri, title=title, mime_type=mime_type)


class ServiceResource:
    """Reads a declared resource, or those of a declared template, under `Calls`.

    Raises:
        ValueError: The function is not async or has no docstring, the address is not usable, or the address and the
            function have different parameters; the message names the function.
    """

    def __init__(self, declaration: ResourceDeclaration, calls: Calls, max_answer_chars: int) -> None:
        name = declaration.name
        self.declaration = declaration
        self.description = description_of("resource", declaration.function)
        self._calls = calls
        self._max_answer_chars = max_answer_chars
        self._context_name = find_context_parameter(declaration.function)
        try:
            self._template = UriTemplate.parse(declaration.uri)
            skipped = [self._context_name] if self._context_name else []
            self._model = func_metadata(declaration.function, skip_names=skipped, structured_output=False).arg_model
        except Exception as error:
            raise ValueError(f"resource {name} cannot be published: {error}") from error
        self._schema = self._model.model_json_schema(by_alias=True)
        in_address = set(self._template.variable_names)
        parameters = set(inspect.signature(declaration.function).parameters) - {self._context_name}
        if in_address != parameters:
            raise ValueError(
                f"resource {name} has the address {declaration.uri} with {sorted(in_address)}, but its function takes "
                f"{sorted(parameters)}"
            )
        if "://" not in declaration.uri:
            raise ValueError(f"resource {name} needs an address with a scheme, such as {name}://…")

    @property
    def uri(self) -> str:
        """Return the address, or the template of addresses."""
        return self.declaration.uri

    @property
    def listed(self) -> Resource | ResourceTemplate:
        """Return what clients see in the list of resources, or of templates."""
        declared = self.declaration
        if self._template.variable_names:
            return ResourceTemplate(
                uri_template=declared.uri,
                name=declared.name,
                title=declared.title,
                description=self.description,
                mime_type=declared.mime_type,
            )
        return Resource(
            uri=declared.uri,
            name=declared.name,
            title=declared.title,
            description=self.description,
            mime_type=declared.mime_type,
        )

    def match(self, uri: str) -> dict[str, Any] | None:
        """Return the parameters in an address; None when it is not of this resource, or would leave its folder."""
        parameters = self._template.match(uri)
        if parameters is None or DEFAULT_RESOURCE_SECURITY.validate(parameters) is not None:
            return None
        return parameters

    async def read(
        self, uri: str, parameters: dict[str, Any], context: Context[Any, Any]
    ) -> Contents | InputRequiredResult:
        """Return the content of the resource at an address that `match` accepted.

        Raises:
            MCPError: A failure, with code and next step; its data has the address and the details for programs.
        """
        try:
            return await self._calls.run(f"resource:{self.declaration.name}", lambda: self._read(parameters, context))
        except ServiceError as error:
            raise protocol_error(error, uri=uri) from None

    async def _read(self, parameters: dict[str, Any], context: Context[Any, Any]) -> Contents | InputRequiredResult:
        checked = read_arguments(self._model, self._schema, parameters).checked
        injected = {self._context_name: context} if self._context_name else {}
        result = await self.declaration.function(**checked.model_dump_one_level(), **injected)
        if isinstance(result, InputRequiredResult):
            return result
        content = result.model_dump_json(by_alias=True) if isinstance(result, BaseModel) else result
        limit = self._max_answer_chars if isinstance(content, str) else MAX_MEDIA_CHARS * 3 // 4
        if len(content) > limit:
            raise too_large(len(content), limit)
        return [ReadResourceContents(content=content, mime_type=self.declaration.mime_type)]
