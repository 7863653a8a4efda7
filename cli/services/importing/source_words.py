"""Reads what a user writes after --from: `npm:NAME`, an address, or a whole command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from cli.services.importing import package_names
from cli.services.importing.commands import lines
from cli.services.importing.names import service_name
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, remark
from cli.services.importing.values import Values
from messages import mark

#: How a description in the MCP registry begins; cli.services.importing.registry reads it.
REGISTRY = "registry:"
_KINDS = {
    "npm": Kind.NPM,
    "npx": Kind.NPM,
    "pypi": Kind.PYPI,
    "pip": Kind.PYPI,
    "uvx": Kind.PYPI,
    "go": Kind.GO,
    "oci": Kind.OCI,
    "docker": Kind.OCI,
    "image": Kind.OCI,
    "url": Kind.URL,
}
_READERS = {
    Kind.NPM: package_names.npm,
    Kind.PYPI: package_names.pypi,
    Kind.GO: package_names.go,
    Kind.OCI: package_names.oci,
}


def read(text: str, values: Values, arguments: Sequence[str] = ()) -> None:
    """Fill the request of `values` with the source that `text` names, and with these arguments. Raises RefusedError."""
    request = values.request
    text = text.strip()
    word, colon, rest = text.partition(":")
    kind = _KINDS.get(word.lower().rstrip("/")) if colon else None
    if re.match(r"https?://", text, re.IGNORECASE):
        kind, rest = Kind.URL, text
    if kind is Kind.URL:
        request.transport = ""
        values.address(rest)
        if arguments:
            raise RefusedError(remark(mark("a remote server has no arguments")), remark(mark("leave --argument out")))
    elif kind:
        package = _READERS[kind](rest.removeprefix("//"))
        request.kind, request.package, request.version = kind, package.name, package.version
        request.extras = package.extras
        values.arguments(arguments)
    elif re.search(r"\s", text):
        lines.read(text, arguments, values, lambda path: None)
    else:
        raise RefusedError(
            remark(mark("{source!r} does not say where the server comes from"), source=package_names.shown(text)),
            package_names.accepted_sources(),
        )
    request.name = request.name or service_name(_host_or_name(request))


def _host_or_name(request: SourceRequest) -> str:
    """Return what a service is named after: a package, or the host of an address without `mcp.` and its ending."""
    if request.kind is not Kind.URL:
        return request.package
    host = re.sub(r"^\w+://", "", request.package).partition("/")[0].partition(":")[0]
    parts = [part for part in host.split(".") if part not in ("mcp", "www", "api", "sse")]
    return parts[-2] if len(parts) > 1 else (parts or [host])[0]
