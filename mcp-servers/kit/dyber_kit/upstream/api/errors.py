"""Turns refusals of an API platform into the kit's errors, with the platform's words and its id of the request."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2

from dyber_kit.errors import KINDS, ErrorCode, ServiceError
from dyber_kit.language import Text, tr_lazy
from dyber_kit.upstream.api.answers import ApiAnswer, value_at
from dyber_kit.upstream.api.rate_limits import read_rate_limit, read_retry_after
from dyber_kit.upstream.text import clean_text

#: Headers with a platform's id of a request, the most telling first.
REQUEST_ID_HEADERS = (
    "x-github-request-id", "x-request-id", "request-id", "x-amzn-requestid", "x-ms-request-id", "x-correlation-id",
    "x-trace-id", "x-tt-logid", "x-bili-trace-id", "cf-ray",
)  # fmt: skip
_MESSAGE_PLACES = (
    "message", "error_description", "error.message", "error", "errmsg", "msg", "Message", "detail", "title",
    "errors.0.message",
)  # fmt: skip
_STATUSES: dict[int, ErrorCode] = {
    400: ErrorCode.INVALID_ARGUMENT,
    402: ErrorCode.QUOTA_EXHAUSTED,
    403: ErrorCode.ACCESS_RESTRICTED,
    404: ErrorCode.NOT_FOUND,
    407: ErrorCode.NOT_CONFIGURED,
    408: ErrorCode.UPSTREAM_UNREACHABLE,
    409: ErrorCode.INVALID_ARGUMENT,
    410: ErrorCode.NOT_FOUND,
    413: ErrorCode.INVALID_ARGUMENT,
    414: ErrorCode.INVALID_ARGUMENT,
    422: ErrorCode.INVALID_ARGUMENT,
    425: ErrorCode.UPSTREAM_UNREACHABLE,
    429: ErrorCode.RATE_LIMITED,
    451: ErrorCode.ACCESS_RESTRICTED,
}
_CAUSES: dict[ErrorCode, Text] = {
    ErrorCode.LOGIN_EXPIRED: tr_lazy("The platform does not accept the key that was used"),
    ErrorCode.LOGIN_REQUIRED: tr_lazy("The platform asks for a key"),
    ErrorCode.UPSTREAM_UNREACHABLE: tr_lazy("The platform had an error"),
    ErrorCode.UPSTREAM_CHANGED: tr_lazy("The platform did not answer as agreed"),
    ErrorCode.INVALID_ARGUMENT: tr_lazy("The platform does not accept these arguments"),
}
#: Wait after a rate limit whose end the platform does not tell; GitHub asks for at least a minute.
UNKNOWN_WAIT_SECONDS = 60.0
_LONGEST_WORDS = 200


@dataclass(frozen=True)
class ErrorRules:
    """Describes how a platform refuses requests. The defaults fit platforms that use HTTP statuses.

    Attributes:
        statuses: Error codes by HTTP status, where they differ from the usual meaning.
        code_at: Where the JSON of every answer has the platform's code, such as `Code`; None when it has none.
        success: Values at `code_at` that mean success.
        codes: Error codes by the platform's codes; others become UPSTREAM_CHANGED with the platform's words.
        account_refusals: The platform's codes and HTTP statuses that refuse the account and not just one item; a
            breaker opens on them.
        message_at: Where the JSON has the platform's words; by default the usual places are tried.
        request_id_at: Where the JSON has the platform's id of the request, besides the usual headers.
        key_setting: Name of the setting with the platform's key, for messages.
    """

    statuses: Mapping[int, ErrorCode] = field(default_factory=dict)
    code_at: str | None = None
    success: Sequence[int | str] = (0,)
    codes: Mapping[int | str, ErrorCode] = field(default_factory=dict)
    account_refusals: Sequence[int | str] = ()
    message_at: str | None = None
    request_id_at: str | None = None
    key_setting: str | None = None

    def request_id(self, headers: httpx2.Headers, content: bytes = b"") -> str | None:
        """Return the platform's id of a request, made safe for messages and logs; None when it told none."""
        for name in REQUEST_ID_HEADERS:
            if value := headers.get(name):
                return _safe_id(value)
        if self.request_id_at:
            value = value_at(_json_or_none(content), self.request_id_at)
            return _safe_id(str(value)) if isinstance(value, (str, int)) else None
        return None

    def error(self, answer: ApiAnswer, *, signed: bool, secrets: Collection[str] = ()) -> ServiceError | None:
        """Return the error that an answer means, or None for success.

        Args:
            answer: The platform's answer.
            signed: Whether the request had credentials.
            secrets: Credentials that the platform's words may repeat and the message must not.

        Raises:
            ServiceError: UPSTREAM_CHANGED when an answer with a successful status is not JSON, but has to have a code.
        """
        succeeded = 200 <= answer.status < 300
        if succeeded and self.code_at is None:
            return None
        body = answer.json() if succeeded else _json_or_none(answer.content)
        platform_code = value_at(body, self.code_at) if self.code_at else None
        if succeeded and _same(platform_code, self.success):
            return None
        code = self._platform_code(platform_code) or self._status_code(answer, body, signed)
        return self._make(code, answer, platform_code, self._words(body, secrets))

    def _platform_code(self, value: Any) -> ErrorCode | None:
        for known, code in self.codes.items():
            if _same(value, (known,)):
                return code
        return None

    def _status_code(self, answer: ApiAnswer, body: Any, signed: bool) -> ErrorCode:
        if answer.status in self.statuses:
            return self.statuses[answer.status]
        if answer.status == 401:
            if signed:
                return ErrorCode.LOGIN_EXPIRED
            return ErrorCode.NOT_CONFIGURED if self.key_setting else ErrorCode.LOGIN_REQUIRED
        if answer.status == 403 and _is_rate_limit(answer, body):
            return ErrorCode.RATE_LIMITED
        if answer.status >= 500:
            return ErrorCode.UPSTREAM_UNREACHABLE
        return _STATUSES.get(answer.status, ErrorCode.UPSTREAM_CHANGED)

    def _make(self, code: ErrorCode, answer: ApiAnswer, platform_code: Any, words: str) -> ServiceError:
        request_id = answer.request_id
        known_as: Text | str = f"HTTP {answer.status}"
        if platform_code is not None:
            known_as = tr_lazy("code {code}", code=_safe_id(str(platform_code)))
        if request_id:
            known_as = tr_lazy("{sign}, the platform's request id {request_id}", sign=known_as, request_id=request_id)
        message = tr_lazy("{cause} ({sign})", cause=self._cause(code, answer.status), sign=known_as)
        if words:
            message = tr_lazy("{message}; the platform says: {words}", message=message, words=words)
        return ServiceError(
            code,
            message,
            self._next_step(code, answer.status),
            retry_after=_wait(code, answer.headers),
            whole_account=_same(platform_code, self.account_refusals) or answer.status in self.account_refusals,
            request_id=request_id,
        )

    def _words(self, body: Any, secrets: Collection[str]) -> str:
        """Return the platform's words as one cleaned line, or an empty text."""
        for place in (self.message_at,) if self.message_at else _MESSAGE_PLACES:
            words = value_at(body, place)
            if isinstance(words, str) and words.strip():
                detail = value_at(body, "errors.0.message")
                if isinstance(detail, str) and detail not in words:
                    words = f"{words}: {detail}"
                for secret in sorted(secrets, key=len):
                    words = words.replace(secret, "…")
                return re.sub(r"\s+", " ", clean_text(words, _LONGEST_WORDS).text)
        return ""

    def _cause(self, code: ErrorCode, status: int) -> Text:
        if code is ErrorCode.NOT_CONFIGURED:
            if status == 407:
                return tr_lazy("The proxy asks for a password")
            return tr_lazy("The platform asks for a key, and this service has none")
        return _CAUSES.get(code, KINDS[code].lazy_message)

    def _next_step(self, code: ErrorCode, status: int) -> Text | None:
        if status == 407:
            return tr_lazy("Ask the operator to write user name and password into the proxy's address")
        if code is ErrorCode.LOGIN_EXPIRED:
            if self.key_setting is None:
                return tr_lazy("Ask the operator to check whether the key is valid, to replace it and to deploy again")
            return tr_lazy(
                "Ask the operator to check whether the key {setting} is valid, to replace it and to deploy again",
                setting=self.key_setting,
            )
        if code in (ErrorCode.NOT_CONFIGURED, ErrorCode.LOGIN_REQUIRED):
            if self.key_setting is None:
                return tr_lazy("Ask the operator to set the key and to deploy again")
            return tr_lazy("Ask the operator to set the key {setting} and to deploy again", setting=self.key_setting)
        if code is ErrorCode.UPSTREAM_UNREACHABLE:
            return tr_lazy("Wait until the platform has recovered")
        return None


def _wait(code: ErrorCode, headers: httpx2.Headers) -> float | None:
    """Return the seconds after which the platform accepts such requests again, when that is known."""
    told = read_retry_after(headers)
    if code in (ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.QUOTA_EXHAUSTED):
        return told
    if code is not ErrorCode.RATE_LIMITED:
        return None
    limit = read_rate_limit(headers)
    reset = limit.reset_seconds if limit and limit.remaining == 0 else None
    waits = [seconds for seconds in (told, reset) if seconds is not None]
    return max(1.0, *waits) if waits else UNKNOWN_WAIT_SECONDS


def _is_rate_limit(answer: ApiAnswer, body: Any) -> bool:
    """Return whether a 403 means a rate limit, as GitHub answers for both of its kinds of limits."""
    limit = read_rate_limit(answer.headers)
    words = value_at(body, "message")
    return (
        (limit is not None and limit.remaining == 0)
        or read_retry_after(answer.headers) is not None
        or (isinstance(words, str) and "rate limit" in words.lower())
    )


def _same(value: Any, known: Sequence[int | str]) -> bool:
    """Return whether a platform's code is among the known ones; some platforms send numbers as text."""
    return value is not None and not isinstance(value, bool) and str(value) in {str(code) for code in known}


def _json_or_none(content: bytes) -> Any:
    try:
        return ApiAnswer(200, httpx2.Headers(), content, httpx2.URL()).json()
    except ServiceError:
        return None


def _safe_id(value: str) -> str | None:
    return re.sub(r"[^\w.:/+=-]", "", value, flags=re.ASCII)[:100] or None
