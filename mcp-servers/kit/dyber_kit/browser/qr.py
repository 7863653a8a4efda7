"""Reads a QR code from a page's picture and draws it as text, for clients that show no pictures, and as a small PNG.

Needs `playwright`, like `pool`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from importlib.resources import files

from playwright.async_api import Error, Page

_READ = files("dyber_kit.browser").joinpath("qr.js").read_text(encoding="utf-8")
# Width of the light margin around a code, without which phones do not recognise it.
_TEXT_MARGIN, _PICTURE_MARGIN = 2, 4
_PIXELS = 4
#: Half blocks by upper and lower module (1 is dark); light modules are drawn, as the background is dark.
_HALVES = {"00": "█", "01": "▀", "10": "▄", "11": " "}

#: One text of 0 (light) and 1 (dark) per row of modules, without the margin.
Rows = Sequence[str]


async def read_rows(page: Page, source: str) -> list[str] | None:
    """Read the modules of a QR code from its picture, inside the page; None when the picture is no plain QR code.

    Args:
        page: Any page of the browser; nothing in it is changed.
        source: The picture as a `data:` URL.
    """
    try:
        rows = await page.evaluate(_READ, source)
    except Error:
        return None
    return rows if isinstance(rows, list) else None


def as_text(rows: Rows) -> str:
    """Draw a code with half blocks, two rows of modules to a line, for a monospaced font on a dark background."""
    margin = "0" * (len(rows) + 2 * _TEXT_MARGIN)
    framed = [margin] * _TEXT_MARGIN
    framed += ["0" * _TEXT_MARGIN + row + "0" * _TEXT_MARGIN for row in rows]
    framed += [margin] * (_TEXT_MARGIN + len(framed) % 2)
    pairs = zip(framed[::2], framed[1::2], strict=True)
    return "\n".join("".join(_HALVES[up + down] for up, down in zip(*pair, strict=True)) for pair in pairs)


def as_png(rows: Rows) -> bytes:
    """Draw a code as a PNG of at most about two kilobytes, black on white."""
    side = (len(rows) + 2 * _PICTURE_MARGIN) * _PIXELS
    margin = "0" * _PICTURE_MARGIN
    empty = "0" * (len(rows) + 2 * _PICTURE_MARGIN)
    framed = [empty] * _PICTURE_MARGIN + [f"{margin}{row}{margin}" for row in rows] + [empty] * _PICTURE_MARGIN
    lines = []
    for row in framed:
        # Each pixel is one bit, 1 for white; rows are padded to whole bytes.
        bits = "".join(("0" if module == "1" else "1") * _PIXELS for module in row)
        bits += "0" * (-len(bits) % 8)
        lines += [b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big")] * _PIXELS
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"".join(lines), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, chunks))


def _chunk(chunk: tuple[bytes, bytes]) -> bytes:
    kind, content = chunk
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
