"""Reads the gateway's status and metrics again and again, and records the changes of states and logins."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable

import httpx2

from dyber_console.intake.board import Board
from dyber_console.intake.live import Live, read_hub, read_status
from dyber_console.intake.metrics import Samples, read_samples
from dyber_console.intake.repeating import Failures
from dyber_console.records.changes import LoginChange, StateChange, note_login, note_state
from dyber_console.records.store import Store
from dyber_console.settings import Settings

STATUS_SECONDS = 2.0
METRICS_SECONDS = 15.0
_TIMEOUT_SECONDS = 5.0
_LONGEST_BODY = 2 * 2**20
_LONGEST_ACCOUNT = 100
#: The metrics of the gateway that pages show; the others are not kept.
GATEWAY_METRICS = frozenset({"dyber_gateway_build_info", "dyber_gateway_certificate_end_seconds"})
#: The metrics of services that pages show; the others are not kept.
SERVICE_METRICS = frozenset(
    {
        "mcp_calls_in_flight", "queue_depth", "queue_turns_today", "quota_used_today", "quota_per_day", "breaker_state",
        "login_state", "browser_pages_open", "cache_hits_total", "cache_misses_total", "cache_redis_up",
        "process_resident_memory_bytes", "process_start_time_seconds", "process_cpu_seconds_total",
    }
)  # fmt: skip

logger = logging.getLogger("dyber_console")


class Poller:
    """Keeps a `Live` up to date.

    Args:
        client: The HTTP client; it is not closed here.
    """

    def __init__(self, settings: Settings, client: httpx2.AsyncClient, live: Live, store: Store, board: Board) -> None:
        self._settings = settings
        self._client = client
        self._live = live
        self._store = store
        self._board = board

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_again("reading the status", STATUS_SECONDS, self.read_status))
            if self._settings.metrics_url:
                group.create_task(_again("reading the metrics", METRICS_SECONDS, self.read_metrics))

    async def read_status(self) -> None:
        """Read the status once; a gateway that does not answer is noted."""
        now = self._live.clock()
        try:
            response = await self._get(f"{self._settings.gateway_url}/api/status")
            content = json.loads(response)
            services, hub = read_status(content), read_hub(content)
        except (httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            if self._live.lost_since is None:
                self._live.lost_since = now
                logger.warning("the gateway's status cannot be read: %s", type(error).__name__)
                self._board.changed("states")
            return
        came_back = self._live.lost_since is not None
        changed = (services, hub) != (self._live.services, self._live.hub)
        self._live.services, self._live.hub = services, hub
        self._live.status_at, self._live.lost_since = now, None
        for name, status in services.items():
            note_state(self._store, StateChange(now, name, status.state, status.code or ""))
        if changed or came_back:
            self._board.changed("states")

    async def read_metrics(self) -> None:
        """Read the metrics of the gateway and of all replicas once; what cannot be read is left as it was."""
        base = self._settings.metrics_url
        try:
            self._live.metrics = read_samples((await self._get(f"{base}/metrics")).decode(), GATEWAY_METRICS)
        except (httpx2.HTTPError, ValueError):
            return
        self._live.metrics_at = self._live.clock()
        scraped: dict[str, list[Samples]] = {}
        for name, status in list(self._live.services.items()):
            for replica in range(1, status.total + 1):
                try:
                    text = (await self._get(f"{base}/services/{name}/{replica}")).decode()
                    scraped.setdefault(name, []).append(read_samples(text, SERVICE_METRICS))
                except (httpx2.HTTPError, ValueError):
                    continue
        self._live.note_services(scraped, self._live.clock())
        self._note_logins()

    def _note_logins(self) -> None:
        now = self._live.clock()
        for service, scrapes in self._live.service_metrics.items():
            accounts = {
                labels.get("account", "")[:_LONGEST_ACCOUNT]: value
                for samples in scrapes
                for labels, value in samples.matching("login_state")
            }
            for account, value in accounts.items():
                if note_login(self._store, LoginChange(now, service, account, value == 1)):
                    self._board.changed("logins")

    async def _get(self, url: str) -> bytes:
        headers = {"Authorization": f"Bearer {self._settings.token}"} if self._settings.token else {}
        async with self._client.stream("GET", url, headers=headers, timeout=_TIMEOUT_SECONDS) as response:
            response.raise_for_status()
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > _LONGEST_BODY:
                    raise ValueError(f"{url}: longer than {_LONGEST_BODY} bytes")
            return bytes(body)


async def _again(step: str, seconds: float, read: Callable[[], Awaitable[None]]) -> None:
    failures = Failures(step)
    while True:
        with failures.logged():
            await read()
        await asyncio.sleep(seconds)
