"""Tags, pulls and pushes images, and tells which ones the engine has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cli.engine import engine
from cli.engine.errors import EngineError

#: The first push of a large image takes longer than other requests.
TRANSFER_SECONDS = 1800


def identity(image: str) -> str:
    """Return the id of an image. Raises NotOnEngine, EngineError."""
    with engine.asking() as client:
        described = client.inspect_image(image)  # type: ignore[no-untyped-call]
    return str(described["Id"])


def size(image: str) -> int:
    """Return how many bytes an image has with all its layers. Raises NotOnEngine, EngineError."""
    with engine.asking() as client:
        described = client.inspect_image(image)  # type: ignore[no-untyped-call]
    return int(described.get("Size") or 0)


def newest(repository: str) -> str | None:
    """Return the id of the image of a repository that was built last; None when there is none. Raises EngineError."""
    with engine.asking() as client:
        listed = client.images(name=repository)
    return str(max(listed, key=lambda image: int(image["Created"]))["Id"]) if listed else None


def pull(image: str) -> None:
    """Get an image from its registry, with the credentials of the docker command. Raises EngineError."""
    with engine.asking(TRANSFER_SECONDS) as client:
        _follow(client.pull(image, stream=True, decode=True))


def push(image: str, target: str) -> str:
    """Push an image as `target`, `registry/name:tag`, with the credentials of the docker command.

    Returns the digest that it has in the registry. Raises EngineError.
    """
    repository, _, tag = target.rpartition(":")
    with engine.asking(TRANSFER_SECONDS) as client:
        client.tag(image, repository, tag)
        digest = _follow(client.push(repository, tag, stream=True, decode=True))
        # An engine whose images are in containerd does not tell the digest.
        if digest is None:
            described = client.inspect_distribution(target)  # type: ignore[no-untyped-call]
            digest = str(described["Descriptor"]["digest"])
    return digest


def _follow(progress: Iterable[Mapping[str, Any]]) -> str | None:
    """Read the progress of a transfer to its end and return the digest, if the engine tells it. Raises EngineError."""
    digest = None
    for step in progress:
        if error := step.get("error"):
            raise EngineError(str(error))
        digest = (step.get("aux") or {}).get("Digest") or digest
    return digest
