"""Declares the image of a single service, for cli.deployment.image_build, which runs it as a program of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path

from infra.services.catalog import SPEC_FILE, load_spec
from infra.settings.build import BuildSettings

#: The variable with what to build as JSON: `servers` (the folder mcp-servers/), `service`, `build` settings,
#: and `log`, a file for the output of the build.
VARIABLE = "DYBER_SINGLE_IMAGE"
#: The output with the image's name.
OUTPUT = "image"


def declare() -> None:
    """Declare the image that the environment asks for, and export its name."""
    import pulumi

    from infra.components.docker.images import built_server_image
    from infra.components.docker.stack import providers

    given = json.loads(os.environ[VARIABLE])
    servers = Path(given["servers"])
    spec = load_spec(servers / given["service"] / SPEC_FILE, locks=False)
    image = built_server_image(
        spec, BuildSettings.model_validate(given["build"]), servers, providers(), Path(given["log"])
    )
    pulumi.export(OUTPUT, image.reference)
