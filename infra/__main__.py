"""The Pulumi program: settings, images, services, gateway, outputs."""

from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from stack import outputs
from stack.access import ClientToken
from stack.catalog import load_catalog
from stack.components.defaults import Owner
from stack.components.gateway import GATEWAY_UID, Gateway, GatewayArgs, configuration
from stack.components.service import McpService, McpServiceArgs
from stack.errors import ConfigurationError
from stack.images import gateway_image, server_image
from stack.settings import load_settings


def deploy(root: Path) -> None:
    """Declare everything of one stack; `root` is the repository."""
    settings = load_settings()
    specs = settings.select(load_catalog(root / "mcp-servers"))
    engine, generator = docker.Provider("engine"), random.Provider("random")
    opts = pulumi.ResourceOptions(providers=[engine, generator])

    deployment = random.RandomId("deployment", byte_length=6, opts=pulumi.ResourceOptions(provider=generator))
    owner = Owner(settings.stack, deployment.hex)
    tokens = {client: ClientToken(client, opts) for client in settings.clients}
    images = {spec.name: server_image(spec, settings, root / "mcp-servers", opts) for spec in specs}
    images["gateway"] = gateway_image(settings, root / "nginx", GATEWAY_UID, opts)
    keep_data = settings.data_retention == "keep"
    services = {
        spec.name: McpService(
            spec.name, McpServiceArgs(owner, spec, images[spec.name], settings.log_level, keep_data), opts
        )
        for spec in specs
    }
    gateway = Gateway(
        "gateway",
        GatewayArgs(
            owner=owner,
            image=images["gateway"],
            settings=settings.gateway,
            specs=specs,
            services=list(services.values()),
            configuration=configuration(settings, specs, tokens),
        ),
        opts,
    )
    outputs.export(settings, specs, services, gateway, images, tokens)


try:
    deploy(Path(__file__).resolve().parent.parent)
except ConfigurationError as error:
    raise pulumi.RunError(str(error)) from None
