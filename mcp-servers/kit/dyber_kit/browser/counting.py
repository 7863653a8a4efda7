"""Counts the requests of opened pages to their platform: the pages themselves and the data calls of their scripts."""

from __future__ import annotations

from playwright.async_api import Page, Request, Response

from dyber_kit.browser.platforms import Calls
from dyber_kit.observing.metrics import Metrics

# Chromium reports these for a page that was left, and for an answer without a body, whose status was counted already.
_IGNORED_FAILURES = ("net::ERR_ABORTED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")


def count_requests(page: Page, calls: Calls, metrics: Metrics) -> None:
    """Count the further requests of a page by endpoint and by HTTP status, or `error` without an answer."""

    def answered(response: Response) -> None:
        if name := calls.endpoint(response.url, navigates=response.request.is_navigation_request()):
            metrics.upstream_request(name, response.status)

    def failed(request: Request) -> None:
        name = calls.endpoint(request.url, navigates=request.is_navigation_request())
        if name and request.failure not in _IGNORED_FAILURES:
            metrics.upstream_request(name, "error")

    page.on("response", answered)
    page.on("requestfailed", failed)
