"""Builds the image of a single service, or of another part, as a deployment would, without deploying anything.

It runs Pulumi with the same component in a state that is thrown away, so that there is one way to build images, and a
deployment that follows finds the image under the same name.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from cli.deployment import automation
from cli.deployment.deployment import settings_file
from cli.deployment.events import DeployError, EventDisplay, known_failure
from cli.system.checkout import ROOT
from infra import single_image
from infra.parts.image_content import IMAGE_SUFFIX, service_content
from infra.schema.problems import ConfigurationError
from infra.services.catalog import load_catalog
from infra.settings.build import BuildSettings, from_environment
from infra.settings.names import NAMESPACE
from messages import tr
from toolchain.pulumi.backend import masked

if TYPE_CHECKING:
    from cli.terminal.console import Activities
    from infra.services.catalog import ServiceSpec

PROJECT, STACK = "dyber-image", "build"
_MAIN = "from infra.single_image import declare\n\ndeclare()\n"
SERVERS = ROOT / "mcp-servers"
#: How many lines of the output of a failed build are shown.
_LAST_LINES = 15


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
    service_content(spec)  # Locks that cannot be used are reported before Pulumi starts.
    wanted = {"servers": str(servers), "service": spec.name}
    return _build(spec.name, wanted, build, display, spec.folder if spec.source else None)


def build_part(name: str, build: BuildSettings, display: Activities, root: Path = ROOT) -> str:
    """Build the image of a part of a stack, such as the gateway, from `root` (the repository) and return its name.

    Raises DeployError with the words of the build if it fails.
    """
    return _build(name, {"part": name, "root": str(root)}, build, display, None)


def _build(name: str, wanted: Mapping[str, str], build: BuildSettings, display: Activities, locks: Path | None) -> str:
    """Build an image; `locks` is the folder with the locks of a source."""
    events = EventDisplay(display)
    with tempfile.TemporaryDirectory(prefix="dyber-image-") as temporary:
        log = Path(temporary) / "build.log"
        described = {**wanted, "build": build.model_dump(mode="json"), "log": str(log)}
        stack = _thrown_away_stack(Path(temporary), {single_image.VARIABLE: json.dumps(described)})
        with display.phase(tr("Building the image of {service}", service=name), 60):
            try:
                with events.failing_clearly():
                    done = stack.up(show_secrets=False, color="never", on_event=events.handle)
            except DeployError as error:
                raise _with_output(error, name, locks, log) from None
    return str(done.outputs[single_image.OUTPUT].value)


def with_reasons(error: DeployError, images: Sequence[str], build: BuildSettings, display: Activities) -> DeployError:
    """Return a failed update with the last lines of the builds that failed in it.

    An update keeps no output of builds, so each is built once more, up to the step that fails: the engine has the steps
    before it. `images` are the names of the resources.
    """
    catalog = load_catalog(SERVERS, locks=False)
    reasons: list[DeployError] = []
    for name in (image.removesuffix(IMAGE_SUFFIX) for image in images):
        try:
            if name in single_image.PARTS:
                build_part(name, build, display)
            elif name in catalog:
                build_image(catalog[name], build, display)
        except DeployError as reason:
            reasons.append(reason)
        except ConfigurationError:
            return error
    if not reasons:
        return error
    lines = [line for reason in reasons for line in (f"{reason.message}:", *reason.details)]
    return DeployError(error.message, reasons[0].next_step, [*error.details, *lines])


def _with_output(error: DeployError, name: str, locks: Path | None, log: Path) -> DeployError:
    """Return the failure of a build with the last lines of its output."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return error
    told = [masked(line) for line in lines if re.match(r"#\d+ \d", line) and "complete log of this run" not in line]
    if not told:
        return error
    known = known_failure("\n".join(told[-_LAST_LINES:]))
    next_step = known[1] if known else tr("correct what the build says, and run again")
    if locks and not known:
        next_step = tr(
            "correct what the build says; a lock that does not fit its packages is written anew by ./deploy.sh lock {service}",
            service=name,
        )
    shown = [*told[-_LAST_LINES:], *(_packages_with_another_hash(locks, told) if locks else ())]
    return DeployError(tr("the image of {service} was not built", service=name), next_step, shown)


def _packages_with_another_hash(folder: Path, lines: list[str]) -> list[str]:
    """Return a sentence for each npm package that npm refused by its hash: it does not say which one it was."""
    wanted = {match[1] for line in lines for match in re.finditer(r"wanted (sha\d+-[A-Za-z0-9+/=]+)", line)}
    try:
        packages = json.loads((folder / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    except (OSError, ValueError, KeyError):
        return []
    return [
        tr("{package} is not what package-lock.json says", package=path.rpartition("node_modules/")[2])
        for path, package in packages.items()
        if package.get("integrity") in wanted
    ]


def _thrown_away_stack(folder: Path, variables: Mapping[str, str]) -> Any:
    """Return a stack of the Automation API that runs infra.single_image and has its state in `folder`."""
    auto = automation.api()
    (folder / "state").mkdir()
    runtime = {"name": "python", "options": {"toolchain": "pip", "virtualenv": sys.prefix}}
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": PROJECT, "runtime": runtime}), encoding="utf-8")
    (folder / "__main__.py").write_text(_MAIN, encoding="utf-8")
    options = auto.LocalWorkspaceOptions(
        env_vars={
            "PULUMI_BACKEND_URL": (folder / "state").as_uri(),
            "PULUMI_CONFIG_PASSPHRASE": "the state holds no secret",
            "PULUMI_CONFIG_PASSPHRASE_FILE": "",
            **variables,
        },
    )
    return auto.create_stack(stack_name=STACK, work_dir=str(folder), opts=options)
