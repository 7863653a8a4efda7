"""Counts the requests of opened pages to the site: the pages themselves and the data calls of their scripts."""

from __future__ import annotations

from urllib.parse import urlsplit

from dyber_kit import Metrics
from playwright.async_api import Page, Request, Response

_API_PATH = "/api/sns/web/"
# Each of these names is a time series in the metrics; all other data calls are counted as `other`.
_CALLS = (
    "search/notes", "search/recommend", "search/querytrending", "homefeed", "feed", "user_posted", "user/otherinfo",
    "user/me", "comment/page", "comment/sub/page", "comment/post", "note/like", "note/collect",
)  # fmt: skip
# Chromium reports these for a page that was left, and for an answer without a body, whose status was counted already.
_IGNORED_FAILURES = ("net::ERR_ABORTED", "net::ERR_HTTP_RESPONSE_CODE_FAILURE")


def count_requests(page: Page, metrics: Metrics) -> None:
    """Count the further requests of a page by endpoint and by HTTP status, or `error` without an answer."""

    def answered(response: Response) -> None:
        if name := endpoint(response.url, navigates=response.request.is_navigation_request()):
            metrics.upstream_request(name, response.status)

    def failed(request: Request) -> None:
        name = endpoint(request.url, navigates=request.is_navigation_request())
        if name and request.failure not in _IGNORED_FAILURES:
            metrics.upstream_request(name, "error")

    page.on("response", answered)
    page.on("requestfailed", failed)


def endpoint(url: str, *, navigates: bool) -> str | None:
    """Return `page` for a page, the name or `other` for a data call, and None for scripts, pictures and so on."""
    if navigates:
        return "page"
    path = urlsplit(url).path
    if not path.startswith(_API_PATH):
        return None
    return next((name for name in _CALLS if path.endswith(f"/{name}")), "other")
