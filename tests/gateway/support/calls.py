"""Calls the gateway continuously while a test changes the containers behind it."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from tests.gateway.support.docker_cli import wait_until
from tests.gateway.support.gateway_under_test import TOKEN, GatewayUnderTest

CALLERS = 4
PAUSE_SECONDS = 0.005
#: Headers that mark a call as one that only reads.
READ_HEADERS = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/list"}


@dataclass(frozen=True)
class Call:
    """A call and its outcome. `status`: the text of the error if there was no response. Times are monotonic."""

    name: str
    status: int | str
    begun: float
    ended: float


def wait_until_reached(gateway: GatewayUnderTest, count: int) -> None:
    """Wait until `count` containers of alpha take calls."""

    def containers() -> int:
        return len({gateway.seen("/api/alpha/")["container"] for _ in range(10)})

    wait_until(lambda: gateway.request("/api/alpha/ready").status == 200 and containers() == count, f"{count} of alpha")


def _call_until(stop: Event, port: int, caller: str, path: str, headers: Mapping[str, str]) -> list[Call]:
    results: list[Call] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not stop.wait(PAUSE_SECONDS):
        name = f"call-{caller}-{len(results)}-end"
        begun = time.monotonic()
        status: int | str
        try:
            authorization = {"Authorization": f"Bearer {TOKEN}"}
            connection.request("POST", f"{path}?{name}", b"{}", headers={**authorization, **headers})
            response = connection.getresponse()
            response.read()
            status = response.status
        except (OSError, http.client.HTTPException) as error:
            status = repr(error)
            connection.close()
        results.append(Call(name, status, begun, time.monotonic()))
    return results


@contextmanager
def calling(
    gateway: GatewayUnderTest, headers: Mapping[str, str] | None = None, path: str = "/api/alpha/x", name: str = "post"
) -> Iterator[list[Call]]:
    """Send numbered POSTs on a few connections, one after the other on each; the list is filled at the end."""
    results: list[Call] = []
    stop = Event()
    port = gateway.port(80)
    with ThreadPoolExecutor(CALLERS) as pool:
        running = [
            pool.submit(_call_until, stop, port, f"{name}{number}", path, headers or {}) for number in range(CALLERS)
        ]
        try:
            yield results
        finally:
            stop.set()
            for caller in running:
                results += caller.result()


def arrived(*containers: str) -> Counter[str]:
    """Count, from the containers' logs, how often each call reached a container, whether or not it was answered."""
    counts: Counter[str] = Counter()
    for name in containers:
        result = subprocess.run(["docker", "logs", name], capture_output=True, text=True, timeout=60, check=True)
        for line in result.stderr.splitlines():
            if "arrived" in line:
                counts.update(word for word in line.replace("?", " ").split() if word.startswith("call-"))
    return counts


def lost(calls: list[Call]) -> list[Call]:
    return [call for call in calls if call.status != 200]
