"""Stores secrets as the script store-secrets does, in images that have no shell but the Python of the kit.

Usage: store_secrets.py <folder with a file for each secret> <volume> <revision>
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(staged: Path, volume: Path, revision: str) -> None:
    """Write `<volume>/<name>-<revision>` for each file, and delete all but those and the previous revision's."""
    for left in volume.glob(".partial-*"):
        left.unlink()
    for file in sorted(staged.iterdir()):
        _store(file.read_bytes(), volume / f".partial-{revision}", volume / f"{file.name}-{revision}")
    others = [file for file in volume.iterdir() if not file.name.endswith(f"-{revision}")]
    newest = max(others, key=lambda file: file.stat().st_mtime_ns, default=None)
    for file in others:
        if newest is not None and file.name.rpartition("-")[2] != newest.name.rpartition("-")[2]:
            file.unlink()


def _store(content: bytes, partial: Path, target: Path) -> None:
    """Put a file in place whole, which only the user of this container and its group can read."""
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as written:
        written.write(content)
        os.fchmod(written.fileno(), 0o440)
        written.flush()
        os.fsync(written.fileno())
    partial.replace(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
