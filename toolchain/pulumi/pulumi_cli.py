"""Finds or installs the `pulumi` command, the language host beside it and the plugins that it starts.

Each is taken from this machine if new enough, else from Pulumi's own download, else built from Go modules and PyPI.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from messages import tr
from toolchain import downloads, pieces
from toolchain.errors import SetupError
from toolchain.from_source import go_build
from toolchain.home import DyberHome
from toolchain.mirrors import Mirrors
from toolchain.pieces import Record
from toolchain.processes import output_of, stream
from toolchain.progress import Progress
from toolchain.versions import Versions, version_tuple

EXE = ".exe" if os.name == "nt" else ""
LANGUAGE_HOST_SOURCES = Path(__file__).parents[1] / "from_source" / "language_host"
LANGUAGE_HOST_PACKAGE = "dyber_language_host"
PLUGIN_INSTALL_SECONDS = 180.0
BUILT, DOWNLOADED, SYSTEM = "go-modules", "official", "system"


@dataclass(frozen=True)
class Tool:
    """A program that is installed.

    origin: `system` (the user's own), `official` (downloaded by set-up), `go-modules` or `pypi` (made by set-up).
    """

    path: Path
    version: str
    origin: str


# -- finding ----------------------------------------------------------------------------------------------------------


def find_cli(home: DyberHome, versions: Versions) -> Tool | None:
    """Return the `pulumi` to use: that on PATH if it is at least as new as the pinned one, else that of set-up."""
    minimum = version_tuple(versions.pulumi_cli)[:2]
    on_path = shutil.which("pulumi", path=path_without(home))
    if on_path:
        version = output_of([on_path, "version"], env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"})
        if version and version.startswith("v") and version_tuple(version)[:2] >= minimum:
            return Tool(Path(on_path), version.removeprefix("v"), SYSTEM)
    for folder in (_download_folder(home, versions), _built_folder(home, versions)):
        record = Record.read(folder)
        if record and pieces.is_linked(folder / f"pulumi{EXE}", home.bin / f"pulumi{EXE}"):
            return Tool(home.bin / f"pulumi{EXE}", record.version, record.origin)
    return None


def find_language_host(home: DyberHome, versions: Versions, cli: Tool | None) -> Tool | None:
    """Return the language host that `cli` will start: that beside it, else that on PATH, else that of set-up."""
    name = f"pulumi-language-python{EXE}"
    if cli and cli.origin in (SYSTEM, DOWNLOADED):
        beside = cli.path.resolve().parent / name
        if beside.exists():
            return Tool(beside, cli.version, cli.origin)
        on_path = shutil.which(name, path=path_without(home))
        if on_path:
            return Tool(Path(on_path), cli.version, SYSTEM)
    folder = _language_host_folder(home, versions)
    record, launcher = _language_host_record(folder), home.bin / name
    if record is None or not launcher.is_file() or launcher.read_bytes() != _launcher_text(home, folder).encode():
        return None
    return Tool(launcher, record.version, record.origin)


def find_plugin(home: DyberHome, versions: Versions, name: str) -> Tool | None:
    """Return the plugin under PULUMI_HOME; None if it was built from other sources than the present ones."""
    version = versions.plugins[name]
    folder = _plugin_folder(home, name, version)
    program = folder / f"pulumi-resource-{name}{EXE}"
    if not program.exists() or folder.with_name(folder.name + ".partial").exists():
        return None
    record = Record.read(folder)
    if record is None:
        return Tool(program, version, DOWNLOADED)
    return Tool(program, version, record.origin) if record.key == go_build.sources_key(versions) else None


def path_without(home: DyberHome, env: Mapping[str, str] | None = None) -> str:
    """Return PATH without the bin folder of set-up. Never empty: programs would then use a default PATH."""
    parts = (os.environ if env is None else env).get("PATH", "").split(os.pathsep)
    return os.pathsep.join(part for part in parts if part and Path(part) != home.bin) or os.devnull


def missing(home: DyberHome, versions: Versions) -> list[str]:
    """Return which of pulumi, language-host, docker and random `install` would install."""
    cli = find_cli(home, versions)
    names = [] if cli else ["pulumi"]
    if not find_language_host(home, versions, cli):
        names.append("language-host")
    return names + [name for name in versions.plugins if not find_plugin(home, versions, name)]


# -- installing -------------------------------------------------------------------------------------------------------


def install(home: DyberHome, versions: Versions, mirrors: Mirrors, progress: Progress) -> None:
    """Install whatever is missing. A killed run and a second set-up at once do no harm. Raises SetupError."""
    if not missing(home, versions):
        return
    with pieces.hold_lock(home, "toolchain", progress):
        for folder in (_download_folder(home, versions), _built_folder(home, versions)):
            if Record.read(folder) is not None:  # complete, but `bin` has another version since
                _link_programs(home, folder)
                break
        official_reachable = True
        cli = find_cli(home, versions)
        if cli is None:
            official_reachable = _download_cli(home, versions, mirrors, progress)
            cli = find_cli(home, versions)
        if cli is not None and official_reachable:
            for name in versions.plugins:
                if not find_plugin(home, versions, name):
                    official_reachable = official_reachable and _download_plugin(
                        home, versions, mirrors, cli, name, progress
                    )
        targets = ["pulumi"] if cli is None else []
        targets += [name for name in versions.plugins if not find_plugin(home, versions, name)]
        if targets:
            _build(home, versions, mirrors, targets, progress)
        if not find_language_host(home, versions, find_cli(home, versions)):
            _install_language_host(home, versions, mirrors, progress)
    still_missing = missing(home, versions)
    if still_missing:
        raise SetupError(tr("still missing after the installation: {still}", still=", ".join(still_missing)))


def _download_cli(home: DyberHome, versions: Versions, mirrors: Mirrors, progress: Progress) -> bool:
    """Download and install Pulumi's own release; returns False if it cannot be downloaded."""
    version = versions.pulumi_cli
    with progress.phase(tr("Trying Pulumi's own download ({version})", version=version)):
        with pieces.draft(home, "download") as made:
            content = made / "content"
            try:
                origin = downloads.fetch_pulumi(
                    version, versions.pulumi_downloads, content, progress, mirrors.ca_bundle
                )
            except downloads.NotAvailable as reason:
                progress.line(str(reason))
                progress.detail(tr("the official download cannot be used here; building from Go modules instead"))
                return False
            progress.line(origin)
            target = _download_folder(home, versions)
            pieces.put_in_place(content, target, Record(version, version, DOWNLOADED))
    _link_programs(home, target)
    pieces.remove_old(home.tools, "pulumi", target)
    return True


def _download_plugin(
    home: DyberHome, versions: Versions, mirrors: Mirrors, cli: Tool, name: str, progress: Progress
) -> bool:
    version = versions.plugins[name]
    env = {**os.environ, "PULUMI_HOME": str(home.pulumi_home), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    with downloads.http_client(mirrors.ca_bundle) as client:
        if not any(
            downloads.answers(client, folder.format(version=versions.pulumi_cli))
            for folder in versions.pulumi_downloads
        ):
            return False
    with progress.phase(tr("Downloading the plugin {name} {version}", name=name, version=version)):
        try:
            stream(
                [str(cli.path), "plugin", "install", "resource", name, version],
                progress,
                what="pulumi plugin install",
                env=env,
                timeout=PLUGIN_INSTALL_SECONDS,
            )
        except SetupError as error:
            progress.line(str(error))
            progress.detail(tr("the official plugin cannot be had here; building from Go modules instead"))
            return False
    return find_plugin(home, versions, name) is not None


def _build(home: DyberHome, versions: Versions, mirrors: Mirrors, targets: list[str], progress: Progress) -> None:
    key = go_build.sources_key(versions)
    with pieces.draft(home, "built") as made:
        out = made / "out"
        go_build.build(home, versions, mirrors, targets, out, progress)
        for name in (target for target in targets if target != "pulumi"):
            content = made / name
            content.mkdir()
            (out / f"pulumi-resource-{name}{EXE}").rename(content / f"pulumi-resource-{name}{EXE}")
            (out / f"names-{name}.json").rename(content / "names.json")
            version = versions.plugins[name]
            pieces.put_in_place(content, _plugin_folder(home, name, version), Record(version, key, BUILT))
        if "pulumi" in targets:
            content = made / "pulumi"
            content.mkdir()
            (out / f"pulumi{EXE}").rename(content / f"pulumi{EXE}")
            target = _built_folder(home, versions)
            pieces.put_in_place(content, target, Record(versions.pulumi_cli, key, BUILT))
            _link_programs(home, target)
            pieces.remove_old(home.tools, "pulumi", target)


def _install_language_host(home: DyberHome, versions: Versions, mirrors: Mirrors, progress: Progress) -> None:
    """Make a virtual environment with the SDK and our language host, and a launcher beside `pulumi`."""
    if os.name == "nt":
        raise SetupError(
            tr("On Windows Pulumi's own release is needed."),
            tr("Run `winget install pulumi`, or use this project inside WSL2."),
            exit_code=2,
        )
    folder = _language_host_folder(home, versions)
    if _language_host_record(folder) is None:
        sdk = f"pulumi=={versions.sdks['pulumi']}"
        with progress.phase(tr("Installing the Python language host for Pulumi"), 25):
            # A virtual environment cannot be moved, so it is made in place. The record, written last, shows that
            # it is complete.
            pieces.remove_tree(folder)
            python = folder / "bin" / "python"
            stream([base_python(), "-m", "venv", str(folder)], progress, what="python -m venv")
            stream(
                [str(python), "-m", "pip", "install", sdk],
                progress,
                what=f"pip install {sdk}",
                env=go_build.pip_environment(mirrors),
                next_step=tr("Check the PyPI index (DYBER_PIP_INDEX_URL)."),
            )
            packages = output_of([str(python), "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
            if packages is None:
                raise SetupError(
                    tr("{python} does not answer", python=python),
                    tr("run again; what is done is kept"),
                )
            shutil.copytree(
                LANGUAGE_HOST_SOURCES,
                Path(packages) / LANGUAGE_HOST_PACKAGE,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
            stream(
                [str(python), "-I", "-c", f"import {LANGUAGE_HOST_PACKAGE}.server"],
                progress,
                what=LANGUAGE_HOST_PACKAGE,
            )
            pieces.write_record(folder, Record(versions.sdks["pulumi"], _language_host_key(versions), "pypi"))
    pieces.write_executable(home.bin / "pulumi-language-python", _launcher_text(home, folder))
    pieces.remove_old(home.tools, "language-host", folder)


def _launcher_text(home: DyberHome, folder: Path) -> str:
    python = os.path.relpath(folder / "bin" / "python", home.bin)
    return f'#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/{python}" -I -m {LANGUAGE_HOST_PACKAGE} "$@"\n'


def base_python() -> str:
    """Return the Python that this virtual environment was made from, so that a new one does not depend on this one."""
    candidate = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(candidate) if candidate.exists() else sys.executable


def _link_programs(home: DyberHome, folder: Path) -> None:
    for program in folder.iterdir():
        if program.name.startswith("pulumi"):
            pieces.link(program, home.bin / program.name)


def _download_folder(home: DyberHome, versions: Versions) -> Path:
    return home.tools / f"pulumi-{versions.pulumi_cli}-official"


def _built_folder(home: DyberHome, versions: Versions) -> Path:
    return home.tools / f"pulumi-{versions.pulumi_cli}-{go_build.sources_key(versions)}"


def _language_host_key(versions: Versions) -> str:
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return pieces.content_key(versions.sdks["pulumi"], python, files=LANGUAGE_HOST_SOURCES)


def _language_host_record(folder: Path) -> Record | None:
    """Return the record; None also if the Python that the virtual environment was made with is gone."""
    python = folder / "bin" / "python"
    return None if python.is_symlink() and not python.exists() else Record.read(folder)


def _language_host_folder(home: DyberHome, versions: Versions) -> Path:
    return home.tools / f"language-host-{_language_host_key(versions)}"


def _plugin_folder(home: DyberHome, name: str, version: str) -> Path:
    return home.plugins / f"resource-{name}-v{version}"
