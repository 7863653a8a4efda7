"""Decides which of the configured accounts a caller may use, and finds the parameters that name an account.

Whatever acts for an account on behalf of a caller asks `choose_account` first; `browser.pages.Pages` does.

    >>> choose_account("", ["main", "second"]), choose_account("second", ["main", "second"])
    ('main', 'second')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcp.server.mcpserver.tools import Tool

from dyber_kit.calling.scopes import current_scope
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import joined_names, tr_lazy


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


def usable_accounts(configured: Sequence[str]) -> tuple[str, ...]:
    """Return the accounts in `configured` that the current caller may use, its default first."""
    allowed = current_scope.get().accounts
    return tuple(configured if allowed is None else (name for name in allowed if name in configured))


def choose_account(name: str, configured: Sequence[str]) -> str:
    """Return the account that the current caller names; for "" its default, by default the first in `configured`.

    Raises:
        ServiceError: INVALID_ARGUMENT for an account that the caller may not use, whether it is configured or not.
    """
    usable = usable_accounts(configured)
    if name in usable:
        return name
    if usable and not name:
        return usable[0]
    if usable:
        next_step = tr_lazy(
            "Available accounts: {names}; without a name, {first} is used", names=joined_names(usable), first=usable[0]
        )
    else:
        next_step = tr_lazy("The operator must list a configured account in the setting clients.<name>.accounts")
    cause = tr_lazy("There is no account {name}", name=name) if name else tr_lazy("This client may use no account")
    raise ServiceError(ErrorCode.INVALID_ARGUMENT, cause, next_step)
