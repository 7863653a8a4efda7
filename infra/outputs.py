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
from infra.rendering.addresses import gateway_urls, hub_urls, service_urls, url_of
from infra.services.ports import MONITORING_PORT, REDIS_PORT


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
        url = url_of("redis", "127.0.0.1", settings.gateway.public(REDIS_PORT))
        pulumi.export("cache", {"url": url, "container": profiles.cache.container.name})
        pulumi.export("cache_password", profiles.access.people.password)
    if profiles.monitoring:
        pulumi.export(
            "monitoring",
            {
                "url": url_of("http", "127.0.0.1", settings.gateway.public(MONITORING_PORT)),
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
