"""The Debian base images `dyber-base:<suite>` that every image here is made from.

Pulled where a registry answers, else made of Debian packages with mmdebstrap. Either way the image has the user's
mirrors as its apt sources, certificates, and labels that tell what it is (see LABEL_*).
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from messages import tr
from toolchain import debian, pieces
from toolchain.engine.debian_releases import Release, find_releases
from toolchain.engine.installation import Engine
from toolchain.errors import SetupError
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.processes import output_of, stream
from toolchain.progress import Progress, note

REPOSITORY = "dyber-base"
LABEL_KEY = "dyber.base"
LABEL_ORIGIN = "dyber.base.origin"  # registry or mmdebstrap
LABEL_RELAXED = "dyber.base.valid-until-relaxed"  # true: apt in it accepts Release files past their Valid-Until
ALLOW_EXPIRED_VARIABLE = "DYBER_ALLOW_EXPIRED_APT_MIRROR"
RECIPE = "1"  # goes into the key: raise it when what is put into the image changes
PACKAGES = ("ca-certificates",)
REGISTRY_SECONDS = 5.0
PULL_SECONDS = 600.0
IGNORE_EXPIRY = 'Acquire::Check-Valid-Until "false";'
LEFT_OUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
KEPT = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")


@dataclass(frozen=True)
class BaseImage:
    """One that exists in the engine."""

    name: str
    key: str
    origin: str
    valid_until_relaxed: bool


def image_name(suite: str) -> str:
    """Return the name of the base image of a Debian suite."""
    return f"{REPOSITORY}:{suite}"


def content_key(suite: str, mirrors: Mirrors) -> str:
    """Return a key over everything that the base image of a Debian suite is made from."""
    return pieces.content_key(RECIPE, suite, mirrors.apt, mirrors.apt_security, *PACKAGES)


def find(suite: str, engine: Engine) -> BaseImage | None:
    """The image in the engine, from whatever mirrors; None when absent or not made here."""
    said = output_of(
        ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image_name(suite)], env=docker_env(engine)
    )
    labels = json.loads(said) if said else None
    if not labels or LABEL_KEY not in labels:
        return None
    return BaseImage(
        image_name(suite), labels[LABEL_KEY], labels.get(LABEL_ORIGIN, ""), labels.get(LABEL_RELAXED) == "true"
    )


def ensure(home: DyberHome, suite: str, mirrors: Mirrors, engine: Engine, progress: Progress) -> BaseImage:
    """Make `dyber-base:<suite>` unless it is there, made with the same mirrors, and its apt can still be used.

    Raises SetupError, also when a mirror's Release file has expired and DYBER_ALLOW_EXPIRED_APT_MIRROR is 0.
    """
    with pieces.only_one(home, f"base-image-{suite}", progress):
        existing = find(suite, engine)
        if existing is not None and existing.key == content_key(suite, mirrors):
            if existing.valid_until_relaxed or not _expired_by_now(suite, mirrors):
                return existing
        releases = find_releases(suite, mirrors)
        expired = [release for release in releases if release.expired()]
        if expired:
            _say_expired(expired, progress)
        with progress.phase(tr("Making the base image {suite}", suite=image_name(suite)), 30):
            if not _from_registry(suite, mirrors, engine, bool(expired), progress):
                _from_packages(home, suite, mirrors, engine, releases, bool(expired), progress)
        made = find(suite, engine)
        if made is None:
            raise SetupError(tr("{suite} was not made", suite=image_name(suite)))
        return made


def _expired_by_now(suite: str, mirrors: Mirrors) -> bool:
    """Whether a mirror stopped updating since the image was made. Offline it is as good as it was."""
    try:
        return any(release.expired() for release in find_releases(suite, mirrors))
    except SetupError:
        return False


def _say_expired(expired: list[Release], progress: Progress) -> None:
    names = ", ".join(f"{release.suite} ({release.valid_until:%Y-%m-%d})" for release in expired)
    mirror = expired[0].mirror
    text = tr("{mirror} has stopped updating; expired: {names}", mirror=mirror, names=names)
    if os.environ.get(ALLOW_EXPIRED_VARIABLE) == "0":
        raise SetupError(
            text,
            tr(
                "Choose another DYBER_APT_MIRROR, or drop {allow_expired_variable}=0.",
                allow_expired_variable=ALLOW_EXPIRED_VARIABLE,
            ),
        )
    note(progress, text + tr("; used all the same, signatures are checked as ever"))


# -- from a registry --------------------------------------------------------------------------------------------------


def _from_registry(suite: str, mirrors: Mirrors, engine: Engine, relaxed: bool, progress: Progress) -> bool:
    for tag in (f"{suite}-slim", suite):
        source = mirrors.image(f"debian:{tag}")
        answered = pull(source, engine, progress)
        if answered == "pulled":
            try:
                _build_on(source, suite, mirrors, engine, relaxed, progress)
            except SetupError as error:
                progress.line(str(error))
                return False
            return True
        if answered == "silent":
            return False
    return False


def pull(image: str, engine: Engine, progress: Progress) -> str:
    """`pulled`, `refused` (the registry said no), or `silent`: nothing was heard for REGISTRY_SECONDS.

    The engine is asked, not the registry: it may have mirrors and a proxy of its own.
    """
    child = subprocess.Popen(
        ["docker", "pull", image],
        env=docker_env(engine),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    lines: queue.Queue[str | None] = queue.Queue()

    def read() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line.rstrip())
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    limit = REGISTRY_SECONDS
    try:
        while (line := lines.get(timeout=limit)) is not None:
            limit = PULL_SECONDS
            progress.line(line)
            progress.detail(line)
        refused_by_registry = child.wait() != 0
    except queue.Empty:
        progress.line(f"docker pull {image}: no answer within {limit:.0f} s")
        return "silent"
    finally:
        child.kill()
        child.wait()
    return "refused" if refused_by_registry else "pulled"


def _build_on(source: str, suite: str, mirrors: Mirrors, engine: Engine, relaxed: bool, progress: Progress) -> None:
    # Over https, the certificates that apt needs are not there yet; what it installs is checked by signature all the same.
    first = "-o Acquire::https::Verify-Peer=false" if mirrors.apt.startswith("https:") else ""
    steps = [
        "sed -i -e 's#http://deb.debian.org/debian-security#" + mirrors.apt_security + "#'"
        " -e 's#http://deb.debian.org/debian\\b\\([^-]\\|$\\)#"
        + mirrors.apt
        + "\\1#' /etc/apt/sources.list.d/debian.sources",
        *([f"echo '{IGNORE_EXPIRY}' > /etc/apt/apt.conf.d/99dyber"] if relaxed else []),
        f"apt-get {first} update",
        f"apt-get {first} install -y --no-install-recommends {' '.join(PACKAGES)}",
        "rm -rf /var/lib/apt/lists/*",
    ]
    lines = [f"FROM {source}", f"RUN {' && '.join(steps)}", *_labels(suite, mirrors, "registry", relaxed)]
    build = subprocess.run(
        ["docker", "build", "--tag", image_name(suite), "-"],
        input="\n".join(lines) + "\n",
        env=docker_env(engine),
        capture_output=True,
        text=True,
        errors="replace",
    )
    progress.line(build.stdout + build.stderr)
    if build.returncode != 0:
        raise SetupError(tr("docker build failed: {stderr}", stderr=build.stderr[-2000:]))


# -- from Debian packages ---------------------------------------------------------------------------------------------


def _from_packages(
    home: DyberHome,
    suite: str,
    mirrors: Mirrors,
    engine: Engine,
    releases: list[Release],
    relaxed: bool,
    progress: Progress,
) -> None:
    if not shutil.which("mmdebstrap"):
        _install_mmdebstrap(mirrors, progress)
    with pieces.draft(home, f"base-image-{suite}") as folder:
        archive = folder / "rootfs.tar"
        command = mmdebstrap_command(suite, archive, releases, relaxed)
        progress.detail(" ".join(command[:1]) + f" {suite}")
        stream(
            command,
            progress,
            what=f"mmdebstrap {suite}",
            on_line=progress.detail,
            next_step=tr("Check DYBER_APT_MIRROR, or let Docker pull Debian's image (DYBER_REGISTRY)."),
        )
        changes = [
            word
            for line in [*_labels(suite, mirrors, "mmdebstrap", relaxed), 'CMD ["bash"]']
            for word in ("--change", line)
        ]
        stream(
            ["docker", "import", *changes, str(archive), image_name(suite)],
            progress,
            what="docker import",
            env=docker_env(engine),
        )


def mmdebstrap_command(suite: str, archive: Path, releases: list[Release], relaxed: bool) -> list[str]:
    """Options that set something for apt or dpkg stay in force in the image."""
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in KEPT]
    if relaxed:
        command.append(f"--aptopt={IGNORE_EXPIRY.rstrip(';')}")
    return [*command, suite, str(archive), *(f"deb {release.mirror} {release.suite} main" for release in releases)]


def _install_mmdebstrap(mirrors: Mirrors, progress: Progress) -> None:
    if not debian.can_install():
        raise SetupError(
            tr("Debian's image cannot be pulled, and there is no mmdebstrap to make one from packages."),
            tr(
                "Either name a registry prefix that works in DYBER_REGISTRY, or on Debian/Ubuntu run "
                "{install_command}.",
                install_command=debian.install_command(["mmdebstrap", "debian-archive-keyring"]),
            ),
            exit_code=2,
        )
    debian.install(["mmdebstrap", "debian-archive-keyring"], progress)


def _labels(suite: str, mirrors: Mirrors, origin: str, relaxed: bool) -> list[str]:
    labels = {LABEL_KEY: content_key(suite, mirrors), LABEL_ORIGIN: origin, LABEL_RELAXED: str(relaxed).lower()}
    return [f'LABEL {name}="{value}"' for name, value in labels.items()]


def docker_env(engine: Engine, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment with which the `docker` program reaches this engine."""
    return {**(os.environ if env is None else env), **engine.environment()}
