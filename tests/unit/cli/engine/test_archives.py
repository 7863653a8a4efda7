"""Archives are streamed in both directions, and whatever breaks off is one clear error."""

from __future__ import annotations

import io
import os
import tarfile
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.engine import archives
from cli.engine.errors import EngineError, NotOnEngine
from tests.support.fake_engine import use_engine
from tests.support.socket_engine import Handler, SocketEngine

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for the engine listens on a Unix socket")
ARCHIVE = "/containers/c/archive"
MEBIBYTE = 2**20


def member(name: str, content: bytes = b"", **attributes: Any) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size = len(content)
    for key, value in attributes.items():
        setattr(found, key, value)
    return found


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def large_archive(mebibytes: int) -> Iterator[bytes]:
    info = tarfile.TarInfo("large")
    info.size = mebibytes * MEBIBYTE
    yield info.tobuf(tarfile.PAX_FORMAT)
    for _ in range(mebibytes):
        yield bytes(MEBIBYTE)
    yield bytes(1024)


class Received:
    """Receives an archive as the engine does."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.size = 0
        self.is_complete = False
        self.keep = True
        self.over = threading.Event()

    def __call__(self, handler: Handler) -> None:
        try:
            for chunk in handler.received_chunks():
                self.size += len(chunk)
                if self.keep:
                    self.content += chunk
            self.is_complete = True
            handler.send(b"")
        except ConnectionError:
            pass
        finally:
            self.over.set()


@pytest.fixture
def received(chosen_engine: SocketEngine) -> Received:
    found = Received()
    chosen_engine.answers[f"PUT {ARCHIVE}"] = found
    return found


@pytest.fixture
def send(chosen_engine: SocketEngine) -> Callable[..., None]:
    """Lets the engine send these chunks as the archive of the container c."""

    def give(chunks: Iterator[bytes], *, complete: bool = True) -> None:
        chosen_engine.answers[f"GET {ARCHIVE}"] = lambda handler: handler.send_chunks(chunks, complete=complete)

    return give


def memory_peak(action: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_an_archive_is_read_while_it_arrives(send: Callable[..., None]) -> None:
    send(large_archive(64))
    sizes: list[int] = []

    def read() -> None:
        with archives.reading("c", "/data/.") as tar:
            for info in tar:
                content = tar.extractfile(info)
                assert content is not None
                while part := content.read(MEBIBYTE):
                    sizes.append(len(part))

    assert memory_peak(read) < 16 * MEBIBYTE
    assert sum(sizes) == 64 * MEBIBYTE


def test_an_archive_is_written_while_it_is_made(received: Received) -> None:
    received.keep = False

    class Zeros(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return bytes(size)

    info = tarfile.TarInfo("large")
    info.size = 64 * MEBIBYTE
    assert memory_peak(lambda: archives.write("c", "/", [(info, Zeros())])) < 16 * MEBIBYTE  # type: ignore[list-item]
    assert received.is_complete and received.size > 64 * MEBIBYTE


def test_owner_mode_links_and_names_are_written_as_they_are(received: Received) -> None:
    members = [
        (member("data", type=tarfile.DIRTYPE, mode=0o2750, uid=12, gid=34), None),
        (member("data/名字", b"abc", mode=0o640, uid=1, gid=2, mtime=1234567890.5), io.BytesIO(b"abc")),
        (member("data/" + "x" * 200, b"", mode=0o4755), io.BytesIO(b"")),
        (member("data/soft", type=tarfile.SYMTYPE, linkname="../away"), None),
        (member("data/hard", type=tarfile.LNKTYPE, linkname="data/名字"), None),
        (member("data/pipe", type=tarfile.FIFOTYPE), None),
    ]
    archives.write("c", "/", members)
    keys = ("name", "type", "mode", "uid", "gid", "size", "mtime", "linkname")
    with tarfile.open(fileobj=io.BytesIO(received.content)) as tar:
        arrived = [tuple(getattr(info, key) for key in keys) for info in tar]
        content = tar.extractfile("data/名字")
        assert content is not None and content.read() == b"abc"
    assert arrived == [tuple(getattr(info, key) for key in keys) for info, _ in members]
    assert len(received.content) % tarfile.BLOCKSIZE == 0


@pytest.mark.parametrize("complete", [True, False], ids=["the answer ends", "the connection breaks"])
def test_an_archive_that_breaks_off_between_two_files_is_an_error(send: Callable[..., None], complete: bool) -> None:
    content = archive((member("a", b"1"), b"1"), (member("b", b"2"), b"2"))
    send(iter([content[:1024]]), complete=complete)
    words = "broke off" if complete else "does not answer"
    with pytest.raises(EngineError, match=words), archives.reading("c", "/data/.") as tar:
        assert [info.name for info in tar] == ["a"]


def test_an_archive_that_breaks_off_within_a_file_is_an_error(send: Callable[..., None]) -> None:
    send(iter([archive((member("a", b"x" * 2000), b"x" * 2000))[:1024]]))
    with pytest.raises(EngineError, match="unexpected end of data"), archives.reading("c", "/data/.") as tar:
        for info in tar:
            content = tar.extractfile(info)
            assert content is not None
            content.read()


def test_a_folder_that_the_container_does_not_have_is_an_unknown_name(chosen_engine: SocketEngine) -> None:
    with pytest.raises(NotOnEngine), archives.reading("c", "/nowhere/."):
        pass


def test_an_error_of_the_reader_of_an_archive_is_passed_on(send: Callable[..., None]) -> None:
    send(iter([archive((member("a"), b""))]))
    with pytest.raises(OSError, match="No space left"), archives.reading("c", "/data/."):
        raise OSError(28, "No space left on device")


def test_a_refusal_in_the_middle_of_an_archive_keeps_the_engines_words(chosen_engine: SocketEngine) -> None:
    def refuse(handler: Handler) -> None:
        next(handler.received_chunks())
        handler.send(b'{"message": "no space left on device"}', 500, "application/json")
        handler.close_connection = True

    chosen_engine.answers[f"PUT {ARCHIVE}"] = refuse
    info = tarfile.TarInfo("large")
    info.size = 32 * MEBIBYTE
    with pytest.raises(EngineError, match="no space left on device"):
        archives.write("c", "/", [(info, io.BytesIO(bytes(info.size)))])


def test_an_engine_that_takes_nothing_more_is_to_be_restarted(
    chosen_engine: SocketEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen_engine.answers[f"PUT {ARCHIVE}"] = lambda handler: time.sleep(2)
    monkeypatch.setattr(archives, "COPY_SECONDS", 0.2)
    info = tarfile.TarInfo("large")
    info.size = 8 * MEBIBYTE
    with pytest.raises(EngineError, match="did not answer in time"):
        archives.write("c", "/", [(info, io.BytesIO(bytes(info.size)))])


@pytest.mark.parametrize("error", [OSError(5, "Input/output error", "/backup"), KeyboardInterrupt()], ids=repr)
def test_an_archive_that_could_not_be_read_is_not_ended_for_the_engine(
    received: Received, error: BaseException
) -> None:
    class Unreadable(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise error

    with pytest.raises(type(error)) as raised:
        archives.write("c", "/", [(member("a", b"x"), Unreadable())])  # type: ignore[list-item]
    assert raised.value is error
    assert received.over.wait(5) and not received.is_complete


def test_files_are_copied_within_a_container_as_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    class Client:
        written = b""

        def inspect_container(self, container: str) -> dict[str, Any]:
            return {"Config": {"User": "101:102"}}

        def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], None]:
            assert (container, path) == ("c", "/staging/.")
            root = (member("./", type=tarfile.DIRTYPE), b"")
            return (part for part in [archive(root, (member("./a", b"new", uid=0), b"new"))]), None

        def put_archive(self, container: str, path: str, data: Iterator[bytes]) -> None:
            assert (container, path) == ("c", "/current")
            self.written = b"".join(data)

    client = Client()
    use_engine(monkeypatch, client)
    archives.copy_within("c", "/staging", "/current")
    with tarfile.open(fileobj=io.BytesIO(client.written)) as tar:
        assert [(info.name, info.uid, info.gid) for info in tar] == [(".", 101, 101), ("./a", 101, 101)]
        content = tar.extractfile("./a")
        assert content is not None and content.read() == b"new"


def test_a_volume_is_restored_as_it_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.engine import volumes

    present = archive(
        (member("./", type=tarfile.DIRTYPE, mode=0o700, uid=1000), b""),
        (member("./a", b"abc", mode=0o640), b"abc"),
        (member("./b", type=tarfile.LNKTYPE, linkname="./a"), b""),
        (member("./c", type=tarfile.SYMTYPE, linkname="./a"), b""),
    )

    class Client:
        written = b""
        requests: list[str] = []  # noqa: RUF012

        def get_archive(self, container: str, path: str) -> tuple[Iterator[bytes], None]:
            return (part for part in [present]), None

        def put_archive(self, container: str, path: str, data: Iterator[bytes]) -> None:
            assert path == "/"
            self.written = b"".join(data)

        def create_volume(self, name: str, labels: dict[str, str]) -> None:
            self.requests.append(f"volume {name} {labels}")

        def create_host_config(self, binds: list[str], **_: Any) -> list[str]:
            return binds

        def create_container(self, image: str, command: list[str], host_config: list[str], **_: Any) -> None:
            self.requests.append(f"{command[0]} {host_config}")

        def start(self, container: str) -> None:
            self.requests.append("start")

        def wait(self, container: str, timeout: float) -> dict[str, int]:
            return {"StatusCode": 0}

        def remove_container(self, container: str, force: bool) -> None:
            self.requests.append("remove")

    client = Client()
    use_engine(monkeypatch, client)
    monkeypatch.setenv("DYBER_HOME", str(tmp_path))
    saved = io.BytesIO()
    with tarfile.open(fileobj=saved, mode="w|") as tar:
        volumes.save("v", tar, "volumes/v")
    saved.seek(0)
    client.requests.clear()
    with tarfile.open(fileobj=saved, mode="r|") as tar:
        volumes.load("w", {"dyber.stack": "test"}, tar, tar, "volumes/v")
    assert client.requests == [
        "volume w {'dyber.stack': 'test'}", "find ['w:/to']", "start", "remove", "true ['w:/data']", "remove",
    ]  # fmt: skip
    with tarfile.open(fileobj=io.BytesIO(client.written)) as tar:
        assert [(info.name, info.mode, info.uid, info.linkname) for info in tar] == [
            ("data", 0o700, 1000, ""),
            ("data/a", 0o640, 0, ""),
            ("data/b", 0o644, 0, "data/a"),
            ("data/c", 0o644, 0, "./a"),
        ]
