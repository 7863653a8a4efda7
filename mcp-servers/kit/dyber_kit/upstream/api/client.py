"""Asks a platform's API: with credentials, within its limits, and with its refusals as the kit's errors."""

from __future__ import annotations

import inspect
import random
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import anyio
import httpx2

from dyber_kit.errors import ErrorCode, LocalRefusal, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.observing.metrics import Metrics
from dyber_kit.upstream.api.answers import ApiAnswer
from dyber_kit.upstream.api.conditional import KeptAnswer, KeptAnswers
from dyber_kit.upstream.api.credentials import Signer, TokenSource
from dyber_kit.upstream.api.errors import ErrorRules
from dyber_kit.upstream.api.in_flight import InFlight
from dyber_kit.upstream.api.quotas import Quota
from dyber_kit.upstream.api.rate_limits import RateLimit, RateLimits
from dyber_kit.upstream.api.requests import ApiLimits, ApiRequest, Parameters, Values, address, joined, same_origin
from dyber_kit.upstream.breaker import Breaker
from dyber_kit.upstream.cache import Cache
from dyber_kit.upstream.http import ENDPOINT, create_client

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 5
# Failures after which the platform was certainly not asked.
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
# Codes that do not tell whether a request took effect.
_UNCLEAR = {ErrorCode.UPSTREAM_UNREACHABLE, ErrorCode.UPSTREAM_CHANGED}
# Time that is left for reporting OUTCOME_UNKNOWN before the call's own deadline.
_REPORT_SECONDS = 0.5


class ApiClient:
    """Sends requests to a platform's API and returns its answers, or raises the kit's errors.

    Args:
        base_url: Address that the paths of requests follow, such as `https://api.github.com`.
        name: The platform; part of keys in the cache.
        signer: Adds credentials to every attempt, such as `HeaderKey(secret)`.
        tokens: Supplies tokens that expire; placed before the signer signs.
        identity: Names the account, so that processes of the same account share kept answers; by default that of the
            signer or of the tokens. Answers of an account without a name are kept for this client only.
        errors: How the platform refuses requests.
        headers: Headers of every request to the platform.
        limits: Limits of this client.
        cache: Where answers with an ETag are kept for conditional requests; None asks for the whole answer each time.
        breaker: Pauses all requests after the platform refused the account.
        allowed_hosts: Further hosts to which the platform may redirect; they get no credentials.
        proxy: `http://[user:password@]host:port` of a proxy.
        certificates: Certificates, in PEM form, of authorities that are trusted in addition to the system's.
        metrics: Where requests are counted.

    Raises:
        ValueError: `base_url` is not an address, or `certificates` has no certificates.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str = "api",
        signer: Signer | None = None,
        tokens: TokenSource | None = None,
        identity: str | None = None,
        errors: ErrorRules | None = None,
        headers: Mapping[str, str] | None = None,
        limits: ApiLimits | None = None,
        cache: Cache | None = None,
        breaker: Breaker | None = None,
        allowed_hosts: Sequence[str] = (),
        proxy: str | None = None,
        certificates: str | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._base = httpx2.URL(base_url)
        if self._base.scheme not in ("http", "https") or not self._base.host or self._base.query:
            raise ValueError(f"{base_url!r} is not an address such as https://api.example.com")
        self._signer = signer
        self._tokens = tokens
        self._errors = errors or ErrorRules()
        self._headers = {"accept": "application/json", **{key.lower(): value for key, value in (headers or {}).items()}}
        self._limits = limits or ApiLimits()
        self._breaker = breaker
        self._rate_limits = RateLimits()
        self._in_flight = InFlight(self._limits.in_flight, self._limits.queue_seconds, self._limits.patience_seconds)
        if identity is None and signer is None and tokens is None:
            identity = "anonymous"
        identity = identity or getattr(signer, "identity", None) or (tokens.identity if tokens else None)
        kept_for = identity or secrets.token_hex(8)
        self._kept = KeptAnswers(cache, name, kept_for, self._limits.keep_seconds) if cache else None
        self._http = create_client(
            [self._base.host, *allowed_hosts],
            metrics=metrics,
            timeout=self._limits.connect_seconds,
            max_bytes=self._limits.max_bytes,
            attempts=1,  # Each attempt is signed and paid for, which the transport cannot do.
            follow_redirects=False,
            proxy=proxy,
            certificates=certificates,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Close the connections at the end; this can be the lifespan of a service."""
        try:
            yield
        finally:
            await self.close()

    @property
    def rate_limits(self) -> list[RateLimit]:
        """Return the platform's limits as it last stated them, without asking it."""
        return self._rate_limits.states()

    async def get(
        self,
        path: str,
        values: Values | None = None,
        *,
        params: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
        quota: Quota | None = None,
        cost: int = 1,
        signed: bool = True,
    ) -> ApiAnswer:
        """Send a GET request; the arguments are those of `ApiRequest`. Raises like `send`."""
        return await self.send(
            ApiRequest(
                "GET", path, values or {}, params or {}, headers=headers or {}, quota=quota, cost=cost, signed=signed
            )
        )

    async def post(
        self,
        path: str,
        values: Values | None = None,
        *,
        params: Parameters | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        quota: Quota | None = None,
        cost: int = 1,
        has_effect: bool = True,
        signed: bool = True,
    ) -> ApiAnswer:
        """Send a POST request; the arguments are those of `ApiRequest`. Raises like `send`."""
        return await self.send(
            ApiRequest(
                "POST",
                path,
                values or {},
                params or {},
                json=json,
                form=form,
                headers=headers or {},
                quota=quota,
                cost=cost,
                has_effect=has_effect,
                signed=signed,
            )
        )

    async def send(self, request: ApiRequest) -> ApiAnswer:
        """Return the platform's successful answer to a request.

        Requests without effects are sent again after connection errors and 5xx answers, and after short rate limits. A
        token that the platform refuses is renewed once.

        Raises:
            ServiceError: What the platform's refusal means by the client's ErrorRules; RATE_LIMITED or QUOTA_EXHAUSTED,
                also without asking the platform when its limit is known to be used up; BUSY when too many requests
                wait; UPSTREAM_UNREACHABLE without an answer; OUTCOME_UNKNOWN when a request with effects may have taken
                effect. UPSTREAM_UNREACHABLE of a request with effects means that it certainly had none.
        """
        url = address(self._base, request)
        try:
            # The request for a token runs inside the guard of the request that needs the token.
            async with self._breaker.guard() if self._breaker and request.signed else nullcontext():
                return await self._with_attempts(request, url)
        except ServiceError as error:
            if request.changes_something and error.code is ErrorCode.UPSTREAM_UNREACHABLE:
                error.had_no_effect = True
            raise

    async def _with_attempts(self, request: ApiRequest, url: httpx2.URL) -> ApiAnswer:
        attempts = 1 if request.changes_something else self._limits.attempts
        renewals = 1
        attempt = 1
        while True:
            token = await self._tokens.get(self) if self._tokens and request.signed else None
            try:
                return await self._attempt(request, url, token)
            except ServiceError as error:
                if self._tokens and token and error.code is ErrorCode.LOGIN_EXPIRED and renewals:
                    renewals -= 1
                    self._tokens.expire(token)
                    continue
                if attempt >= attempts or not self._worth_another(error):
                    raise
                if error.code is ErrorCode.UPSTREAM_UNREACHABLE:
                    await anyio.sleep(error.retry_after or self._backoff(attempt))
                attempt += 1

    def _worth_another(self, error: ServiceError) -> bool:
        if isinstance(error, LocalRefusal) or error.code not in (
            ErrorCode.UPSTREAM_UNREACHABLE,
            ErrorCode.RATE_LIMITED,
        ):
            return False
        return (error.retry_after or 0) <= self._limits.patience_seconds

    def _backoff(self, attempt: int) -> float:
        return random.uniform(0, min(self._limits.retry_seconds * 2 ** (attempt - 1), self._limits.retry_seconds * 8))

    async def _attempt(self, request: ApiRequest, url: httpx2.URL, token: str | None) -> ApiAnswer:
        """Send the request once, and return its successful answer or raise what its refusal means."""
        async with self._in_flight.slot(lambda: self._rate_limits.seconds_to_wait(request.label)):
            first = self._build(request, url)
            key = self._kept.key(first) if self._kept and request.method == "GET" else ""
            kept = await self._kept.find(key) if self._kept and key else None
            async with _paying(request):
                answer, credentials = await self._exchange(request, first, kept, token)
        limit = self._rate_limits.learn(request.label, answer.headers)
        if answer.status == 304 and kept:
            if request.quota and request.quota.unchanged_is_free:
                await request.quota.add(-request.cost)
            return kept.answer(answer)
        error = await self._refusal(request, answer, credentials, limit)
        if error:
            raise error
        if self._kept and key:
            await self._kept.keep(key, answer)
        return answer

    async def _refusal(
        self, request: ApiRequest, answer: ApiAnswer, credentials: set[str], limit: RateLimit | None
    ) -> ServiceError | None:
        """Return the error that an answer means, after noting which limits are used up."""
        try:
            error = self._errors.error(answer, signed=request.signed and self._has_credentials, secrets=credentials)
        except ServiceError as unreadable:
            error = unreadable
        if error is None:
            return None
        has_reset = limit is not None and limit.remaining == 0 and limit.reset_seconds is not None
        if error.code is ErrorCode.RATE_LIMITED and error.retry_after and not has_reset:
            self._rate_limits.pause(error.retry_after)
        if error.code is ErrorCode.QUOTA_EXHAUSTED and request.quota:
            error.retry_after = await request.quota.refuse_until_reset(error.retry_after)
        if request.changes_something and error.code in _UNCLEAR and _may_have_worked(answer, error):
            return _outcome_unknown(answer.request_id)
        return error

    @property
    def _has_credentials(self) -> bool:
        return self._signer is not None or self._tokens is not None

    def _build(self, request: ApiRequest, url: httpx2.URL) -> httpx2.Request:
        return self._http.build_request(
            request.method,
            url,
            headers={**self._headers, **{key.lower(): value for key, value in request.headers.items()}},
            json=request.json,
            data=dict(request.form) if request.form is not None else None,
            extensions={ENDPOINT: request.label},
        )

    async def _exchange(
        self, request: ApiRequest, first: httpx2.Request, kept: KeptAnswer | None, token: str | None
    ) -> tuple[ApiAnswer, set[str]]:
        """Send a request and follow its redirects; return the answer and the credentials that were sent."""
        credentials = _body_secrets(request)
        hop, url = first, first.url
        seconds = self._seconds_left(request)
        try:
            with anyio.fail_after(seconds):
                for _ in range(_MOST_REDIRECTS + 1):
                    if same_origin(url, self._base):
                        hop.headers.update(kept.conditions() if kept and kept.url == str(url) else {})
                        credentials |= await self._sign(request, hop, token)
                    else:
                        _remove_own_headers(hop)
                    response = await self._send_hop(hop, redirected=hop is not first)
                    target = response.headers.get("location")
                    if response.status_code not in _REDIRECTS or not target or request.method not in ("GET", "HEAD"):
                        return self._read(response, url), credentials
                    url = joined(url, target)
                    hop = self._build(request, url)
            raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("The platform redirected again and again"))
        except TimeoutError as error:
            if request.changes_something:
                raise _outcome_unknown() from error
            raise ServiceError(
                ErrorCode.UPSTREAM_UNREACHABLE,
                tr_lazy("The platform did not finish its answer within {seconds:.0f} s", seconds=seconds),
            ) from error
        except ServiceError as error:
            if request.changes_something and error.code in _UNCLEAR and not isinstance(error.__cause__, _NOT_SENT):
                raise _outcome_unknown() from error
            raise

    def _seconds_left(self, request: ApiRequest) -> float:
        """Return the time for one attempt; one with effects ends before the call, to report that it is unclear."""
        seconds = self._limits.total_seconds
        if not request.changes_something:
            return seconds
        left = anyio.current_effective_deadline() - anyio.current_time() - _REPORT_SECONDS
        return min(seconds, max(left, 0.1))

    async def _send_hop(self, hop: httpx2.Request, redirected: bool) -> httpx2.Response:
        try:
            return await self._http.send(hop)
        except ServiceError as error:
            if redirected and error.code is ErrorCode.INVALID_ARGUMENT:
                # The platform chose this address, and not the caller.
                raise ServiceError(
                    ErrorCode.UPSTREAM_CHANGED,
                    tr_lazy("The platform redirected to another address: {cause}", cause=error.lazy_message),
                    tr_lazy("Ask the operator to check whether the platform's address is correct"),
                ) from error
            raise

    async def _sign(self, request: ApiRequest, hop: httpx2.Request, token: str | None) -> set[str]:
        """Add the credentials to a request and return those that a refusal could repeat."""
        if not request.signed:
            return set()
        before = {*hop.headers.values(), *hop.url.params.values()}
        if token and self._tokens:
            self._tokens.place(hop, token)
        if self._signer:
            signing = self._signer(hop)
            if inspect.isawaitable(signing):
                await signing
        after = {*hop.headers.values(), *hop.url.params.values()}
        return _sensitive(after - before)

    def _read(self, response: httpx2.Response, url: httpx2.URL) -> ApiAnswer:
        request_id = self._errors.request_id(response.headers, response.content)
        return ApiAnswer(response.status_code, response.headers, response.content, url, request_id)


@asynccontextmanager
async def _paying(request: ApiRequest) -> AsyncIterator[None]:
    """Count the cost of a request, and give it back when the platform was not asked."""
    if request.quota:
        await request.quota.spend(request.cost)
    try:
        yield
    except ServiceError as error:
        if request.quota and isinstance(error.__cause__, _NOT_SENT):
            await request.quota.add(-request.cost)
        raise


def _body_secrets(request: ApiRequest) -> set[str]:
    """Return the values of a request for a token, whose body and headers are the credentials."""
    if request.signed:
        return set()
    values = [*(request.form or {}).values(), *request.headers.values()]
    if isinstance(request.json, dict):
        values += [value for value in request.json.values() if isinstance(value, str)]
    return _sensitive(values)


def _sensitive(values: Iterable[str]) -> set[str]:
    """Return the values, also without a scheme such as `Bearer`, that are too long to be ordinary words."""
    return {part for value in values for part in (value, value.partition(" ")[2]) if len(part) >= 8}


def _remove_own_headers(request: httpx2.Request) -> None:
    """Remove what only the platform itself may see from a request that it redirected to another host."""
    for name in set(request.headers) - {"host", "accept", "accept-encoding", "user-agent", "connection"}:
        del request.headers[name]


def _may_have_worked(answer: ApiAnswer, error: ServiceError) -> bool:
    """Return whether a request may have taken effect; a 503 with a time to wait says that it was not handled."""
    return answer.status < 400 or (answer.status >= 500 and not (answer.status == 503 and error.retry_after))


def _outcome_unknown(request_id: str | None = None) -> ServiceError:
    return ServiceError(ErrorCode.OUTCOME_UNKNOWN, request_id=request_id)
