"""Looks up packages of PyPI and locks them: requirements.in, and requirements.txt with the hashes of all platforms."""

from __future__ import annotations

import configparser
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.parser import Parser
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from cli.services.sources import ages, builders
from cli.services.sources.packages import LockReport, Package, SourceError
from cli.system import uv
from infra.services.source import EXAMPLES, Source
from infra.services.source_locks import IMAGE_PYTHON, LOCK_FILES, requirement_lines
from messages import tr
from toolchain.progress import Progress

#: The platforms of images, as uv names them, by what people call them.
PLATFORMS = {"amd64": "x86_64-manylinux_2_40", "arm64": "aarch64-manylinux_2_40"}
_FOR_IMAGES = ("--python-version", IMAGE_PYTHON, "--only-binary", ":all:")


def find(wanted: str, progress: Progress, before: datetime | None = None) -> Package:
    """Return the newest version of a PyPI package that fits `wanted`, a requirement such as `name[extra]>=1.2`.

    With `before`, nothing that was published later. Raises SourceError, also for packages without a wheel and for those that need another Python.
    """
    requirement = _requirement(wanted)
    with progress.phase(tr("Looking up {package}", package=wanted)), tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "packages"
        what = tr("{package} cannot be used", package=wanted)
        _run(unpacking(str(requirement), target), what, wanted, before)
        (described,) = target.glob("*.dist-info")
        return _package(requirement, target, described)


def unpacking(requirement: str, target: Path) -> list[str]:
    """Return the command that unpacks the wheel of a package for images into `target`, without what it depends on."""
    return [
        *uv.COMMAND, "pip", "install", "--quiet", "--no-deps", "--target", str(target), *_FOR_IMAGES,
        "--python-platform", PLATFORMS["amd64"], "--no-compile-bytecode", requirement,
    ]  # fmt: skip


def _run(command: Sequence[str], what: str, wanted: str, before: datetime | None, folder: Path | None = None) -> None:
    """Run uv with what was published until `before`. Raises SourceError, which says if only the age is the reason."""
    environment = uv.uv_environment()
    until = ["--exclude-newer", ages.written(before)] if before else []
    try:
        builders.run([*command, *until], environment, folder=folder, what=what)
    except SourceError as error:
        # uv's words for a version that is too young are those for one that does not exist.
        if before and _works(command, environment, folder):
            raise ages.too_young(error.message, before) from None
        raise _explained(wanted, error) from None


def _works(command: Sequence[str], environment: Mapping[str, str], folder: Path | None) -> bool:
    try:
        builders.run(command, environment, folder=folder, what="uv")
    except SourceError:
        return False
    return True


def _requirement(wanted: str) -> Requirement:
    try:
        requirement = Requirement(wanted)
    except InvalidRequirement:
        requirement = None
    if requirement is None or requirement.url or requirement.marker:
        raise SourceError(
            tr("{package} is not a package of PyPI", package=repr(wanted)),
            tr(
                "write a name, with a version if you like, such as pypi:{example}; addresses, Git repositories and "
                "folders cannot be locked by a hash",
                example=EXAMPLES["pypi"],
            ),
        )
    return requirement


def _package(requirement: Requirement, target: Path, described: Path) -> Package:
    metadata = Parser().parsestr((described / "METADATA").read_text(encoding="utf-8"))
    name, version = requirement.name, str(metadata["Version"])
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return Package(
        "pypi",
        name,
        version,
        f"{name}{extras}=={version}",
        _programs(target, described),
        str(metadata["Summary"] or ""),
        str(metadata["License-Expression"] or metadata["License"] or "").partition("\n")[0],
        str(metadata["Home-Page"] or ""),
        str(metadata["Requires-Python"] or ""),
    )


def _programs(target: Path, described: Path) -> tuple[str, ...]:
    """Return the console scripts; without any, `-m module` for the package's modules that can be started."""
    file = described / "entry_points.txt"
    if file.is_file():
        entries = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        entries.optionxform = str  # type: ignore[assignment, method-assign] # names are case-sensitive
        entries.read_string(file.read_text(encoding="utf-8"))
        if entries.has_section("console_scripts"):
            return tuple(dict(entries["console_scripts"]))
    modules = sorted(main.parent.name for main in target.glob("*/__main__.py"))
    return tuple(f"-m {module}" for module in modules)


def _explained(wanted: str, error: SourceError) -> SourceError:
    """Return the error with the reason that uv's words stand for, where it is known."""
    words = re.sub(r"\s+", " ", error.message)
    if re.search(r"no wheels|no usable wheels|has no binary|--only-binary|pre-built wheels", words):
        return SourceError(
            tr(
                "{package}, or a package that it needs, has no wheel for Python {python} on Linux",
                package=wanted,
                python=IMAGE_PYTHON,
            )
            + f"\n{error.message}",
            tr("only wheels are installed, as building runs code of the package; ask its publisher for one"),
        )
    if re.search(r"Requires-Python|does not satisfy Python|requires Python|depends on Python", words, re.IGNORECASE):
        return SourceError(
            tr(
                "{package} does not run on Python {python}, which images have",
                package=wanted,
                python=IMAGE_PYTHON,
            )
            + f"\n{error.message}",
            tr("use a version of it for Python {python}", python=IMAGE_PYTHON),
        )
    return error


def lock(
    source: Source, folder: Path, progress: Progress, *, upgrade: bool = False, before: datetime | None = None
) -> LockReport:
    """Write requirements.in and requirements.txt of a pypi source into a service's folder.

    Packages that the lock there has keep their versions unless `upgrade`; others are the newest that fit, with `before`
    of those published until then. Raises SourceError, also for a package whose
    dependencies cannot be installed on Linux.
    """
    with tempfile.TemporaryDirectory(prefix="dyber-pypi-") as temporary:
        made = Path(temporary)
        (made / "requirements.in").write_text("\n".join(requirement_lines(source)) + "\n", encoding="utf-8")
        if (folder / "requirements.txt").is_file() and not upgrade:
            (made / "requirements.txt").write_bytes((folder / "requirements.txt").read_bytes())
        command = [
            *uv.COMMAND, "pip", "compile", "--quiet", "--universal", "--generate-hashes", *_FOR_IMAGES,
            "--custom-compile-command", f"./deploy.sh lock {folder.name}", "requirements.in", "--output-file",
            "requirements.txt",
        ]  # fmt: skip
        with progress.phase(tr("Locking {package}", package=source.reference), 10):
            what = tr("{package} cannot be locked", package=source.reference)
            _run(command, what, source.reference, before, made)
            warnings = _check_platforms(source, made)
        builders.replace_files(made, folder, LOCK_FILES["pypi"])
        locked = (made / "requirements.txt").read_text(encoding="utf-8")
    return LockReport(len(re.findall(r"(?m)^[A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^]]*\])?==", locked)), warnings=warnings)


def _check_platforms(source: Source, made: Path) -> tuple[str, ...]:
    """Refuse a lock that cannot be installed on amd64; warn of one that cannot on arm64."""
    warnings = []
    for architecture, platform in PLATFORMS.items():
        command = [
            *uv.COMMAND, "pip", "install", "--dry-run", "--quiet", "--no-deps", "--require-hashes", "--target",
            str(made / "unused"), *_FOR_IMAGES, "--python-platform", platform, "--requirement", "requirements.txt",
        ]  # fmt: skip
        what = tr(
            "{package} cannot be installed on Linux ({architecture})",
            package=source.reference,
            architecture=architecture,
        )
        try:
            builders.run(
                command, uv.uv_environment(), folder=made, what=what,
                next_step=tr("it may be made for another system, such as a Windows desktop; use another package"),
            )  # fmt: skip
        except SourceError:
            if architecture == "amd64":
                raise
            warnings.append(what)
    return tuple(warnings)


def fits_python(needs: str) -> bool:
    """Tell whether the Python of images fits a Requires-Python; what cannot be read fits."""
    try:
        return IMAGE_PYTHON in SpecifierSet(needs)
    except InvalidSpecifier:
        return True
