"""A stand-in for an engine that listens on a Unix socket, for the real client of Docker's SDK."""

from __future__ import annotations

import json
import socketserver
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

VERSION = "v1.43"
#: Windows has no such server, and the tests that need it are skipped there.
_Server: Any = getattr(socketserver, "ThreadingUnixStreamServer", object)


class SocketEngine(_Server):  # type: ignore[misc]
    """Gives `answers`, by method and path, and 404 to all else; `requests` are the requests that it received.

    An answer is a status with a value for JSON, or a function that writes the answer of a handler.
    """

    daemon_threads = True

    def __init__(self, path: str) -> None:
        super().__init__(path, Handler)
        self.path = path
        self.answers: dict[str, tuple[int, Any] | Callable[[Handler], None]] = {
            "GET /version": (200, {"ApiVersion": VERSION.removeprefix("v")})
        }
        self.requests: list[str] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gives up closes its connection.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    server: SocketEngine

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0].removeprefix(f"/{VERSION}")
        answer = self.server.answers.get(f"{self.command} {path}", (404, {"message": "No such container: x"}))
        if callable(answer):
            answer(self)
        else:
            status, value = answer
            self.send(json.dumps(value).encode(), status, "application/json")

    do_DELETE = do_POST = do_PUT = do_GET

    def send(self, body: bytes, status: int = 200, content_type: str = "application/octet-stream") -> None:
        """Send a whole answer."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send_chunks(self, chunks: Iterator[bytes], *, complete: bool = True) -> None:
        """Send an answer in chunks, without its end unless it is `complete`."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if complete:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def received_chunks(self) -> Iterator[bytes]:
        """Yield the chunks of the request's body. Raises ConnectionError where the client goes away before its end."""
        while line := self.rfile.readline():
            size = int(line, 16)
            chunk = self.rfile.read(size)
            self.rfile.readline()
            if not size:
                return
            yield chunk
        raise ConnectionError

    def address_string(self) -> str:
        return "here"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextmanager
def listening(folder: Path) -> Iterator[SocketEngine]:
    """Give an engine that listens on a socket in a folder."""
    with SocketEngine(str(folder / "engine.sock")) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
