"""Checks the addresses of remote servers, and keeps secrets in them apart."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from cli.services.importing.names import secret_name
from cli.services.importing.package_names import not_in_a_registry, shown
from cli.services.importing.requests import Kind, RefusedError, SourceRequest, WantedSecret, remark
from cli.services.importing.secret_words import is_secret_name, may_be_secret, stands_for_a_value
from infra.services.source import is_private_host
from messages import mark

#: Paths of archives and repositories, which are files and no servers.
_ARCHIVE = re.compile(r"(?i)\.(tgz|tar\.(gz|bz2|xz)|zip|whl|git|mcpb|dxt)$")
_CODE_HOSTS = ("github.com", "gitlab.com", "gitee.com", "bitbucket.org")
_REPOSITORY = re.compile(r"/[^/]+/[^/]+/?(/-?/?tree/.*)?")
#: A segment of a path that looks random.
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_-]{20,}")


def put_address(request: SourceRequest, address: str, *, private: bool = False) -> None:
    """Make `address` the source of the request; secrets among its parameters become secrets of the service.

    An address of a private network is only accepted with `private`. Raises RefusedError.
    """
    address = address.strip()
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _refused(address, mark("{address} is not an address")) from None
    if parts.scheme not in ("http", "https") or not host or re.search(r"\s", address):
        raise _refused(address, mark("{address} is not an address"))
    if "@" in parts.netloc:
        raise RefusedError(
            remark(mark("the address {address} has a user or password in it"), address=shown(address)),
            remark(mark("give it as a header instead, such as Authorization")),
        )
    if _ARCHIVE.search(parts.path) or (host in _CODE_HOSTS and _REPOSITORY.fullmatch(parts.path)):
        raise not_in_a_registry(address)
    if is_private_host(host):
        if not private:
            raise RefusedError(
                remark(mark("{address} is in a private network or on this machine"), address=shown(address)),
                remark(mark("if that is intended: --accept private-address")),
            )
    elif parts.scheme == "http":
        raise RefusedError(
            remark(
                mark("{address} is not encrypted, so anybody on the way could change its tools"), address=shown(address)
            ),
            remark(mark("use its https address")),
        )
    request.kind = Kind.URL
    request.internet = True
    query = urlencode(_with_names(request, parse_qsl(parts.query, keep_blank_values=True)), safe="${}/:,")
    path = "/".join(_without_secret(request, segment) for segment in parts.path.split("/"))
    request.package = urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _without_secret(request: SourceRequest, segment: str) -> str:
    """Return a segment of a path, or `${NAME}` if it is a secret, as in addresses that nobody can guess."""
    if not _RANDOM.fullmatch(segment):
        return segment
    name = secret_name(f"{request.name or 'server'}_PATH")
    request.secrets[name] = WantedSecret(name, value=SecretStr(unquote(segment)))
    return f"${{{name}}}"


def _with_names(request: SourceRequest, parameters: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the parameters with `${NAME}` in place of each secret, which is added to the request."""
    result = []
    for key, value in parameters:
        if value.startswith("${") and value.endswith("}"):
            result.append((key, value))
            continue
        if is_secret_name(key) or may_be_secret(value):
            name = secret_name(key, request.name)
            if name in ("KEY", "TOKEN", "AK", "SK", "SECRET"):
                name = secret_name(f"{request.name or 'server'}_{name}")
            known = None if stands_for_a_value(value) else SecretStr(value)
            request.secrets[name] = WantedSecret(name, value=known)
            value = f"${{{name}}}"
        result.append((key, value))
    return result


def _refused(address: str, reason: str) -> RefusedError:
    return RefusedError(
        remark(reason, address=shown(address)), remark(mark("write it like https://mcp.example.com/mcp"))
    )
