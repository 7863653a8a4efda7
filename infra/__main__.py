"""The Pulumi program: settings, images, services, gateway, outputs."""

from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra import outputs
from infra.access import client_tokens
from infra.components.docker.data import DataVolumes, DataVolumesArgs
from infra.components.docker.defaults import StackIdentity
from infra.components.docker.gateway import Gateway, GatewayArgs
from infra.components.docker.images import front_image, gateway_image, server_image
from infra.components.docker.profiles import Profiles
from infra.components.docker.service import McpService, McpServiceArgs
from infra.configuration import load_settings
from infra.parts import data_volumes, image_interface
from infra.parts.gateway import FRONT_UID, GATEWAY_UID
from infra.rendering.gateway import inputs as gateway_inputs
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.subnets import Subnets


def deploy(root: Path) -> None:
    """Declare everything of one stack; `root` is the repository."""
    settings = load_settings(root)
    specs = settings.select(load_catalog(root / "mcp-servers"))
    # What cannot work is said before anything is created.
    image_interface.refuse_other(settings)
    gateway_inputs.configuration(settings, specs, {})
    gateway_inputs.tls_files(settings)
    volumes = data_volumes.declared(settings.stack, settings.with_data(specs), data_volumes.present_for(settings.stack))
    engine, generator = docker.Provider("engine"), random.Provider("random")
    opts = pulumi.ResourceOptions(providers=[engine, generator])

    deployment = random.RandomId("deployment", byte_length=6, opts=pulumi.ResourceOptions(provider=generator))
    identity = StackIdentity(settings.stack, deployment.hex, Subnets(settings.network_pool))
    tokens = client_tokens(settings, opts)
    data = DataVolumes("data", DataVolumesArgs(identity, volumes), opts)
    profiles = Profiles(settings, identity, root, specs, opts)
    images = {spec.name: server_image(spec, settings, root / "mcp-servers", opts) for spec in specs}
    images["gateway"] = gateway_image(settings, root / "nginx", GATEWAY_UID, opts)
    images["front"] = front_image(settings, root / "nginx", FRONT_UID, opts)
    services = {}
    for spec in specs:
        args = McpServiceArgs(
            identity=identity,
            spec=spec,
            image=images[spec.name],
            log_level=settings.log_level,
            data=data.volume(spec.name) if spec.data else None,
            cache=profiles.access.services[spec.name] if profiles.access and spec.cache else None,
            check_contract=settings.contracts == "enforced",
            secrets=settings.secrets(spec.name),
        )
        services[spec.name] = McpService(spec.name, args, opts)
    profiles.start(specs, services, data)
    fronts, monitoring = images["front"], profiles.monitoring
    gateway = Gateway(
        "gateway",
        GatewayArgs(identity, images["gateway"], fronts, settings, specs, list(services.values()), tokens, monitoring),
        opts,
    )
    outputs.export(settings, specs, services, gateway, images | profiles.images, tokens, profiles)


try:
    deploy(Path(__file__).resolve().parent.parent)
except ConfigurationError as error:
    raise pulumi.RunError(str(error)) from None
