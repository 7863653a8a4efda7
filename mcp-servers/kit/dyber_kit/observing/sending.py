"""Sends finished spans to a collector over OTLP/HTTP, in batches and on the event loop of the service.

Variables, with the meaning that the OpenTelemetry specification gives them: OTEL_EXPORTER_OTLP_ENDPOINT,
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_EXPORTER_OTLP_TRACES_HEADERS, OTEL_SERVICE_NAME,
OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, OTEL_BSP_SCHEDULE_DELAY (default 1000 ms) and OTEL_BSP_MAX_QUEUE_SIZE.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import unquote

import anyio
import httpx2

from dyber_kit.observing.otlp import export_request, resource
from dyber_kit.observing.tracing import Span, Value
from dyber_kit.settings import environment_number

logger = logging.getLogger("dyber.tracing")

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
        self._url = url
        self._headers = {"content-type": "application/x-protobuf", **headers}
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
        # Without the system's authorities where they are not needed, as reading them takes much memory.
        verify = ssl.create_default_context() if self._url.startswith("https:") else False
        limits = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
        async with httpx2.AsyncClient(verify=verify, trust_env=False, timeout=_SEND_SECONDS, limits=limits) as http:
            task = asyncio.create_task(self._run(http))
            try:
                yield
            finally:
                with anyio.move_on_after(_LAST_SECONDS, shield=True):
                    async with self._sending:
                        task.cancel()
                    while self._waiting and await self._send(http) is None:
                        pass
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    async def _run(self, http: httpx2.AsyncClient) -> None:
        while True:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    await self._many.wait()
            pause = 0.0
            while self._waiting:
                async with self._sending:
                    asked = await self._send(http)
                if asked is None:
                    pause = 0.0
                    continue
                pause = min(max(pause * 2, asked, _SHORTEST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(pause)
            self._any.clear()
            self._many.clear()

    async def _send(self, http: httpx2.AsyncClient) -> float | None:
        """Send a batch; return None when it was taken or is lost, else the seconds to wait before the next attempt."""
        batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
        taken = False
        try:
            body = export_request(self._resource, batch)
            answer = await http.post(self._url, content=body, headers=self._headers)
            taken = answer.status_code not in _PASSING
            if answer.is_success:
                self._note_back()
            elif taken:
                self.dropped += len(batch)
                self._note_away(f"HTTP {answer.status_code}")
            else:
                self._note_away(f"HTTP {answer.status_code}")
                wait = answer.headers.get("retry-after", "")
                return float(wait) if wait.isdecimal() else 0.0
        except (httpx2.HTTPError, OSError) as error:
            self._note_away(type(error).__name__)
            return 0.0
        finally:
            if not taken:
                # Also when a stop interrupts it: the last attempt sends it again.
                self._waiting.extendleft(reversed(batch))
        return None

    def _note_away(self, reason: str) -> None:
        if not self._is_away:
            self._is_away = True
            logger.warning("spans are not taken; calls are not affected", extra={"reason": reason})

    def _note_back(self) -> None:
        if self._is_away or self.dropped:
            logger.info("spans are taken again", extra={"dropped": self.dropped})
            self._is_away, self.dropped = False, 0


def _pairs(variable: str) -> dict[str, str]:
    """Return the `name=value` pairs of a variable, which are separated by commas and may have %-escapes."""
    pairs = (entry.partition("=") for entry in os.environ.get(variable, "").split(",") if "=" in entry)
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs if name.strip()}
