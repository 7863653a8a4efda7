"""Sends finished spans to a collector over OTLP/HTTP, in batches, on the event loop of the service.

Variables, with the meaning that the OpenTelemetry specification gives them: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_TRACES_HEADERS, OTEL_SERVICE_NAME,
OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_BSP_SCHEDULE_DELAY (default 1000 ms) and OTEL_BSP_MAX_QUEUE_SIZE.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import SplitResult, unquote, urlsplit

import anyio

from dyber_kit.observing.otlp import export_request, resource
from dyber_kit.observing.tracing import Span, Value
from dyber_kit.settings import environment_number

logger = logging.getLogger("dyber.tracing")

_LINE_ENDS = re.compile(r"[\r\n]+")
_BATCH = 256
_SEND_SECONDS = 5.0
_LAST_SECONDS = 1.0
_SHORTEST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
#: Statuses of a collector that is away or busy; after any other failure, sending again would fail again.
_PASSING = {408, 429, 502, 503, 504}


class Sender:
    """Keeps finished spans until they are sent.

    While the collector is away, spans wait for it, up to `most_waiting`; further ones are dropped and counted. The log
    says once that it is away, and once that it is back.

    Args:
        url: Where spans are posted.
        headers: Headers of the requests.
        about: Attributes of the service.
        delay: Seconds for which spans are collected before they are sent.
        most_waiting: Most spans that wait.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], about: Mapping[str, Value], delay: float, most_waiting: int
    ) -> None:
        self.dropped = 0
        self._address = urlsplit(url)
        self._tls = ssl.create_default_context() if self._address.scheme == "https" else None
        self._head = _head(self._address, {"content-type": "application/x-protobuf", **headers})
        self._resource = resource(about)
        self._delay = delay
        self._most_waiting = most_waiting
        self._waiting: deque[Span] = deque()
        self._any = asyncio.Event()
        self._many = asyncio.Event()
        self._sending = asyncio.Lock()
        self._is_away = False

    @classmethod
    def from_environment(cls, service: str, version: str) -> Sender:
        """Return the sender that the environment describes.

        Raises:
            ValueError: A variable has a value that cannot be used; the message names it.
        """
        url = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        if not url:
            url = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"].rstrip("/") + "/v1/traces"
        headers = _pairs("OTEL_EXPORTER_OTLP_TRACES_HEADERS") or _pairs("OTEL_EXPORTER_OTLP_HEADERS")
        about: dict[str, Value] = {
            "service.name": f"{service}-mcp",
            "service.version": version,
            "service.instance.id": socket.gethostname(),
            **_pairs("OTEL_RESOURCE_ATTRIBUTES"),
        }
        if name := os.environ.get("OTEL_SERVICE_NAME"):
            about["service.name"] = name
        delay = environment_number("OTEL_BSP_SCHEDULE_DELAY", 1000, 1, 60_000) / 1000
        return cls(url, headers, about, delay, int(environment_number("OTEL_BSP_MAX_QUEUE_SIZE", 2048, 1, 65_536)))

    def take(self, span: Span) -> None:
        """Take a finished span."""
        if len(self._waiting) >= self._most_waiting:
            self.dropped += 1
            return
        self._waiting.append(span)
        if not self._any.is_set():
            self._any.set()
        elif len(self._waiting) == self._most_waiting // 2:
            self._many.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send spans until the context ends; what waits then is sent if the collector takes it within a second."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            with anyio.move_on_after(_LAST_SECONDS, shield=True):
                async with self._sending:
                    task.cancel()
                while self._waiting and await self._send() is None:
                    pass
            task.cancel()
            await asyncio.wait([task])

    async def _run(self) -> None:
        while True:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    await self._many.wait()
            pause = 0.0
            while self._waiting:
                async with self._sending:
                    asked = await self._send()
                if asked is None:
                    pause = 0.0
                    continue
                pause = min(max(pause * 2, asked, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
            self._any.clear()
            self._many.clear()

    async def _send(self) -> float | None:
        """Send a batch; return None when it was taken or is lost, else the seconds to wait before the next attempt."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        taken = False
        try:
            body = export_request(self._resource, batch)
            status, retry_after = await self._post(body)
            taken = status not in _PASSING
            if 200 <= status < 300:
                self._note_back()
            elif taken:
                self.dropped += len(batch)
                self._note_away(f"HTTP {status}")
            else:
                self._note_away(f"HTTP {status}")
                return retry_after
        except (OSError, TimeoutError, ValueError, EOFError, asyncio.LimitOverrunError) as error:
            self._note_away(type(error).__name__)
            return 0.0
        except Exception as error:
            # A fault of these spans, or of this module: another attempt would fail again.
            taken = True
            self.dropped += len(batch)
            self._note_away(type(error).__name__)
        finally:
            if not taken:
                # Also when a stop interrupts it: the last attempt sends it again.
                self._waiting.extendleft(reversed(batch))
        return None

    async def _post(self, body: bytes) -> tuple[int, float]:
        """Post an export; return the status of the answer, and after how many seconds it asks for another attempt.

        This is done here, as a client for HTTP takes five times the processor time, which every second with calls pays.

        Raises:
            OSError, TimeoutError: There is no answer in time.
            ValueError, EOFError, LimitOverrunError: The answer is none of HTTP.
        """
        port = self._address.port or (443 if self._tls else 80)
        async with asyncio.timeout(_SEND_SECONDS):
            reader, writer = await asyncio.open_connection(self._address.hostname, port, ssl=self._tls)
            try:
                writer.write(self._head % len(body) + body)
                lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
            finally:
                writer.close()
        waits = [line.partition(":")[2].strip() for line in lines if line.lower().startswith("retry-after:")]
        status = int(lines[0].partition(" ")[2][:3]) if lines[0].startswith("HTTP/1.") else 0
        return status, float(waits[0]) if waits and waits[0].isdecimal() else 0.0

    def _note_away(self, reason: str) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("spans are not taken; calls are not affected", extra={"reason": reason})

    def _note_back(self) -> None:
        if self._is_away or self.dropped:
            logger.info("spans are taken again", extra={"dropped": self.dropped})
            self._is_away, self.dropped = False, 0


def _head(address: SplitResult, headers: Mapping[str, str]) -> bytes:
    """Return the beginning of a request, where `%d` stands for the length of its body."""
    path = f"{address.path or '/'}?{address.query}" if address.query else address.path or "/"
    known = {"host": address.netloc.rpartition("@")[2], "connection": "close", **headers}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {_LINE_ENDS.sub(' ', value)}" for name, value in known.items())]
    return "\r\n".join(lines).encode("latin-1", "replace").replace(b"%", b"%%") + b"\r\ncontent-length: %d\r\n\r\n"


def _pairs(variable: str) -> dict[str, str]:
    """Return the `name=value` pairs of a variable, which are separated by commas and may have %-escapes."""
    pairs = (entry.partition("=") for entry in os.environ.get(variable, "").split(",") if "=" in entry)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
