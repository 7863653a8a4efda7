"""Describes why a service gave no answer, and turns that into an answer that the model can read.

A failed call is an ordinary result with an error text, because that is all that clients show to the model. Requests that
have no such form are answered with an error of the protocol and HTTP status 503.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any

from dyber_kit.errors import ERROR_META
from dyber_kit.language import Text, using_language
from dyber_kit.serving.mcp.exchanges import UnavailableError

from dyber_hub.catalogue import Item
from dyber_hub.texts import tr_lazy

#: Key in the `_meta` of a failed answer with the same as ERROR_META, by which the errors of services are found too; some
#: clients know this one only.
FAILURE_META = "cn.dyberpet/error"
#: Seconds to wait when nothing better is known.
RETRY_SECONDS = 5
_LONGEST_WAIT = 3600


class Reason(StrEnum):
    """Names why there is no answer; those that the gateway knows too have the codes of its errors."""

    SERVICE_DOWN = "service_down"
    CIRCUIT_OPEN = "circuit_open"
    SERVICE_TIMEOUT = "service_timeout"
    RATE_LIMITED = "rate_limited"
    BUSY = "busy"
    GATEWAY_DOWN = "gateway_down"
    CONNECTION_LOST = "connection_lost"
    REFUSED = "refused"
    BAD_ANSWER = "bad_answer"


_STATUSES = {
    429: Reason.RATE_LIMITED,
    502: Reason.SERVICE_DOWN,
    503: Reason.SERVICE_DOWN,
    504: Reason.SERVICE_TIMEOUT,
}
#: Failures after which the call may have been carried out, so that nothing may suggest to repeat it.
_MAY_HAVE_RUN = {Reason.SERVICE_TIMEOUT, Reason.CONNECTION_LOST, Reason.BAD_ANSWER}
#: Failures that no program should repeat a call after by itself: the gateway does not tell the hub whether a call reached
#: a service that ended then.
_NOT_TO_BE_REPEATED = _MAY_HAVE_RUN | {Reason.SERVICE_DOWN}


class Failure(Exception):
    """Reports that a service gave no answer to a request.

    Args:
        reason: Why not.
        service: Name of the service.
        retry_after: Seconds after which a retry can help.
        request_id: The id under which the gateway's log has the request.
    """

    def __init__(self, reason: Reason, service: str, request_id: str, retry_after: int = RETRY_SECONDS) -> None:
        super().__init__(reason)
        self.reason = reason
        self.service = service
        self.request_id = request_id
        self.retry_after = min(max(1, retry_after), _LONGEST_WAIT)

    @classmethod
    def of_response(cls, status: int, retry_after: str, body: bytes, service: str, request_id: str) -> Failure:
        """Return the failure that the gateway's answer to a request for a service means.

        Args:
            status: HTTP status.
            retry_after: The header Retry-After; "" when it is missing.
            body: The body, in which the gateway's own errors have a `code`.
            service: Name of the service.
            request_id: Id of the request.
        """
        try:
            code = json.loads(body).get("code")
            reason = Reason(code)
        except (ValueError, AttributeError, RecursionError):
            reason = _STATUSES.get(status, Reason.REFUSED if 400 <= status < 500 else Reason.BAD_ANSWER)
        return cls(reason, service, request_id, int(retry_after) if retry_after.isdecimal() else RETRY_SECONDS)

    @property
    def text(self) -> str:
        """Return what happened and what to do now, in Chinese and in English."""
        text = self._text()
        with using_language("zh"):
            chinese = str(text)
        with using_language("en"):
            return f"{chinese}\n{text}"

    @property
    def details(self) -> Item:
        """Return the failure for programs."""
        details: Item = {
            "code": str(self.reason),
            "retryable": self.reason not in _NOT_TO_BE_REPEATED,
            "retry_after_seconds": self.retry_after,
            "service": self.service,
            "request_id": self.request_id,
        }
        return {ERROR_META: details, FAILURE_META: details}

    def result(self) -> Item:
        """Return the failure as the result of a call of a tool."""
        return {"content": [{"type": "text", "text": self.text}], "isError": True, "_meta": self.details}

    def error(self) -> UnavailableError:
        """Return the failure as an error of the protocol."""
        return UnavailableError(self.text, self.retry_after, self.details)

    def _text(self) -> Text:
        values: dict[str, Any] = {"service": self.service, "seconds": self.retry_after}
        if self.reason is Reason.RATE_LIMITED:
            return tr_lazy("Too many calls of {service} at once; nothing was done. Try again in {seconds} s", **values)
        if self.reason is Reason.BUSY:
            return tr_lazy(
                "The service {service} is still busy with earlier calls, and the hub passes no more on for now; nothing "
                "was done. Try again in {seconds} s",
                **values,
            )
        if self.reason is Reason.CIRCUIT_OPEN:
            return tr_lazy(
                "The service {service} did not answer several calls in a row and is not called for now; nothing was "
                "done. Try again in {seconds} s",
                **values,
            )
        if self.reason is Reason.GATEWAY_DOWN:
            return tr_lazy(
                "The service {service} cannot be called, because the gateway does not answer; nothing was done. Try "
                "again in {seconds} s",
                **values,
            )
        if self.reason is Reason.REFUSED:
            return tr_lazy(
                "The gateway did not let the hub call {service}; nothing was done. Try again in {seconds} s; if it stays "
                "so, ask the operator to run ./deploy.sh doctor",
                **values,
            )
        if self.reason in _MAY_HAVE_RUN:
            return tr_lazy(
                "The service {service} gave no answer ({reason}); the call may have been carried out all the same. "
                "Look at the outcome before you repeat anything that writes; try again in {seconds} s",
                reason=str(self.reason),
                **values,
            )
        return tr_lazy(
            "The service {service} is not running or cannot be reached; nothing was done. Try again in {seconds} s. "
            "The other services are not affected",
            **values,
        )
