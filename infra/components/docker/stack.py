"""Declares the providers and the identity of a stack, and its services."""

from __future__ import annotations

from collections.abc import Mapping

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker.console import Console, ConsoleArgs
from infra.components.docker.data import DataVolumes
from infra.components.docker.defaults import StackIdentity
from infra.components.docker.hub import Hub, HubArgs
from infra.components.docker.images import Image
from infra.components.docker.profiles import Profiles
from infra.components.docker.service import McpService, McpServiceArgs
from infra.parts.composition import Composition
from infra.parts.console import CONSOLE
from infra.parts.hub import HUB
from infra.settings.stack import StackSettings
from infra.settings.subnets import Subnets


def providers() -> pulumi.ResourceOptions:
    """Declare the providers of the engine and of random values, and return the options that choose them."""
    return pulumi.ResourceOptions(providers=[docker.Provider("engine"), random.Provider("random")])


def identify(settings: StackSettings, opts: pulumi.ResourceOptions) -> StackIdentity:
    """Declare the id that distinguishes this stack from a stack of the same name in another state."""
    deployment = random.RandomId("deployment", byte_length=6, opts=opts)
    return StackIdentity(settings.stack, deployment.hex, Subnets(settings.network_pool))


def declare_services(
    composition: Composition,
    identity: StackIdentity,
    images: Mapping[str, Image],
    data: DataVolumes,
    profiles: Profiles,
    opts: pulumi.ResourceOptions,
) -> dict[str, McpService]:
    """Declare the services of the stack; return them by name."""
    settings, access = composition.settings, profiles.access
    return {
        spec.name: McpService(
            spec.name,
            McpServiceArgs(
                identity=identity,
                spec=spec,
                image=images[spec.name],
                log_level=settings.log_level,
                data=data.volume(spec.name) if spec.data else None,
                cache=access.services[spec.name] if access and spec.cache else None,
                check_contract=settings.contracts == "enforced",
                secrets=settings.secrets(spec.name),
                traces=settings.sends_traces,
            ),
            opts,
        )
        for spec in composition.services
    }


def declare_hub(
    composition: Composition, identity: StackIdentity, images: Mapping[str, Image], opts: pulumi.ResourceOptions
) -> Hub | None:
    """Declare the hub of the stack; return None for a stack without."""
    if composition.hub is None:
        return None
    return Hub(HUB, HubArgs(composition, composition.hub, identity, images[HUB]), opts)


def declare_console(
    composition: Composition,
    identity: StackIdentity,
    images: Mapping[str, Image],
    data: DataVolumes,
    opts: pulumi.ResourceOptions,
) -> Console | None:
    """Declare the console of the stack; return None for a stack without."""
    if not composition.settings.has_console:
        return None
    return Console(CONSOLE, ConsoleArgs(composition, identity, images, data.volume(CONSOLE)), opts)
