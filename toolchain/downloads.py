"""Pulumi's own release archives: fetched where they can be reached, and only used when the checksum is right."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import shutil
import ssl
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

import httpx2
from tenacity import retry, retry_if_exception_type, stop_after_attempt

from messages import tr
from toolchain import proxies
from toolchain.progress import Progress

CONNECT_SECONDS = 3.0
READ_SECONDS = 20.0
# Below this, building from source is faster than waiting.
SLOWEST_BYTES_PER_SECOND = 150_000
PATIENCE_SECONDS = 15.0


class NotAvailable(Exception):
    """A way to get something that cannot be used here and now; there are others. The text says why."""


def archive_name(version: str) -> str:
    """`pulumi-v3.259.0-linux-x64.tar.gz` for this machine. Raises NotAvailable for others than Pulumi builds for."""
    system = {"linux": "linux", "darwin": "darwin", "win32": "windows"}.get(sys.platform)
    machine = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}.get(platform.machine().lower())
    if system is None or machine is None:
        raise NotAvailable(
            tr("Pulumi has no release for {platform}/{machine}", platform=sys.platform, machine=platform.machine())
        )
    return f"pulumi-v{version}-{system}-{machine}." + ("zip" if system == "windows" else "tar.gz")


def fetch_pulumi(
    version: str, folders: Sequence[str], into: Path, progress: Progress, ca_bundle: Path | None = None
) -> str:
    """Unpack the release's programs into the folder `into`; returns the address it came from.

    folders: addresses that hold archive and checksums, `{version}` filled in, tried in turn. Raises NotAvailable.
    """
    archive = archive_name(version)
    reasons = []
    with http_client(ca_bundle) as client:
        for folder in folders:
            address = f"{folder.format(version=version)}/{archive}"
            try:
                if not answers(client, address):
                    raise NotAvailable(tr("no answer within {connect_seconds:.0f} s", connect_seconds=CONNECT_SECONDS))
                expected = _checksum(
                    client, f"{folder.format(version=version)}/pulumi-{version}-checksums.txt", archive
                )
                packed = into.parent / archive
                try:
                    _download(client, address, packed, expected, progress)
                    _unpack(packed, into)
                finally:
                    packed.unlink(missing_ok=True)
                return address
            except (NotAvailable, httpx2.HTTPError, tarfile.TarError, zipfile.BadZipFile) as error:
                reasons.append(f"{address}: {error or type(error).__name__}")
                progress.line(reasons[-1])
    raise NotAvailable("; ".join(reasons))


def http_client(ca_bundle: Path | None = None) -> httpx2.Client:
    """Return an HTTP client that trusts the given certificates and gives up on silent servers."""
    verify = ssl.create_default_context(cafile=str(ca_bundle)) if ca_bundle else True
    timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
    return httpx2.Client(transport=_ThroughProxies(verify), timeout=timeout, follow_redirects=True)


class _ThroughProxies(httpx2.BaseTransport):
    """Sends each request through the proxy that the environment names for its address. httpx2 itself would fail at its
    construction for a proxy that it cannot use, such as socks5:// or socks://."""

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._verify = verify
        self._transports: dict[str | None, httpx2.HTTPTransport] = {}
        self._making = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer to `request`."""
        proxy = proxies.for_address(str(request.url), os.environ)
        with self._making:
            if proxy not in self._transports:
                self._transports[proxy] = httpx2.HTTPTransport(verify=self._verify, proxy=proxy)
            transport = self._transports[proxy]
        return transport.handle_request(request)

    def close(self) -> None:
        """End all connections."""
        for transport in self._transports.values():
            transport.close()


def answers(client: httpx2.Client, address: str, seconds: float = CONNECT_SECONDS) -> bool:
    """Whether a server says anything at all within `seconds`, name look-up included (which no socket time-out covers)."""
    answered = threading.Event()

    def ask() -> None:
        try:
            client.head(address, timeout=seconds)
        except (httpx2.HTTPError, RuntimeError):  # RuntimeError: the client was closed meanwhile
            return
        answered.set()

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds + 0.5)
    return answered.is_set()


def _checksum(client: httpx2.Client, address: str, archive: str) -> str:
    response = client.get(address)
    response.raise_for_status()
    match = re.search(rf"^([0-9a-f]{{64}}) [ *]{re.escape(archive)}$", response.text, re.MULTILINE)
    if not match:
        raise NotAvailable(tr("the checksum file does not list {archive}", archive=archive))
    return match[1]


@retry(stop=stop_after_attempt(2), retry=retry_if_exception_type(httpx2.TransportError), reraise=True)
def _download(client: httpx2.Client, address: str, target: Path, sha256: str, progress: Progress) -> None:
    digest = hashlib.sha256()
    start = time.monotonic()
    with client.stream("GET", address) as response, target.open("wb") as file:
        response.raise_for_status()
        total = int(response.headers.get("content-length") or 0)
        done = 0
        for chunk in response.iter_bytes():
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress.detail(f"{done / 1e6:.0f} / {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB")
            elapsed = time.monotonic() - start
            if elapsed > PATIENCE_SECONDS and done / elapsed < SLOWEST_BYTES_PER_SECOND:
                raise NotAvailable(tr("too slow ({value:.0f} kB/s)", value=done / elapsed / 1000))
    if digest.hexdigest() != sha256:
        raise NotAvailable(
            tr(
                "wrong checksum, thrown away (expected {sha256}, got {hexdigest})",
                sha256=sha256,
                hexdigest=digest.hexdigest(),
            )
        )


def _unpack(packed: Path, into: Path) -> None:
    """The archive's programs, without its folders."""
    into.mkdir(parents=True, exist_ok=True)
    if packed.suffix == ".zip":
        with zipfile.ZipFile(packed) as zipped:
            for entry in zipped.infolist():
                if not entry.is_dir():
                    (into / Path(entry.filename).name).write_bytes(zipped.read(entry))
        return
    with tarfile.open(packed) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                target = into / Path(member.name).name
                with content, target.open("wb") as file:
                    shutil.copyfileobj(content, file)
                target.chmod(member.mode & 0o755)
