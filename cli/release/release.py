"""A release: which images a stack runs, by digest, and the contracts of their tools. What promotion copies."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

from pydantic import TypeAdapter, ValidationError

from cli.deployment.deployment import Deployment
from cli.engine import engine
from cli.release import contracts
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git_said
from cli.terminal.console import Activities
from infra.parts.image_interface import INTERFACE
from infra.services.catalog import ServiceSpec, load_catalog
from infra.services.contract import Contract, listed_contract
from infra.settings.names import stack_file
from infra.settings.profiles import BUILT_IN_PROFILES
from infra.settings.services import ImageDigest
from infra.settings.stack import StackSettings
from messages import tr

_DIGEST = TypeAdapter(ImageDigest)
#: A setting's keys, such as ("services", "template", "image").
KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Release:
    """`images`: by the name of a service, or of another part such as gateway, a reference that cannot move;
    `contracts`: by service; `revision`: of the repository, with `+` where there were uncommitted changes; `interface`: the
    number of infra.parts.image_interface that the images were built for, 0 where a record of before says nothing."""

    stack: str
    revision: str
    images: Mapping[str, str]
    contracts: Mapping[str, Contract]
    interface: int = 0

    def dumps(self) -> str:
        """The release as JSON text, for another machine to promote."""
        tools = {
            service: [{"name": name, **tool} for name, tool in contract.tools.items()]
            for service, contract in self.contracts.items()
        }
        others = {service: dict(contract.others) for service, contract in self.contracts.items() if contract.others}
        content = {
            "stack": self.stack,
            "revision": self.revision,
            "interface": self.interface,
            "images": dict(self.images),
            "tools": tools,
            **({"others": others} if others else {}),
        }
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def load(cls, file: Path) -> Release:
        """The release that a file holds. Raises StackError."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            images = {str(name): _DIGEST.validate_python(image) for name, image in content["images"].items()}
            others = content.get("others", {})
            tools = {
                str(service): listed_contract(listed, others.get(service))
                for service, listed in content["tools"].items()
            }
            interface = int(content.get("interface", 0))
            return cls(str(content["stack"]), str(content["revision"]), images, tools, interface)
        except (OSError, ValueError, ValidationError, KeyError, TypeError, AttributeError):
            raise StackError(
                tr("{file}: is no record of a release", file=file),
                tr("write it anew: ./deploy.sh release > release.json"),
            ) from None


def release_of(deployment: Deployment, display: Activities, without: frozenset[str] = frozenset()) -> Release:
    """What a deployed stack runs, but for the services `without`; images that are only on this engine are pushed, if
    the stack names a registry.

    Raises StackError when the stack does not run what it was last told to: only what runs is worth promoting.
    """
    settings, name = deployment.settings, deployment.stack.name
    specs = [spec for spec in settings.select(load_catalog(contracts.SERVERS)) if spec.name not in without]
    outputs = deployment.outputs()
    exported = {part: image for part, image in outputs["images"].items() if part not in without}
    images = dict(exported)
    for part, image in pinned_images(settings).items():
        if part in exported and exported[part] != image:
            raise _not_running(name, part)
    for spec in specs:
        _check_it_runs(deployment, spec.name, exported.get(spec.name))
    if settings.registry:
        for part, image in sorted(exported.items()):
            if "@" not in image:
                with display.phase(tr("Pushing image {part}", part=part)):
                    images[part] = push(image, settings.registry, part)
    found = {}
    for spec in specs:
        with display.phase(tr("Reading the tools of {name}", name=spec.name)):
            found[spec.name] = contracts.image_contract(images[spec.name], spec.environment)
    return Release(name, _revision(), images, found, int(outputs.get("images_interface", 0)))


def pinned_images(settings: StackSettings) -> dict[str, str]:
    """The images that a stack's file gives by digest, by service or part."""
    images = {name: own.image for name, own in settings.services.items() if own.image}
    for part in image_parts():
        if image := getattr(settings, f"{part}_image"):
            images[part] = image
    return images


def image_parts() -> list[str]:
    """What has an image beside the services: each part `x` whose image is the setting `xImage`."""
    return [name.removesuffix("_image") for name in StackSettings.model_fields if name.endswith("_image")]


def push(image: str, registry: str, part: str) -> str:
    """Push an image of this engine and return it as `registry/part@sha256:…`. Raises EngineError."""
    repository = f"{registry}/{part}"
    # The tag is for people who look into the registry; what runs is named by digest.
    target = f"{repository}:{image.removeprefix('sha256:')[:16]}"
    engine.docker("tag", image, target)
    pushed = _push(target)
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", pushed)
    if not found:
        raise engine.EngineError(f"docker push {target}: {pushed.strip()[-200:]}")
    return f"{repository}@{found[1]}"


def _push(target: str) -> str:
    # A first push of a large image takes longer than other questions to the engine.
    done: CompletedProcess[str] = engine.ask("push", target, text=True, timeout=1800)
    if done.returncode:
        raise StackError(
            tr("the push failed: {strip}", strip=done.stderr.strip()),
            tr("check dyber:registry; where a login is needed: docker login"),
        )
    return done.stdout


def _check_it_runs(deployment: Deployment, service: str, image: str | None) -> None:
    container = contracts.service_container(deployment.deployment_id(), service)
    if image is None or container is None:
        raise _not_running(deployment.stack.name, service)
    wanted = engine.docker("image", "inspect", "--format", "{{.Id}}", image).strip()
    if container["Image"] != wanted:
        raise _not_running(deployment.stack.name, service)


def _not_running(stack: str, part: str) -> StackError:
    return StackError(
        tr(
            "{part} in stack {stack} does not run the image that {stack_2} and the sources say",
            part=part,
            stack=stack,
            stack_2=stack_file(stack),
        ),
        tr("deploy and try it first: ./deploy.sh deploy -s {stack}", stack=stack),
    )


def _revision() -> str:
    changed = git_said(ROOT, "status", "--porcelain", "--untracked-files=no")
    return git_said(ROOT, "rev-parse", "HEAD") + ("+" if changed else "")


def pins(release: Release, target: StackSettings, specs: list[ServiceSpec]) -> dict[KeyPath, str | int | None]:
    """What the target's file needs to run the release: value by path under `dyber:`, None for what is to be removed.

    Only what differs is in it. Raises StackError for a service of the target (its `specs`) that the release lacks, and
    for a release of images that this program cannot run.
    """
    if release.interface != INTERFACE:
        raise _other_interface(release)
    wanted: dict[KeyPath, str | int] = {}
    missing = [spec.name for spec in specs if spec.name not in release.images]
    if missing:
        raise StackError(
            tr(
                "stack {stack} runs {missing}, which {stack_2} does not",
                stack=target.stack,
                missing=", ".join(missing),
                stack_2=release.stack,
            ),
            tr(
                "enable and deploy it in {stack}; or set services.<service>.enabled: false in {stack_2}",
                stack=release.stack,
                stack_2=stack_file(target.stack),
            ),
        )
    for profile in BUILT_IN_PROFILES:
        if target.has(profile) and profile not in release.images:
            raise StackError(
                tr(
                    "stack {stack} has the profile {profile}, which {stack_2} has not",
                    stack=target.stack,
                    profile=profile,
                    stack_2=release.stack,
                ),
                tr(
                    "add {profile} to profiles in {stack} and deploy; or take it out of {stack_2}",
                    profile=profile,
                    stack=stack_file(release.stack),
                    stack_2=stack_file(target.stack),
                ),
            )
    for spec in specs:
        contract = release.contracts[spec.name].settings
        wanted |= _service_pins(spec.name, release.images[spec.name], contract["sha256"], contract["tools"])
    wanted |= {(f"{part}Image",): release.images[part] for part in image_parts() if part in release.images}
    wanted[("images",)] = "pinned"
    wanted[("imagesInterface",)] = release.interface
    present = _present(target)
    stale = {path: None for path in present if path not in wanted and _is_a_tool(path, specs)}
    return {path: value for path, value in {**wanted, **stale}.items() if present.get(path) != value}


def _other_interface(release: Release) -> StackError:
    if release.interface > INTERFACE:
        return StackError(
            tr(
                "the images of {stack} are of a newer version (interface {interface}, this program has {interface_2})",
                stack=release.stack,
                interface=release.interface,
                interface_2=INTERFACE,
            ),
            tr("update the program first: ./deploy.sh update"),
        )
    return StackError(
        tr(
            "the images that {stack} runs are of an older version (interface {interface}, this program "
            "needs {interface_2}); nothing was written",
            stack=release.stack,
            interface=release.interface,
            interface_2=INTERFACE,
        ),
        tr(
            "deploy the source with this program, then promote: ./deploy.sh deploy -s {stack} (and write a "
            "record of release anew)",
            stack=release.stack,
        ),
    )


def _service_pins(service: str, image: str | None, sha256: str, tools: Mapping[str, str]) -> dict[KeyPath, str]:
    base = ("services", service)
    pinned: dict[KeyPath, str] = {(*base, "image"): image} if image else {}
    pinned[(*base, "contract", "sha256")] = sha256
    return pinned | {(*base, "contract", "tools", tool): kind for tool, kind in tools.items()}


def _is_a_tool(path: KeyPath, specs: list[ServiceSpec]) -> bool:
    return any(path[:-1] == ("services", spec.name, "contract", "tools") for spec in specs)


def _present(settings: StackSettings) -> dict[KeyPath, str | int]:
    """What the stack's file says now of all that a promotion writes."""
    found: dict[KeyPath, str | int] = {("images",): settings.images}
    if settings.images_interface:
        found[("imagesInterface",)] = settings.images_interface
    for name, own in settings.services.items():
        if own.contract:
            found |= _service_pins(name, own.image, own.contract.sha256, own.contract.tools)
        elif own.image:
            found[("services", name, "image")] = own.image
    found |= {(f"{part}Image",): image for part in image_parts() if (image := getattr(settings, f"{part}_image"))}
    return found
