"""Decides what a caller may use of a service, from the scope that the gateway states in a header of each request.

The gateway sets the header itself, so callers cannot. A tool that a scope excludes is neither listed nor callable, and
a call of it is answered as a call of a tool that does not exist.

    >>> phone = parse_scope(["tools:demo_echo,demo_search"], required=True)
    >>> phone.allows_tool("demo_echo", read_only=True), phone.allows_tool("demo_publish", read_only=False)
    (True, False)
    >>> parse_scope([], required=True) == NOTHING
    True
    >>> parse_scope(["read;accounts=second,main"], required=True).accounts
    ('second', 'main')
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from dyber_kit.accounts import allowed_accounts
from dyber_kit.observing.logs import current_request

#: `all`, `read`, or `tools:` with the names of the tools, separated by commas; then, for a caller that may use some
#: accounts only, `;accounts=` with their names. A kit that does not know the second part reads it all as NOTHING.
SCOPE_HEADER = "X-Dyber-Scope"

#: The same as ASGI servers give it.
RAW_SCOPE_HEADER = SCOPE_HEADER.lower().encode()
_TOOL, _ACCOUNT = "[A-Za-z0-9_.-]{1,128}", "[a-z0-9][a-z0-9_-]{0,31}"
_SCOPE = re.compile(
    rf"(?:(?P<kind>all|read)|tools:(?P<tools>{_TOOL}(?:,{_TOOL})*))(?:;accounts=(?P<accounts>{_ACCOUNT}(?:,{_ACCOUNT})*))?"
)


@dataclass(frozen=True)
class CallerScope:
    """Says what a caller may use: everything, what only reads, the tools named, or nothing.

    Attributes:
        kind: Which of these it is.
        tools: Names of the tools; only for the kind `tools`.
        accounts: Names of the accounts that the caller may use, its default first; None for every account.
    """

    kind: Literal["all", "read", "tools", "none"]
    tools: frozenset[str] = frozenset()
    accounts: tuple[str, ...] | None = None

    @property
    def allows_everything(self) -> bool:
        """Return whether the caller may also use addresses beside MCP, such as REST routes, which take no account."""
        return self.kind == "all" and self.accounts is None

    @property
    def allows_prompts_and_resources(self) -> bool:
        """Return whether the caller may use prompts, resources and completions; a list of tools includes none."""
        return self.kind in ("all", "read")

    def allows_tool(self, name: str, *, read_only: bool) -> bool:
        """Return whether the caller sees a tool and may call it.

        Args:
            name: Name of the tool.
            read_only: Whether the server itself declares that the tool only reads.
        """
        return self.kind == "all" or (self.kind == "read" and read_only) or name in self.tools


EVERYTHING = CallerScope("all")
READING = CallerScope("read")
NOTHING = CallerScope("none")

#: The scope of the MCP message that is being handled; everything where no request is, such as in the contract command.
current_scope: ContextVar[CallerScope] = ContextVar("scope", default=EVERYTHING)


@contextmanager
def applied_scope(scope: CallerScope) -> Iterator[None]:
    """Handle a message within a scope."""
    scope_before, accounts_before = current_scope.set(scope), allowed_accounts.set(scope.accounts)
    try:
        yield
    finally:
        allowed_accounts.reset(accounts_before)
        current_scope.reset(scope_before)


@dataclass(frozen=True)
class Caller:
    """Describes who makes the current call.

    Attributes:
        client: Name of the client as the gateway states it (X-Dyber-Client); "-" without a gateway.
        scope: What the client may use of this service.
    """

    client: str
    scope: CallerScope

    @property
    def accounts(self) -> tuple[str, ...] | None:
        """Return the names of the accounts that the client may use, its default first; None for every account."""
        return self.scope.accounts


def current_caller() -> Caller:
    """Return who makes the current call, for use inside tools and REST handlers."""
    return Caller(current_request.get().client, current_scope.get())


def parse_scope(values: Sequence[str], *, required: bool) -> CallerScope:
    """Return the scope that a request states; NOTHING for a value that cannot be read or stands there twice.

    Args:
        values: All values of the header X-Dyber-Scope.
        required: Whether a request without the header may use nothing, because a gateway always sets it.
    """
    if not values:
        return NOTHING if required else EVERYTHING
    return _read(values[0]) if len(values) == 1 else NOTHING


def request_scope(headers: Iterable[tuple[bytes, bytes]], *, required: bool) -> CallerScope:
    """Return the scope that a request states in its ASGI headers; see `parse_scope`."""
    return parse_scope(
        [value.decode("latin-1") for name, value in headers if name == RAW_SCOPE_HEADER], required=required
    )


@lru_cache(maxsize=256)
def _read(value: str) -> CallerScope:
    read = _SCOPE.fullmatch(value)
    if read is None:
        return NOTHING
    accounts = tuple(dict.fromkeys(read["accounts"].split(","))) if read["accounts"] else None
    if read["tools"]:
        return CallerScope("tools", frozenset(read["tools"].split(",")), accounts)
    return replace(EVERYTHING if read["kind"] == "all" else READING, accounts=accounts)
