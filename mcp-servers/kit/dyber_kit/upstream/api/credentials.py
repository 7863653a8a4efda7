"""Adds credentials to requests: keys, signatures, and tokens that are fetched and renewed."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import httpx2

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.upstream.sharing import SharedWork

if TYPE_CHECKING:
    from dyber_kit.upstream.api.client import ApiClient

logger = logging.getLogger("dyber.credentials")

#: Signs a request just before it is sent: sets headers, or replaces `request.url`. `request.content` is the body. Every
#: attempt is a new request and is signed anew, so that times and nonces are fresh.
Signer = Callable[[httpx2.Request], Awaitable[None] | None]
# Answers with which a platform refuses credentials. RFC 6749 has 400 and 401 for them.
_REFUSALS = {
    ErrorCode.LOGIN_REQUIRED, ErrorCode.LOGIN_EXPIRED, ErrorCode.ACCESS_RESTRICTED, ErrorCode.INVALID_ARGUMENT,
}  # fmt: skip
#: Puts a token into a request.
TokenPlacer = Callable[[httpx2.Request, str], None]


@dataclass(frozen=True)
class HeaderKey:
    """Signs requests with a key that does not change, in a header.

    Args:
        secret: The key.
        header: Name of the header.
        scheme: The word before the key; empty for none.
    """

    secret: str = field(repr=False)
    header: str = "Authorization"
    scheme: str = "Bearer"

    @property
    def identity(self) -> str:
        """Return a hash that stands for the key's owner."""
        return identity_of(self.secret)

    def __call__(self, request: httpx2.Request) -> None:
        """Set the header."""
        request.headers[self.header] = f"{self.scheme} {self.secret}".strip()


def identity_of(secret: str) -> str:
    """Return a short hash of a secret, to tell whose cached answers are whose without showing the secret."""
    return hashlib.sha256(f"dyber identity {secret}".encode()).hexdigest()[:16]


def bearer_token(request: httpx2.Request, token: str) -> None:
    """Put a token into the `Authorization` header; this is a TokenPlacer."""
    request.headers["Authorization"] = f"Bearer {token}"


def token_parameter(name: str) -> TokenPlacer:
    """Return a TokenPlacer that puts a token into the query parameter `name`."""

    def place(request: httpx2.Request, token: str) -> None:
        request.url = request.url.copy_set_param(name, token)

    return place


@dataclass(frozen=True)
class Token:
    """Holds a token that the platform issued.

    Attributes:
        value: The token.
        seconds: How long it is valid from now on, when the platform told.
    """

    value: str = field(repr=False)
    seconds: float | None = None


class TokenSource:
    """Keeps one valid token for all calls, and fetches a new one when it expires.

    Calls that need a token at the same time share one fetch. A failed fetch is reported to all of them, and, when the
    platform refused it, to the calls of the next `retry_seconds`, so that wrong credentials are not tried again and
    again.

    Args:
        fetch: Asks the platform for a token; it gets the client, and sends its request with `signed=False`.
        identity: Names the account for the cache, such as `identity_of(client_id)`; None caches nothing across clients.
        place: Puts the token into a request.
        early_seconds: How long before its end a token is replaced.
        retry_seconds: How long a refusal is remembered.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self,
        fetch: Callable[[ApiClient], Awaitable[Token]],
        *,
        identity: str | None = None,
        place: TokenPlacer = bearer_token,
        early_seconds: float = 60.0,
        retry_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.place = place
        self._fetch = fetch
        self._early_seconds = early_seconds
        self._retry_seconds = retry_seconds
        self._clock = clock
        self._sharing = SharedWork()
        self._token: str | None = None
        self._replace_at = float("inf")
        self._refusal: ServiceError | None = None
        self._refused_until = float("-inf")

    async def get(self, client: ApiClient) -> str:
        """Return a valid token.

        Raises:
            ServiceError: The platform issued none.
        """
        if self._token is not None and self._clock() < self._replace_at:
            return self._token
        if self._refusal is not None and self._clock() < self._refused_until:
            raise self._refusal
        return await self._sharing.run("token", lambda: self._renew(client))

    def expire(self, token: str) -> None:
        """Note that the platform refused `token`; a newer token stays, so that late refusals do not discard it."""
        if self._token == token:
            self._token = None

    async def _renew(self, client: ApiClient) -> str:
        try:
            token = await self._fetch(client)
        except ServiceError as error:
            if error.code not in _REFUSALS:
                raise
            refusal = ServiceError(
                ErrorCode.LOGIN_EXPIRED,
                tr_lazy("The platform issued no token: {cause}", cause=error.lazy_message),
                tr_lazy(
                    "Ask the operator to check the application's id and secret, to replace them and to deploy again"
                ),
                request_id=error.request_id,
            )
            self._refusal, self._refused_until = refusal, self._clock() + self._retry_seconds
            raise refusal from error
        self._refusal = None
        self._token = token.value
        # A token that is valid for a shorter time than `early_seconds` would be replaced before its first use.
        early = min(self._early_seconds, token.seconds / 2) if token.seconds is not None else 0.0
        self._replace_at = self._clock() + token.seconds - early if token.seconds is not None else float("inf")
        logger.info("token renewed", extra={"valid_seconds": token.seconds})
        return token.value


def client_credentials(
    path: str,
    client_id: str,
    client_secret: str,
    *,
    scope: str = "",
    credentials_in: Literal["header", "body"] = "header",
    place: TokenPlacer = bearer_token,
) -> TokenSource:
    """Return a source of tokens by OAuth 2.0 client credentials (RFC 6749, section 4.4).

    Args:
        path: Path or URL of the platform's token endpoint; a URL must be on the host of the client.
        client_id: Id of the application.
        client_secret: Secret of the application.
        scope: Scopes, separated by spaces; empty for the platform's default.
        credentials_in: Whether id and secret are sent by HTTP Basic authentication or as form fields.
        place: Puts the token into a request.
    """
    form = {"grant_type": "client_credentials"}
    if scope:
        form["scope"] = scope
    headers = {}
    if credentials_in == "body":
        form |= {"client_id": client_id, "client_secret": client_secret}
    else:
        basic = httpx2.BasicAuth(client_id, client_secret)
        signed = next(basic.auth_flow(httpx2.Request("POST", "http://localhost")))
        headers["Authorization"] = signed.headers["Authorization"]

    async def fetch(client: ApiClient) -> Token:
        answer = await client.post(path, form=form, headers=headers, has_effect=False, signed=False)
        return read_token(answer.at("access_token"), answer.at("expires_in"))

    return TokenSource(fetch, identity=identity_of(f"{client_id} {scope}"), place=place)


def read_token(value: object, seconds: object = None) -> Token:
    """Return a token from fields of an answer.

    Args:
        value: The token.
        seconds: How long it is valid; texts with a number, and missing values, are accepted.

    Raises:
        ServiceError: UPSTREAM_CHANGED when there is no token.
    """
    if not isinstance(value, str) or not value:
        raise ServiceError(ErrorCode.UPSTREAM_CHANGED, tr_lazy("The platform issued no token"))
    try:
        valid = float(seconds) if isinstance(seconds, (int, float, str)) else None
    except ValueError:
        valid = None
    return Token(value, valid if valid is not None and 0 < valid < float("inf") else None)
