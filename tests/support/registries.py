"""Makes small packages of npm and Go in folders that serve as registries of the tests' own."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add_npm_package(
    registry: Path,
    address: str,
    name: str,
    version: str,
    *,
    program: str = "process.exit(0)\n",
    published: str = "",
    **manifest: Any,
) -> None:
    """Add a package to the npm registry in the folder `registry`, which is served at `address`.

    `program` is its index.js, `published` the time of its publication; `manifest` are more keys of its package.json.
    """
    content = {"name": name, "version": version, **manifest}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in {"package.json": json.dumps(content), "index.js": program}.items():
            member = tarfile.TarInfo(f"package/{path}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    file = f"{name.rpartition('/')[2]}-{version}.tgz"
    (registry / "tarballs").mkdir(parents=True, exist_ok=True)
    (registry / "tarballs" / file).write_bytes(buffer.getvalue())
    integrity = "sha512-" + base64.b64encode(hashlib.sha512(buffer.getvalue()).digest()).decode()
    described = registry / name
    described.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(described.read_text()) if described.exists() else {"name": name, "versions": {}}
    distribution = {"tarball": f"{address}/tarballs/{file}", "integrity": integrity}
    known["versions"][version] = {**content, "dist": distribution}
    if "install" in manifest.get("scripts", {}):
        known["versions"][version]["hasInstallScript"] = True
    if published:
        known.setdefault("time", {})[version] = published
    known["dist-tags"] = {"latest": version}
    described.write_text(json.dumps(known))


def add_go_module(
    proxy: Path, module: str, version: str, files: Mapping[str, str], published: str = "2026-01-01T00:00:00Z"
) -> None:
    """Add a version of a module to the Go proxy in the folder `proxy`; versions are added from the oldest on."""
    folder = proxy / module / "@v"
    folder.mkdir(parents=True, exist_ok=True)
    mod = f"module {module}\n\ngo 1.24.0\n"
    info = json.dumps({"Version": version, "Time": published})
    (folder / f"{version}.mod").write_text(mod)
    (folder / f"{version}.info").write_text(info)
    (proxy / module / "@latest").write_text(info)
    with (folder / "list").open("a") as listed:
        listed.write(f"{version}\n")
    with zipfile.ZipFile(folder / f"{version}.zip", "w") as archive:
        for path, text in {"go.mod": mod, **files}.items():
            archive.writestr(f"{module}@{version}/{path}", text)
