"""Builds the image of a single service, as a deployment would, without deploying anything.

It runs Pulumi with the same component in a state that is thrown away, so that there is one way to build images, and a
deployment that follows finds the image under the same name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cli.deployment import automation
from cli.deployment.deployment import settings_file
from cli.system.checkout import ROOT
from infra.settings.build import BuildSettings, from_environment
from infra.settings.names import NAMESPACE
from messages import tr

if TYPE_CHECKING:
    from cli.terminal.console import Activities
    from infra.services.catalog import ServiceSpec

_PROJECT, _STACK = "dyber-image", "build"
SERVERS = ROOT / "mcp-servers"


def build_settings(stack: str) -> BuildSettings:
    """Return how a stack builds images; the stack need not be deployed.

    Raises StackError if the stack has no file, and pydantic.ValidationError for settings that cannot be used.
    """
    content = yaml.safe_load(settings_file(stack).read_text(encoding="utf-8")) or {}
    given = (content.get("config") or {}).get(f"{NAMESPACE}:build") or {}
    return BuildSettings.model_validate({**from_environment(os.environ), **given})


def build_image(spec: ServiceSpec, build: BuildSettings, display: Activities, servers: Path = SERVERS) -> str:
    """Build the image of a service from `servers` (the folder mcp-servers/) and return its name.

    It takes a few seconds if the engine has the image. Raises ConfigurationError for locks that cannot be used, and
    DeployError with the words of the build if it fails.
    """
    import pulumi

    from cli.deployment.events import EventDisplay
    from infra.components.docker.images import built_server_image
    from infra.components.docker.stack import providers
    from infra.parts.image_content import service_content

    service_content(spec)  # Locks that cannot be used are reported before Pulumi starts.
    names: list[str] = []

    def program() -> None:
        image = built_server_image(spec, build, servers, providers())
        names.append(image.reference)
        pulumi.export("image", image.reference)

    events = EventDisplay(display)
    with (
        _thrown_away_stack(program) as stack,
        display.phase(tr("Building the image of {service}", service=spec.name), 60),
        events.failing_clearly(),
    ):
        stack.up(show_secrets=False, color="never", on_event=events.handle)
    return names[-1]


@contextmanager
def _thrown_away_stack(program: Any) -> Iterator[Any]:
    """Yield a stack of the Automation API that runs `program`; its state is gone when the block ends."""
    auto = automation.api()
    with tempfile.TemporaryDirectory(prefix="dyber-image-") as folder:
        state = Path(folder) / "state"
        state.mkdir()
        variables: Mapping[str, str] = {
            "PULUMI_BACKEND_URL": state.as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "the state holds no secret",
            "PULUMI_CONFIG_PASSPHRASE_FILE": "",
        }
        options = auto.LocalWorkspaceOptions(
            work_dir=folder,
            env_vars=dict(variables),
            project_settings=auto.ProjectSettings(name=_PROJECT, runtime="python"),
        )
        yield auto.create_or_select_stack(_STACK, project_name=_PROJECT, program=program, opts=options)
