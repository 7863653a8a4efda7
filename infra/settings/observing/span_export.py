"""Defines the settings of passing spans on: to which collector, and with which headers."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr

from infra.schema.problems import UnusableValue
from infra.schema.strict_settings import StrictSettings
from messages import mark

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,4094}[\x21-\x7e])?")
#: Headers that the console itself sets.
_OWN_HEADERS = {"content-type", "content-length", "content-encoding", "host", "connection", "transfer-encoding"}


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and not parts.username and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not value.isascii() or any(char.isspace() for char in value):
        raise UnusableValue("span_collector")
    return value


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name) or name.lower() in _OWN_HEADERS:
        raise UnusableValue("span_header", name=name)
    return name


def _header_value(value: SecretStr) -> SecretStr:
    if not _VALUE.fullmatch(value.get_secret_value()):
        raise UnusableValue("span_header_value")
    return value


_HeaderValue = Annotated[SecretStr, AfterValidator(_header_value)]


class SpanExportSettings(StrictSettings):
    """Where the spans of calls go besides the console."""

    endpoint: Annotated[str, AfterValidator(_address)] = Field(
        description=mark(
            "Address of your collector for OTLP over HTTP, such as https://otlp.example.com:4318; the console sends it "
            "all spans, and may reach the internet for that"
        )
    )
    headers: dict[Annotated[str, AfterValidator(_header)], _HeaderValue] = Field(
        default_factory=dict,
        description=mark(
            "Headers of the requests to it, encrypted: ./deploy.sh config set console.export.headers.<name> --secret"
        ),
    )
