"""Takes the pictures of the console for the documents, of a console with the data of `showcase`.

    PYTHONPATH=.:console .venv/bin/python -m tests.console.support.pictures docs/images

They have few colours, so that they stay small.
"""

from __future__ import annotations

import logging
import shutil
import struct
import sys
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.console.support.browsing import go_to, sign_in
from tests.console.support.running import PASSWORD, RunningConsole
from tests.console.support.showcase import SLOW, showcase

_COLOURS = 96
#: Square of the distance from which colours look different.
_UNLIKE = 700
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Picture:
    """Says what a picture shows.

    Attributes:
        name: The file's name without its ending.
        path: The page, after the console's address.
        size: Width and height in pixels.
    """

    name: str
    path: str = ""
    size: tuple[int, int] = (1440, 1120)
    language: str = "zh-CN"
    theme: str = "light"


PICTURES = (
    Picture("console-overview"),
    Picture("console-overview.en", language="en-US"),
    Picture("console-service", "services/xiaohongshu"),
    Picture("console-calls", f"calls?call={SLOW}", theme="dark"),
    Picture("console-tools", "tools"),
    Picture("console-phone", size=(390, 1180)),
)


def take(browser: Browser, target: RunningConsole, picture: Picture) -> bytes:
    """Return a picture as PNG."""
    width, height = picture.size
    context = browser.new_context(
        viewport={"width": width, "height": height},
        locale=picture.language,
        color_scheme="dark" if picture.theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = context.new_page()
    sign_in(page, f"{target.base}/console/", PASSWORD)
    answer = go_to(page, f"{target.base}/console/{picture.path}")
    if answer is None or answer.status != 200:
        raise ValueError(f"{picture.path}: the page was not shown")
    shot = page.screenshot()
    context.close()
    return with_few_colours(shot, _COLOURS)


def with_few_colours(png: bytes, most: int) -> bytes:
    """Return a PNG of 8 bits per channel as one with a palette of at most `most` colours."""
    width, height, channels, data = _pixels(png)
    pixels = [data[place : place + 3] for place in range(0, len(data), channels)]
    counts = Counter(pixels)
    palette = _palette([colour for colour, _ in counts.most_common()], most)
    nearest = {colour: _nearest(colour, palette) for colour in counts}
    rows = bytearray()
    for line in range(height):
        rows.append(0)
        rows += bytes([nearest[colour] for colour in pixels[line * width : (line + 1) * width]])
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def _palette(colours: list[bytes], most: int) -> list[bytes]:
    """Return the most frequent colours, with rare ones that none of them is like; `colours` begin with the frequent."""
    chosen = colours[: most // 2]
    for colour in colours:
        if len(chosen) < most and min(_distance(colour, other) for other in chosen) > _UNLIKE:
            chosen.append(colour)
    return chosen


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    distances = [_distance(colour, entry) for entry in palette]
    return distances.index(min(distances))


def _distance(one: bytes, other: bytes) -> int:
    return (one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2 + (one[2] - other[2]) ** 2


def _pixels(png: bytes) -> tuple[int, int, int, bytes]:
    """Return width, height, channels and the bytes of all pixels of a PNG that is not interlaced."""
    place, packed, header = len(_SIGNATURE), b"", b""
    while place < len(png):
        length = struct.unpack(">I", png[place : place + 4])[0]
        kind, content = png[place + 4 : place + 8], png[place + 8 : place + 8 + length]
        header = content if kind == b"IHDR" else header
        packed += content if kind == b"IDAT" else b""
        place += 12 + length
    width, height, depth, colours = struct.unpack(">IIBB", header[:10])
    channels = {2: 3, 6: 4}.get(colours, 0)
    if depth != 8 or not channels or header[12]:
        raise ValueError(f"not a PNG with 8 bits per channel: depth {depth}, colours {colours}")
    raw, length = zlib.decompress(packed), width * channels
    before, found = bytearray(length), bytearray()
    for line in range(height):
        start = line * (length + 1)
        row = bytearray(raw[start + 1 : start + 1 + length])
        _unfilter(raw[start], row, before, channels)
        found += row
        before = row
    return width, height, channels, bytes(found)


def _unfilter(kind: int, row: bytearray, above: bytearray, step: int) -> None:
    """Undo the filter of a row (PNG specification, section 9)."""
    if kind == 2:
        row[:] = bytes((value + up) & 255 for value, up in zip(row, above, strict=True))
        return
    for place in range(len(row) if kind else 0):
        left = row[place - step] if place >= step else 0
        corner = above[place - step] if place >= step else 0
        up = above[place]
        row[place] = (row[place] + _predicted(kind, left, up, corner)) & 255


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 3:
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))


def main() -> int:
    """Write all pictures into the folder that the command line names; return the exit code."""
    logging.disable(logging.WARNING)
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data, showcase(Path(data)) as target, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for picture in PICTURES:
            content = take(browser, target, picture)
            (folder / f"{picture.name}.png").write_bytes(content)
            print(f"{picture.name}.png {len(content):,} bytes")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
