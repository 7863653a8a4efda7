"""Verifies access tokens: signed ones (JWT, RFC 9068) with the keys of their identity provider, others by asking it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt

from dyber_hub.tokens.configuration import Introspection, Issuer
from dyber_hub.tokens.fetching import Documents
from dyber_hub.tokens.keys import KEY_TYPES, Keys
from dyber_hub.tokens.outcomes import AcceptedToken, RefusedToken, Unavailable
from dyber_hub.tokens.users import LEEWAY_SECONDS, accepted

LONGEST_TOKEN = 8192
#: How long an answer about a token without an end is used.
UNLIMITED_SECONDS = 300
_TYPES = {"", "jwt", "at+jwt", "application/at+jwt"}
_EXPIRED = (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError)
_log = logging.getLogger(__name__)


class _Provider:
    def __init__(self, issuer: Issuer, clock: Callable[[], float]) -> None:
        self.issuer = issuer
        self.documents = Documents(issuer)
        self.keys = Keys(issuer, self.documents, clock)


class Verifier:
    """Verifies tokens of some identity providers. `clock` measures the age of their keys."""

    def __init__(self, issuers: Sequence[Issuer], clock: Callable[[], float] = time.monotonic) -> None:
        self._providers = [_Provider(issuer, clock) for issuer in issuers]

    async def verify(self, token: str) -> AcceptedToken:
        """Return the caller whom a token identifies.

        Raises:
            RefusedToken: The token must not be accepted.
            Unavailable: Nothing can be said about the token now.
        """
        try:
            return await self._accepted(token)
        except (RefusedToken, Unavailable):
            raise
        except Exception as error:  # Whatever else is wrong with a token, it must not be accepted.
            # The error's text could quote the token.
            shown = RuntimeError(type(error).__name__).with_traceback(error.__traceback__)
            _log.error("A token could not be read", exc_info=shown)
            raise RefusedToken("login_invalid") from None

    async def aclose(self) -> None:
        """Close all connections to identity providers."""
        for provider in self._providers:
            await provider.documents.aclose()

    async def _accepted(self, token: str) -> AcceptedToken:
        if not token.isascii() or not token or len(token) > LONGEST_TOKEN:
            raise RefusedToken("login_invalid")
        header, claimed = _unverified(token)
        if header is None:
            return await self._introspected(token)
        provider = next((item for item in self._providers if item.issuer.url == claimed), None)
        if provider is None:
            raise RefusedToken("login_issuer")
        return accepted(provider.issuer, await self._verified(provider, token, header))

    async def _verified(self, provider: _Provider, token: str, header: Mapping[str, Any]) -> dict[str, Any]:
        """Return the claims of a JWT whose signature, issuer and times are right."""
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ", "")
        if not isinstance(algorithm, str) or algorithm not in KEY_TYPES or "crit" in header:
            raise RefusedToken("login_invalid")
        if not isinstance(kind, str) or kind.lower() not in _TYPES:
            raise RefusedToken("login_invalid")
        if key_id is not None and not isinstance(key_id, str):
            raise RefusedToken("login_invalid")
        key = await provider.keys.key(key_id, algorithm)
        try:
            return jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                issuer=provider.issuer.url,
                leeway=LEEWAY_SECONDS,
                # Which audience is right depends on the address of the call, which the gateway knows.
                options={"require": ["exp", "iss", "sub", "aud"], "verify_aud": False},
            )
        except _EXPIRED as error:
            raise RefusedToken("login_expired") from error
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise RefusedToken("login_invalid") from error

    async def _introspected(self, token: str) -> AcceptedToken:
        """Ask the identity providers about a token that is no JWT."""
        unavailable: Unavailable | None = None
        for provider in self._providers:
            if (how := provider.issuer.introspection) is None:
                continue
            try:
                answer = await self._ask(provider, how, token)
            except Unavailable as error:
                _log.warning("The identity provider %s was not asked: %s", provider.issuer.alias, error)
                unavailable = error
                continue
            if answer.get("active") is True:
                return accepted(provider.issuer, _checked(provider.issuer, answer))
        if unavailable is not None:
            raise unavailable
        raise RefusedToken("login_invalid")

    async def _ask(self, provider: _Provider, how: Introspection, token: str) -> Mapping[str, Any]:
        try:
            secret = how.secret()
        except OSError as error:
            raise Unavailable(f"{how.secret_file}: {error.strerror}") from error
        form = {"token": token, "token_type_hint": "access_token"}
        return await provider.documents.post(how.url, form, how.client_id, secret)


def _unverified(token: str) -> tuple[dict[str, Any] | None, Any]:
    """Return the header and the issuer that a JWT claims; None and None for a token that is no JWT."""
    if token.count(".") != 2:
        return None, None
    try:
        decoded = jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        return None, None
    return decoded["header"], decoded["payload"].get("iss")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _checked(issuer: Issuer, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims in the answer to an introspection, with an end. Raises RefusedToken."""
    now = time.time()
    ends, begins = answer.get("exp", now + UNLIMITED_SECONDS), answer.get("nbf", 0)
    if answer.get("iss", issuer.url) != issuer.url:
        raise RefusedToken("login_issuer")
    if not _is_time(ends) or not _is_time(begins):
        raise RefusedToken("login_invalid")
    if ends < now - LEEWAY_SECONDS or begins > now + LEEWAY_SECONDS:
        raise RefusedToken("login_expired")
    return {**answer, "exp": ends}
