"""Defines the parts of a `server.json` of the MCP registry (schema 2025-12-11) that matter for a service.

Files of before 2025-09-16 write their keys with underscores; `current_keys` renames them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

#: Keys of old files that are now called otherwise than their words say.
_RENAMED = {"registry_name": "registryType", "transport_type": "transport", "websiteUrl": "websiteUrl"}


class RegistryPart(BaseModel):
    """The basis of the models: unknown keys are left out, as publishers may add some."""

    model_config = ConfigDict(extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True)


class Input(RegistryPart):
    """A value that the publisher fixes (`value`) or that the user gives."""

    description: str = ""
    is_required: bool = False
    is_secret: bool = False
    format: Literal["string", "number", "boolean", "filepath"] = "string"
    default: str | None = None
    value: str | None = None
    choices: tuple[str, ...] = ()
    variables: dict[str, Input] = Field(default_factory=dict)

    @field_validator("default", "value", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, int | float) else value

    @field_validator("choices", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return value or ()


class NamedInput(Input):
    """A variable or a header."""

    name: str = Field(min_length=1, max_length=128)


class Argument(Input):
    """An argument of the server or of the program that runs it."""

    type: Literal["positional", "named"] = "positional"
    name: str = ""
    value_hint: str = ""
    is_repeated: bool = False


class Transport(RegistryPart):
    """How a package or a remote server is talked to."""

    type: str = "stdio"
    url: str = ""
    headers: tuple[NamedInput, ...] = ()
    variables: dict[str, Input] = Field(default_factory=dict)


class Package(RegistryPart):
    """A package that runs the server."""

    registry_type: str
    identifier: str = Field(min_length=1, max_length=500)
    version: str = ""
    registry_base_url: str = ""
    file_sha256: str = ""
    runtime_hint: str = ""
    runtime_arguments: tuple[Argument, ...] = ()
    package_arguments: tuple[Argument, ...] = ()
    environment_variables: tuple[NamedInput, ...] = ()
    transport: Transport = Transport()


class Server(RegistryPart):
    """A server of the registry."""

    name: str = Field(min_length=3, max_length=200)
    title: str = ""
    description: str = ""
    version: str = ""
    status: str = ""
    status_message: str = ""
    packages: tuple[Package, ...] = ()
    remotes: tuple[Transport, ...] = ()

    @field_validator("packages", "remotes", mode="before")
    @classmethod
    def _none_is_empty(cls, value: Any) -> Any:
        return value or ()


def current_keys(value: Any, *, above: str = "") -> Any:
    """Return a part of a `server.json` with keys as they are written today; names that publishers chose stay."""
    if isinstance(value, list):
        return [current_keys(item, above=above) for item in value]
    if not isinstance(value, Mapping):
        return value
    if above == "variables":
        return {str(key): current_keys(item) for key, item in value.items()}
    result: dict[str, Any] = {}
    for key, item in value.items():
        known = _RENAMED.get(str(key)) or re.sub(r"(?<=[a-z0-9])_([a-z0-9])", lambda match: match[1].upper(), str(key))
        result[known] = current_keys(item, above=known)
    if above == "packages" and "identifier" not in result and "name" in result:
        result["identifier"] = result.pop("name")
    if isinstance(result.get("transport"), str):
        result["transport"] = {"type": result["transport"], "url": result.get("url", "")}
    if above == "remotes" and "type" not in result and isinstance(result.get("transport"), Mapping):
        result["type"] = result["transport"]["type"]
    detail = result.get("versionDetail")
    if isinstance(detail, Mapping):
        result.setdefault("version", detail.get("version", ""))
    return result


def is_old(value: Any) -> bool:
    """Tell whether a `server.json` has keys of before 2025-09-16."""
    if isinstance(value, list):
        return any(is_old(item) for item in value)
    if not isinstance(value, Mapping):
        return False
    old = ("registry_type", "registry_name", "version_detail", "transport_type", "package_arguments", "is_required")
    return any(key in value for key in old) or any(is_old(item) for item in value.values())
