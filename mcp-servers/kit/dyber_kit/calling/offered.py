"""Says what the server needs of a tool that a service offers, however the tool is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mcp.server.mcpserver.tools import Tool

from dyber_kit.calling.calls import Calls


class OfferedTool(Tool):
    """Represents a tool of a service: agents see its `parameters`, and the contract has `all_parameters`."""

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
