"""The contents of Docker volumes as tar members, through the engine, so that it works from any system.

A container that is made and never started lends the engine's own copying a path to the volume.
"""

from __future__ import annotations

import copy
import secrets
import subprocess
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from cli.engine import engine, moments
from cli.engine.engine import EngineError
from cli.system import programs
from toolchain import versions
from toolchain.engine import base_image

_INSIDE = "/data"
#: What copying a large volume may take.
COPY_SECONDS = 4 * 3600


def save(volume: str, tar: tarfile.TarFile, folder: str) -> None:
    """Add everything in `volume` to `tar`, below `folder`. Raises EngineError."""
    with _container(volume) as container:
        process = subprocess.Popen(
            ["docker", "cp", "--archive", f"{container}:{_INSIDE}/.", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=programs.needs_new_session(),
        )
        assert process.stdout is not None and process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as content:
                for member in content:
                    tar.addfile(
                        _moved(member, "", f"{folder}/"), content.extractfile(member) if member.isfile() else None
                    )
        except tarfile.TarError as error:
            raise EngineError(f"docker cp {volume}: {error}") from error
        finally:
            process.stdout.close()
            problem = process.stderr.read().decode("utf-8", errors="replace").strip()
            code = process.wait()
        if code:
            raise EngineError(problem or f"docker cp: exit code {code}")


def load(
    volume: str, labels: Mapping[str, str], tar: tarfile.TarFile, members: Iterable[tarfile.TarInfo], folder: str
) -> None:
    """Make `volume` with `labels`, unless it is there, and put `members` of `tar`, which are below `folder`, in the
    place of what is in it. Raises EngineError."""
    engine.docker(
        "volume", "create", *[part for key, value in labels.items() for part in ("--label", f"{key}={value}")], volume
    )
    clear(volume)
    with _container(volume) as container:
        # From above the volume: only so its own owner and mode come back too.
        process = subprocess.Popen(
            ["docker", "cp", "--archive", "-", f"{container}:/"],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=programs.needs_new_session(),
        )
        assert process.stdin is not None and process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdin, mode="w|", format=tarfile.PAX_FORMAT) as content:
                for member in members:
                    content.addfile(
                        _moved(member, f"{folder}/.", _INSIDE.lstrip("/")),
                        tar.extractfile(member) if member.isfile() else None,
                    )
            process.stdin.close()
        except BrokenPipeError:
            pass
        problem = process.stderr.read().decode("utf-8", errors="replace").strip()
        if code := process.wait():
            raise EngineError(problem or f"docker cp: exit code {code}")


def replicate(source: str, target: str) -> None:
    """Make what is in the volume `target` what is in `source`, with owners and modes. Raises EngineError, also where
    there is no `source`: Docker would make it, and the target would be emptied."""
    engine.docker("volume", "inspect", source)
    mounts = ("--volume", f"{source}:/from:ro", "--volume", f"{target}:/to")
    script = "find /to -mindepth 1 -delete && cp -a /from/. /to/"
    with helper(*mounts, "--user", "0", base_image_name(), "sh", "-c", script) as name:
        engine.docker("start", "--attach", name, timeout=COPY_SECONDS)


def clear(volume: str) -> None:
    """Delete all that is in a volume. Raises EngineError."""
    mount = ("--volume", f"{volume}:/to")
    with helper(*mount, "--user", "0", base_image_name(), "find", "/to", "-mindepth", "1", "-delete") as name:
        engine.docker("start", "--attach", name, timeout=COPY_SECONDS)


@contextmanager
def paused(containers: Iterable[str]) -> Iterator[None]:
    """Pause these running containers inside the context; afterwards all of them continue, whatever happens. Raises
    EngineError."""
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
def helper(*arguments: str) -> Iterator[str]:
    """Name of a container of the base image that `docker create` made with these arguments, gone afterwards."""
    name = f"dyber-volume-{secrets.token_hex(6)}"
    with moments.put_back_afterwards(["rm", "--force", name]):
        label = ("--label", "dyber.helper=volume")
        engine.docker("create", "--name", name, "--network", "none", *label, *arguments)
        yield name


def base_image_name() -> str:
    """Return the image from which helper containers are made."""
    return base_image.image_name(versions.load().base_suites[0])


@contextmanager
def _container(volume: str) -> Iterator[str]:
    with helper("--volume", f"{volume}:{_INSIDE}", base_image_name(), "true") as name:
        yield name


def _moved(member: tarfile.TarInfo, old: str, new: str) -> tarfile.TarInfo:
    """The member under another folder; what a hard link points to moves along, a symbolic link's target stays."""
    moved = copy.copy(member)
    moved.name = new + member.name.removeprefix(old)
    moved.pax_headers = {key: value for key, value in member.pax_headers.items() if key not in ("path", "linkpath")}
    if member.islnk():
        moved.linkname = new + member.linkname.removeprefix(old)
    return moved
