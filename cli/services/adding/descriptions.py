"""Reads descriptions of servers from files, addresses and the user's words, for the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
from dotenv import dotenv_values

from cli.services.importing import source_words
from cli.services.importing.clients import files
from cli.services.importing.clients.dialects import Entry, client_of_file, entries
from cli.services.importing.clients.entries import Importer
from cli.services.importing.names import secret_name
from cli.services.importing.placeholders import Placeholders
from cli.services.importing.registry import files as registry_files
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, remark
from cli.services.importing.secret_words import is_secret_name, may_be_secret
from cli.services.importing.values import Values
from messages import mark

#: The address of an MCP registry, for `registry:NAME`.
REGISTRY_VARIABLE = "DYBER_MCP_REGISTRY"
_SECONDS = 20.0
_MOST_BYTES = 4 * 1024 * 1024


class Description:
    """A server as a user describes it with --from; `request` makes its request with the answers so far.

    `text` is what the user wrote. Raises RefusedError where it cannot be read.
    """

    def __init__(
        self,
        text: str,
        *,
        arguments: Sequence[str] = (),
        headers: Sequence[str] = (),
        number: int | None = None,
        private: bool = False,
    ) -> None:
        self._headers = tuple(headers)
        self._text, self._arguments, self._number, self._private = text.strip(), tuple(arguments), number, private
        self._registry: Any = None
        if self._text.startswith(source_words.REGISTRY):
            self._registry = registry_content(self._text.removeprefix(source_words.REGISTRY).strip())

    def request(self, answers: Mapping[str, str]) -> SourceRequest:
        """Return what is asked for. Raises RefusedError."""
        made = self._made(answers)
        for header in self._headers:
            _add_header(header, made)
        return made

    def _made(self, answers: Mapping[str, str]) -> SourceRequest:
        if self._registry is not None:
            importer = Importer(os.environ, answers, self._private, read_variables)
            made = registry_files.convert(self._registry, importer, self._number)
            if self._arguments:
                Values(made, Placeholders(answers=answers), self._private).arguments(
                    (*made.arguments, *self._arguments)
                )
            return made
        made = SourceRequest()
        source_words.read(
            self._text, Values(made, Placeholders(os.environ, answers=answers), self._private), self._arguments
        )
        return made


def _add_header(text: str, request: SourceRequest) -> None:
    """Add a header of a remote server, in which `${NAME}` is a secret. Raises RefusedError."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not name or request.kind is not Kind.URL:
        raise RefusedError(
            remark(mark("a header is written NAME: VALUE, and only remote servers have some")),
            remark(mark("write it like {example}"), example="Authorization: Bearer ${TOKEN}"),
        )
    if "${" not in value and (is_secret_name(name) or may_be_secret(value)):
        raise RefusedError(
            remark(mark("a secret's value cannot be on the command line")),
            remark(mark("write it like {example}"), example=f"{name}: ${{{secret_name(name)}}}"),
        )
    Values(request, Placeholders(os.environ)).header(name, value)


def configured(path: str) -> list[Entry]:
    """Return the servers in a client's configuration, a file or `-` for standard input. Raises RefusedError."""
    name = "" if path == "-" else Path(path).name
    content = files.parse(sys.stdin.buffer.read() if path == "-" else _read(path), name)
    if registry_files.looks_like_registry(content):
        raise RefusedError(
            remark(mark("{file} is a description of the MCP registry, not the configuration of a client"), file=path),
            remark(mark("add it with --from registry:{file}"), file=path),
        )
    return entries(content, Path(path).stem, client_of_file(str(Path(path).absolute())))


def registry_content(place: str) -> Any:
    """Return what the file, the address or the name of a server in the registry says. Raises RefusedError."""
    if place.startswith(("http://", "https://")):
        return files.parse(_fetched(place), "server.json")
    if not Path(place).exists() and place.count("/") == 1 and not place.startswith((".", "/", "~")):
        base = os.environ.get(REGISTRY_VARIABLE, "").rstrip("/")
        if not base:
            raise RefusedError(
                remark(mark("no file {file}, and no registry is configured for a name"), file=place),
                remark(mark("give a file or an address, or set {variable}"), variable=REGISTRY_VARIABLE),
            )
        return files.parse(_fetched(f"{base}/v0.1/servers/{quote(place, safe='')}/versions/latest"), "server.json")
    return files.parse(_read(place), "server.json")


def read_variables(path: str) -> Mapping[str, str] | None:
    """Return the variables in a file of this machine; None if it cannot be read."""
    file = Path(path).expanduser()
    if not file.is_file():
        return None
    try:
        return {name: value or "" for name, value in dotenv_values(file, interpolate=False).items()}
    except (OSError, UnicodeDecodeError):
        return None


def _read(path: str) -> bytes:
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise RefusedError(
            remark(mark("{file} cannot be read: {reason}"), file=path, reason=error.strerror or type(error).__name__),
            remark(mark("give the path of a file")),
        ) from None


def _fetched(address: str) -> bytes:
    try:
        with httpx2.stream("GET", address, timeout=_SECONDS, follow_redirects=False) as answer:
            if answer.status_code != 200:
                raise _not_fetched(address, f"HTTP {answer.status_code}")
            content = b""
            for chunk in answer.iter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise _not_fetched(address, "> 4 MiB")
            return content
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _not_fetched(address, type(error).__name__) from None


def _not_fetched(address: str, reason: str) -> RefusedError:
    return RefusedError(
        remark(mark("{address} does not give a description: {reason}"), address=address.split("?")[0], reason=reason),
        remark(mark("check the address and the network, or give a file")),
    )
