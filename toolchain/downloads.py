"""Downloads Pulumi's own release archives and verifies their checksums."""

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
# A download that is slower than this after SPEED_CHECK_SECONDS takes longer than building from source.
SLOWEST_BYTES_PER_SECOND = 150_000
SPEED_CHECK_SECONDS = 15.0


class NotAvailable(Exception):
    """A download cannot be used on this machine; the message says why. Callers then try another way."""


def archive_name(version: str) -> str:
    """Return the name of the release archive for this machine, such as `pulumi-v3.259.0-linux-x64.tar.gz`.

    Raises NotAvailable when Pulumi has no release for this platform.
    """
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
    """Download Pulumi's release, unpack its programs into the folder `into` and return the address it came from.

    folders: addresses below which the archive and its checksums are, tried in turn; `{version}` in them is replaced.
    Raises NotAvailable when none of them works.
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
    """Sends each request through the proxy that the environment names for its address.

    httpx2's own handling of these variables raises an error for every proxy that it cannot use, such as socks5://.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._verify = verify
        self._transports: dict[str | None, httpx2.HTTPTransport] = {}
        self._transports_lock = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the response to `request`."""
        proxy = proxies.for_address(str(request.url), os.environ)
        with self._transports_lock:
            if proxy not in self._transports:
                self._transports[proxy] = httpx2.HTTPTransport(verify=self._verify, proxy=proxy)
            transport = self._transports[proxy]
        return transport.handle_request(request)

    def close(self) -> None:
        """End all connections."""
        for transport in self._transports.values():
            transport.close()


def answers(client: httpx2.Client, address: str, seconds: float = CONNECT_SECONDS) -> bool:
    """Tell whether a server sends any response within `seconds`.

    A thread does the request because no socket timeout covers the name look-up.
    """
    answered = threading.Event()

    def send_request() -> None:
        try:
            client.head(address, timeout=seconds)
        except (httpx2.HTTPError, RuntimeError):  # RuntimeError: the client was closed meanwhile
            return
        answered.set()

    thread = threading.Thread(target=send_request, daemon=True)
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
            if elapsed > SPEED_CHECK_SECONDS and done / elapsed < SLOWEST_BYTES_PER_SECOND:
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
    """Unpack the archive's files into `into`, without the folders that they are in."""
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
