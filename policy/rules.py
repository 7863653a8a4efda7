"""The rules that every stack keeps, as functions of one resource's inputs.

Each yields what is wrong and what to do about it, in the user's language. `inputs` are as Pulumi knows them, with
camelCase keys; a value that is not known before the update is not judged.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from messages import mark, tr

Inputs = Mapping[str, Any]
#: Takes the place of a value that is not known before the update.
UNKNOWN = "<unknown>"

CONTAINER = "docker:index/container:Container"
SERVICE = "docker:index/service:Service"
VOLUME = "docker:index/volume:Volume"
RANDOM_BYTES = "random:index/randomBytes:RandomBytes"
RANDOM_PASSWORD = "random:index/randomPassword:RandomPassword"
#: The type of the component whose containers can be reached from other machines.
FRONT = "dyber:gateway:Front"

DIGEST = re.compile(r"([^@]+@)?sha256:[0-9a-f]{64}")
MIN_TOKEN_BYTES, MIN_PASSWORD_LENGTH = 32, 24
#: Folders of the host through which a container could control the engine or the host.
POWERFUL_FOLDERS = ("/var/run", "/run", "/var/lib/docker", "/etc", "/proc", "/sys", "/dev", "/root", "/boot")


@dataclass(frozen=True)
class Resource:
    """A resource of a stack. `urn` contains the types of its parents; `protect` keeps Pulumi from deleting it."""

    type: str
    urn: str
    inputs: Inputs
    protect: bool = False

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    def is_in(self, component: str) -> bool:
        """Tell whether the resource is in a component of this type."""
        return component in self.urn.split("::")[2].split("$")[:-1]

    @property
    def keeps_running(self) -> bool:
        """Whether the container keeps running, unlike one-shot containers."""
        return self.inputs.get("mustRun") is not False


@dataclass(frozen=True)
class Stack:
    """A stack. `strict`: rules are mandatory, and those for production apply too. `data_retention` as in its file."""

    name: str
    strict: bool = False
    data_retention: str = "delete"

    @classmethod
    def of(cls, urn: str, root: Path) -> Stack:
        """Return the stack of a resource, with the values of its file in the repository `root`.

        `dyber:policy` decides whether it is strict; without it only prod is strict.
        """
        name = urn.removeprefix("urn:pulumi:").split("::")[0]
        file = root / f"Pulumi.{name}.yaml"
        content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else None
        settings = (content or {}).get("config") or {}
        level = settings.get("dyber:policy") or ("mandatory" if name == "prod" else "advisory")
        return cls(name, level == "mandatory", settings.get("dyber:dataRetention") or "delete")


def pinned_image(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require in production that images are given by digest, as a tag can move."""
    image = resource.inputs.get("image")
    if stack.strict and isinstance(image, str) and image != UNKNOWN and not DIGEST.fullmatch(image):
        yield tr("image {image} is not given by digest: run ./deploy.sh promote first", image=image)


def no_open_port(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require that only the gateway's fronts can be reached from other machines; in dev, nothing can."""
    for port in _items(resource.inputs.get("ports")):
        address = port.get("ip")
        if address == UNKNOWN or _is_loopback(address):
            continue
        shown = f"{address or '0.0.0.0'}:{port.get('external', '*')}"
        if stack.name == "dev":
            yield tr("in dev, port {port} must be on loopback: set gateway.bind to 127.0.0.1", port=shown)
        elif not resource.is_in(FRONT):
            yield tr("only the gateway's fronts may open port {port} to other machines", port=shown)


def not_privileged(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require that containers do not share namespaces or devices with the host."""
    inputs = resource.inputs
    if inputs.get("privileged"):
        yield tr("privileged is not allowed")
    for key in ("networkMode", "pidMode", "ipcMode", "usernsMode"):
        if inputs.get(key) == "host":
            yield tr("{key}: host is not allowed", key=key)
    if _items(inputs.get("devices")):
        yield tr("devices of the host are not allowed")


def no_engine_socket(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require that no container can command the engine or write to the host's system folders."""
    mounts = [item.get("source") for item in _items(resource.inputs.get("mounts")) if item.get("type") != "volume"]
    volumes = [item.get("hostPath") for item in _items(resource.inputs.get("volumes"))]
    for source in filter(None, [*mounts, *volumes]):
        path = str(source).rstrip("/") or "/"
        if path == "/" or any(path == folder or path.startswith(folder + "/") for folder in POWERFUL_FOLDERS):
            yield tr("mounting {folder} of the host is not allowed", folder=source)


def limited(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require limits of memory, CPU, processes and logs, so that one container cannot starve the others."""
    inputs = resource.inputs
    memory, swap = inputs.get("memory"), inputs.get("memorySwap")
    if not _positive(memory):
        yield tr("there is no memory limit: set memory")
    elif UNKNOWN not in (memory, swap) and swap != memory:
        yield tr("memorySwap must equal memory")
    if not _positive(inputs.get("cpus")):
        yield tr("there is no CPU limit: set cpus")
    if "nproc" not in {item.get("name") for item in _items(inputs.get("ulimits"))} and inputs.get("ulimits") != UNKNOWN:
        yield tr("there is no limit of processes: set the ulimit nproc")
    log_options = inputs.get("logOpts")
    if log_options != UNKNOWN and not (log_options or {}).get("max-size"):
        yield tr("logs have no size limit: set logOpts.max-size")


def healthcheck(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require a health check of containers that keep running."""
    check = resource.inputs.get("healthcheck")
    if resource.keeps_running and check != UNKNOWN and not (check or {}).get("tests"):
        yield tr("there is no health check: set healthcheck")


def read_only_root(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require a read-only root, so that containers cannot change their own programs.

    One-shot containers with uploads are exempt, because the engine cannot upload files to a read-only root.
    """
    inputs = resource.inputs
    if inputs.get("readOnly") not in (True, UNKNOWN) and (resource.keeps_running or not inputs.get("uploads")):
        yield tr("the root file system is writable: set readOnly")


def not_root(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require a numeric user other than root; an image could redefine what a name means."""
    user = resource.inputs.get("user")
    if user != UNKNOWN and not re.fullmatch(r"[1-9][0-9]*(:[1-9][0-9]*)?", str(user or "")):
        yield tr("user {user!r} must be a numeric uid:gid other than 0", user=user)


def no_capability(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require that containers have no kernel capabilities and cannot gain any."""
    capabilities = resource.inputs.get("capabilities")
    if capabilities != UNKNOWN:
        if "ALL" not in ((capabilities or {}).get("drops") or ()):
            yield tr("capabilities are not dropped: set capabilities.drops to [ALL]")
        if added := (capabilities or {}).get("adds"):
            yield tr("capabilities {names} are not allowed", names=", ".join(map(str, added)))
    options = resource.inputs.get("securityOpts")
    if options != UNKNOWN and "no-new-privileges:true" not in (options or ()):
        yield tr("securityOpts lacks no-new-privileges:true")
    if unconfined := [value for value in options or () if "unconfined" in str(value)]:
        yield tr("{option} is not allowed", option=unconfined[0])


def long_token(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require that tokens and passwords are long enough that they cannot be guessed."""
    length = resource.inputs.get("length")
    least = MIN_TOKEN_BYTES if resource.type == RANDOM_BYTES else MIN_PASSWORD_LENGTH
    if isinstance(length, int | float) and length < least:
        yield tr("length {length} is too short; at least {least}", length=f"{length:g}", least=least)


def kept_data(resource: Resource, stack: Stack) -> Iterator[str]:
    """Require in production that not even `./deploy.sh destroy` deletes data. No update deletes data, in any stack."""
    if stack.strict and resource.name.endswith("-data") and not (resource.protect or stack.data_retention == "keep"):
        yield tr(
            "./deploy.sh destroy would delete production data: set dyber:dataRetention: keep in Pulumi.{stack}.yaml",
            stack=stack.name,
        )


@dataclass(frozen=True)
class Rule:
    """A rule about resources of some `types`. `description` is a text of the catalogue of messages; `violations` yields
    what is wrong with a resource."""

    types: frozenset[str]
    description: str
    violations: Callable[[Resource, Stack], Iterator[str]]


#: The rules by name.
RULES: dict[str, Rule] = {
    "pinned-image": Rule(
        frozenset({CONTAINER}), mark("In production, images are given by digest, as a tag can move."), pinned_image
    ),
    "no-open-port": Rule(
        frozenset({CONTAINER}),
        mark("Only the gateway's fronts can be reached from other machines; in dev, nothing can."),
        no_open_port,
    ),
    "not-privileged": Rule(
        frozenset({CONTAINER}), mark("Containers do not share namespaces or devices with the host."), not_privileged
    ),
    "no-engine-socket": Rule(
        frozenset({CONTAINER}),
        mark("No container can command the engine or write to the host's system folders."),
        no_engine_socket,
    ),
    "limited": Rule(
        frozenset({CONTAINER}), mark("Memory, CPU, processes and logs of a container are limited."), limited
    ),
    "healthcheck": Rule(
        frozenset({CONTAINER}), mark("A container that keeps running has a health check."), healthcheck
    ),
    "read-only-root": Rule(frozenset({CONTAINER}), mark("A container cannot change its own programs."), read_only_root),
    "not-root": Rule(frozenset({CONTAINER}), mark("A container runs as a numeric user other than root."), not_root),
    "no-capability": Rule(
        frozenset({CONTAINER}), mark("A container has no kernel capabilities and cannot gain any."), no_capability
    ),
    "long-token": Rule(
        frozenset({RANDOM_BYTES, RANDOM_PASSWORD}),
        mark("Tokens and passwords are long enough that they cannot be guessed."),
        long_token,
    ),
    "kept-data": Rule(
        frozenset({VOLUME}), mark("In production, not even ./deploy.sh destroy deletes data."), kept_data
    ),
}


def violations(resource: Resource, stack: Stack) -> list[tuple[str, str]]:
    """Return what is wrong with one resource, each with the name of the rule."""
    return [
        (name, problem)
        for name, rule in RULES.items()
        if resource.type in rule.types
        for problem in rule.violations(resource, stack)
    ]


def known(value: Any, unknown: type[Exception]) -> Any:
    """Return a value as plain dictionaries and lists. Parts that raise `unknown`, as they are not known yet, become
    UNKNOWN."""

    def part(container: Any, key: Any) -> Any:
        try:
            return known(container[key], unknown)
        except unknown:
            return UNKNOWN

    if isinstance(value, Mapping):
        return {key: part(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [part(value, position) for position in range(len(value))]
    return value


def _items(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _positive(value: Any) -> bool:
    try:
        return value == UNKNOWN or float(value) > 0
    except (TypeError, ValueError):
        return False


def _is_loopback(address: Any) -> bool:
    try:
        return ipaddress.ip_address(str(address)).is_loopback
    except ValueError:
        return False
