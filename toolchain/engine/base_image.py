"""Makes the Debian base images `dyber-base:<suite>`, from which all images of the project are built.

An image is pulled where a registry answers, else made from Debian packages with mmdebstrap. Either way it has the
user's mirrors as its apt sources, the authorities' certificates, and labels that say how it was made (see LABEL_*).
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
RECIPE = "1"  # part of the key; increase it when the image is made in another way
PACKAGES = ("ca-certificates",)
REGISTRY_SECONDS = 5.0
PULL_SECONDS = 600.0
IGNORE_EXPIRY = 'Acquire::Check-Valid-Until "false";'
EXCLUDED_PATHS = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
INCLUDED_PATHS = ("/usr/share/doc/*/copyright", "/usr/share/locale/locale.alias")


@dataclass(frozen=True)
class BaseImage:
    """A base image that the engine has."""

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
    """Return the image that the engine has, whatever mirrors it was made with; None if absent or not made by set-up."""
    labels_json = output_of(
        ["docker", "image", "inspect", "--format", "{{json .Config.Labels}}", image_name(suite)], env=docker_env(engine)
    )
    labels = json.loads(labels_json) if labels_json else None
    if not labels or LABEL_KEY not in labels:
        return None
    return BaseImage(
        image_name(suite), labels[LABEL_KEY], labels.get(LABEL_ORIGIN, ""), labels.get(LABEL_RELAXED) == "true"
    )


def ensure(home: DyberHome, suite: str, mirrors: Mirrors, engine: Engine, progress: Progress) -> BaseImage:
    """Return `dyber-base:<suite>`, made anew if it is missing, has other mirrors, or apt in it would refuse its mirror.

    Raises SetupError, also when a mirror's Release file has expired and DYBER_ALLOW_EXPIRED_APT_MIRROR is 0.
    """
    with pieces.hold_lock(home, f"base-image-{suite}", progress):
        existing = find(suite, engine)
        if existing is not None and existing.key == content_key(suite, mirrors):
            if existing.valid_until_relaxed or not _expired_by_now(suite, mirrors):
                return existing
        releases = find_releases(suite, mirrors)
        expired = [release for release in releases if release.expired()]
        if expired:
            _report_expired(expired, progress)
        with progress.phase(tr("Making the base image {suite}", suite=image_name(suite)), 30):
            if not _from_registry(suite, mirrors, engine, bool(expired), progress):
                _from_packages(home, suite, mirrors, engine, releases, bool(expired), progress)
        made = find(suite, engine)
        if made is None:
            raise SetupError(tr("{suite} was not made", suite=image_name(suite)))
        return made


def _expired_by_now(suite: str, mirrors: Mirrors) -> bool:
    """Tell whether a mirror stopped updating after the image was made; False if the mirror cannot be reached."""
    try:
        return any(release.expired() for release in find_releases(suite, mirrors))
    except SetupError:
        return False


def _report_expired(expired: list[Release], progress: Progress) -> None:
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
        outcome = pull(source, engine, progress)
        if outcome == "pulled":
            try:
                _build_on(source, suite, mirrors, engine, relaxed, progress)
            except SetupError as error:
                progress.line(str(error))
                return False
            return True
        if outcome == "silent":
            return False
    return False


def pull(image: str, engine: Engine, progress: Progress) -> str:
    """Pull an image; returns `pulled`, `refused` (by the registry) or `silent` (no output within REGISTRY_SECONDS).

    This asks the engine instead of the registry because the engine may have mirrors and a proxy of its own.
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
        is_refused = child.wait() != 0
    except queue.Empty:
        progress.line(f"docker pull {image}: no answer within {limit:.0f} s")
        return "silent"
    finally:
        child.kill()
        child.wait()
    return "refused" if is_refused else "pulled"


def _build_on(source: str, suite: str, mirrors: Mirrors, engine: Engine, relaxed: bool, progress: Progress) -> None:
    # An https mirror cannot be verified before ca-certificates is installed; apt checks the packages' signatures.
    apt_options = "-o Acquire::https::Verify-Peer=false" if mirrors.apt.startswith("https:") else ""
    steps = [
        "sed -i -e 's#http://deb.debian.org/debian-security#" + mirrors.apt_security + "#'"
        " -e 's#http://deb.debian.org/debian\\b\\([^-]\\|$\\)#"
        + mirrors.apt
        + "\\1#' /etc/apt/sources.list.d/debian.sources",
        *([f"echo '{IGNORE_EXPIRY}' > /etc/apt/apt.conf.d/99dyber"] if relaxed else []),
        f"apt-get {apt_options} update",
        f"apt-get {apt_options} install -y --no-install-recommends {' '.join(PACKAGES)}",
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
    """Return the command that makes the image's files. Its options for apt and dpkg stay in force in the image."""
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}"]
    command += [f"--dpkgopt=path-exclude={pattern}" for pattern in EXCLUDED_PATHS]
    command += [f"--dpkgopt=path-include={pattern}" for pattern in INCLUDED_PATHS]
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
