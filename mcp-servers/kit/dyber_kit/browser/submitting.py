"""Submits a write and determines its outcome: after the submit, only the platform's answer shows what was done."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import anyio
from playwright.async_api import Error, Page, Request, Response

from dyber_kit.browser.platforms import Platform
from dyber_kit.browser.visits import Visit, time_left
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy

logger = logging.getLogger("dyber.submitting")

#: How long the platform may take to answer a submit. A call that has less time left submits nothing.
ANSWER_SECONDS = 15.0
# Even a failed click may have made the page send a request.
_SETTLE_SECONDS = 0.5
_REQUEST_TIMEOUT = 408
_CHANGE_CONTENT_STEP = tr_lazy("Change the content as described")


class Submission:
    """Watches the page's POST to a call after a click.

    Args:
        page: The page.
        call: Part of the path of the call.
    """

    def __init__(self, page: Page, call: str) -> None:
        self.sent = False
        self._page = page
        self._call = call
        # The result is None when the request failed or the page was closed.
        self._response: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        self._listeners: dict[Any, Callable[[Any], None]] = {
            "request": self._on_request,
            "response": self._on_response,
            "requestfailed": self._on_failure,
            "crash": self._on_end,
            "close": self._on_end,
        }
        for event, listener in self._listeners.items():
            page.on(event, listener)

    async def answer(self) -> Response | None:
        """Return the platform's answer, or None when the request failed. Raises TimeoutError after ANSWER_SECONDS."""
        with anyio.fail_after(ANSWER_SECONDS):
            return await self._response

    def close(self) -> None:
        """Remove the listeners from the page."""
        for event, listener in self._listeners.items():
            self._page.remove_listener(event, listener)

    def _is_submit(self, request: Request) -> bool:
        return self._call in urlsplit(request.url).path and request.method == "POST"

    def _on_request(self, request: Request) -> None:
        self.sent = self.sent or self._is_submit(request)

    def _on_response(self, response: Response) -> None:
        if self._is_submit(response.request):
            self._end(response)

    def _on_failure(self, request: Request) -> None:
        if self._is_submit(request):
            self._end(None)

    def _on_end(self, _: object) -> None:
        self._end(None)

    def _end(self, response: Response | None) -> None:
        if not self._response.done():
            self._response.set_result(response)


@asynccontextmanager
async def submitted(
    visit: Visit,
    call: str,
    spend: Callable[[], None],
    wait_until_done: Callable[[], Awaitable[object]] | None = None,
    *,
    refused_step: Text | str = _CHANGE_CONTENT_STEP,
) -> AsyncIterator[None]:
    """Run the body, which makes the page submit, and wait for the platform's answer.

    Args:
        visit: The visit to the page.
        call: Part of the path of the page's POST.
        spend: Called immediately before the submit; uses the confirmation up.
        wait_until_done: Waits until the page shows that the write is done; called when the answer cannot be read.
        refused_step: The next step when the platform did not accept the content.

    Raises:
        ServiceError: TIMEOUT before the submit, when the call has too little time left; the platform's refusal;
            OUTCOME_UNKNOWN when the call was cancelled, ran out of time, lost the browser or was answered by a gateway
            after the submit may have been sent.
    """
    if time_left() < ANSWER_SECONDS:
        raise ServiceError(
            ErrorCode.TIMEOUT,
            tr_lazy("Waiting and opening the page used up the time of this call; nothing was submitted"),
            tr_lazy("Call again in the same way; send one request at a time"),
        )
    spend()
    submission = Submission(visit.page, call)
    try:
        try:
            yield
        except ServiceError as error:
            await asyncio.sleep(_SETTLE_SECONDS)
            if submission.sent or error.code is not ErrorCode.UPSTREAM_CHANGED:
                raise outcome_unknown(call, error) from error
            raise
        response = await submission.answer()
        if response is None:
            raise outcome_unknown(call, "the request failed")
        await _check_answer(visit.platform, call, response, wait_until_done, refused_step)
    except (Error, TimeoutError, anyio.get_cancelled_exc_class()) as error:
        raise outcome_unknown(call, error) from error
    finally:
        submission.close()


def outcome_unknown(call: str, reason: object) -> ServiceError:
    """Log why the outcome of a write is unknown, and return the error to report."""
    logger.warning("outcome of a write unknown", extra={"call": call, "reason": str(reason)[:200]})
    return ServiceError(ErrorCode.OUTCOME_UNKNOWN)


async def _check_answer(
    platform: Platform,
    call: str,
    response: Response,
    wait_until_done: Callable[[], Awaitable[object]] | None,
    refused_step: Text | str,
) -> None:
    if response.status >= 500 or response.status == _REQUEST_TIMEOUT:
        raise outcome_unknown(call, f"HTTP {response.status}")
    try:
        answer: Any = await response.json()
    except (Error, ValueError) as error:
        answer = None
        if response.status < 400 and wait_until_done is None:
            raise outcome_unknown(call, error) from error
    # An answer without JSON is no refusal here: the write may have been done.
    wall = platform.walls.of_answer(response.status, {} if answer is None else answer)
    if wall is not None and wall.code is ErrorCode.ACCESS_RESTRICTED and not wall.whole_account:
        message = tr_lazy("{title} did not accept it: {words}", title=platform.title, words=wall.shown)
        raise ServiceError(ErrorCode.ACCESS_RESTRICTED, message, refused_step)
    if wall is not None:
        raise wall.error()
    if answer is None and wait_until_done is not None:
        try:
            await wait_until_done()
        except ServiceError as error:
            raise outcome_unknown(call, error) from error
