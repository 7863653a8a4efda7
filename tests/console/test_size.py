"""Serves a deployment of 30 services with 100,000 calls a day."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from dyber_console.app import build_app
from dyber_console.intake.live import ServiceStatus
from dyber_console.records.model import Call
from dyber_console.settings import Settings
from dyber_console.state import Console

from tests.console.support.running import HASH, PASSWORD

SERVICES = 30
CALLS = 100_000
PAGES = ("", "calls", "calls?client=phone", "services/service-07", "services/service-07?range=30d", "clients")


async def test_pages_of_a_large_deployment_are_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(password_hash=HASH, data_dir=tmp_path, stack="prod", allowed_hosts=("localhost",))
    console = Console.create(settings)
    now = time.time()
    console.live.services = {
        f"service-{number:02}": ServiceStatus("up", ready=1, total=1) for number in range(SERVICES)
    }
    console.live.services["service-00"] = ServiceStatus("down", ready=0, total=1)
    known = Call(now, "", "", "phone", "", "search", "ok", 0.5)
    console.store.add_calls(
        replace(
            known,
            at=now - number * 0.8,
            request_id=f"request-{number}",
            trace_id=f"{number:032x}",
            service=f"service-{number % SERVICES:02}",
            client=("phone", "desktop-pet", "claude-code")[number % 3],
            outcome="TIMEOUT" if number % 50 == 7 else "ok",
            seconds=0.01 * (number % 900),
        )
        for number in range(CALLS)
    )
    console.store.roll_up(now)
    headers = {"Origin": "https://localhost", "Accept-Language": "en"}
    transport = httpx2.ASGITransport(app=build_app(console, background=False))
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost", headers=headers) as client:
        assert (await client.post("/console/login", data={"password": PASSWORD})).status_code == 303
        times = {}
        for path in PAGES:
            console.live.status_at = time.time()
            await client.get(f"/console/{path}")
            console.store.add_calls([replace(known, at=time.time(), service="service-07")])
            started = time.perf_counter()
            answer = await client.get(f"/console/{path}")
            times[path or "overview"] = f"{(time.perf_counter() - started) * 1000:.0f} ms"
            assert answer.status_code == 200
        overview = (await client.get("/console/")).text
    with capsys.disabled():
        print(f"\n{SERVICES} services, {CALLS:,} calls: {times}")
    assert f">{CALLS + len(PAGES):,}<" in overview
    # Of many services the navigation shows only what is not well.
    navigation = overview.partition('class="nav nav-services"')[2].partition("</nav>")[0]
    assert "service-00" in navigation and "service-01" not in navigation
    assert "All 30 services" in navigation
    console.store.close()
