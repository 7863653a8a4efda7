"""Serves an image of the engine as a registry on loopback would, to be pulled by its digest."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


@contextmanager
def image_registry(image: str, name: str) -> Iterator[str]:
    """Serve an image that the engine has; yield its reference, `127.0.0.1:<port>/<name>@sha256:…`."""
    blobs = _blobs(image)
    manifest = next(reversed(blobs))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            digest = self.path.rpartition("/")[2]
            if self.path.rstrip("/") == "/v2":
                self._answer(200, b"{}", "application/json")
            elif digest not in blobs:
                self._answer(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}', "application/json")
            else:
                kind = _MANIFEST if digest == manifest else "application/octet-stream"
                self._answer(200, blobs[digest], kind, digest)

        do_HEAD = do_GET

        def _answer(self, status: int, body: bytes, kind: str, digest: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    reference = f"127.0.0.1:{server.server_address[1]}/{name}@{manifest}"
    try:
        yield reference
    finally:
        server.shutdown()
        server.server_close()
        subprocess.run(["docker", "rmi", reference], check=False, capture_output=True)  # It may have been pulled.


def _blobs(image: str) -> dict[str, bytes]:
    """Return the parts of an image by their digests, the manifest last."""
    saved = subprocess.run(["docker", "save", image], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(saved)) as archive:

        def content(path: str) -> bytes:
            member = archive.extractfile(path)
            assert member is not None
            return member.read()

        (listed,) = json.loads(content("manifest.json"))
        config = content(listed["Config"])
        layers = [content(path) for path in listed["Layers"]]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _described(config, _CONFIG),
        "layers": [_described(layer, _LAYER) for layer in layers],
    }
    return {_digest(part): part for part in [config, *layers, json.dumps(manifest).encode()]}


def _described(part: bytes, kind: str) -> dict[str, object]:
    return {"mediaType": kind, "digest": _digest(part), "size": len(part)}


def _digest(part: bytes) -> str:
    return f"sha256:{hashlib.sha256(part).hexdigest()}"
