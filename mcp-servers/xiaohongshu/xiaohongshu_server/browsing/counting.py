"""Counts what opened pages ask the site for: the pages themselves and the data calls of their scripts."""

from __future__ import annotations

from urllib.parse import urlsplit

from dyber_kit import Metrics
from playwright.async_api import Page, Request, Response

_API_PATH = "/api/sns/web/"
# Every name is a time series of its own, so that the site's other calls share one.
_CALLS = (
    "search/notes", "search/recommend", "search/querytrending", "homefeed", "feed", "user_posted", "user/otherinfo",
    "user/me", "comment/page", "comment/sub/page", "comment/post", "note/like", "note/collect",
)  # fmt: skip
# How Chromium ends what we left, and what was answered without a body; the latter has been counted by its status.
_NO_FAILURES = ("net::ERR_ABORTED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")


def count_requests(page: Page, metrics: Metrics) -> None:
    """Count the page's requests from now on, by endpoint and HTTP status, or `error` without an answer."""

    def answered(response: Response) -> None:
        if name := endpoint(response.url, navigates=response.request.is_navigation_request()):
            metrics.upstream_request(name, response.status)

    def failed(request: Request) -> None:
        name = endpoint(request.url, navigates=request.is_navigation_request())
        if name and request.failure not in _NO_FAILURES:
            metrics.upstream_request(name, "error")

    page.on("response", answered)
    page.on("requestfailed", failed)


def endpoint(url: str, *, navigates: bool) -> str | None:
    """`page` for a page, the call's name or `other` for a data call, None for all else (scripts, pictures)."""
    if navigates:
        return "page"
    path = urlsplit(url).path
    if not path.startswith(_API_PATH):
        return None
    return next((name for name in _CALLS if path.endswith(f"/{name}")), "other")
