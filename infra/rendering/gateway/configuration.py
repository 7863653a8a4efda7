"""Renders the gateway's configuration from settings, services, clients and networks.

The templates read the fields of GatewaySettings by their names, so a new setting needs only its field and its line in a
template. The templates, the njs modules and the table of errors are in nginx/.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2

from infra.rendering.gateway import hub as hubs
from infra.rendering.gateway.bodies import PAGE_BODY_KIB, SPANS_BODY_KIB, body_limits, console_body_limits
from infra.rendering.gateway.logins import logins
from infra.rendering.gateway.model import (
    GatewayClient,
    GatewayConsole,
    GatewayHub,
    GatewayNetworks,
    GatewayService,
    tls_names,
)
from infra.schema.problems import UnusableValue
from infra.services.ports import CONSOLE_GATEWAY_PORT, HTTPS_PORT, SPANS_PORT
from infra.settings.gateway import GatewaySettings
from infra.version import VERSION

NGINX_FOLDER = Path(__file__).resolve().parents[3] / "nginx"
#: The folder in which the gateway and the loader mount the configuration volume.
CONFIGURATION_ROOT = "/etc/dyber"
#: Where the gateway finds the socket on which the console takes its log (infra.parts.console).
LOG_SOCKET = "/run/dyber-console/gateway.sock"
#: How many calls without a valid token one address may have open. Such calls are answered at once, so more of them are
#: held open on purpose. Behind Docker all callers may have one address, so the number is larger than a single browser
#: or monitor needs.
ANONYMOUS_CONNECTIONS = 100
#: A service is told a client's tools and accounts in one header, and servers refuse headers that are much longer.
LONGEST_SCOPE = 7000
_UNQUOTABLE = re.compile(r"""["'\\$;{}\s\x00-\x20\x7f]""")


def render(
    settings: GatewaySettings,
    services: Iterable[GatewayService],
    clients: Iterable[GatewayClient],
    networks: GatewayNetworks = GatewayNetworks(),
    version: str = VERSION,
    hub: GatewayHub | None = None,
    console: GatewayConsole | None = None,
) -> dict[str, str]:
    """Return the text of each file by its path in the configuration's folder; Nginx starts with `nginx.conf`.

    A console that takes spans makes those of the gateway from its log, and they become the parents of the services' spans.
    The result does not depend on the order of services and clients.
    Raises UnusableValue if services share a name or a port, clients share a name or a token, or a client's scope names
    a tool that is not among the known tools of its service, or is too long for a header, or a client is limited to
    accounts of a service that does not enforce scopes or has no accounts. Scopes and accounts for other services are
    ignored.
    """
    ordered_services = sorted(services, key=lambda service: (service.port, service.name))
    ordered_clients = sorted(clients, key=lambda client: client.name)
    _refuse_doubled("service_name_twice", [service.name for service in ordered_services])
    _refuse_doubled("service_port_twice", [service.port for service in ordered_services])
    _refuse_doubled("client_name_twice", [client.name for client in ordered_clients])
    _refuse_doubled("token_twice", [value for client in ordered_clients for value in client.token_sha256])
    _refuse_unusable_scopes(ordered_services, ordered_clients)
    _refuse_unlimited_accounts(ordered_services, ordered_clients)
    ordered_clients = [_by_service(client, ordered_services) for client in ordered_clients]
    names = tls_names(settings.all_server_names)
    login_parts = logins(settings, ordered_services, hub)
    context = {
        "settings": settings,
        "networks": networks,
        "version": version,
        "services": ordered_services,
        "clients": ordered_clients,
        **hubs.context(hub, ordered_services),
        **_console_context(settings, console),
        "console_body_limits": console_body_limits(settings),
        "page_body_kib": PAGE_BODY_KIB,
        "spans_body_kib": SPANS_BODY_KIB,
        "server_names": settings.all_server_names,
        "certificate": f"{CONFIGURATION_ROOT}/tls/{hashlib.sha256(names.encode()).hexdigest()[:16]}.pem",
        "errors": [error for error in _errors() if settings.oauth or not error["logins"]],
        "token_problems": _error_table()["unauthorized"]["problems"],
        "zones": _zones(settings, ordered_services, hub, console),
        "body_limits": body_limits(settings),
        "anonymous_connections": ANONYMOUS_CONNECTIONS,
        **login_parts["variables"],
    }
    environment = _environment()
    files = {
        "tls.names": names,
        "njs/catalog.json": _catalog(settings, ordered_services, version, hub),
        "njs/scopes.json": _scopes(ordered_services, ordered_clients, hub),
        **login_parts["files"],
    }
    for template in sorted(environment.list_templates(extensions=["j2"])):
        files[template.removesuffix(".j2")] = environment.get_template(template).render(context)
    for module in sorted((NGINX_FOLDER / "njs").glob("*.js")):
        files[f"njs/{module.name}"] = module.read_text(encoding="utf-8")
    return files


def quote(value: object) -> str:
    """Return `value` as one argument of Nginx. Raises UnusableValue for characters with a meaning in Nginx.

    Names have been checked when they were read; this is a second check.
    """
    text = str(value)
    if not text or _UNQUOTABLE.search(text) or text.startswith("~"):
        raise UnusableValue("nginx_value", value=text)
    return f'"{text}"'


def json_body(fields: dict[str, Any], shows: Mapping[str, str] | None = None, **variables: str) -> str:
    """Return a JSON object as the text argument of Nginx's `return`.

    `shows` has by placeholder, such as `{host}`, the Nginx variable to put there; `variables` are further keys whose
    values are Nginx variables. The values of these variables must not need escaping in JSON.
    """
    literal = _escaped(json.dumps(fields, ensure_ascii=False))
    for placeholder, variable in (shows or {}).items():
        literal = literal.replace(f"{{{placeholder}}}", f"${{{variable}}}")
    for key, variable in variables.items():
        literal = f'{literal[:-1]}, "{key}": "${variable}"}}'
    return f"'{literal}\\n'"


def json_text(value: str) -> str:
    """Return the inside of a JSON string as one Nginx argument."""
    return f"'{_escaped(json.dumps(value, ensure_ascii=False)[1:-1])}'"


def _escaped(text: str) -> str:
    """Return JSON escaped for single quotes in Nginx, where a dollar sign would begin a variable."""
    return text.replace("$", "\\u0024").replace("\\", "\\\\").replace("'", "\\'")


def _refuse_doubled(message: str, values: Sequence[object]) -> None:
    doubled = sorted({str(value) for value in values if values.count(value) > 1})
    if doubled:
        raise UnusableValue(message, values=", ".join(doubled))


def _refuse_unusable_scopes(services: list[GatewayService], clients: list[GatewayClient]) -> None:
    tools = {service.name: {*service.read_tools, *service.write_tools} for service in services}
    for client in clients:
        for service in sorted({*(client.scopes or {}), *client.accounts}):
            if len(client.told(service)) > LONGEST_SCOPE:
                raise UnusableValue("scope_too_long", client=client.name, service=service, most=LONGEST_SCOPE)
        for service, scope in (client.scopes or {}).items():
            if isinstance(scope, str):
                if scope not in ("all", "read"):
                    raise UnusableValue("scope", client=client.name, service=service, scope=scope)
                continue
            known = tools.get(service)
            if known and (unknown := sorted(set(scope) - known)):
                raise UnusableValue(
                    "scope_tools",
                    client=client.name,
                    service=service,
                    unknown=", ".join(unknown),
                    known=", ".join(sorted(known)),
                )


def _refuse_unlimited_accounts(services: list[GatewayService], clients: list[GatewayClient]) -> None:
    for client in clients:
        for service in services:
            if service.name not in client.accounts:
                continue
            if not service.enforces_scopes:
                raise UnusableValue("accounts_not_enforced", client=client.name, service=service.name)
            if not service.accounts:
                raise UnusableValue("accounts_missing", client=client.name, service=service.name)


def _by_service(client: GatewayClient, services: list[GatewayService]) -> GatewayClient:
    """Return the client with a scope for each of the services, if it may call all of them but not use all accounts.

    Nginx does not look at the scopes of a client that has none.
    """
    if client.scopes is not None or not client.accounts:
        return client
    return replace(client, scopes={service.name: "all" for service in services})


def _scopes(services: list[GatewayService], clients: list[GatewayClient], hub: GatewayHub | None) -> str:
    """Return as JSON what each client may call (null: everything), the services where it may use some accounts only,
    the tools that only read, all known tools, the services that enforce scopes, what the hub is told of each client, and
    what each group of the hub has of each service."""
    names = {service.name for service in services}
    content: dict[str, Any] = {
        "clients": {
            client.name: None
            if client.scopes is None
            else {
                name: scope if isinstance(scope, str) else _lines(scope)
                for name, scope in sorted(client.scopes.items())
                if name in names
            }
            for client in clients
        },
        "limited": {client.name: _lines(names.intersection(client.accounts)) for client in clients if client.accounts},
        "read_tools": {service.name: _lines(service.read_tools) for service in services},
        "tools": {service.name: _lines((*service.read_tools, *service.write_tools)) for service in services},
        "enforcing": _lines(service.name for service in services if service.enforces_scopes),
    }
    if hub:
        content["hub"] = {client.name: hubs.scope_header(client, services) for client in clients}
        content["groups"] = {group.name: hubs.group_content(group, hub, services) for group in hub.groups}
    return json.dumps(content, ensure_ascii=True, indent=1) + "\n"


def _lines(tools: Iterable[str]) -> str:
    """Return the names in order, each on a line of its own, with a line break before the first and after the last."""
    return "".join(f"\n{tool}" for tool in sorted(set(tools))) + "\n"


def _zone(role: str, directive: str, key: str, size: str, rate: str = "") -> dict[str, str]:
    """Return a shared-memory zone. Its name depends on its parameters, because Nginx cannot change those of a zone."""
    parameters = hashlib.sha256(f"{directive} {key} {size} {rate}".encode()).hexdigest()[:8]
    return {"directive": directive, "key": key, "name": f"{role}_{parameters}", "size": size, "rate": rate}


def _zones(
    settings: GatewaySettings,
    services: list[GatewayService],
    hub: GatewayHub | None,
    console: GatewayConsole | None,
) -> dict[str | int, dict[str, str]]:
    """Return the zones in which limits count, by role; the zones for calls are by their rate."""
    zones: dict[str | int, dict[str, str]] = {
        rate: _zone("calls", "limit_req_zone", "$calling_client", "4m", f"{rate}r/s")
        for rate in sorted(
            {service.requests_per_second for service in services} | ({hub.requests_per_second} if hub else set())
        )
    }
    per_minute = f"{settings.limits.refused_per_minute}r/m"
    zones["refused"] = _zone("refused", "limit_req_zone", "$unknown_address", "4m", per_minute)
    if settings.open_docs:
        zones["readers"] = _zone("readers", "limit_req_zone", "$reading_address", "4m", "5r/s")
    zones["streams"] = _zone("streams", "limit_conn_zone", "$streaming_client", "1m")
    zones["anonymous"] = _zone("anonymous", "limit_conn_zone", "$unknown_address", "1m")
    if console:
        zones["pages"] = _zone("pages", "limit_req_zone", "$binary_remote_addr", "1m", "50r/s")
        zones["spans"] = _zone("spans", "limit_conn_zone", "$server_port", "64k")
        zones["spans of an address"] = _zone("spans_address", "limit_conn_zone", "$binary_remote_addr", "256k")
        zones["forms"] = _zone("forms", "limit_conn_zone", "$forms", "64k")
        zones["forms of an address"] = _zone("forms_address", "limit_conn_zone", "$form_address", "256k")
        zones["open pages"] = _zone("open_pages", "limit_conn_zone", "$binary_remote_addr", "1m")
    for kind in body_limits(settings):
        zones[f"{kind} of a client"] = _zone(f"{kind}_client", "limit_conn_zone", f"$client_of_{kind}_body", "256k")
        zones[kind] = _zone(f"{kind}_bodies", "limit_conn_zone", f"${kind}_bodies", "64k")
    return zones


def _console_context(settings: GatewaySettings, console: GatewayConsole | None) -> dict[str, Any]:
    """Return what the templates read of the console. `public_origin` is the host and the port under which browsers reach
    the gateway by HTTPS through the user's own proxy, which speaks HTTP to the gateway."""
    public = urlsplit(settings.public_url or "")
    return {
        "console": console,
        "makes_spans": console is not None and console.takes_spans,
        "console_gateway_port": CONSOLE_GATEWAY_PORT,
        "spans_port": SPANS_PORT,
        "log_socket": LOG_SOCKET,
        "public_origin": public.netloc if public.scheme == "https" else "",
    }


def _error_fields(code: str, chinese: str, english: str) -> dict[str, Any]:
    return {"status": "error", "code": code, "error": chinese, "error_en": english}


def _catalog(settings: GatewaySettings, services: list[GatewayService], version: str, hub: GatewayHub | None) -> str:
    """Return as JSON the gateway's own answers about the services."""
    table = _error_table()
    paths = [f"/api/{service.name}" for service in services]
    content = {
        "names": [service.name for service in services],
        "information": {
            "message": "DyberPet MCP Gateway",
            "version": version,
            "services": paths,
            "titles": {service.name: service.title for service in services},
            **({"mcp": "/mcp"} if hub else {}),
        },
        "unknown_service": {
            **_error_fields(
                "unknown_service",
                f"没有这个服务；现有服务：{'、'.join(paths) or '（无）'}",
                f"No such service; services: {', '.join(paths) or '(none)'}",
            ),
            "services": paths,
        },
        "meant_service": _error_fields(
            "unknown_service",
            "没有这个服务；你要的也许是 {address}",
            "No such service; perhaps {address} is meant",
        ),
        "insufficient_scope": _error_fields(
            "insufficient_scope", table["insufficient_scope"]["zh"], table["insufficient_scope"]["en"]
        ),
        "forbidden": _error_fields("forbidden", table["forbidden"]["zh"], table["forbidden"]["en"]),
        "failures": {code: _failure(code, table[code]) for code in hubs.FAILURE_CODES} if hub else {},
        "https_port": settings.public(HTTPS_PORT) if settings.https_redirect else None,
        "use_https": _error_fields(
            "use_https",
            "这里只接受 HTTPS；请把客户端里的地址改为 {location}（自签名证书要先让客户端信任：./deploy.sh clients --certificate）",
            "HTTPS only: write {location} as the address in your client (it must trust a self-signed certificate: "
            "./deploy.sh clients --certificate)",
        ),
        "use_slash": _error_fields(
            "use_slash",
            "服务的根地址以 / 结尾：{location}；MCP 客户端的地址以 /mcp 结尾",
            "The root of a service ends with a slash: {location}; an MCP client's address ends with /mcp",
        ),
    }
    return json.dumps(content, ensure_ascii=True, indent=2) + "\n"


def _failure(code: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a call at an address of the hub is told that it failed."""
    return {
        **_error_fields(code, entry["zh"], entry["en"]),
        "status": entry["status"],
        "sent_status": 503 if entry["status"] == 502 else entry["status"],
        "retry_seconds": entry.get("retry_seconds", 1),
        "call": entry["call"],
        "begun": entry.get("begun_call"),
    }


@cache
def _error_table() -> dict[str, dict[str, Any]]:
    table: dict[str, dict[str, Any]] = json.loads((NGINX_FOLDER / "errors.json").read_text(encoding="utf-8"))
    return table


#: What an entry of the table of errors means that does not say so.
_ERROR_DEFAULTS = {"early": False, "retry": False, "logins": False, "page": False}


def _page_text(chinese: str, english: str) -> str:
    """Return what a person sees in a browser, as the text argument of Nginx's `return`."""
    text = f"{chinese}\n\n{english}\n"
    if "$" in text:
        raise ValueError(text)
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _errors() -> list[dict[str, Any]]:
    """Return the table of errors, each with the body of its response."""
    errors = []
    for code, entry in _error_table().items():
        variables = {"service": "service"} if entry.get("service") else {}
        if "problems" in entry:
            variables["reason"] = "token_problem"
        fields = _error_fields(code, entry["zh"], entry["en"])
        body = json_body(fields, entry.get("shows"), **variables, request_id="gateway_request_id")
        if entry.get("page"):
            body = _page_text(entry["zh"], entry["en"])
        errors.append({**_ERROR_DEFAULTS, **entry, "code": code, "body": body})
    return errors


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(NGINX_FOLDER / "templates"),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["quote"] = quote
    environment.filters["json_text"] = json_text
    return environment
