"""Looks up foreign images and locks them: their digest, and image.lock.json with what they say of themselves."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.engine import engine, images
from cli.engine.errors import EngineError
from cli.services.sources import ages, builders
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.services.source import PLACES, Source
from infra.services.source_locks import LOCK_FILES, ImageLock
from messages import tr
from toolchain.progress import Progress

_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What engines call processors, and what images call them.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def find(wanted: str, progress: Progress) -> Package:
    """Return a foreign image by its digest; `wanted` may have a tag. Raises SourceError, EngineError."""
    if not re.fullmatch(r"[a-z0-9][A-Za-z0-9._:/@-]*", wanted):
        raise SourceError(
            tr("{image} is not the name of an image", image=repr(wanted)),
            tr("write it like oci:registry.example/image:tag"),
        )
    with progress.phase(tr("Looking up {package}", package=wanted)):
        described = _distribution(wanted)
    digest = str(described["Descriptor"]["digest"])
    _check_architecture(wanted, _platforms(described))
    reference = wanted if _DIGEST.search(wanted) else f"{wanted}@{digest}"
    return Package("oci", wanted.partition("@")[0], digest, reference, ())


def lock(source: Source, folder: Path, progress: Progress, before: datetime | None = None) -> LockReport:
    """Write image.lock.json of an oci source into a service's folder; the image is pulled for it.

    With `before`, an image that says it was made later is refused: registries do not say when an image came to them.
    Raises SourceError, EngineError.
    """
    with progress.phase(tr("Getting the image {image}", image=source.reference), 60):
        platforms = _platforms(_distribution(source.reference))
        _check_architecture(source.reference, platforms)
        images.pull(source.reference)
    content = described(source)
    created = made_at(content)
    ages.check(source.reference, created, before)
    made = image_lock(source, content, platforms)
    with tempfile.TemporaryDirectory(prefix="dyber-oci-") as temporary:
        (name,) = LOCK_FILES["oci"]
        (Path(temporary) / name).write_text(made.model_dump_json(indent=2) + "\n", encoding="utf-8")
        builders.replace_files(Path(temporary), folder, [name])
    undated = (tr("the image does not say when it was made, so its age is not known"),)
    warnings = _warnings(made, (content.get("Config") or {}).get("Volumes") or ())
    return LockReport(1, warnings=warnings + (undated if before and created is None else ()))


def made_at(described: Mapping[str, Any]) -> datetime | None:
    """Return when an image says that it was made; None if it does not, as with reproducible builds."""
    try:
        created = datetime.fromisoformat(str(described.get("Created")))
    except ValueError:
        return None
    return created if ages.is_known(created) else None


def described(source: Source) -> Mapping[str, Any]:
    """Return how the engine describes the image of an oci source, which it has. Raises EngineError."""
    with engine.asking() as client:
        return client.inspect_image(source.reference)  # type: ignore[no-any-return, no-untyped-call]


def image_lock(source: Source, described: Mapping[str, Any], platforms: tuple[str, ...]) -> ImageLock:
    """Return the lock for an image that the engine describes."""
    config = described.get("Config") or {}
    names = [str(variable).partition("=")[0] for variable in config.get("Env") or []]
    return ImageLock(
        reference=source.reference,
        architectures=platforms or (str(described.get("Architecture", "")),),
        entrypoint=tuple(config.get("Entrypoint") or ()),
        cmd=tuple(config.get("Cmd") or ()),
        variables=tuple(sorted(name for name in names if _VARIABLE.fullmatch(name))),
        user=str(config.get("User") or ""),
        working_dir=str(config.get("WorkingDir") or ""),
        ports=tuple(sorted(config.get("ExposedPorts") or ())),
    )


def _distribution(image: str) -> Mapping[str, Any]:
    try:
        with engine.asking() as client:
            described: Mapping[str, Any] = client.inspect_distribution(image)  # type: ignore[no-untyped-call]
    except EngineError as error:
        if _is_on_the_engine(image):
            raise SourceError(
                tr("the image {image} is only on this machine: no registry has it", image=image),
                tr(
                    "push it to a registry, where it gets the digest that fixes it: docker tag, docker push; then add that"
                ),
            ) from None
        raise SourceError(
            tr("the image {image} cannot be had: {reason}", image=image, reason=error),
            tr("check its name and tag, and sign in where its registry needs it: docker login"),
        ) from None
    return described


def _is_on_the_engine(image: str) -> bool:
    """Tell whether the engine has an image that was built here and is from no registry."""
    try:
        with engine.asking() as client:
            return not client.inspect_image(image).get("RepoDigests")  # type: ignore[no-untyped-call]
    except EngineError:
        return False


def _platforms(described: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the processors that an image can be had for on Linux, as images call them."""
    listed = described.get("Platforms") or ()
    names = {str(entry.get("architecture")) for entry in listed if entry.get("os") in ("linux", "", None)}
    return tuple(sorted(names - {"unknown", "", "None"}))


def _check_architecture(image: str, platforms: tuple[str, ...]) -> None:
    with engine.asking() as client:
        machine = str(client.info()["Architecture"])
    needed = _ARCHITECTURES.get(machine, machine)
    if platforms and needed not in platforms:
        raise SourceError(
            tr(
                "the image {image} is not for {needed}, the processor of the engine; it is for {platforms}",
                image=image,
                needed=needed,
                platforms=", ".join(platforms),
            ),
            tr("use another image, or an engine with such a processor"),
        )


def _warnings(lock: ImageLock, volumes: Collection[str]) -> tuple[str, ...]:
    """Return what is different here for an image whose Dockerfile declares `volumes`."""
    user = "root" if lock.user.partition(":")[0] in ("", "0") else lock.user
    warnings = [
        tr(
            "the image expects to run as {user}; here it runs as a user of its own, and may miss files of {user}",
            user=user,
        )
    ]
    if lost := sorted(folder for folder in volumes if folder.rstrip("/") != PLACES["data"]):
        warnings.append(
            tr(
                "the image keeps data in {folders}, which is lost when its container is replaced; only {data} is kept",
                folders=", ".join(lost),
                data=PLACES["data"],
            )
        )
    return tuple(warnings)
