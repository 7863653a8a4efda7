"""Tests of Chromium's own sandbox: it is used when permitted; without it, a warning is logged."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from dyber_kit import Settings, create_app
from dyber_kit.browser.pool import BrowserPool, BrowserSettings
from dyber_kit.serving.server import build_server

from tests.stand_in.running import free_port, running

# Scripts that behave like Chromium with a permitted and with a denied sandbox. Tests run as root, where it is denied.
PERMITTED = 'echo "$@" >> "$0.log"; exec {chromium} "$@" --no-sandbox'
DENIED = (
    'echo "$@" >> "$0.log"; case "$*" in *--no-sandbox*) exec {chromium} "$@";; esac; '
    'echo "FATAL: No usable sandbox! If you are running on a new kernel…" >&2; exit 1'
)


@pytest.fixture
def make_chromium(chromium: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Return a function that makes such an executable; the tests appear to run as a user other than root."""
    monkeypatch.setattr("dyber_kit.browser.pool.os.geteuid", lambda: 1000)

    def make(behaviour: str) -> Path:
        script = tmp_path / "chromium"
        script.write_text(f"#!/bin/sh\n{behaviour.format(chromium=chromium)}\n")
        script.chmod(0o755)
        return script

    return make


async def test_the_sandbox_is_used_when_it_is_permitted(make_chromium):
    pool = BrowserPool(BrowserSettings(chromium_path=str(make_chromium(PERMITTED))))
    async with pool.running(), pool.page():
        assert pool.about() == {"browser": "chromium", "browser_sandbox": "own sandbox"}


async def test_when_the_sandbox_is_denied_the_browser_starts_without_it_and_logs_a_warning(make_chromium, caplog):
    chromium = make_chromium(DENIED)
    pool = BrowserPool(BrowserSettings(chromium_path=str(chromium)))
    with caplog.at_level(logging.WARNING, "dyber.browser"):
        async with pool.running(), pool.page():
            assert pool.about()["browser_sandbox"] == "container only"
    assert any("sandbox is not permitted" in record.message for record in caplog.records)


async def test_a_sandbox_that_was_denied_is_not_tried_at_every_start(make_chromium):
    chromium = make_chromium(DENIED)
    pool = BrowserPool(BrowserSettings(chromium_path=str(chromium), recycle_pages=1))
    async with pool.running():
        for _ in range(3):
            async with pool.page():
                pass
    starts = chromium.with_name("chromium.log").read_text().splitlines()
    assert ["--no-sandbox" in start for start in starts] == [False, True, True, True]


async def test_a_browser_without_its_sandbox_does_not_start_when_the_sandbox_is_required(make_chromium):
    pool = BrowserPool(BrowserSettings(chromium_path=str(make_chromium(DENIED)), chromium_sandbox=True))
    async with pool.running():
        assert "浏览器无法启动" in (await pool.problem() or "")
        assert pool.about()["browser_sandbox"] == "not started"


@pytest.mark.parametrize(("value", "expected"), [("", None), ("true", True), ("false", False)])
def test_an_environment_variable_decides_whether_the_sandbox_is_required(monkeypatch, value, expected):
    monkeypatch.setenv("CHROMIUM_SANDBOX", value)
    assert BrowserSettings.from_environment().chromium_sandbox is expected


@pytest.mark.parametrize(("problem", "status"), [(None, 200), ("坏了", 503)])
async def test_ready_contains_the_details_of_the_service(problem, status):
    async def ready() -> str | None:
        return problem

    app = create_app(
        name="x", title="x", version="1", instructions="", tools=[], ready=ready,
        details=lambda: {"browser_sandbox": "own sandbox"}, settings=Settings(port=free_port()),
    )  # fmt: skip
    with running(build_server(app)) as base:
        async with httpx2.AsyncClient() as http:
            answer = await http.get(f"{base}/ready")
    assert (answer.status_code, answer.json()["browser_sandbox"]) == (status, "own sandbox")
