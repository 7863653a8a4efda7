"""Makes small wheels, and serves them as a package index on loopback."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

#: The form of an index that says when files were published.
SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"


class _Quiet(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        page = Path(self.translate_path(self.path)) / "index.json"
        if SIMPLE_JSON not in self.headers.get("Accept", "") or not page.is_file():
            super().do_GET()
            return
        content = page.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", SIMPLE_JSON)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def served(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve a folder at an address of this machine, by default loopback; yield its URL."""
    server = ThreadingHTTPServer((host, 0), partial(_Quiet, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def add_wheel(
    index: Path,
    name: str,
    version: str,
    *,
    files: Mapping[str, str] | None = None,
    scripts: Mapping[str, str] | None = None,
    requires: tuple[str, ...] = (),
    python: str = ">=3.8",
    tag: str = "py3-none-any",
    metadata_lines: tuple[str, ...] = (),
    published: str = "",
) -> None:
    """Add a wheel to a simple index in the folder `index`.

    `scripts`: by name, the `module:function` that it calls. `metadata_lines` are more lines of its metadata. With
    `published`, the index also has the JSON form, which says when files were published.
    """
    module = name.replace("-", "_")
    described = f"{module}-{version}.dist-info"
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", f"Requires-Python: {python}"]
    metadata += ["Summary: A server", "License: MIT", *(f"Requires-Dist: {requirement}" for requirement in requires)]
    metadata += metadata_lines
    contents = {
        **(files or {f"{module}/__init__.py": ""}),
        f"{described}/METADATA": "\n".join(metadata) + "\n",
        f"{described}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    if scripts:
        lines = ["[console_scripts]", *(f"{script} = {target}" for script, target in scripts.items())]
        contents[f"{described}/entry_points.txt"] = "\n".join(lines) + "\n"
    record = "".join(f"{path},{_digest(text)},{len(text.encode())}\n" for path, text in contents.items())
    contents[f"{described}/RECORD"] = record + f"{described}/RECORD,,\n"
    file = f"{module}-{version}-{tag}.whl"
    _publish(index, name, file, contents, python)
    if published:
        _publish_as_json(index / name, file, published)


def _publish_as_json(folder: Path, file: str, published: str) -> None:
    page = folder / "index.json"
    known = json.loads(page.read_text(encoding="utf-8"))["files"] if page.exists() else []
    hashes = {"sha256": hashlib.sha256((folder / file).read_bytes()).hexdigest()}
    files = [*known, {"filename": file, "url": file, "hashes": hashes, "upload-time": published}]
    page.write_text(json.dumps({"meta": {"api-version": "1.1"}, "name": folder.name, "files": files}), encoding="utf-8")


def add_source_distribution(index: Path, name: str, version: str) -> None:
    """Add a package that has only a source distribution, whose content is never read."""
    _publish(
        index, name, f"{name}-{version}.tar.gz", {"setup.py": "raise SystemExit('code of a package ran')"}, ">=3.8"
    )


def _digest(text: str) -> str:
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


def _publish(index: Path, name: str, file: str, contents: Mapping[str, str], python: str) -> None:
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / file, "w") as archive:
        for path, text in contents.items():
            archive.writestr(path, text)
    page = folder / "index.html"
    known = page.read_text(encoding="utf-8") if page.exists() else "<!DOCTYPE html>\n"
    digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
    needs = python.replace(">", "&gt;").replace("<", "&lt;")
    link = f'<a href="{file}#sha256={digest}" data-requires-python="{needs}">{file}</a><br>\n'
    page.write_text(known + link, encoding="utf-8")
