"""Sends the lines of the log to the stack's console over OTLP/HTTP, when DYBER_LOGS_ENDPOINT is set.

The variables of OpenTelemetry do not decide this: a collector of the operator that takes spans need not get the logs.
Lines wait in a bounded queue for a thread of their own: while the receiver is away they are lost, and neither calls nor
the log on standard output notice. Secrets that this process has read are masked.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, urlsplit

import anyio

from dyber_kit.settings import secrets_read

_PATH = "/v1/logs"
_MOST_WAITING = 1000
#: Lines in a request, which has at most 1 MiB, as the console takes no more.
_MOST_SENT = 80
_LONGEST_LINE = 4000
#: Bytes of one request at most, as many as the console takes; and of a character and of what surrounds a line in it.
_LONGEST_BODY, _CHARACTER, _AROUND_A_LINE = 2**20, 4, 200
_SEND_SECONDS = 1.0
_TIMEOUT_SECONDS = 3.0
#: How long to wait after a failed request, and after one that says that nobody takes logs here.
_AWAY_SECONDS = 15.0
_REFUSED_SECONDS = 600.0
_LAST_SECONDS = 1.5
_MASK = "***"


def endpoint() -> SplitResult | None:
    """Return the address that takes logs, or None when none is configured."""
    base = os.environ.get("DYBER_LOGS_ENDPOINT")
    if not base or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    address = urlsplit(f"{base.rstrip('/')}{_PATH}")
    return address if address.scheme in ("http", "https") and address.hostname else None


class LogShipper:
    """Holds the lines that wait, and sends them.

    Attributes:
        is_running: Whether lines are taken.
        lost: How many lines were not sent.
    """

    def __init__(self) -> None:
        self.is_running = False
        self.lost = 0
        self._lines: deque[tuple[float, int, str, str]] = deque(maxlen=_MOST_WAITING)
        self._stop = threading.Event()

    def take(self, at: float, number: int, level: str, line: str) -> None:
        """Keep a written line for the next request; the oldest is lost when too many wait.

        Args:
            at: When it was written, in seconds since 1970.
            number: Its level as Python's logging numbers it.
            level: Its level's name.
            line: The line, a JSON object as text; it is masked here, before it is cut.
        """
        if self.is_running:
            self.lost += len(self._lines) == _MOST_WAITING
            # A secret must not be cut, as the rest of it is not recognised.
            self._lines.append((at, number, level, _masked(line)[:_LONGEST_LINE]))

    def run(self, service: str, address: SplitResult) -> None:
        """Send lines until `stop`, and once more then; blocks, so it has a thread of its own."""
        pause = _SEND_SECONDS
        while not self._stop.wait(pause):
            pause = self._send(service, address)
        self._send(service, address)

    def stop(self) -> None:
        """Let `run` send what waits, and end."""
        self.is_running = False
        self._stop.set()

    def restart(self) -> None:
        """Take lines from now on."""
        self._stop.clear()
        self.is_running = True

    def _send(self, service: str, address: SplitResult) -> float:
        """Send the lines that wait; return how many seconds to wait before the next request."""
        lines: list[tuple[float, int, str, str]] = []
        room = _LONGEST_BODY - 1000
        while self._lines and len(lines) < _MOST_SENT and room >= _LONGEST_LINE * _CHARACTER + _AROUND_A_LINE:
            lines.append(self._lines.popleft())
            room -= len(lines[-1][3]) * _CHARACTER + _AROUND_A_LINE
        count = len(lines)
        if not count:
            return _SEND_SECONDS
        body = json.dumps(export(service, lines), ensure_ascii=False).encode("utf-8", "replace")
        kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        connection = kind(str(address.hostname), address.port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", address.path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            self.lost += count
            return _AWAY_SECONDS
        finally:
            connection.close()
        if status < 300:
            return 0.05 if self._lines else _SEND_SECONDS
        self.lost += count
        return _AWAY_SECONDS if status >= 500 or status == 429 else _REFUSED_SECONDS


def export(service: str, lines: list[tuple[float, int, str, str]]) -> dict[str, Any]:
    """Return lines as an OTLP export; each is a time, a level's number and name, and the masked JSON line."""
    records = [
        {
            "timeUnixNano": str(int(created * 1e9)),
            "severityNumber": max(1, min(24, number // 10 * 4 + 1)),
            "severityText": name,
            "body": {"stringValue": line},
        }
        for created, number, name, line in lines
    ]
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": f"{service}-mcp"}}]}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}


def _masked(line: str) -> str:
    for written in _as_written(secrets_read()):
        line = line.replace(written, _MASK)
    return line


@lru_cache(maxsize=1)
def _as_written(secrets: frozenset[str]) -> list[str]:
    """Return the forms that secrets have in the text of JSON, the longest first."""
    escaped = {json.dumps(secret, ensure_ascii=only_ascii)[1:-1] for secret in secrets for only_ascii in (True, False)}
    return sorted(secrets | escaped, key=len, reverse=True)


shipper = LogShipper()


@asynccontextmanager
async def shipping_logs(service: str) -> AsyncIterator[None]:
    """Send the lines of the log until the context ends, when an address for them is configured."""
    address = endpoint()
    if address is None:
        yield
        return
    shipper.restart()
    thread = threading.Thread(target=shipper.run, args=(service, address), name="logs", daemon=True)
    thread.start()
    try:
        yield
    finally:
        shipper.stop()
        with anyio.move_on_after(_LAST_SECONDS, shield=True):
            await anyio.to_thread.run_sync(thread.join, abandon_on_cancel=True)
