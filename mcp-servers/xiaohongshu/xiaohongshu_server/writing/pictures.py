"""Fetches the pictures of a note that are on the web into the folder with the files to publish."""

from __future__ import annotations

import hashlib
import ipaddress
import time
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx2
from dyber_kit import ErrorCode, Metrics, ServiceError
from dyber_kit.files import write_private
from dyber_kit.language import Text, joined_sentences
from dyber_kit.upstream import http

from xiaohongshu_server.texts import tr, tr_lazy
from xiaohongshu_server.writing.publishing import MAX_IMAGE_BYTES

_PREFIX = "web-"
# A confirmed call publishes the files of its dry run, which fetches those again that would be removed before.
_KEPT_SECONDS = 3600.0
_MOST_KEPT = 72
_NEXT_STEP = tr_lazy(
    "Give the address of a JPEG, PNG or WebP picture that opens directly (without a redirect to another host), or the "
    "name of a file in the folder uploads"
)


def is_address(entry: str) -> bool:
    """Return whether an entry of the argument `images` is an address, and not the name of a file."""
    return entry.lower().startswith(("http://", "https://"))


class Pictures:
    """Fetches pictures from public addresses; addresses in private networks are refused.

    Args:
        folder: Where the pictures are kept for an hour, or None without a data folder.
        metrics: Where requests are counted.
    """

    def __init__(self, folder: Path | None, metrics: Metrics | None = None) -> None:
        self._folder = folder
        self._metrics = metrics

    async def names(self, entries: list[str], needed_for: float = 0.0) -> list[str]:
        """Return the entries with each address replaced by the name of the file that holds its picture.

        Args:
            entries: Addresses and names of files.
            needed_for: How many seconds the files must still be kept; others are fetched again.

        Raises:
            ServiceError: INVALID_ARGUMENT when pictures cannot be fetched; the message names all of them.
        """
        if self._folder is None or not any(map(is_address, entries)):
            return entries
        await anyio.to_thread.run_sync(self._remove_old, self._folder)
        names, problems = [], []
        for number, entry in enumerate(entries, 1):
            try:
                names.append(await self._name(entry, self._folder, needed_for) if is_address(entry) else entry)
            except ServiceError as error:
                host = urlsplit(entry).hostname or tr("no host")
                problems.append(
                    tr("picture {number} ({host}): {reason}", number=number, host=host, reason=error.message)
                )
        if problems:
            raise ServiceError(ErrorCode.INVALID_ARGUMENT, joined_sentences(problems), _NEXT_STEP)
        return names

    async def _name(self, url: str, folder: Path, needed_for: float) -> str:
        stem = _PREFIX + hashlib.sha256(url.encode()).hexdigest()[:24]
        if kept := await anyio.to_thread.run_sync(_kept, folder, stem, needed_for):
            return kept
        content = await self._content(url)
        path = folder / f"{stem}{_suffix(content)}"
        await anyio.to_thread.run_sync(_replace, folder, stem, path, content)
        return path.name

    async def _content(self, url: str) -> bytes:
        try:
            host = httpx2.URL(url).host
        except httpx2.InvalidURL as error:
            raise _refused(tr_lazy("The address is not well-formed")) from error
        if not host or _is_private(host):
            raise _refused(tr_lazy("This host must not be accessed"))
        async with http.create_client([host], metrics=self._metrics, max_bytes=MAX_IMAGE_BYTES, attempts=2) as client:
            try:
                answer = await client.get(url, extensions={http.ENDPOINT: "picture"})
            except httpx2.TooManyRedirects as error:
                raise _refused(tr_lazy("It redirects too often")) from error
        if answer.status_code != httpx2.codes.OK:
            raise _refused(tr_lazy("It does not open (HTTP {status})", status=answer.status_code))
        return answer.content

    def _remove_old(self, folder: Path) -> None:
        """Remove fetched pictures that are too old or too many."""
        folder.mkdir(parents=True, exist_ok=True)
        kept = sorted(folder.glob(f"{_PREFIX}*"), key=lambda path: -path.stat().st_mtime)
        for number, path in enumerate(kept):
            if number >= _MOST_KEPT or path.stat().st_mtime < time.time() - _KEPT_SECONDS:
                path.unlink(missing_ok=True)


def _kept(folder: Path, stem: str, needed_for: float) -> str | None:
    """Return the name of the file that was fetched before and is kept for `needed_for` seconds more, or None."""
    oldest = time.time() - _KEPT_SECONDS + needed_for
    return next((path.name for path in folder.glob(f"{stem}.*") if path.stat().st_mtime >= oldest), None)


def _replace(folder: Path, stem: str, path: Path, content: bytes) -> None:
    """Write a picture; an earlier file of its address may have another format, and is removed."""
    write_private(path, content)
    for earlier in folder.glob(f"{stem}.*"):
        if earlier != path:
            earlier.unlink(missing_ok=True)


def _is_private(host: str) -> bool:
    """Return whether a host is an address outside the public internet; names are checked when they are resolved."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return not http.is_public(host)


def _suffix(content: bytes) -> str:
    """Return the suffix for the format of a picture. Raises ServiceError for other formats."""
    if content.startswith(b"\xff\xd8\xff"):
        return ".jpg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return ".png"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return ".webp"
    raise _refused(tr_lazy("This is no JPEG, PNG or WebP picture"))


def _refused(message: Text) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, _NEXT_STEP)
