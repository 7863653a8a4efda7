"""Makes a request of a `server.json` of the MCP registry, or of the registry's answer that holds one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from cli.services.importing import package_names
from cli.services.importing.clients.entries import Importer
from cli.services.importing.commands import lines
from cli.services.importing.names import service_name
from cli.services.importing.placeholders import Form, Placeholders
from cli.services.importing.registry.inputs import Inputs
from cli.services.importing.registry.models import Package, Server, Transport, current_keys, is_old
from cli.services.importing.requests import SPARE_PORT, Kind, RefusedError, SourceRequest, remark
from cli.services.importing.values import Values
from messages import mark

_OFFICIAL = "io.modelcontextprotocol.registry/official"
#: The programs that run packages of each type; a hint at another program would mean another package.
_RUNNERS = {"npm": ("npx", "npm", "node", "bunx"), "pypi": ("uvx", "uv", "pipx", "python"), "oci": ("docker", "podman")}
_TYPES = ("npm", "pypi", "oci", "go")
#: The port in the address of a package that listens itself: a number, or the name of an input.
_PORT = re.compile(r"^[a-z]+://[^/]*:(?:(?P<number>[0-9]+)|\{(?P<name>[^{}]+)\})(?=/|$)")


@dataclass(frozen=True)
class Offer:
    """A way to run a server of the registry: one of its packages, or one of its remote addresses."""

    package: Package | None
    remote: Transport | None

    @property
    def title(self) -> str:
        """What a user sees of it."""
        if self.package:
            version = f" {self.package.version}" if self.package.version else ""
            return f"{self.package.registry_type}: {package_names.shown(self.package.identifier)}{version}"
        assert self.remote
        return f"url: {package_names.shown(self.remote.url)}"

    @property
    def rank(self) -> int:
        """How it is preferred to others, the lowest first: locked packages, then fixed images, then addresses."""
        if self.remote:
            return 2
        assert self.package
        if self.package.registry_type == "oci":
            return 1 if "@sha256:" in self.package.identifier else 3
        return 0 if self.package.registry_type in _TYPES else 4


def looks_like_registry(content: Any) -> bool:
    """Tell whether a file is a `server.json`, not the configuration of a client."""
    if not isinstance(content, Mapping):
        return False
    server = content.get("server", content)
    return (
        isinstance(server, Mapping)
        and isinstance(server.get("name"), str)
        and bool({"packages", "remotes"} & set(server))
    )


def server(content: Any) -> tuple[Server, SourceRequest]:
    """Return the server that a file or an answer of the registry describes, and a request with remarks about it.

    Raises RefusedError for a file that is none, or for a server that was deleted.
    """
    request = SourceRequest()
    if isinstance(content, Mapping) and isinstance(content.get("servers"), list):
        if len(content["servers"]) != 1:
            raise RefusedError(
                remark(mark("it has {count} servers"), count=len(content["servers"])),
                remark(mark("give the file or the address of a single server")),
            )
        content = content["servers"][0]
    if not isinstance(content, Mapping):
        raise _not_a_server()
    description = content.get("server") if isinstance(content.get("server"), Mapping) else content
    if not isinstance(description, Mapping) or not isinstance(description.get("name"), str):
        raise _not_a_server()
    if is_old(description):
        request.note(mark("the file has the keys of before September 2025; they were converted"))
    try:
        parsed = Server.model_validate(current_keys(description))
    except ValidationError as error:
        where = ", ".join(sorted({".".join(str(part) for part in item["loc"]) for item in error.errors()})[:5])
        raise RefusedError(
            remark(mark("it does not follow the schema of server.json: {where}"), where=where),
            remark(mark("ask the server's publisher, or add its package with --from npm:NAME")),
        ) from None
    status, message = _status(content, parsed)
    if status == "deleted":
        raise RefusedError(
            remark(mark("{name} was deleted from the registry{message}"), name=parsed.name, message=message),
            remark(mark("look for its successor")),
        )
    if status == "deprecated":
        request.note(mark("{name} is deprecated{message}"), name=parsed.name, message=message)
    return parsed, request


def offers(described: Server) -> list[Offer]:
    """Return the ways to run a server, in the order of its file."""
    packages = [Offer(package, None) for package in described.packages]
    return [*packages, *(Offer(None, remote) for remote in described.remotes)]


def chosen(described: Server, number: int | None = None) -> Offer:
    """Return the way to run a server: that of this number, from 1, or the preferred one. Raises RefusedError."""
    listed = offers(described)
    if not listed:
        raise RefusedError(
            remark(mark("{name} has neither a package nor an address"), name=described.name),
            remark(mark("ask the server's publisher, or add its package with --from npm:NAME")),
        )
    if number is None:
        return min(listed, key=lambda offer: offer.rank)
    if not 1 <= number <= len(listed):
        titles = "; ".join(f"{position} {offer.title}" for position, offer in enumerate(listed, 1))
        raise RefusedError(
            remark(mark("there is no package {number}"), number=number),
            remark(mark("choose one of: {choices}"), choices=titles),
        )
    return listed[number - 1]


def convert(content: Any, importer: Importer, number: int | None = None) -> SourceRequest:
    """Return the request for a server of the registry. Raises RefusedError."""
    described, request = server(content)
    offer = chosen(described, number)
    others = [f"{position} {other.title}" for position, other in enumerate(offers(described), 1) if other != offer]
    if others:
        request.note(mark("also offered, chosen with --package NUMBER: {others}"), others="; ".join(others))
    request.name = service_name(described.name)
    request.title, request.description = described.title[:60], described.description[:200]
    inputs = Inputs(importer.answers)
    if offer.package:
        _package(offer.package, request, importer, inputs)
    elif offer.remote:
        _remote(offer.remote, request, importer, inputs)
    return request


def _package(package: Package, request: SourceRequest, importer: Importer, inputs: Inputs) -> None:
    kind = package.registry_type.lower()
    if kind not in _TYPES:
        raise RefusedError(
            remark(mark("packages of the type {kind} cannot become a service"), kind=package.registry_type[:30]),
            remark(
                mark("choose another package with --package, if there is one; known types: {known}"),
                known=", ".join(_TYPES),
            ),
        )
    hint = package.runtime_hint.lower()
    if any(hint in runners for other, runners in _RUNNERS.items() if other != kind):
        raise RefusedError(
            remark(mark("the package is of the type {kind}, but is to be run with {hint}"), kind=kind, hint=hint[:30]),
            remark(mark("ask the server's publisher, or add its package with --from npm:NAME")),
        )
    if package.registry_base_url:
        request.note(mark("the registry in the file is not used: packages come from the mirrors in the settings"))
    runtime = [
        word
        for argument in package.runtime_arguments
        for word in inputs.argument(argument, may_be_secret=kind == "oci")
    ]
    given = [word for argument in package.package_arguments for word in inputs.argument(argument)]
    words = _command(kind, package, runtime, given)
    values = Values(request, _placeholders(importer, inputs), importer.private)
    lines.read(words[0], words[1:], values, importer.read_variables)
    if package.transport.type != "stdio":
        _listening(package, request, inputs)
    for variable in package.environment_variables:
        if variable.name in ("HOST", "PORT", request.port_variable):
            continue
        text = inputs.text(variable, variable.name)
        if text is not None or (variable.is_secret and not variable.is_required):
            values.variable(
                variable.name, text if text is not None else "", secret=variable.is_secret,
                required=variable.is_required, description=variable.description,
            )  # fmt: skip


def _command(kind: str, package: Package, runtime: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """Return the command line that the package stands for."""
    identifier, version = package.identifier, package.version
    if kind == "npm":
        name = package_names.npm(identifier)
        if name.version and version and name.version != version:
            raise _two_versions(name.version, version)
        return ["npx", *runtime, f"{name.name}@{version or name.version}".rstrip("@"), *arguments]
    if kind == "pypi":
        known = package_names.pypi(identifier)
        if known.version and version and known.version != version:
            raise _two_versions(known.version, version)
        extras = f"[{','.join(known.extras)}]" if known.extras else ""
        exact = version or known.version
        requirement = f"{known.name}{extras}{f'=={exact}' if exact else ''}"
        if "--from" in runtime:
            return ["uvx", *runtime, known.name, *arguments]
        return ["uvx", *runtime, requirement, *arguments]
    if kind == "go":
        module = package_names.go(identifier)
        return ["go", "run", f"{module.name}@{version or module.version or 'latest'}", *arguments]
    reference = identifier if not version or ":" in identifier.rsplit("/", 1)[-1] else f"{identifier}:{version}"
    words = list(runtime)
    # Both ways are in use: the arguments of `docker` and those of `docker run`.
    if words[:1] == ["run"]:
        words = words[1:]
    return ["docker", "run", *words, reference, *arguments]


def _listening(package: Package, request: SourceRequest, inputs: Inputs) -> None:
    """Note where a package listens that does not speak over stdio. Raises RefusedError."""
    named: dict[str, str] = {}
    for variable in package.environment_variables:
        named[variable.name] = inputs.literal(variable, variable.name)
    for argument in package.package_arguments:
        for key in (argument.name, argument.name.lstrip("-"), argument.value_hint):
            named[key] = inputs.literal(argument, argument.name.lstrip("-") or argument.value_hint).lstrip("=")
    url = package.transport.url
    request.port_variable = _port_variable(package, named)
    if request.port_variable and not _is_usable_port(named[request.port_variable]):
        named[request.port_variable] = str(SPARE_PORT)
    for key, value in named.items():
        url = url.replace(f"{{{key}}}", value or "…")
    try:
        parts = urlsplit(url)
        port = parts.port or 0
    except ValueError:
        parts, port = urlsplit(""), 0
    if package.transport.type not in ("streamable-http", "sse") or not _is_usable_port(str(port)):
        raise RefusedError(
            remark(mark("at which port the package listens is not known")),
            remark(mark("choose another package with --package, if there is one; known types: {known}"), known="stdio"),
        )
    request.transport, request.child_port = package.transport.type, port
    request.child_path = parts.path


def _port_variable(package: Package, named: Mapping[str, str]) -> str:
    """Return the variable that decides at which port a package listens; '' if there is none that is known to.

    Its name is the port of the address, or it is called PORT and its value is that port.
    """
    variables = {variable.name for variable in package.environment_variables}
    place = _PORT.search(package.transport.url)
    if place is None:
        return ""
    if place["name"]:
        return place["name"] if place["name"] in variables else ""
    return "PORT" if named.get("PORT") == place["number"] else ""


def _is_usable_port(text: str) -> bool:
    return text.isdecimal() and 1024 <= int(text) <= 65535


def _remote(remote: Transport, request: SourceRequest, importer: Importer, inputs: Inputs) -> None:
    address = inputs.template(remote.url, remote.variables)
    headers = {header.name: inputs.text(header, header.name) for header in remote.headers}
    values = Values(request, _placeholders(importer, inputs), importer.private)
    request.kind, request.transport = Kind.URL, remote.type if remote.type in ("streamable-http", "sse") else ""
    values.address(address)
    for header in remote.headers:
        if (text := headers[header.name]) is not None:
            values.header(header.name, text, secret=header.is_secret, description=header.description)


def _placeholders(importer: Importer, inputs: Inputs) -> Placeholders:
    """Return what replaces the user's inputs; a publisher's file has nothing to read in the variables of the machine."""
    return Placeholders({}, inputs.known, importer.answers, frozenset({Form.INPUT}))


def _status(content: Mapping[str, Any], described: Server) -> tuple[str, str]:
    meta = content.get("_meta")
    official = meta.get(_OFFICIAL) if isinstance(meta, Mapping) else None
    official = official if isinstance(official, Mapping) else {}
    status = str(official.get("status") or described.status)
    message = str(official.get("statusMessage") or described.status_message)[:200]
    return status, f" ({message})" if message else ""


def _not_a_server() -> RefusedError:
    return RefusedError(
        remark(mark("it is not a server.json of the MCP registry")),
        remark(mark("give its file or address; for the configuration of a client use --import")),
    )


def _two_versions(first: str, second: str) -> RefusedError:
    return RefusedError(
        remark(
            mark("the package is named with two versions, {first} and {second}"), first=first[:40], second=second[:40]
        ),
        remark(mark("ask the server's publisher, or add its package with --from npm:NAME")),
    )
