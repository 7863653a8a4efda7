"""Reaches an engine whose address only the docker command can use, such as ssh://, through that command.

`docker system dial-stdio` connects its standard input and output to the engine. The SDK has its own way to ssh://, which
needs a second implementation of SSH and does not read the user's configuration of ssh.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

_CHUNK = 1 << 16
_COMMAND = ("docker", "system", "dial-stdio")
#: Starts a program with pipes as its standard input and output.
StartProgram = Callable[[Sequence[str]], "subprocess.Popen[bytes]"]


def start_program(command: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a program with pipes as its standard input and output. Raises OSError."""
    return subprocess.Popen(list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE)


class DialAdapter(UnixHTTPAdapter):
    """Sends the SDK's requests through docker commands, each of which is one connection to the engine."""

    def __init__(self, timeout: float, start: StartProgram = start_program) -> None:
        super().__init__("http+unix://docker", timeout)  # type: ignore[arg-type] # parts of a second work too
        self._start = start

    def get_connection(self, url: Any, proxies: Any = None) -> UnixHTTPConnectionPool:
        """Return the pool of connections, which is the same for every `url`."""
        with self.pools.lock:
            pool = self.pools.get("docker")
            if pool is None:
                pool = self.pools["docker"] = _Pool(self._start, self.timeout, self.max_pool_size)
        return pool


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, start: StartProgram, timeout: Any, maxsize: int) -> None:
        super().__init__("docker", "", timeout, maxsize=maxsize)
        self._start = start

    def _new_conn(self) -> _Connection:  # type: ignore[override] # the stubs know urllib3 1 only
        return _Connection(self._start, self.timeout)


class _Connection(UnixHTTPConnection):
    def __init__(self, start: StartProgram, timeout: Any) -> None:
        super().__init__("docker", "", timeout)
        self._start = start

    def connect(self) -> None:
        self.sock, inner = socket.socketpair()
        self.sock.settimeout(self.timeout)
        try:
            process = self._start(_COMMAND)
        except BaseException:
            inner.close()
            raise
        assert process.stdin is not None and process.stdout is not None
        # On Windows a program cannot have a socket as its input, so threads copy.
        for copy, pipe in ((_copy_requests, process.stdin), (_copy_answers, process.stdout)):
            threading.Thread(target=copy, args=(inner, pipe), daemon=True).start()


def _copy_requests(inner: socket.socket, stdin: IO[bytes]) -> None:
    """Copy requests to the program, which ends when its input does."""
    try:
        while chunk := inner.recv(_CHUNK):
            stdin.write(chunk)
            stdin.flush()
        stdin.close()
    except OSError:
        pass  # The other side is gone, which the reader of the answer notices.


def _copy_answers(inner: socket.socket, stdout: Any) -> None:
    """Copy answers from the program; where they end, the connection ends too."""
    try:
        while chunk := stdout.read1(_CHUNK):
            inner.sendall(chunk)
        inner.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
