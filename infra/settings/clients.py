"""Defines the settings of clients: which services, tools and accounts each may use, and the rotation of its token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from infra.schema.forms import Form
from infra.schema.messages import listed
from infra.schema.problems import Problem, UnusableValue
from infra.schema.strict_settings import StrictSettings
from infra.services.catalog import ServiceSpec
from infra.settings.names import CONSOLE_CLIENT
from messages import mark


def _not_the_console(name: str) -> str:
    if name == CONSOLE_CLIENT:
        raise UnusableValue("client_called_console")
    return name


ClientName = Annotated[str, Form(r"^[a-z][a-z0-9-]{0,30}$", "client_form"), AfterValidator(_not_the_console)]
_TOOL = Form(r"^[A-Za-z0-9_.-]{1,128}$", "tool_form")
ToolName = Annotated[str, _TOOL]


def _all_read_or_tools(value: Any) -> Any:
    """Return the value unchanged. Raises UnusableValue for what is no scope, in place of a problem for each form."""
    if value in ("all", "read"):
        return value
    if not value or not isinstance(value, list | tuple) or not all(isinstance(tool, str) for tool in value):
        raise UnusableValue("scope_form")
    for tool in value:
        _TOOL.check(tool)
    return value


#: All tools, the tools that only read, or a list of tools.
Scope = Annotated[
    Literal["all", "read"] | Annotated[tuple[ToolName, ...], Field(min_length=1)], BeforeValidator(_all_read_or_tools)
]
#: The form of an account's name in services, such as in XHS_ACCOUNTS.
AccountName = Annotated[str, Form(r"^[a-z0-9][a-z0-9_-]{0,31}$", "account_form")]
#: As many as fit into the header that tells a service of them, and into a directive of Nginx.
AccountNames = Annotated[tuple[AccountName, ...], Field(min_length=1, max_length=50)]


class ClientSettings(StrictSettings):
    """The settings of a client. If `services` is None it may call every service, also future ones."""

    services: dict[str, Scope] | None = Field(
        None,
        min_length=1,
        description=mark("By service: all, read (tools that only read), or a list of tools; unset: every service"),
    )

    accounts: dict[str, AccountNames] | None = Field(
        None,
        min_length=1,
        description=mark(
            "By service, the accounts that the client may use, its default first; at a service that is not listed: every "
            "account"
        ),
    )

    def unknown_scopes(self, file: str, client: str, catalog: Mapping[str, ServiceSpec]) -> list[Problem]:
        """Return a problem for each service and tool that does not exist, in the scope of `client` in `file`; and for
        each service whose accounts cannot be limited."""
        problems = []
        for service in self.accounts or {}:
            path = ("clients", client, "accounts", service)
            if service not in catalog:
                problems.append(Problem("no_such_service", file, path, parameters={"known": listed(catalog)}))
            elif not catalog[service].enforces_scopes:
                problems.append(Problem("accounts_not_limited", file, path, parameters={"service": service}))
            elif not catalog[service].accounts:
                problems.append(Problem("no_accounts", file, path, parameters={"service": service}))
        for service, scope in (self.services or {}).items():
            path = ("clients", client, "services", service)
            if service not in catalog:
                problems.append(Problem("no_such_service", file, path, parameters={"known": listed(catalog)}))
                continue
            tools = catalog[service].tools
            if scope == "all":
                continue
            if not tools:
                problems.append(Problem("tools_unknown", file, path))
            elif scope != "read":
                problems += [
                    Problem("no_such_tool", file, path, parameters={"tool": tool, "known": ", ".join(tools)})
                    for tool in scope
                    if tool not in tools
                ]
        return problems


#: The form of `clients` in a stack's file: a mapping, or a list of clients that may call everything.
ClientsInFile = (
    Annotated[dict[ClientName, ClientSettings], Field(min_length=1)] | Annotated[list[ClientName], Field(min_length=1)]
)


class TokenSettings(StrictSettings):
    """The state of the rotation of a client's token, written by `dyber token rotate` and `dyber token revoke`."""

    generation: int = Field(
        1, ge=1, le=100_000, description=mark("The number of the client's current token, counted from 1")
    )
    previous: bool = Field(False, description=mark("Whether the token before it is still accepted"))

    @model_validator(mode="after")
    def _previous_token_exists(self) -> TokenSettings:
        if self.previous and self.generation == 1:
            raise UnusableValue("token_without_previous")
        return self

    @property
    def accepted(self) -> tuple[int, ...]:
        """Return the generations whose tokens are accepted, the newest first."""
        return (self.generation, self.generation - 1) if self.previous else (self.generation,)


def as_mapping(value: Any) -> Any:
    """Return a plain list of client names as a mapping of clients that may call everything; any other value unchanged.

    Raises UnusableValue for a name that is listed twice.
    """
    if not isinstance(value, list | tuple):
        return value
    doubled = sorted({str(name) for name in value if value.count(name) > 1})
    if doubled:
        raise UnusableValue("client_twice", names=", ".join(doubled))
    return {name: {} for name in value}
