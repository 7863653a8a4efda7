"""Exports the outputs of the stack, on which the CLI and other stacks rely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi

from infra.access import ClientToken
from infra.components.docker.console import Console
from infra.components.docker.edge.gateway import Gateway
from infra.components.docker.hub import Hub
from infra.components.docker.images import Image
from infra.components.docker.profiles import Profiles
from infra.components.docker.service import McpService
from infra.parts import image_interface
from infra.parts.composition import Composition
from infra.services.catalog import ServiceSpec
from infra.services.ports import DEVELOPMENT_PORT, HTTP_PORT, HTTPS_PORT, MONITORING_PORT, REDIS_PORT
from infra.settings.gateway import GatewaySettings


def export(
    composition: Composition,
    services: Mapping[str, McpService],
    gateway: Gateway,
    images: Mapping[str, Image],
    tokens: Mapping[str, ClientToken],
    profiles: Profiles,
    hub: Hub | None = None,
    console: Console | None = None,
) -> None:
    """Register the stack's outputs.

    - gateway: {url, http, https, development: base URLs, of which clients should use `url`; `http` is absent where
      plain HTTP redirects to HTTPS; certificate: its source; container, configuration_version}
    - services: by name {title, url, mcp, sse, direct, max_call_seconds, enforces_scopes, containers}
    - with a hub: hub: {url, mcp, sse: of `url`, by gateway's base URL http, https, development: its /mcp; search where
      it is on; groups: by name {title, mcp, sse}; max_call_seconds, containers}
    - with a console: console: {url, container}, console_password (secret)
    - tokens (secret): by client
    - chosen_tokens: the clients whose token a person chose
    - images: by name, the image's id
    - images_interface: the interface that these images were built for (infra.parts.image_interface)
    - with the profile cache: cache: {url, container}, cache_password (secret)
    - with the profile monitoring: monitoring: {url, container, configuration_version; where alerts are sent also alerts:
      {receivers: their names, alertmanager, sender: containers}}
    """
    settings, specs = composition.settings, composition.services
    urls = gateway_urls(settings.gateway)
    pulumi.export(
        "gateway",
        {
            **urls,
            "certificate": settings.gateway.tls.source,
            "container": gateway.container.name,
            "configuration_version": gateway.configuration_version,
        },
    )
    pulumi.export(
        "services",
        {
            spec.name: {
                "title": spec.title,
                **service_urls(urls["url"], spec, settings.gateway),
                "max_call_seconds": spec.max_call_seconds,
                "enforces_scopes": spec.enforces_scopes,
                "containers": [container.name for container in services[spec.name].containers],
            }
            for spec in specs
        },
    )
    if hub:
        content = composition.hub.groups if composition.hub else ()
        pulumi.export(
            "hub",
            {
                **hub_urls(urls, {group.name: group.title for group in content}, search=settings.hub.search),
                "max_call_seconds": max(spec.max_call_seconds for spec in specs),
                "containers": [container.name for container in hub.containers],
            },
        )
    if console:
        pulumi.export("console", {"url": f"{urls['url']}/console/", "container": console.container.name})
        pulumi.export("console_password", console.password)
    pulumi.export("images", {name: image.image_id for name, image in images.items()})
    pulumi.export("images_interface", image_interface.INTERFACE)
    if profiles.cache and profiles.access:
        url = _url("redis", "127.0.0.1", settings.gateway.public(REDIS_PORT))
        pulumi.export("cache", {"url": url, "container": profiles.cache.container.name})
        pulumi.export("cache_password", profiles.access.people.password)
    if profiles.monitoring:
        pulumi.export(
            "monitoring",
            {
                "url": _url("http", "127.0.0.1", settings.gateway.public(MONITORING_PORT)),
                "container": profiles.monitoring.container.name,
                "configuration_version": profiles.monitoring.configuration_version,
                **_alerts(composition, profiles),
            },
        )
    pulumi.export("tokens", pulumi.Output.secret({client: token.token for client, token in tokens.items()}))
    pulumi.export(
        "chosen_tokens",
        pulumi.Output.all(**{client: token.chosen for client, token in tokens.items()}).apply(
            lambda chosen: sorted(client for client, is_chosen in chosen.items() if is_chosen)
        ),
    )


def _alerts(composition: Composition, profiles: Profiles) -> dict[str, Any]:
    settings = composition.settings.monitoring.alerts
    if not settings or not profiles.alerts:
        return {}
    containers = {"alertmanager": profiles.alerts.alertmanager.name, "sender": profiles.alerts.sender.name}
    return {"alerts": {"receivers": list(settings.receivers), **containers}}


def gateway_urls(settings: GatewaySettings) -> dict[str, str]:
    """Return the base URLs of the gateway, with the first server name, or else as a client on this machine writes them.

    Clients should use `url`. Where plain HTTP redirects to HTTPS, there is no `http`, and the development port is on
    loopback.
    """
    host = settings.server_names[0] if settings.server_names else settings.local_host
    plain = _url("http", host, settings.public(HTTP_PORT))
    secure = _url("https", host, settings.public(HTTPS_PORT))
    development = "127.0.0.1" if settings.https_redirect else host
    urls = {"https": secure, "development": _url("http", development, settings.public(DEVELOPMENT_PORT))}
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
        "direct": _url("http", "127.0.0.1", settings.public(spec.port)),
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


def _url(scheme: str, host: str, port: int) -> str:
    standard = {"http": 80, "https": 443}.get(scheme)
    return f"{scheme}://{host}" if port == standard else f"{scheme}://{host}:{port}"
