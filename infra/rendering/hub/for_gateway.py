"""Tells the gateway what the hub offers, so that it passes calls straight to the services."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from infra.rendering.gateway.model import GatewayGroup, GatewayHub
from infra.rendering.hub.content import HubContent
from infra.services.offers import SHARED_SCHEMES
from infra.settings.stack import StackSettings

#: The hash of no token, for checks before there is one.
NO_TOKEN = "0" * 64
#: The most calls a second that a limit of the gateway can have.
MOST_REQUESTS = 100_000


def gateway_hub(settings: StackSettings, content: HubContent, token_sha256: str = NO_TOKEN) -> GatewayHub:
    """Return what the gateway knows of the hub; `token_sha256` is the hash of the hub's token, as 64 hex digits.

    Calls of older clients count as calls to the hub until the gateway has looked at what they call, so a client may make
    as many of them as calls to all services together.
    """
    requests = sum(settings.requests_per_second(service) for service in content.offers)
    return GatewayHub(
        token_sha256=token_sha256,
        tools={service: tuple(offers.tools) for service, offers in content.offers.items()},
        names={service: offers.names for service, offers in content.offers.items() if offers.names},
        prompts={
            service: tuple(entry["name"] for entry in offers.prompts) for service, offers in content.offers.items()
        },
        resource_schemes={
            service: tuple(_schemes(offers.resource_owners())) for service, offers in content.offers.items()
        },
        # Of a service whose contract is not known, the hub finds out later what it offers.
        readable=frozenset(
            service
            for service, offers in content.offers.items()
            if not offers.known or offers.prompts or offers.resources or offers.resource_templates
        ),
        groups=tuple(
            GatewayGroup(group.name, {tool.exposed: (tool.service, tool.tool) for tool in group.tools}, group.services)
            for group in content.groups
        ),
        search=settings.hub.search,
        replicas=settings.hub.replicas,
        requests_per_second=min(requests, MOST_REQUESTS),
    )


def _schemes(owners: Iterable[str]) -> Iterator[str]:
    """Yield the schemes among the owners of resources that belong to one service alone."""
    for owner in owners:
        scheme = owner.partition("://")[0]
        if scheme not in SHARED_SCHEMES:
            yield scheme
