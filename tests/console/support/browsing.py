"""Opens pages in a browser while networks of the machine come and go, as tests with containers make them."""

from __future__ import annotations

from playwright.sync_api import Error, Page, Response

#: What Chromium says of requests that it broke off because the machine got or lost a network.
NETWORK_CHANGED = "ERR_NETWORK_CHANGED"
_TRIES = 20


def go_to(page: Page, address: str) -> Response | None:
    """Open an address, again if the machine's networks changed meanwhile, and return the answer."""
    for _ in range(_TRIES):
        try:
            return page.goto(address)
        except Error as error:
            if NETWORK_CHANGED not in str(error):
                raise
    return page.goto(address)
