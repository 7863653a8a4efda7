"""Finds the exact version of a source and writes its locks, whatever kind it is."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cli.services.sources import go_programs, npm_packages, oci_images, python_packages
from cli.services.sources.packages import LockReport, Package, SourceError
from infra.schema.problems import UnusableValue
from infra.services.catalog import ServiceSpec
from infra.services.source import Source, SourceKind, check_reference
from infra.services.source_locks import LOCK_FILES
from toolchain.home import DyberHome
from toolchain.progress import Progress


def find(kind: SourceKind, wanted: str, home: DyberHome, progress: Progress, before: datetime | None = None) -> Package:
    """Return the exact version that fits `wanted`: a name with or without a version, an image, or an address.

    With `before`, nothing that was published later; an image says its age only when it is locked. Raises SourceError, EngineError (oci), SetupError (npm, go).
    """
    match kind:
        case "npm":
            return npm_packages.find(wanted, home, progress, before)
        case "pypi":
            return python_packages.find(wanted, progress, before)
        case "go":
            return go_programs.find(wanted, home, progress, before)
        case "oci":
            return oci_images.find(wanted, progress)
        case "url":
            try:
                check_reference("url", wanted)
            except UnusableValue as error:
                raise SourceError(f"{wanted}: {error}") from None
            return Package("url", wanted, "", wanted)


def write_locks(
    source: Source,
    folder: Path,
    home: DyberHome,
    progress: Progress,
    *,
    upgrade: bool = False,
    before: datetime | None = None,
) -> LockReport:
    """Write the locks of a source into the folder of its service; each file is replaced as a whole.

    The source's own version stays as it is; versions of what it depends on stay as they are locked unless `upgrade`.
    With `before`, new ones are none that was published later. Raises SourceError, EngineError (oci), SetupError (npm, go).
    """
    match source.kind:
        case "npm":
            return npm_packages.lock(source, folder, home, progress, upgrade=upgrade, before=before)
        case "pypi":
            return python_packages.lock(source, folder, progress, upgrade=upgrade, before=before)
        case "go":
            return go_programs.lock(source, folder, home, progress, before)
        case "oci":
            return oci_images.lock(source, folder, progress, before)
        case "url":
            return LockReport(0)


def relock(spec: ServiceSpec, home: DyberHome, progress: Progress, *, upgrade: bool = False) -> list[Path]:
    """Write the locks of a service's source anew, and return the files that changed; raises as `write_locks`."""
    if spec.source is None:
        return []
    files = [spec.folder / name for name in LOCK_FILES[spec.source.kind]]
    before = {file: file.read_bytes() if file.is_file() else b"" for file in files}
    write_locks(spec.source, spec.folder, home, progress, upgrade=upgrade)
    return [file for file in files if file.read_bytes() != before[file]]
