"""Signs in with a browser: after wrong passwords the form waits, and then can be used again."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from dyber_console.identity import tries
from playwright.sync_api import Browser, Page, expect

from tests.console.support.browsing import go_to
from tests.console.support.running import PASSWORD, RunningConsole

WAIT = 20_000


@pytest.fixture(params=[True, False], ids=["scripts", "no scripts"])
def visitor(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a window that is not signed in, with scripts and without."""
    context = browser.new_context(locale="en-US", java_script_enabled=request.param)
    yield context.new_page()
    context.close()


def lock(page: Page, target: RunningConsole) -> None:
    go_to(page, f"{target.base}/console/login")
    for _ in range(tries.MOST):
        page.fill("#password", "wrong")
        with page.expect_navigation():
            page.press("#password", "Enter")
        expect(page.locator("[role=alert]")).to_be_visible(timeout=WAIT)


def test_a_locked_form_can_be_used_again_without_reloading(
    fresh: RunningConsole, visitor: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "_FIRST_SECONDS", 6.0)
    lock(visitor, fresh)
    expect(visitor.locator("[role=alert]")).to_contain_text(re.compile("Try again in [1-6] second"))
    visitor.wait_for_timeout(6_500)
    expect(visitor.locator("button.primary")).to_be_enabled()
    visitor.fill("#password", PASSWORD)
    visitor.press("#password", "Enter")
    expect(visitor).to_have_url(f"{fresh.base}/console/", timeout=WAIT)


def test_a_locked_form_counts_down(fresh: RunningConsole, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "_FIRST_SECONDS", 8.0)
    with browser.new_context(locale="en-US") as context:
        page = context.new_page()
        lock(page, fresh)
        expect(page.locator("button.primary")).to_be_disabled()
        expect(page.locator("[role=alert]")).to_contain_text("Try again in 3 seconds.", timeout=WAIT)
        expect(page.locator("[role=alert]")).to_contain_text("Try again in 1 second.", timeout=WAIT)
        expect(page.locator("[role=alert]")).to_contain_text("You can try again now.", timeout=WAIT)
        expect(page.locator("button.primary")).to_be_enabled()
