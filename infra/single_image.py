"""Declares a single image, for cli.deployment.image_build, which runs it as a program of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from infra.parts.cache import CACHE_UID
from infra.parts.console import CONSOLE, CONSOLE_UID
from infra.parts.gateway import FRONT_UID, GATEWAY_UID
from infra.parts.hub import HUB, HUB_UID
from infra.parts.monitoring import MONITORING_UID
from infra.services.catalog import SPEC_FILE, load_spec
from infra.settings.build import BuildSettings
from infra.settings.profiles import CACHE, MONITORING
from infra.settings.stack import StackSettings

if TYPE_CHECKING:
    import pulumi

    from infra.components.docker.images import Image

#: The variable with what to build as JSON: `servers` (the folder mcp-servers/) and `service`, or `root` (the repository)
#: and `part`; the `build` settings; and `log`, a file for the output of the build.
VARIABLE = "DYBER_SINGLE_IMAGE"
#: The output with the image's name.
OUTPUT = "image"
#: The parts of a stack that have an image, beside the services.
PARTS = ("gateway", "front", HUB, CONSOLE, CACHE, MONITORING)


def declare() -> None:
    """Declare the image that the environment asks for, and export its name."""
    import pulumi

    from infra.components.docker.images import built_server_image
    from infra.components.docker.stack import providers

    given = json.loads(os.environ[VARIABLE])
    build, log = BuildSettings.model_validate(given["build"]), Path(given["log"])
    if "part" in given:
        image = _part(given["part"], Path(given["root"]), build, providers(), log)
    else:
        servers = Path(given["servers"])
        spec = load_spec(servers / given["service"] / SPEC_FILE, locks=False)
        image = built_server_image(spec, build, servers, providers(), log)
    pulumi.export(OUTPUT, image.reference)


def _part(name: str, root: Path, build: BuildSettings, opts: pulumi.ResourceOptions, log: Path) -> Image:
    from infra.components.docker import images

    settings = StackSettings(stack="build", build=build)
    match name:
        case "gateway":
            return images.gateway_image(settings, root / "nginx", GATEWAY_UID, opts, log)
        case "front":
            return images.front_image(settings, root / "nginx", FRONT_UID, opts, log)
        case "hub":
            return images.hub_image(settings, root, HUB_UID, opts, log)
        case "console":
            return images.console_image(settings, root, CONSOLE_UID, opts, log)
        case "cache":
            return images.cache_image(settings, root / "cache", CACHE_UID, opts, log)
        case "monitoring":
            return images.monitoring_image(settings, root / "monitoring", MONITORING_UID, opts, log)
    raise ValueError(name)
