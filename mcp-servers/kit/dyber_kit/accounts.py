"""Decides which of a service's accounts a caller may use.

Whatever acts for an account on behalf of a caller asks `choose_account` first; tools and `browser.pages.Pages` do.

    >>> choose_account("", ["main", "second"]), choose_account("second", ["main", "second"])
    ('main', 'second')
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import joined_names, tr_lazy

#: The accounts that the caller of the current MCP message may use, its default first; None for every account.
#: `calling.scopes.applied_scope` sets it.
allowed_accounts: ContextVar[tuple[str, ...] | None] = ContextVar("allowed_accounts", default=None)


def usable_accounts(configured: Sequence[str]) -> tuple[str, ...]:
    """Return the accounts in `configured` that the current caller may use, its default first."""
    allowed = allowed_accounts.get()
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
