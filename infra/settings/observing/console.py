"""Defines the settings of the console, the web pages that show one stack."""

from __future__ import annotations

from pydantic import Field

from infra.schema.strict_settings import StrictSettings
from infra.settings.observing.span_export import SpanExportSettings
from messages import mark

#: The only stack that has the console without a word about it in its file.
DEFAULT_STACK = "dev"


class ConsoleSettings(StrictSettings):
    """The settings of the console."""

    enabled: bool | None = Field(
        None,
        description=mark(
            "Whether the stack has the console, web pages at /console/ for a person with its password; unset: only dev "
            "has it"
        ),
    )
    memory_mib: int = Field(160, ge=96, le=8192, description=mark("Memory of the console, in MiB"))
    store_mib: int = Field(
        256,
        ge=16,
        le=65536,
        description=mark("How many MiB the records of calls may take; the oldest are deleted first"),
    )
    traces: bool = Field(
        True,
        description=mark("Whether services and the hub tell the console where the time of each call went"),
    )
    export: SpanExportSettings | None = Field(
        None, description=mark("Where the console also sends the spans of all calls; unset: nowhere")
    )
    password_generation: int = Field(
        1,
        ge=1,
        le=100_000,
        description=mark("The number of the password, counted from 1; written by console password --new"),
    )
