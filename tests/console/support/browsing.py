"""Opens pages in a browser while networks of the machine come and go, as tests with containers make them."""

from __future__ import annotations

from contextlib import suppress

from playwright.sync_api import Error, Page, Response

#: What Chromium says of requests that it broke off because the machine got or lost a network.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
_TRIES = 20
_SIGN_INS = 4
_SIGN_IN_MS = 20_000


def go_to(page: Page, address: str) -> Response | None:
    """Open an address, again if the machine's networks changed meanwhile, and return the answer."""
    for _ in range(_TRIES):
        try:
            return page.goto(address)
        except Error as error:
            if NETWORK_CHANGED not in str(error):
                raise
    return page.goto(address)


def sign_in(page: Page, console: str, password: str) -> None:
    """Sign in at the console's address, again if the machine's networks changed while the form was sent."""
    for _ in range(_SIGN_INS):
        go_to(page, f"{console}login")
        page.fill("#password", password)
        with suppress(Error):
            page.click("button.primary")
            page.wait_for_url(console, timeout=_SIGN_IN_MS)
            return
    raise AssertionError(f"the browser is not signed in: {page.url}")
