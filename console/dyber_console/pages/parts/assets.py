"""Serves static files under addresses with their hash, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files

from starlette.responses import Response

from dyber_console.settings import BASE

#: The stylesheet is made of these files, in this order.
STYLES = (
    "base", "frame", "parts", "charts", "overview", "service", "tools", "clients", "calls", "changes", "sign_in",
    "medium", "narrow", "forced_colors",
)  # fmt: skip
_FOREVER = "public, max-age=31536000, immutable"
_FOLDER = files("dyber_console.pages").joinpath("static")


@dataclass(frozen=True)
class Asset:
    """Holds a static file: its content, its type, and the address under which it is served."""

    content: bytes
    media_type: str
    url: str


class Assets:
    """Holds all static files of the pages in memory."""

    def __init__(self) -> None:
        styles = _FOLDER.joinpath("styles")
        sheet = b"".join(styles.joinpath(f"{name}.css").read_bytes() for name in STYLES)
        scripts = {
            "htmx.js": _FOLDER.joinpath("vendor", "htmx.min.js").read_bytes(),
            "console.js": _FOLDER.joinpath("console.js").read_bytes(),
        }
        self._by_name = {
            "style.css": _asset("style.css", sheet, "text/css"),
            **{name: _asset(name, content, "text/javascript") for name, content in scripts.items()},
        }
        self._by_url = {asset.url: asset for asset in self._by_name.values()}

    def url(self, name: str) -> str:
        """Return the address of a file; raise KeyError for one that does not exist."""
        return self._by_name[name].url

    def response(self, path: str) -> Response:
        """Return the file of an address, or 404."""
        asset = self._by_url.get(path)
        if asset is None:
            return Response("There is no such file.\n", 404, media_type="text/plain")
        return Response(asset.content, media_type=asset.media_type, headers={"Cache-Control": _FOREVER})


def _asset(name: str, content: bytes, media_type: str) -> Asset:
    stem, _, ending = name.rpartition(".")
    digest = hashlib.sha256(content).hexdigest()[:16]
    return Asset(content, media_type, f"{BASE}/static/{stem}-{digest}.{ending}")
