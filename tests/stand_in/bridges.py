"""Runs the bridge in front of a foreign server, on a thread of this process, with short waits."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from dyber_kit import ServiceApp, Settings
from dyber_kit.bridge.app import build_app
from dyber_kit.bridge.contract import foreign_contract
from dyber_kit.bridge.listing import Lock
from dyber_kit.bridge.settings import BridgeSettings
from dyber_kit.bridge.supervisor import Timings
from dyber_kit.contract import render
from dyber_kit.serving.server import build_server
from mcp.types import CallToolResult

from tests.stand_in.running import free_port, running

FOREIGN = (sys.executable, str(Path(__file__).with_name("foreign_server.py")))
QUICK = Timings(first_pause=0.1, longest_pause=0.4, attempts=50, down=0.4, answer_small=0.5, patience=2.0, idle=0.4)


@dataclass(frozen=True)
class Bridge:
    """Holds a running bridge: its base URL and its application."""

    base: str
    app: ServiceApp

    def metric(self, name: str, **labels: str) -> float:
        """Return the value of a metric of the bridge; 0 when it does not exist."""
        wanted = {"service": self.app.mcp.name, **labels}
        for line in httpx2.get(f"{self.base}/metrics").text.splitlines():
            sample, _, value = line.rpartition(" ")
            metric, _, given = sample.partition("{")
            if metric == name and all(f'{label}="{wanted[label]}"' in given for label in wanted):
                return float(value)
        return 0.0

    def ready(self) -> tuple[int, dict[str, Any]]:
        """Return the status and the body of /ready."""
        answer = httpx2.get(f"{self.base}/ready", headers={"Accept-Language": "en"})
        return answer.status_code, answer.json()


def settings_of(command: tuple[str, ...] = FOREIGN, **options: Any) -> BridgeSettings:
    """Return the settings of a service whose server is a child; `options` are further fields."""
    return BridgeSettings.model_validate({"service": "foreign", "title": "Foreign", "command": command, **options})


def lock_of(settings: BridgeSettings, folder: Path) -> Lock:
    """Return the lock of what a server lists now."""
    file = folder / "tools.lock.json"
    with ThreadPoolExecutor(1) as thread:  # The caller may run in an event loop of its own.
        contract, _ = thread.submit(asyncio.run, foreign_contract(settings)).result()
    file.write_text(render(contract), encoding="utf-8")
    return Lock.read(file)


@contextmanager
def bridge(settings: BridgeSettings, lock: Lock, *, timings: Timings = QUICK, **process: Any) -> Iterator[Bridge]:
    """Run the bridge; `process` are fields of `Settings`, which allow writing unless told otherwise."""
    process_settings = Settings(port=free_port(), **{"read_only": False, **process})
    app = build_app(process_settings, settings, lock, timings)
    with running(build_server(app)) as base:
        yield Bridge(base, app)


def text_of(result: CallToolResult) -> str:
    """Return the texts of an answer, together."""
    return "\n".join(part.text for part in result.content if part.type == "text")
