"""Fixtures: a console with a day of calls, and a browser that is signed in to it."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.console.support.browsing import NETWORK_CHANGED, go_to, sign_in
from tests.console.support.gateway import StandInGateway
from tests.console.support.running import (
    PASSWORD,
    RunningConsole,
    console_on,
    deployment_files,
    fill,
    wait_until,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start a browser for the tests of a file; while it runs, no test of another file could run an event loop."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("Chromium is missing: apt-get install -y chromium")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console whose services have all states: stopped, without a login, limited, in part, and well."""
    folder = tmp_path_factory.mktemp("console")
    deployment_files(folder / "files", time.time())
    gateway = StandInGateway(logged_in=True)
    with console_on(folder, gateway) as running:
        live = running.console.live
        wait_until(lambda: live.service_metrics.get("notes"), "the metrics were read")
        gateway.logged_in = False
        slow = fill(running)
        wait_until(lambda: _is_recorded(running, slow), "the calls were recorded")
        wait_until(lambda: running.console.logins.login_tools("notes"), "the tools were listed", 60)
        yield running


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningConsole]:
    """A console without calls and files, which a test may change."""
    with console_on(tmp_path, StandInGateway()) as running:
        wait_until(lambda: running.console.live.services, "the status was read")
        yield running


def _is_recorded(running: RunningConsole, request_id: str) -> bool:
    with sqlite3.connect(running.settings.data_dir / "console.sqlite") as reading:
        known = reading.execute("SELECT outcome, tool FROM calls WHERE request_id = ?", (request_id,)).fetchall()
        limited = reading.execute("SELECT COUNT(*) FROM calls WHERE outcome = 'RATE_LIMITED'").fetchone()[0]
    reading.close()
    return known == [("ok", "notes_search")] and limited == 1


@dataclass
class Visit:
    """Holds a page of a signed-in browser, and what its console said."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the browser's console says, except about networks of the machine that changed."""
        if message.type == "error" and NETWORK_CHANGED not in message.text:
            self.complaints.append(message.text)

    def open(self, path: str) -> Response:
        """Open a page of the console and return its answer."""
        response = go_to(self.page, f"{self.base}/console/{path}")
        assert response is not None
        return response


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Return a function that opens a browser window and signs in."""
    contexts: list[BrowserContext] = []

    def signed_in(target: RunningConsole, **options: Any) -> Visit:
        context = browser.new_context(**{"locale": "en-US", "viewport": {"width": 1440, "height": 900}, **options})
        contexts.append(context)
        made = Visit(context.new_page(), target.base)
        made.page.on("console", made.hear)
        made.page.on("pageerror", lambda error: made.complaints.append(str(error)))
        sign_in(made.page, f"{target.base}/console/", PASSWORD)
        return made

    yield signed_in
    for context in contexts:
        context.close()


@contextmanager
def nothing_said(opened: Visit) -> Iterator[None]:
    """Fail when the browser's console said something inside the block."""
    opened.complaints.clear()
    yield
    assert opened.complaints == []
