"""Says what the server needs of the tools, prompts, resources and suggestions of a service, however they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.tools import Tool
from mcp.types import (
    Completion,
    InputRequiredResult,
    PromptReference,
    Resource,
    ResourceTemplate,
    ResourceTemplateReference,
)

from dyber_kit.calling.calls import Calls
from dyber_kit.calling.direct import CallContext, sdk_context
from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import tr_lazy

#: Key in the `_meta` of a content: its address, where that is not the one that was asked for. Callers do not see it.
ADDRESS_META = "dyber/address"

Contents = list[ReadResourceContents]
Reference = PromptReference | ResourceTemplateReference


class OfferedTool(Tool):
    """Represents a tool of a service: agents see its `parameters`, and the contract has `all_parameters`."""

    async def run(self, arguments: Any, context: CallContext, convert_result: bool = False) -> Any:
        """Run the tool; see `dyber_kit.calling.tools.ServiceTool.run`."""
        return await super().run(arguments, sdk_context(context), convert_result)

    def read_only_refusal(self) -> ServiceError:
        """Return the error for a call of this tool, which writes, to a service in read-only mode."""
        return ServiceError(
            ErrorCode.READ_ONLY,
            tr_lazy(
                "{cause}; its tool {name}, which changes something on the platform, is left out",
                cause=KINDS[ErrorCode.READ_ONLY].lazy_message,
                name=self.name,
            ),
        )

    @property
    def all_parameters(self) -> dict[str, Any]:
        """Return the JSON Schema of all arguments, also of those that agents do not see; the contract has it."""
        return self.parameters

    @property
    def caller_parameters(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments that the current caller sees."""
        return self.parameters

    @property
    def names_account(self) -> bool:
        """Return whether the tool has a parameter that names an account."""
        return False


class Declaration(Protocol):
    """Describes a tool before the service runs; `create_app` builds the running tool from it."""

    @property
    def name(self) -> str:
        """Return the name under which agents call the tool."""

    @property
    def read_only(self) -> bool:
        """Return whether the tool changes nothing outside the server."""

    def build(self, calls: Calls, max_answer_chars: int, accounts: Sequence[str]) -> OfferedTool:
        """Return the running tool; see `dyber_kit.calling.tools.ServiceTool.build`."""


class PromptOffer(Protocol):
    """Describes a prompt before the service runs; `create_app` builds the running prompt from it."""

    @property
    def name(self) -> str:
        """Return the name under which users choose the prompt."""

    def build(self, calls: Calls, max_answer_chars: int) -> Prompt:
        """Return the running prompt; see `dyber_kit.calling.prompts.ServicePrompt.build`."""


class OfferedResource(Protocol):
    """Reads a resource of a service, or those of a template."""

    @property
    def uri(self) -> str:
        """Return the address, or the template of addresses."""

    @property
    def listed(self) -> Resource | ResourceTemplate:
        """Return what clients see in the list of resources, or of templates."""

    def match(self, uri: str) -> dict[str, Any] | None:
        """Return the parameters in an address; None when it is not of this resource."""

    async def read(
        self, uri: str, parameters: dict[str, Any], context: Context[Any, Any]
    ) -> Contents | InputRequiredResult:
        """Return the content of the resource at an address that `match` accepted.

        Raises:
            MCPError: A failure, with code and next step.
        """


class ResourceOffer(Protocol):
    """Describes a resource or a template before the service runs; `create_app` builds the running resource from it."""

    @property
    def uri(self) -> str:
        """Return the address, or the template of addresses."""

    def build(self, calls: Calls, max_answer_chars: int) -> OfferedResource:
        """Return the running resource; see `dyber_kit.calling.resources.ServiceResource`."""


class Suggestions(Protocol):
    """Suggests values for the arguments of prompts and of templates of resources."""

    @property
    def listed(self) -> list[dict[str, str]]:
        """Return which arguments have suggestions, in a stable order, for the contract."""

    async def suggest(self, reference: Reference, argument: str, typed: str, filled: Mapping[str, str]) -> Completion:
        """Return suggestions for an argument; none for an argument without any.

        Raises:
            MCPError: The prompt or resource does not exist, or the suggestions cannot be had.
        """


class SuggestionsOffer(Protocol):
    """Makes the suggestions of a service that answers all of them in the same way."""

    def build(self, calls: Calls) -> Suggestions:
        """Return what answers requests for suggestions."""
