"""Tests the download of Pulumi's release from a local server."""

from __future__ import annotations

import hashlib
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolchain import downloads
from toolchain.progress import PlainProgress

VERSION = "3.259.0"
CHECKSUMS = f"pulumi-{VERSION}-checksums.txt"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The folder, with a release in it, that the server serves."""
    folder = tmp_path / "release"
    folder.mkdir()
    with tarfile.open(folder / downloads.archive_name(VERSION), "w:gz") as archive:
        for name in ("pulumi", "pulumi-language-python"):
            content = f"#!/bin/sh\necho v{VERSION}\n".encode()
            member = tarfile.TarInfo(f"pulumi/{name}")
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    write_checksum(folder, hashlib.sha256((folder / downloads.archive_name(VERSION)).read_bytes()).hexdigest())
    return folder


def write_checksum(folder: Path, digest: str) -> None:
    (folder / CHECKSUMS).write_text(
        f"{'0' * 64}  pulumi-v{VERSION}-plan9-x64.tar.gz\n{digest}  {downloads.archive_name(VERSION)}\n"
    )


@pytest.fixture
def address(release: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(release))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def unreachable() -> str:
    """An address at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def silent() -> Iterator[str]:
    """An address that accepts connections but sends nothing, as some firewalls do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def fetch(tmp_path: Path, *folders: str) -> str:
    return downloads.fetch_pulumi(VERSION, folders, tmp_path / "into", PlainProgress(io.StringIO()))


def test_a_release_with_the_right_checksum_is_unpacked(tmp_path, address):
    assert fetch(tmp_path, address) == f"{address}/{downloads.archive_name(VERSION)}"
    assert sorted(path.name for path in (tmp_path / "into").iterdir()) == ["pulumi", "pulumi-language-python"]
    assert (tmp_path / "into" / "pulumi").stat().st_mode & 0o100


def test_a_wrong_checksum_is_refused_and_nothing_is_kept(tmp_path, address, release):
    write_checksum(release, "f" * 64)
    with pytest.raises(downloads.NotAvailable, match="f{64}"):
        fetch(tmp_path, address)
    assert not (tmp_path / "into").exists()
    assert not (tmp_path / downloads.archive_name(VERSION)).exists()


def test_an_archive_that_the_checksums_do_not_list_is_refused(tmp_path, address, release):
    (release / CHECKSUMS).write_text(f"{'0' * 64}  something-else.tar.gz\n")
    with pytest.raises(downloads.NotAvailable, match="pulumi-v"):
        fetch(tmp_path, address)
    assert not (tmp_path / "into").exists()


def test_the_next_address_is_tried_when_the_first_does_not_answer(tmp_path, unreachable, address):
    assert fetch(tmp_path, unreachable, address).startswith(address)


def test_a_server_that_stays_silent_counts_as_not_available(tmp_path, silent, monkeypatch):
    monkeypatch.setattr(downloads, "CONNECT_SECONDS", 0.1)
    monkeypatch.setattr(downloads.answers, "__defaults__", (0.1,))
    with pytest.raises(downloads.NotAvailable, match=silent):
        fetch(tmp_path, silent)


def test_the_error_names_all_reasons_if_no_address_works(tmp_path, unreachable, address, release):
    (release / CHECKSUMS).unlink()
    with pytest.raises(downloads.NotAvailable) as refused:
        fetch(tmp_path, unreachable, address)
    assert unreachable in str(refused.value)
    assert "404" in str(refused.value)


def test_an_archive_cannot_write_outside_its_folder(tmp_path, address, release):
    with tarfile.open(release / downloads.archive_name(VERSION), "w:gz") as archive:
        member = tarfile.TarInfo("../../escaped")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    write_checksum(release, hashlib.sha256((release / downloads.archive_name(VERSION)).read_bytes()).hexdigest())
    fetch(tmp_path, address)
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("escaped")] == ["into/escaped"]
