"""Runs the Pulumi program, from a stack's settings to its outputs."""

from pathlib import Path

import pulumi

from infra import outputs
from infra.access import client_tokens
from infra.components.docker.data import DataVolumes, DataVolumesArgs
from infra.components.docker.edge.gateway import Gateway, GatewayArgs
from infra.components.docker.images import stack_images
from infra.components.docker.profiles import Profiles
from infra.components.docker.stack import declare_console, declare_hub, declare_services, identify, providers
from infra.configuration import load_settings
from infra.engine import volumes
from infra.parts.composition import compose
from infra.schema.problems import ConfigurationError


def deploy(root: Path) -> None:
    """Declare all resources of the stack; `root` is the folder of the repository."""
    settings = load_settings(root)
    composition = compose(settings, root, volumes.list_volumes)
    opts = providers()
    identity = identify(settings, opts)
    tokens = client_tokens(settings, opts)
    data = DataVolumes("data", DataVolumesArgs(identity, composition.data_volumes), opts)
    profiles = Profiles(composition, identity, root, opts)
    images = stack_images(composition, root, opts)
    services = declare_services(composition, identity, images, data, profiles, opts)
    profiles.start(services, data)
    hub = declare_hub(composition, identity, images, opts)
    console = declare_console(composition, identity, images, data, opts)
    gateway = Gateway(
        "gateway",
        GatewayArgs(composition, identity, images, services, tokens, profiles.monitoring, hub, console),
        opts,
    )
    outputs.export(composition, services, gateway, images | profiles.images, tokens, profiles, hub, console)


try:
    deploy(Path(__file__).resolve().parents[1])
except ConfigurationError as error:
    raise pulumi.RunError(str(error)) from None
