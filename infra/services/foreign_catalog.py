"""Reads the list of foreign servers that were reviewed: `mcp-servers/catalog/<name>.yaml`.

An entry has all that a service.yaml needs but the port, and what people want to know before they add the service. A
folder without a service.yaml is no service, so the list itself is deployed nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from infra.schema.forms import Form
from infra.schema.problems import ConfigurationError, Problem, UnusableValue, validation_problems
from infra.schema.setting_tree import Setting
from infra.services.catalog import FIRST_NEW_PORT, NAME_PATTERN, SecretName, ServiceSpec, VariableName
from infra.services.source import Source

FOLDER = "catalog"
#: In `reaches`: any site, as callers choose the address.
ANY_SITE = "*"
_TEXTS = {"name", "title", "description", "needs", "caution", "reaches"}


class Words(BaseModel):
    """A text in both languages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: Annotated[str, Field(min_length=1, max_length=200)]
    en: Annotated[str, Field(min_length=1, max_length=200)]

    def of(self, language: str) -> str:
        """Return the text in the language `zh` or `en`."""
        return self.en if language == "en" else self.zh


class Entry(BaseModel):
    """A foreign server that was reviewed. The keys that a service.yaml has too mean the same as there.

    - `needs` says what a user has to get first, such as a key; left out if the server works as it is.
    - `caution` says what its user should know, such as where data goes; shown before the server is added.
    - `reaches` are the hosts that the server talks to, `*` for any site; empty if it works without a network.
    - `source.tools` has every tool that the server lists: `read`, `write` or `off`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Form(r"^[a-z][a-z0-9-]{0,30}$", "service_form")]
    title: Words
    description: Words
    needs: Words | None = None
    caution: Words | None = None
    reaches: tuple[Annotated[str, Field(pattern=r"^(\*|(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+)$")], ...] = ()
    source: Source
    internet: bool = False
    data: bool = False
    debian_packages: tuple[str, ...] = ()
    cpus: float | None = None
    memory_mib: int | None = None
    tmp_mib: int | None = None
    max_call_seconds: int | None = None
    max_replicas: int | None = None
    seccomp: Literal["chromium"] | None = None
    environment: dict[VariableName, str] = Field(default_factory=dict)
    secrets: dict[SecretName, Literal["required", "optional"]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _what_is_reached_fits(self) -> Self:
        if self.internet != bool(self.reaches):
            raise UnusableValue("foreign_reaches")
        if "required" in self.secrets.values() and self.needs is None:
            raise UnusableValue("foreign_needs")
        return self

    @model_validator(mode="after")
    def _is_a_service(self) -> Self:
        try:
            ServiceSpec(name=self.name, folder=Path(self.name), **self.service(FIRST_NEW_PORT, "en"))
        except ValidationError as error:
            details = error.errors()[0]
            key = ".".join(map(str, details["loc"]))
            raise UnusableValue("foreign_service", key=key, reason=details["msg"]) from None
        return self

    def service(self, port: int, language: str) -> dict[str, Any]:
        """Return the content of a service.yaml for this server, in the order in which people read it."""
        settings = self.model_dump(mode="json", by_alias=True, exclude=_TEXTS, exclude_defaults=True)
        source = settings.pop("source")
        return {
            "title": self.title.of(language),
            "description": self.description.of(language),
            "port": port,
            **settings,
            "source": source,
        }


def load(servers: Path) -> dict[str, Entry]:
    """Return all entries in `servers`/catalog by name; none without that folder.

    Raises ConfigurationError naming every file that cannot be used.
    """
    entries: dict[str, Entry] = {}
    problems: list[Problem] = []
    for file in sorted((servers / FOLDER).glob("*.yaml")):
        try:
            entries[file.stem] = _entry(file)
        except ConfigurationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(*problems)
    return entries


def _entry(file: Path) -> Entry:
    place = f"mcp-servers/{FOLDER}/{file.name}"
    if not NAME_PATTERN.fullmatch(file.stem):
        raise ConfigurationError(Problem("service_folder_name", place, parameters={"name": file.stem}))
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(Problem("not_yaml", place, parameters={"reason": str(error)})) from error
    if not isinstance(content, Mapping):
        raise ConfigurationError(Problem("service_no_mapping", place))
    try:
        return Entry.model_validate({**content, "name": file.stem})
    except ValidationError as error:
        raise ConfigurationError(*validation_problems(error, place, Setting.of(Entry, {"name"}))) from error
