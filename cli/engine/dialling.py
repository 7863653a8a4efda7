"""Reaches an engine at an address that only the docker command can reach, such as ssh://, through that command.

`docker system dial-stdio` connects its standard input and output to the engine. The SDK's way to ssh:// needs a second
implementation of SSH, and would not read the user's configuration of ssh.
"""

from __future__ import annotations

import socket
import subprocess
import threading
from typing import IO, Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from cli.system import programs

_CHUNK = 1 << 16
_COMMAND = ["docker", "system", "dial-stdio"]


class DialAdapter(UnixHTTPAdapter):
    """Sends the SDK's requests through docker commands, each of which is one connection to the engine."""

    def __init__(self, timeout: float) -> None:
        super().__init__("http+unix://docker", timeout)  # type: ignore[arg-type] # parts of a second work too

    def get_connection(self, url: Any, proxies: Any = None) -> UnixHTTPConnectionPool:
        """Return the pool of connections, which is the same for every `url`."""
        with self.pools.lock:
            pool = self.pools.get("docker")
            if pool is None:
                pool = self.pools["docker"] = _Pool("docker", "", self.timeout, maxsize=self.max_pool_size)
        return pool


class _Pool(UnixHTTPConnectionPool):
    def _new_conn(self) -> _Connection:  # type: ignore[override] # the stubs know urllib3 1 only
        return _Connection("docker", "", self.timeout)  # type: ignore[arg-type]


class _Connection(UnixHTTPConnection):
    def connect(self) -> None:
        self.sock, inner = socket.socketpair()
        self.sock.settimeout(self.timeout)
        programs.note_start(_COMMAND)
        try:
            process = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=programs.needs_new_session()
            )
        except OSError as error:
            inner.close()
            raise programs.not_started("docker", error) from error
        assert process.stdin is not None and process.stdout is not None
        # Windows gives a program no socket as its input, so threads copy.
        for copy, pipe in ((_to_program, process.stdin), (_from_program, process.stdout)):
            threading.Thread(target=copy, args=(inner, pipe), daemon=True).start()


def _to_program(inner: socket.socket, stdin: IO[bytes]) -> None:
    """Copy requests; the program ends when its input does."""
    try:
        while chunk := inner.recv(_CHUNK):
            stdin.write(chunk)
            stdin.flush()
        stdin.close()
    except OSError:
        pass  # The other side is gone, which the reader of the answer sees.


def _from_program(inner: socket.socket, stdout: Any) -> None:
    """Copy answers; at their end the connection is at its end too."""
    try:
        while chunk := stdout.read1(_CHUNK):
            inner.sendall(chunk)
        inner.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
