"""Opens connections to a foreign server; each way to reach it is an endpoint."""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import anyio
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

from dyber_kit.bridge.link import HandshakeError
from dyber_kit.bridge.metrics import BridgeMetrics
from dyber_kit.bridge.settings import BridgeSettings, Values
from dyber_kit.bridge.transports.asked import Asked
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.process import ChildProcess, running_child
from dyber_kit.bridge.transports.stdio import ChildInput, ChildOutput, log_stream
from dyber_kit.language import tr


@dataclass(frozen=True)
class Connected:
    """Holds an open connection to a foreign server.

    Attributes:
        read: Its messages.
        write: Takes messages for it.
        child: Its process, when it is a child.
        is_http: Whether requests need the headers of the HTTP transport.
        failed: Set when a message could not be sent, where that ends the connection without closing `read`.
        requests: Takes requests whose caller wants nothing but the answer; None where the SDK takes these too.
    """

    read: ReadStream[SessionMessage | Exception]
    write: WriteStream[SessionMessage]
    child: ChildProcess | None
    is_http: bool = False
    failed: anyio.Event | None = None
    requests: ChildInput | None = None


class Endpoint(Protocol):
    """Opens connections to a foreign server, one after the other or several at the same time."""

    def open(self, log: ChildLog) -> AbstractAsyncContextManager[Connected]:
        """Return a context in which the server runs and is connected; `log` takes what it prints."""


class StdioEndpoint:
    """Starts a child and speaks with it over its standard input and output."""

    def __init__(
        self, settings: BridgeSettings, values: Values, metrics: BridgeMetrics, data_dir: Path | None = None
    ) -> None:
        self._start = child_starter(settings, values, data_dir)
        self._metrics = metrics

    @asynccontextmanager
    async def open(self, log: ChildLog) -> AsyncIterator[Connected]:
        """Start the child; stop it when the context ends."""
        async with self._start() as child, anyio.create_task_group() as tasks:
            tasks.start_soon(log_stream, child.stderr, "stderr", log)
            asked = Asked()
            taker = ChildInput(child, asked)
            try:
                yield Connected(ChildOutput(child, asked, log, self._metrics), taker, child, requests=taker)
            finally:
                tasks.cancel_scope.cancel()


def child_starter(
    settings: BridgeSettings, values: Values, data_dir: Path | None
) -> Callable[[], AbstractAsyncContextManager[ChildProcess]]:
    """Return a function that starts the child of the settings."""

    def start() -> AbstractAsyncContextManager[ChildProcess]:
        if data_dir is not None:
            _make_folders(settings.command, data_dir)
        temporary = tempfile.gettempdir()
        if settings.folder is not None:
            _check_folder(settings.folder)
        return running_child(
            settings.command,
            values.child_environment(temporary),
            settings.folder or temporary,
            reads_input=settings.transport == "stdio",
        )

    return start


def _check_folder(folder: str) -> None:
    """Refuse a working folder that the child cannot be started in; the system's error would only name a file."""
    try:
        if not stat.S_ISDIR(Path(folder).stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(folder, os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise HandshakeError(
            tr(
                "the working folder {folder} of the image cannot be used by user {uid}: {reason}",
                folder=folder,
                uid=os.geteuid(),
                reason=error.strerror,
            )
        ) from None


def _make_folders(command: tuple[str, ...], data_dir: Path) -> None:
    """Make the folders of the data volume that the arguments name: those that end with `/`, and those that hold a file."""
    root = f"{data_dir}/"
    for argument in command[1:]:
        path = argument.rpartition("=")[2]
        if path.startswith(root):
            folder = Path(path) if path.endswith("/") else Path(path).parent
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
