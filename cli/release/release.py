"""Records the images that a stack runs, by digest, and the contracts of their tools, which promotion copies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from cli.deployment.deployment import Deployment
from cli.engine import images as engine_images
from cli.engine.errors import EngineError
from cli.release import contracts
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git_output
from cli.terminal.console import Activities
from infra.parts.console import CONSOLE
from infra.parts.hub import HUB
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
    """The images of a stack and the contracts of their tools.

    `images` has a reference by digest for each service and each other part, such as gateway; `contracts` are by service.
    `revision` is that of the repository, with `+` where it had uncommitted changes. `interface` is the number of
    infra.parts.image_interface that the images were built for, 0 where a record of an earlier version lacks it.
    """

    stack: str
    revision: str
    images: Mapping[str, str]
    contracts: Mapping[str, Contract]
    interface: int = 0

    def dumps(self) -> str:
        """Return the release as JSON text, which another machine can promote."""
        tools = {
            service: [{"name": name, **tool} for name, tool in contract.tools.items()]
            for service, contract in self.contracts.items()
        }
        others = {service: dict(contract.others) for service, contract in self.contracts.items() if contract.others}
        kinds = {service: dict(contract.kinds) for service, contract in self.contracts.items() if contract.kinds}
        content = {
            "stack": self.stack,
            "revision": self.revision,
            "interface": self.interface,
            "images": dict(self.images),
            "tools": tools,
            **({"others": others} if others else {}),
            **({"kinds": kinds} if kinds else {}),
        }
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    @classmethod
    def load(cls, file: Path) -> Release:
        """Return the release that a file holds. Raises StackError."""
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            images = {str(name): _DIGEST.validate_python(image) for name, image in content["images"].items()}
            others, kinds = content.get("others", {}), content.get("kinds", {})
            tools = {
                str(service): listed_contract(listed, others.get(service)).reviewed(kinds.get(service, {}))
                for service, listed in content["tools"].items()
            }
            interface = int(content.get("interface", 0))
            return cls(str(content["stack"]), str(content["revision"]), images, tools, interface)
        except (OSError, ValueError, ValidationError, KeyError, TypeError, AttributeError):
            raise StackError(
                tr("{file} is no record of a release", file=file),
                tr("write it anew: ./deploy.sh release > release.json"),
            ) from None


def release_of(deployment: Deployment, display: Activities, without: frozenset[str] = frozenset()) -> Release:
    """Return the release that a deployed stack runs, except the services in `without`.

    If the stack names a registry, images that are only on this engine are pushed. Raises StackError when the stack does
    not run what its settings say, as only tested images are worth promoting.
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
    tools = {}
    for spec in specs:
        with display.phase(tr("Reading the tools of {name}", name=spec.name)):
            tools[spec.name] = contracts.image_contract(images[spec.name], spec)
    return Release(name, _revision(), images, tools, int(outputs.get("images_interface", 0)))


def pinned_images(settings: StackSettings) -> dict[str, str]:
    """Return the images that a stack's file sets by digest, by service or part."""
    images = {name: service.image for name, service in settings.services.items() if service.image}
    for part in image_parts():
        if image := getattr(settings, f"{part}_image"):
            images[part] = image
    return images


def image_parts() -> list[str]:
    """Return the parts other than services that have an image: part `x` for each setting `xImage`."""
    return [name.removesuffix("_image") for name in StackSettings.model_fields if name.endswith("_image")]


def push(image: str, registry: str, part: str) -> str:
    """Push an image of this engine and return it as `registry/part@sha256:…`. Raises StackError."""
    repository = f"{registry}/{part}"
    # The tag is for people who look into the registry; stacks use the digest.
    target = f"{repository}:{image.removeprefix('sha256:')[:16]}"
    try:
        digest = engine_images.push(image, target)
    except EngineError as error:
        raise StackError(
            tr("the push failed: {strip}", strip=error),
            tr("check dyber:registry; where a login is needed: docker login"),
        ) from None
    return f"{repository}@{digest}"


def _check_it_runs(deployment: Deployment, service: str, image: str | None) -> None:
    container = contracts.service_container(deployment.deployment_id(), service)
    if image is None or container is None:
        raise _not_running(deployment.stack.name, service)
    if container["Image"] != engine_images.identity(image):
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
    changed = git_output(ROOT, "status", "--porcelain", "--untracked-files=no")
    return git_output(ROOT, "rev-parse", "HEAD") + ("+" if changed else "")


def pins(release: Release, target: StackSettings, specs: list[ServiceSpec]) -> dict[KeyPath, str | int | None]:
    """Return the changes of the target's file that make it run the release: values by path under `dyber:`.

    None means that the setting is removed. `specs` are the services of the target. Raises StackError for a service that
    the release lacks, and for a release of images that this program cannot run.
    """
    if release.interface != INTERFACE:
        raise _other_interface(release)
    pinned: dict[KeyPath, str | int] = {}
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
    if target.hub.enabled and HUB not in release.images:
        raise StackError(
            tr("stack {stack} has the hub, which {stack_2} has not", stack=target.stack, stack_2=release.stack),
            tr(
                "switch the hub on in {stack} and deploy it (hub.enabled: true); or do without it in {stack_2} "
                "(hub.enabled: false)",
                stack=stack_file(release.stack),
                stack_2=stack_file(target.stack),
            ),
        )
    if target.has_console and CONSOLE not in release.images:
        raise StackError(
            tr("stack {stack} has the console, which {stack_2} has not", stack=target.stack, stack_2=release.stack),
            tr(
                "switch the console on in {stack} and deploy it (console.enabled: true); or do without it in {stack_2} "
                "(console.enabled: false)",
                stack=stack_file(release.stack),
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
        pinned |= _service_pins(spec.name, release.images[spec.name], contract["sha256"], contract["tools"])
    pinned |= {(f"{part}Image",): release.images[part] for part in image_parts() if part in release.images}
    pinned[("images",)] = "pinned"
    pinned[("imagesInterface",)] = release.interface
    present = _present(target)
    stale = {path: None for path in present if path not in pinned and _is_a_tool(path, specs)}
    return {path: value for path, value in {**pinned, **stale}.items() if present.get(path) != value}


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
    """Return the present values of all settings that a promotion writes."""
    values: dict[KeyPath, str | int] = {("images",): settings.images}
    if settings.images_interface:
        values[("imagesInterface",)] = settings.images_interface
    for name, service in settings.services.items():
        if service.contract:
            values |= _service_pins(name, service.image, service.contract.sha256, service.contract.tools)
        elif service.image:
            values[("services", name, "image")] = service.image
    values |= {(f"{part}Image",): image for part in image_parts() if (image := getattr(settings, f"{part}_image"))}
    return values
