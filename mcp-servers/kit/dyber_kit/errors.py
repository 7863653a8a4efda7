"""Defines the failures that a service can foresee, each with a code, a message and a next step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from mcp.server.mcpserver.exceptions import ToolError

from dyber_kit.language import Text, tr, tr_lazy
from dyber_kit.times import SHANGHAI, duration

#: Key in the `_meta` of a failed answer with code, retryable, retry_after_seconds, retry_at, fields and
#: platform_request_id.
ERROR_META = "dyber/error"
_LONGEST_MESSAGE = 1000
_LONGEST_NEXT_STEP = 1000


class ErrorCode(StrEnum):
    """Names the cause of a failed call for programs; codes stay the same across releases."""

    LOGIN_REQUIRED = "LOGIN_REQUIRED"
    LOGIN_EXPIRED = "LOGIN_EXPIRED"
    NOT_FOUND = "NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    QUOTA_EXHAUSTED = "QUOTA_EXHAUSTED"
    CAPTCHA_REQUIRED = "CAPTCHA_REQUIRED"
    ACCESS_RESTRICTED = "ACCESS_RESTRICTED"
    UPSTREAM_CHANGED = "UPSTREAM_CHANGED"
    UPSTREAM_UNREACHABLE = "UPSTREAM_UNREACHABLE"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    CONFIRMATION_REQUIRED = "CONFIRMATION_REQUIRED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    READ_ONLY = "READ_ONLY"
    NOT_CONFIGURED = "NOT_CONFIGURED"
    TIMEOUT = "TIMEOUT"
    BUSY = "BUSY"
    INTERNAL = "INTERNAL"


@dataclass(frozen=True)
class ErrorKind:
    """Holds the defaults of a code: its texts for people, and its HTTP status for REST callers."""

    status: int
    lazy_message: Text
    lazy_next_step: Text
    retryable: bool

    @property
    def message(self) -> str:
        """Return what happened, in the language of the current request."""
        return str(self.lazy_message)

    @property
    def next_step(self) -> str:
        """Return what the reader should do now, in the language of the current request."""
        return str(self.lazy_next_step)


KINDS: dict[ErrorCode, ErrorKind] = {
    ErrorCode.LOGIN_REQUIRED: ErrorKind(
        401,
        tr_lazy("A login to the platform is required"),
        tr_lazy("Log in to the platform first, then try again"),
        False,
    ),
    ErrorCode.LOGIN_EXPIRED: ErrorKind(
        401,
        tr_lazy("The login to the platform is no longer valid"),
        tr_lazy("Log in to the platform again (scan a code or import new cookies), then try again"),
        False,
    ),
    ErrorCode.NOT_FOUND: ErrorKind(
        404,
        tr_lazy("The content does not exist or was deleted"),
        tr_lazy("Check the link or the id, or choose other content"),
        False,
    ),
    ErrorCode.RATE_LIMITED: ErrorKind(
        429,
        tr_lazy("The platform limits how often it may be accessed"),
        tr_lazy("Stop for now, and do not try again and again"),
        True,
    ),
    ErrorCode.QUOTA_EXHAUSTED: ErrorKind(
        429,
        tr_lazy("The platform's quota for this service is used up"),
        tr_lazy("Wait for the quota to be restored, or ask the operator to raise it; do not try again before that"),
        False,
    ),
    ErrorCode.CAPTCHA_REQUIRED: ErrorKind(
        403,
        tr_lazy("The platform asks for a human verification"),
        tr_lazy("Tell the user: open the platform in your own browser and complete the verification, then continue"),
        False,
    ),
    ErrorCode.ACCESS_RESTRICTED: ErrorKind(
        403,
        tr_lazy("The platform restricts access to this content"),
        tr_lazy("Check that the account may see this content, or choose other content"),
        False,
    ),
    ErrorCode.UPSTREAM_CHANGED: ErrorKind(
        502,
        tr_lazy("The platform's pages have changed and cannot be read"),
        tr_lazy("Update this service; if it is up to date, report the problem"),
        False,
    ),
    ErrorCode.UPSTREAM_UNREACHABLE: ErrorKind(
        502,
        tr_lazy("The platform cannot be reached"),
        tr_lazy("Check whether the server can reach the platform's website"),
        True,
    ),
    ErrorCode.INVALID_ARGUMENT: ErrorKind(
        422,
        tr_lazy("The arguments are not correct"),
        tr_lazy("Correct the arguments as described, then try again"),
        False,
    ),
    ErrorCode.CONFIRMATION_REQUIRED: ErrorKind(
        409,
        tr_lazy("This operation changes something on the platform and has to be confirmed first"),
        tr_lazy(
            "Call with dry_run=true first and show the result to the user; when the user agrees, call again with "
            "dry_run=false, the same other arguments and the confirmation token that was returned"
        ),
        False,
    ),
    # 424 is used for this code only, and no client or proxy retries it automatically.
    ErrorCode.OUTCOME_UNKNOWN: ErrorKind(
        424,
        tr_lazy("The operation was submitted, but its outcome was not seen; it may have taken effect"),
        tr_lazy(
            "Have the user look on the platform whether it took effect; do not repeat it before it is certain that it "
            "did not, to avoid a duplicate"
        ),
        False,
    ),
    ErrorCode.READ_ONLY: ErrorKind(
        403,
        tr_lazy("This service is read-only"),
        tr_lazy(
            "If writing is really needed, ask the operator to set DYBER_READ_ONLY=false for this service and to deploy "
            "it again"
        ),
        False,
    ),
    ErrorCode.NOT_CONFIGURED: ErrorKind(
        503,
        tr_lazy("The service lacks a setting that it needs"),
        tr_lazy(
            "Ask the operator to add the missing setting or secret as the service's README says, and to deploy it again"
        ),
        False,
    ),
    ErrorCode.TIMEOUT: ErrorKind(
        504,
        tr_lazy("The operation took too long"),
        tr_lazy("Ask for less, or wait until the platform has recovered"),
        True,
    ),
    ErrorCode.BUSY: ErrorKind(503, tr_lazy("The service is busy"), tr_lazy("Send one request at a time"), True),
    ErrorCode.INTERNAL: ErrorKind(
        500,
        tr_lazy("The service had an internal error"),
        tr_lazy("Look at the service's log; if it happens again, report the problem"),
        False,
    ),
}


class ServiceError(ToolError):
    """Reports a foreseen failure to agents and REST callers, with the next step.

    Its texts are translated when they are read, because callers with different languages can get the same error.

    Args:
        code: The kind of failure; it supplies the defaults of the other arguments.
        message: What happened, without internals or secrets; cut after 1000 characters.
        next_step: What the reader should do now; the time to wait is in `retry_after` only.
        retry_after: Seconds after which a retry can help, when known; also sent as the `Retry-After` header.
        whole_account: For ACCESS_RESTRICTED: whether the platform refuses the account, and not just one item.
        status: HTTP status for REST callers; defaults to that of the code.
        request_id: The platform's id of the refused request, with which its operators can find the cause.
        fields: For INVALID_ARGUMENT: the names of the arguments that have to be changed.
    """

    #: Whether the request that failed certainly changed nothing on the platform.
    had_no_effect = False

    def __init__(
        self,
        code: ErrorCode,
        message: Text | str | None = None,
        next_step: Text | str | None = None,
        *,
        retry_after: float | None = None,
        whole_account: bool = False,
        status: int | None = None,
        request_id: str | None = None,
        fields: Sequence[str] = (),
    ) -> None:
        kind = KINDS[code]
        self.code = code
        self.lazy_message = message or kind.lazy_message
        self.lazy_next_step = next_step or kind.lazy_next_step
        # The operation may have taken effect, so nothing may suggest a retry.
        self.retry_after = None if code is ErrorCode.OUTCOME_UNKNOWN else retry_after
        self.whole_account = whole_account
        self.status = status or kind.status
        self.request_id = request_id
        self.fields = tuple(fields)
        super().__init__(str(code))

    def __str__(self) -> str:
        return self.text

    @property
    def message(self) -> str:
        """Return what happened, in the language of the current request."""
        return _cut(str(self.lazy_message), _LONGEST_MESSAGE)

    @property
    def next_step(self) -> str:
        """Return what the reader should do now, in the language of the current request."""
        return _cut(str(self.lazy_next_step), _LONGEST_NEXT_STEP)

    @property
    def retryable(self) -> bool:
        """Return whether the same call can succeed later."""
        return KINDS[self.code].retryable or self.retry_after is not None

    @property
    def text(self) -> str:
        """Return one line for a model: the code, the cause, the next step, and when a retry can help."""
        return tr(
            "{code}: {message}. Next step: {next_step} ({when})",
            code=self.code,
            message=self.message,
            next_step=self.next_step,
            when=self._when(),
        )

    @property
    def details(self) -> dict[str, Any]:
        """Return the error for programs, as the value of ERROR_META in an answer."""
        content: dict[str, Any] = {"code": str(self.code), "retryable": self.retryable}
        if self.retry_after is not None:
            content["retry_after_seconds"] = math.ceil(self.retry_after)
            content["retry_at"] = self._retry_at().isoformat(timespec="seconds")
        if self.fields:
            content["fields"] = list(self.fields)
        if self.request_id is not None:
            content["platform_request_id"] = self.request_id
        return content

    def _when(self) -> str:
        if self.retry_after is None:
            return tr("try again later") if self.retryable else tr("the same call will not succeed")
        until, now = self._retry_at(), datetime.now(SHANGHAI)
        clock = until.strftime("%H:%M" if until.date() == now.date() else "%m-%d %H:%M")
        return tr(
            "try again in {duration}, at {clock} China Standard Time", duration=duration(self.retry_after), clock=clock
        )

    def _retry_at(self) -> datetime:
        return datetime.now(SHANGHAI) + timedelta(seconds=math.ceil(self.retry_after or 0))


class LocalRefusal(ServiceError):
    """Reports that this service's own queue or breaker refused a call; the platform was not asked."""

    had_no_effect = True


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
