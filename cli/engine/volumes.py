"""Reads and writes the contents of Docker volumes through the engine, so that it works from any system.

The engine copies files only out of containers and into them. So a container that mounts the volume is created for each
copy, and never started.
"""

from __future__ import annotations

import copy
import secrets
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from cli.engine import archives, engine, moments, processes
from cli.engine.archives import COPY_SECONDS
from toolchain import versions
from toolchain.engine import base_image

_FOLDER = "/data"


def save(volume: str, tar: tarfile.TarFile, folder: str) -> None:
    """Add everything in `volume` to `tar`, below `folder`. Raises EngineError."""
    with _mounting(volume) as container, archives.reading(container, f"{_FOLDER}/.") as content:
        for member in content:
            file = content.extractfile(member) if member.isfile() else None
            tar.addfile(_moved(member, "", f"{folder}/"), file)


def load(
    volume: str, labels: Mapping[str, str], tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], folder: str
) -> None:
    """Replace everything in `volume` by those `members` of `tar`, which are below `folder`.

    A volume that the engine does not have is created with `labels`. Raises EngineError.
    """
    with engine.asking() as client:
        client.create_volume(volume, labels=dict(labels))
    clear(volume)
    moved = (
        (_moved(member, f"{folder}/.", _FOLDER.lstrip("/")), tar.extractfile(member) if member.isfile() else None)
        for member in members
    )
    with _mounting(volume) as container:
        # Written from above the volume, its own owner and mode are restored too.
        archives.write(container, "/", moved)


def replicate(source: str, target: str) -> None:
    """Replace everything in the volume `target` by what is in `source`, with owners and modes.

    Raises EngineError, also when there is no `source`: Docker would create it, and `target` would be emptied.
    """
    with engine.asking() as client:
        client.inspect_volume(source)
    script = "find /to -mindepth 1 -delete && cp -a /from/. /to/"
    with helper([f"{source}:/from:ro", f"{target}:/to"], ["sh", "-c", script]) as container:
        processes.run_to_end(container, seconds=COPY_SECONDS)


def clear(volume: str) -> None:
    """Delete everything in a volume. Raises EngineError."""
    with helper([f"{volume}:/to"], ["find", "/to", "-mindepth", "1", "-delete"]) as container:
        processes.run_to_end(container, seconds=COPY_SECONDS)


def give(volume: str, user: int) -> None:
    """Make a user and the group of the same number the owner of everything in a volume. Raises EngineError."""
    owned_by_others = f"find /to \\( ! -uid {user} -o ! -gid {user} \\) -exec chown -h {user}:{user} {{}} +"
    with helper([f"{volume}:/to"], ["sh", "-c", owned_by_others]) as container:
        processes.run_to_end(container, seconds=COPY_SECONDS)


@contextmanager
def paused(containers: Iterable[str]) -> Iterator[None]:
    """Pause these running containers; afterwards all of them continue, whatever happens. Raises EngineError."""
    containers = list(containers)
    if not containers:
        yield
        return
    with moments.put_back_afterwards(*(["unpause", container] for container in containers)):
        for container in containers:
            with engine.asking() as client:
                client.pause(container)
        yield


@contextmanager
def helper(mounts: Sequence[str], command: Sequence[str]) -> Iterator[str]:
    """Give the name of a new container of the base image, which is removed afterwards.

    `mounts` are volumes and the folders where it has them, such as `name:/data:ro`; it runs `command` as root.
    """
    name = f"dyber-volume-{secrets.token_hex(6)}"
    with moments.put_back_afterwards(["rm", "--force", name]):
        with engine.asking() as client:
            client.create_container(
                base_image_name(),
                list(command),
                name=name,
                user="0",
                labels={"dyber.helper": "volume"},
                host_config=client.create_host_config(
                    binds=list(mounts), network_mode="none", log_config=processes.LOG_CONFIG
                ),
            )
        yield name


def base_image_name() -> str:
    """Return the image from which helper containers are created."""
    return base_image.image_name(versions.load().base_suites[0])


@contextmanager
def _mounting(volume: str) -> Iterator[str]:
    """Give the name of a container that is not started and has the volume."""
    with helper([f"{volume}:{_FOLDER}"], ["true"]) as name:
        yield name


def _moved(member: tarfile.TarInfo, old: str, new: str) -> tarfile.TarInfo:
    """Return the member under another folder; the target of a hard link moves along, that of a symbolic link stays."""
    moved = copy.copy(member)
    moved.name = new + member.name.removeprefix(old)
    moved.pax_headers = {key: value for key, value in member.pax_headers.items() if key not in ("path", "linkpath")}
    if member.islnk():
        moved.linkname = new + member.linkname.removeprefix(old)
    return moved
