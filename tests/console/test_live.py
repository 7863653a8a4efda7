"""Brings open pages up to date, and serves them without scripts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from dyber_console.pages import live_events
from playwright.sync_api import expect

from tests.console.conftest import Visit, nothing_said
from tests.console.support import records
from tests.console.support.running import RunningConsole, wait_until
from tests.console.test_pages import barriers
from tests.support import axe

WAIT = 20_000


def test_a_new_call_appears_on_top_without_reloading(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(fresh)
    opened.open("calls")
    expect(opened.page.locator("main")).to_contain_text("No calls yet")
    with nothing_said(opened):
        opened.page.evaluate("window.stays = true")
        fresh.send_line(records.log_line(time.time(), 0.3, "notes", "notes_search", "phone"))
        expect(opened.page.locator(".k-tool a")).to_have_text("notes_search", timeout=WAIT)
        fresh.send_line(records.log_line(time.time(), 0.3, "notes", "notes_get", "phone"))
        expect(opened.page.locator(".k-tool a").first).to_have_text("notes_get", timeout=WAIT)
        assert opened.page.evaluate("window.stays") is True


def test_an_open_menu_and_a_focus_survive_an_update(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(fresh)
    opened.open("services/notes")
    page = opened.page
    page.click("#limits summary")
    page.focus("#limits summary")
    fresh.send_line(records.log_line(time.time(), 0.3, "notes", "notes_search", "phone"))
    expect(page.locator("#recent a.mono")).to_have_text("notes_search", timeout=WAIT)
    assert page.get_attribute("#limits details", "open") is not None
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_what_is_written_into_a_form_survives_an_update(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    wait_until(lambda: fresh.console.logins.login_tools("notes"), "the tools were listed", 60)
    opened = visit(fresh)
    opened.open("services/notes?tool=notes_search")
    opened.page.fill("#p-keyword", "half a sen")
    fresh.send_line(records.log_line(time.time(), 0.3, "notes", "notes_search", "phone"))
    expect(opened.page.locator("#recent a.mono")).to_have_text("notes_search", timeout=WAIT)
    assert opened.page.input_value("#p-keyword") == "half a sen"


def test_a_silent_gateway_is_said_and_nothing_is_called_well(
    fresh: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(fresh)
    fresh.gateway.answers = False
    expect(opened.page.locator("h1")).to_have_text("The gateway's status cannot be read", timeout=2 * WAIT)
    assert opened.page.locator(".svc .state.ok").count() == 0
    expect(opened.page).to_have_title("The gateway's status cannot be read · prod · DyberPet console")
    fresh.gateway.answers = True
    expect(opened.page.locator("h1")).not_to_have_text("The gateway's status cannot be read", timeout=WAIT)


@pytest.mark.parametrize("status", [503, 502, 200])
def test_a_page_stays_as_it_is_while_the_console_is_away_and_goes_on_when_it_is_back(
    fresh: RunningConsole, visit: Callable[..., Visit], status: int
) -> None:
    wait_until(lambda: fresh.console.logins.login_tools("notes"), "the tools were listed", 60)
    page = (opened := visit(fresh, reduced_motion="reduce")).page
    opened.open("services/notes?tool=notes_search")
    page.fill("#p-keyword", "half a sen")
    page.context.route("**/console/**", lambda route: route.fulfill(status=status, body="<html>gateway</html>"))
    expect(page.locator("#late")).to_contain_text("The console cannot be reached; trying again", timeout=WAIT)
    expect(page.locator("#late")).to_contain_text("seconds ago", timeout=WAIT)
    expect(page).to_have_title(re.compile("^The console cannot be reached"))
    assert barriers(page, axe.script()) == []
    assert page.input_value("#p-keyword") == "half a sen"
    page.context.unroute("**/console/**")
    fresh.send_line(records.log_line(time.time(), 0.3, "notes", "notes_search", "phone"))
    expect(page.locator("#recent a.mono")).to_have_text("notes_search", timeout=WAIT)
    expect(page.locator("#late")).to_be_hidden()
    expect(page).not_to_have_title(re.compile("cannot be reached"))
    assert page.input_value("#p-keyword") == "half a sen"


def test_a_call_that_cannot_be_fetched_leaves_the_list_as_it_is(
    console: RunningConsole, visit: Callable[..., Visit]
) -> None:
    page = (opened := visit(console)).page
    opened.open("calls?service=notes")
    first = page.get_attribute("#call", "data-id")
    page.context.route("**/console/calls/*", lambda route: route.fulfill(status=503, body="gateway"))
    page.keyboard.press("j")
    expect(page.locator("#late")).to_be_visible(timeout=WAIT)
    assert page.get_attribute("#call", "data-id") == first
    expect(page.locator("#late")).to_be_hidden(timeout=WAIT)


def test_an_open_page_leads_to_the_sign_in_when_its_session_has_ended(
    fresh: RunningConsole, visit: Callable[..., Visit]
) -> None:
    page = (opened := visit(fresh)).page
    opened.open("calls")
    page.context.clear_cookies()
    expect(page).to_have_url(f"{fresh.base}/console/login?next=/console/calls", timeout=WAIT)


def test_the_age_is_counted_while_no_answer_comes(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    page = visit(fresh).page
    stamp = page.locator(".verdict .stamp")
    # As while the gateway is paused: requests hang.
    page.context.route("**/console/**", lambda route: None)
    expect(stamp).to_have_text(re.compile(r"^checked [3-9] seconds ago$"), timeout=WAIT)
    expect(stamp).to_have_text(re.compile(r"^data from 1\d seconds ago; reconnecting$"), timeout=WAIT)
    expect(stamp).to_have_class("stamp stale")
    expect(page.locator("#late")).to_be_visible(timeout=WAIT)
    page.context.unroute("**/console/**")
    expect(stamp).to_have_text(re.compile(r"^checked [0-3] seconds? ago$"), timeout=WAIT)


def test_the_age_of_a_page_that_is_up_to_date_stays_small(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    page = visit(fresh).page
    page.evaluate(
        "new MutationObserver(() => { window.stale ||= !!document.querySelector('.stamp.stale') })"
        ".observe(document.body, { subtree: true, childList: true, attributes: true })"
    )
    page.wait_for_timeout(16_000)
    assert page.evaluate("window.stale") in (None, False)


def test_without_services_the_first_steps_are_shown(fresh: RunningConsole, visit: Callable[..., Visit]) -> None:
    fresh.gateway.details = {}
    wait_until(lambda: not fresh.console.live.services, "the services went")
    opened = visit(fresh)
    expect(opened.page.locator("main")).to_contain_text("Three steps")


def test_a_call_opens_beside_the_list_and_keys_move_through_it(
    console: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(console)
    opened.open("calls?service=notes")
    page = opened.page
    first = page.get_attribute("#call", "data-id")
    page.keyboard.press("j")
    expect(page.locator("#call")).not_to_have_attribute("data-id", str(first), timeout=WAIT)
    assert "call=" in page.url
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "f-tool"


def test_back_leads_to_the_call_that_was_open_before(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    page = (opened := visit(console)).page
    opened.open("")
    opened.open("calls?service=notes")
    call, first = page.locator("#call"), str(page.get_attribute("#call", "data-id"))
    title = page.title()
    page.click("[data-pane] >> nth=1")
    expect(call).not_to_have_attribute("data-id", first, timeout=WAIT)
    second = str(call.get_attribute("data-id"))
    expect(page).to_have_title(title)
    page.click("[data-pane] >> nth=3")
    expect(call).not_to_have_attribute("data-id", second, timeout=WAIT)
    page.go_back()
    expect(call).to_have_attribute("data-id", second, timeout=WAIT)
    expect(page.locator(".call-table .picked a")).to_have_attribute("href", f"/console/calls/{second}", timeout=WAIT)
    page.go_back()
    expect(call).to_have_attribute("data-id", first, timeout=WAIT)
    assert page.url == f"{console.base}/console/calls?service=notes"


def test_keys_in_the_list_leave_one_step_for_back(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    page = (opened := visit(console)).page
    opened.open("calls?service=notes")
    call = page.locator("#call")
    for _ in range(3):
        before = str(call.get_attribute("data-id"))
        page.keyboard.press("j")
        expect(call).not_to_have_attribute("data-id", before, timeout=WAIT)
    page.wait_for_url("**call=*")
    page.go_back()
    assert page.url == f"{console.base}/console/calls?service=notes"


def test_copying_a_command_says_so(console: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(console, permissions=["clipboard-read", "clipboard-write"])
    opened.open("")
    opened.page.locator(".todo .copy").first.click()
    expect(opened.page.locator("#announce")).to_have_text("Copied")
    assert opened.page.evaluate("navigator.clipboard.readText()") == "./deploy.sh restart clips -s prod"


def test_everything_can_be_read_filtered_and_tried_without_scripts(
    console: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(console, java_script_enabled=False)
    opened.open("calls")
    opened.page.select_option("#f-client", "phone")
    opened.page.click("button:has-text('Filter')")
    expect(opened.page.locator(".chip")).to_contain_text("phone")
    opened.page.click(".call-table a >> nth=0")
    expect(opened.page.locator("#call")).to_be_visible()
    opened.open("services/notes?tool=notes_search")
    opened.page.fill("#p-keyword", "coffee")
    opened.page.click(".try-go button")
    expect(opened.page.locator("#try-result")).to_contain_text("17000")
    opened.page.click(".side .lang button[value=zh]")
    expect(opened.page.locator("html")).to_have_attribute("lang", "zh-CN")
    opened.page.click(".side .theme button[value=dark]")
    expect(opened.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_a_stream_that_ended_or_was_refused_is_opened_again(
    fresh: RunningConsole, visit: Callable[..., Visit], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_events, "_MOST_STREAMS", 0)
    opened = visit(fresh)
    with opened.page.expect_response("**/console/events") as refused:
        opened.open("calls")
    assert refused.value.status == 503
    monkeypatch.setattr(live_events, "_LONGEST_SECONDS", 0.5)
    with opened.page.expect_response("**/console/events") as again:
        monkeypatch.setattr(live_events, "_MOST_STREAMS", 50)
    assert again.value.status == 200
    with opened.page.expect_response("**/console/events") as next_one:
        pass
    assert next_one.value.status == 200
