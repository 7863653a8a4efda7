"""Tries tools and logs in by QR code, through the gateway and never writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.console.conftest import Visit, nothing_said
from tests.console.support import records
from tests.console.support.gateway import HOSTILE, StandInGateway
from tests.console.support.running import RunningConsole, console_on, wait_until

WAIT = 20_000


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningConsole]:
    """A console that knows the tools of `notes`."""
    folder: Path = tmp_path_factory.mktemp("notes")
    with console_on(folder, StandInGateway()) as running:
        wait_until(lambda: running.console.logins.login_tools("notes"), "the tools were listed", 60)
        yield running


def test_a_tool_is_called_with_the_arguments_of_the_form(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_search")
    page = opened.page
    with nothing_said(opened):
        page.fill("#p-keyword", "coffee")
        page.fill("#p-limit", "5")
        page.check("input[value=latest]", force=True)
        page.fill("#p-tags", "a\nb")
        page.click(".try-go button")
        expect(page.locator("#try-result")).to_contain_text("17000")
    assert notes.gateway.calls[-1] == (
        "notes_search",
        {"keyword": "coffee", "limit": 5, "sort": "latest", "tags": ["a", "b"]},
    )
    assert page.input_value("#p-keyword") == "coffee"


def test_an_answer_cannot_become_part_of_the_page(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_search")
    opened.page.fill("#p-keyword", "coffee")
    opened.page.click(".try-go button")
    answer = opened.page.locator("#try-result .json")
    expect(answer).to_contain_text("<script>document.title='broken'</script>U+202EU+200B")
    assert HOSTILE[-1] not in str(answer.text_content())
    assert "broken" not in opened.page.title()


def test_an_answer_stays_while_the_page_is_brought_up_to_date(
    notes: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_search")
    opened.page.fill("#p-keyword", "coffee")
    opened.page.click(".try-go button")
    expect(opened.page.locator("#try-result")).to_contain_text("17000")
    with nothing_said(opened):
        notes.send_line(records.log_line(time.time(), 0.3, "notes", "notes_feed", "phone"))
        expect(opened.page.locator("#recent a.mono >> nth=0")).to_have_text("notes_feed", timeout=WAIT)
    expect(opened.page.locator("#try-result")).to_contain_text("17000")


def test_a_failure_has_its_sentence_and_next_step(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_fails")
    opened.page.click(".try-go button")
    expect(opened.page.locator("#try-result")).to_contain_text(
        "LOGIN_EXPIRED The login of the platform account has expired"
    )
    expect(opened.page.locator("#try-result")).to_contain_text("Next step: Log in by scanning a code")


def test_an_argument_that_cannot_be_used_is_named_and_nothing_is_called(
    notes: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_search")
    before = len(notes.gateway.calls)
    opened.page.fill("#p-keyword", "coffee")
    opened.page.evaluate("document.querySelector('#p-limit').removeAttribute('max')")
    opened.page.fill("#p-limit", "400")
    opened.page.click(".try-go button")
    expect(opened.page.locator("[role=alert]")).to_have_text("limit must be 1–40")
    assert len(notes.gateway.calls) == before


def test_a_tool_that_writes_has_no_button(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_publish")
    expect(opened.page.locator("#try")).to_contain_text("it cannot be tried here")
    assert opened.page.locator(".try-go button").count() == 0


def test_a_login_goes_from_the_code_over_the_scan_to_done(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    notes.gateway.logged_in, notes.gateway.step, notes.gateway.refusal = False, "scan", ""
    opened = visit(notes)
    opened.open("services/notes")
    login = opened.page.locator("#login")
    with nothing_said(opened):
        login.locator("button.primary").click()
        expect(login.locator("img.qr")).to_be_visible()
        assert opened.page.evaluate("document.querySelector('img.qr').naturalWidth") == 32
        notes.gateway.step = "confirm"
        expect(login).to_contain_text("Scanned", timeout=WAIT)
        notes.gateway.logged_in = True
        expect(login).to_contain_text("Logged in: 手冲小屋", timeout=WAIT)
        assert login.locator("img.qr").count() == 0


def test_a_code_that_is_not_scanned_expires(notes: RunningConsole, visit: Callable[..., Visit]) -> None:
    notes.gateway.logged_in, notes.gateway.step, notes.gateway.code_seconds = False, "scan", 3.0
    opened = visit(notes)
    opened.open("services/notes")
    opened.page.locator("#login .row-btns button").first.click()
    expect(opened.page.locator("#login")).to_contain_text("The code has expired", timeout=WAIT)
    notes.gateway.code_seconds = 180.0


def test_a_platform_that_gives_no_code_is_explained_and_can_be_asked_again(
    notes: RunningConsole, visit: Callable[..., Visit]
) -> None:
    notes.gateway.logged_in, notes.gateway.refusal = False, "CAPTCHA_REQUIRED"
    opened = visit(notes)
    opened.open("services/notes")
    opened.page.locator("#login button").first.click()
    expect(opened.page.locator("#login")).to_contain_text("The platform asks for a human verification")
    notes.gateway.refusal, notes.gateway.step = "", "scan"
    opened.page.click("#login button:has-text('Try again')")
    expect(opened.page.locator("#login img.qr")).to_be_visible(timeout=WAIT)


def test_a_call_that_takes_long_shows_that_it_runs_and_is_sent_once(
    notes: RunningConsole, visit: Callable[..., Visit]
) -> None:
    opened = visit(notes)
    opened.open("services/notes?tool=notes_search")
    page = opened.page
    notes.gateway.delay_seconds = 2.0
    before = len(notes.gateway.calls)
    page.fill("#p-keyword", "slow")
    shown = page.evaluate(
        """() => {
            const form = document.querySelector('.try-form');
            form.requestSubmit();
            const words = form.querySelector('.try-go button').textContent;
            form.requestSubmit();
            return words;
        }"""
    )
    assert shown == "Calling, 0 s"
    expect(page.locator("#try-result")).to_contain_text("17000", timeout=WAIT)
    notes.gateway.delay_seconds = 0.0
    assert len(notes.gateway.calls) == before + 1
