"""Holds the public keys with which an identity provider signs its tokens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import jwt

from dyber_hub.tokens.configuration import Issuer
from dyber_hub.tokens.fetching import Documents
from dyber_hub.tokens.outcomes import RefusedToken, Unavailable

#: For how long keys are used without asking again.
FRESH_SECONDS = 600.0
#: The shortest time between two requests, however many tokens name unknown keys.
PAUSE_SECONDS = 30.0
#: The same while there are no keys at all.
FIRST_PAUSE_SECONDS = 2.0
SMALLEST_RSA_BITS = 2048
#: The accepted algorithms, each with the type of its keys. Never `none` and none with shared secrets.
KEY_TYPES = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_log = logging.getLogger(__name__)


class Keys:
    """The keys of an identity provider, fetched again when they are old or a token names an unknown one.

    While the identity provider does not answer, the last keys stay in use.
    """

    def __init__(self, issuer: Issuer, documents: Documents, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._documents = documents
        self._clock = clock
        self._keys: tuple[jwt.PyJWK, ...] = ()
        self._fetched = self._tried = float("-inf")
        self._fetching = asyncio.Lock()

    async def key(self, key_id: str | None, algorithm: str) -> jwt.PyJWK:
        """Return the key with this id for an algorithm; without an id, the only key for it.

        Raises:
            RefusedToken: There is no such key.
            Unavailable: There are no keys at all.
        """
        if self._clock() - self._fetched > FRESH_SECONDS:
            await self._refresh()
        if (key := self._find(key_id, algorithm)) is None:
            await self._refresh()
            key = self._find(key_id, algorithm)
        if key is not None:
            return key
        if not self._keys:
            raise Unavailable(f"no keys of {self._issuer.alias}")
        raise RefusedToken("login_invalid")

    def _find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        fitting = [key for key in self._keys if _fits(key, algorithm)]
        if key_id is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.key_id == key_id), None)

    async def _refresh(self) -> None:
        asked = self._clock()
        async with self._fetching:
            # Another token's request may have ended in the meantime.
            pause = PAUSE_SECONDS if self._keys else FIRST_PAUSE_SECONDS
            if self._tried >= asked or self._clock() - self._tried < pause:
                return
            self._tried = self._clock()
            try:
                keys = await self._fetch()
            except Unavailable as error:
                _log.warning("The keys of the identity provider %s could not be fetched: %s", self._issuer.alias, error)
                return
            self._keys, self._fetched = keys, self._clock()

    async def _fetch(self) -> tuple[jwt.PyJWK, ...]:
        address = self._issuer.jwks_uri or await self._address()
        document = await self._documents.get(address)
        entries = document.get("keys")
        keys = [key for entry in entries if (key := _usable(entry))] if isinstance(entries, list) else []
        if not keys:
            raise Unavailable("the identity provider has no usable key")
        return tuple(keys)

    async def _address(self) -> str:
        """Return where the keys are, from the metadata of the identity provider."""
        parts = urlsplit(self._issuer.url)
        path = parts.path.rstrip("/")
        root = f"{parts.scheme}://{parts.netloc}"
        places = [
            f"{root}{path}/.well-known/openid-configuration",
            f"{root}/.well-known/oauth-authorization-server{path}",
        ]
        failure = Unavailable("no metadata")
        for place in places:
            try:
                metadata = await self._documents.get(place)
            except Unavailable as error:
                failure = error
                continue
            address = metadata.get("jwks_uri")
            if metadata.get("issuer") != self._issuer.url or not isinstance(address, str):
                raise Unavailable("the metadata of the identity provider is for another issuer, or names no keys")
            if urlsplit(address).scheme != "https" and urlsplit(address).netloc != parts.netloc:
                raise Unavailable("the identity provider's keys are at an address without HTTPS")
            return address
        raise failure


def _usable(entry: Any) -> jwt.PyJWK | None:
    """Return a public key for signatures; None for any other entry of the set."""
    if not isinstance(entry, Mapping) or entry.get("kty") not in KEY_TYPES.values() or entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK(dict(entry))
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return None if entry["kty"] == "RSA" and key.key.key_size < SMALLEST_RSA_BITS else key


def _fits(key: jwt.PyJWK, algorithm: str) -> bool:
    data = key._jwk_data
    curve = {"ES256": "P-256"}.get(algorithm)
    declared = data.get("alg", algorithm)
    same = declared == algorithm or (algorithm == "EdDSA" and declared == "Ed25519")
    return data["kty"] == KEY_TYPES[algorithm] and same and (curve is None or data.get("crv") == curve)
