"""Copies files out of containers and into them as tar archives, running or not, without holding them in memory."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import IO, Any

from cli.engine import engine
from cli.engine.errors import EngineError
from messages import tr

#: Copying a large volume may take so many seconds.
COPY_SECONDS = 4 * 3600
_CHUNK_BYTES = 1 << 18
#: Two empty blocks end every complete archive.
_END = bytes(2 * tarfile.BLOCKSIZE)
#: A member of an archive, and its content where it is a file.
Member = tuple[tarfile.TarInfo, IO[bytes] | None]


@contextmanager
def reading(container: str, path: str) -> Iterator[tarfile.TarFile]:
    """Give what is at a path of a container as a tar, to be read once from front to back.

    Raises EngineError, also on leaving, when the archive is not complete.
    """
    with engine.asking() as client:
        chunks, _ = client.get_archive(container, path)
    with closing(_Answer(chunks)) as answer:
        try:
            with tarfile.open(fileobj=answer, mode="r|") as tar:
                yield tar
        except tarfile.TarError as error:
            raise EngineError(f"{path}: {error}") from error
        while answer.read(_CHUNK_BYTES):
            pass
        if not answer.is_complete:
            raise EngineError(tr("the engine broke off while it sent {path}", path=path))


def write(container: str, path: str, members: Iterable[Member]) -> None:
    """Lay members of an archive over what is in a folder of a container. Raises EngineError.

    An OSError from reading their content is passed on as it is.
    """
    source_errors: list[OSError] = []
    try:
        with engine.asking(COPY_SECONDS) as client:
            client.put_archive(container, path, _chunks(members, source_errors))
    except EngineError:
        if source_errors:
            raise source_errors[0] from None
        raise


def copy_within(container: str, source: str, target: str) -> None:
    """Lay the small files of one folder of a container over another one, as its own user's. Raises EngineError."""
    with engine.asking() as client:
        user = client.inspect_container(container)["Config"]["User"].partition(":")[0]
    # The engine locks a container while it sends an archive of it, so the first copy has to end before the second.
    copied = []
    with reading(container, f"{source}/.") as tar:
        for member in tar:
            member.uid = member.gid = int(user or 0)
            content = tar.extractfile(member) if member.isfile() else None
            copied.append((member, io.BytesIO(content.read()) if content else None))
    write(container, target, copied)


class _Answer(io.RawIOBase):
    """Reads the chunks of an answer of the engine like a file."""

    def __init__(self, chunks: Any) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._position = 0
        self._end = b""

    @property
    def is_complete(self) -> bool:
        """Tell whether what was read so far ends as a complete archive does."""
        return self._end == _END

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, or what is left of a chunk; b"" means the end. Raises EngineError."""
        if self._position == len(self._chunk):
            with engine.asking():
                self._chunk = next(self._chunks, b"")
            self._position = 0
            self._end = (self._end + self._chunk[-len(_END) :])[-len(_END) :]
        end = len(self._chunk) if size < 0 else self._position + size
        part = self._chunk[self._position : end]
        self._position += len(part)
        return part

    def close(self) -> None:
        """End the request, also where its answer was not read to the end."""
        self._chunks.close()
        super().close()


def _chunks(members: Iterable[Member], source_errors: list[OSError]) -> Iterator[bytes]:
    """Yield a tar with these members piece by piece, and note an OSError from reading one."""
    try:
        for member, content in members:
            yield member.tobuf(tarfile.PAX_FORMAT)
            if content is not None:
                yield from _padded(content, member.size)
    except OSError as error:
        source_errors.append(error)
        raise
    yield _END


def _padded(content: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield `size` bytes of a file, and what fills the last block."""
    left = size
    while left:
        chunk = content.read(min(left, _CHUNK_BYTES))
        if not chunk:
            raise tarfile.ReadError("unexpected end of data")
        left -= len(chunk)
        yield chunk
    if size % tarfile.BLOCKSIZE:
        yield bytes(-size % tarfile.BLOCKSIZE)
