"""Builds the addresses of a stack's gateway, services and hub, as its clients write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.services.catalog import ServiceSpec
from infra.services.ports import DEVELOPMENT_PORT, HTTP_PORT, HTTPS_PORT
from infra.settings.gateway import GatewaySettings


def gateway_urls(settings: GatewaySettings) -> dict[str, str]:
    """Return the base URLs of the gateway, with the first server name, or else as a client on this machine writes them.

    Clients should use `url`. Where plain HTTP redirects to HTTPS, there is no `http`, and the development port is on
    loopback.
    """
    host = settings.server_names[0] if settings.server_names else settings.local_host
    plain = url_of("http", host, settings.public(HTTP_PORT))
    secure = url_of("https", host, settings.public(HTTPS_PORT))
    development = "127.0.0.1" if settings.https_redirect else host
    urls = {"https": secure, "development": url_of("http", development, settings.public(DEVELOPMENT_PORT))}
    if not settings.https_redirect:
        urls["http"] = plain
    return {"url": settings.public_url or (secure if settings.https_redirect else plain), **urls}


def service_urls(base: str, spec: ServiceSpec, settings: GatewaySettings) -> dict[str, str]:
    """Return the addresses of a service: the base of its REST API, both MCP transports, and its direct port."""
    url = f"{base}/api/{spec.name}"
    return {
        "url": f"{url}/",
        "mcp": f"{url}/mcp",
        "sse": f"{url}/mcp/sse",
        "direct": url_of("http", "127.0.0.1", settings.public(spec.port)),
    }


def hub_urls(gateway: Mapping[str, str], groups: Mapping[str, str], *, search: bool) -> dict[str, Any]:
    """Return the addresses of the hub under the base URLs of the gateway; `groups` are the titles of groups by name.

    Clients should use `mcp`, or `sse` if they know only the older transport; `http`, `https` and `development` are the
    same as `mcp` under the gateway's other base URLs.
    """
    base = gateway["url"]
    return {
        "url": f"{base}/",
        "mcp": f"{base}/mcp",
        "sse": f"{base}/mcp/sse",
        **{kind: f"{gateway[kind]}/mcp" for kind in ("http", "https", "development") if kind in gateway},
        **({"search": f"{base}/search/mcp"} if search else {}),
        "groups": {
            name: {
                "title": title,
                "mcp": f"{base}/groups/{name}/mcp",
                "sse": f"{base}/groups/{name}/mcp/sse",
                **({"search": f"{base}/groups/{name}/search/mcp"} if search else {}),
            }
            for name, title in groups.items()
        },
    }


def url_of(scheme: str, host: str, port: int) -> str:
    """Return a base URL, without the port if it is the scheme's standard."""
    standard = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}://{host}" if port == standard else f"{scheme}://{host}:{port}"
