"""Decides what a service's image is built from: the stage of the Dockerfile, its arguments and the files it copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.services.bridge_file import bridge_text
from infra.services.catalog import ServiceSpec
from infra.services.contract import LOCK_FILE
from infra.services.source import Source, SourceKind
from infra.services.source_locks import LOCK_FILES

DOCKERFILE = "Dockerfile"
#: The end of the name of an image's resource, which begins with the name of the service.
IMAGE_SUFFIX = "-image"
#: By kind, the files in mcp-servers/ that lock the tools with which its programs or images are built.
BUILDERS: Mapping[SourceKind, tuple[str, ...]] = {
    "npm": ("kit/builders/node.txt",),
    "go": ("kit/builders/go.txt",),
    "oci": ("kit/builders/runtime.txt", "kit/builders/collect-runtime"),
}
#: By kind, the build argument with the mirror of its packages, beside that of the Python packages of the kit.
MIRRORS: Mapping[SourceKind, str] = {"npm": "NPM_REGISTRY", "go": "GO_PROXY"}


@dataclass(frozen=True)
class ImageContent:
    """What an image is built from.

    `target` is a stage of the Dockerfile, None for the last. `parts` are files and folders in mcp-servers/ that the
    image's name depends on, and so are the `arguments`; `mirrors` are names of arguments that it does not depend on.
    """

    dockerfile: str
    target: str | None = None
    parts: frozenset[str] = frozenset()
    arguments: Mapping[str, str] = field(default_factory=dict)
    mirrors: tuple[str, ...] = ()


def service_content(spec: ServiceSpec) -> ImageContent:
    """Return the content of a service's image: that of its own Dockerfile if it has one, else of the shared one.

    Raises ConfigurationError if the locks of its source cannot be used.
    """
    if (spec.folder / DOCKERFILE).is_file():
        arguments = {"PACKAGE": spec.package or ""}
        return ImageContent(f"{spec.name}/{DOCKERFILE}", parts=frozenset({spec.name}), arguments=arguments)
    return source_content(spec, spec.source) if spec.source else package_content(spec)


def package_content(spec: ServiceSpec) -> ImageContent:
    """Return the content of the image of a service with a package of its own."""
    # Only what the Dockerfile copies, so that a new title in service.yaml does not make a new image.
    parts = frozenset({f"{spec.name}/{spec.package}", f"{spec.name}/requirements.txt"})
    return ImageContent(DOCKERFILE, parts=parts, arguments={"PACKAGE": spec.package or ""})


def source_content(spec: ServiceSpec, source: Source) -> ImageContent:
    """Return the content of the image of a service with a source.

    Raises ConfigurationError if the locks of the source cannot be used.
    """
    files = [*LOCK_FILES[source.kind], LOCK_FILE]
    # A service that is being added has no tools.lock.json before its image lists the tools.
    locks = {f"{spec.name}/{name}" for name in files if (spec.folder / name).is_file()}
    mirror = MIRRORS.get(source.kind)
    is_locked = f"{spec.name}/{LOCK_FILE}" in locks
    arguments = {"BRIDGE": bridge_text(spec), "TOOLS": "locked" if is_locked else "unlocked"}
    if source.kind == "oci":
        arguments["FOREIGN_IMAGE"] = source.reference
    else:
        arguments["SOURCE"] = source.kind
    if source.kind == "go":
        arguments["GO_PACKAGE"] = source.package
    return ImageContent(
        DOCKERFILE,
        target="image" if source.kind == "oci" else "source",
        parts=frozenset({*locks, *BUILDERS.get(source.kind, ())}),
        arguments=arguments,
        mirrors=(mirror,) if mirror else (),
    )
