"""Finds the parameters that name an account, which agents need not see where they may use only one account."""

from __future__ import annotations

from dataclasses import dataclass

from mcp.server.mcpserver.tools import Tool


@dataclass(frozen=True)
class AccountName:
    """Marks a parameter as the name of a configured account: `Annotated[str, AccountName(), Field(...)]`.

    The parameter needs a default, which stands for the first account. `create_app(accounts=...)` leaves it out of what
    agents see when they may use only one account; the contract always has it. For a caller that may use some accounts
    only, the function always gets the name of one of these.
    """


def account_parameters(tool: Tool) -> frozenset[str]:
    """Return the names of a tool's parameters that are marked with `AccountName`.

    Raises:
        ValueError: A marked parameter has no default, so that it cannot be left out; the message names both.
    """
    fields = tool.fn_metadata.arg_model.model_fields
    marked = {name for name, field in fields.items() if any(isinstance(mark, AccountName) for mark in field.metadata)}
    for name in sorted(marked):
        if fields[name].is_required():
            raise ValueError(f"tool {tool.name} needs a default for its account {name}")
    return frozenset(marked)
