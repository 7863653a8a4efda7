"""Maps a verified token to a configured client, its scopes and its audiences."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dyber_hub.tokens.configuration import Issuer
from dyber_hub.tokens.outcomes import AcceptedToken, RefusedToken

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
#: The longest name of a user that is kept as it is. A caller's name may have 64 characters with the alias.
LONGEST_NAME = 40
MOST_AUDIENCES = 20
#: By how much the clocks of the identity provider and of this machine may differ.
LEEWAY_SECONDS = 60
EVERYWHERE = "*"


def accepted(issuer: Issuer, claims: Mapping[str, Any]) -> AcceptedToken:
    """Return the caller whom verified claims identify.

    Raises:
        RefusedToken: The user has no permission here, or the token is not meant for anything here.
    """
    return AcceptedToken(
        client=_client(issuer, claims),
        scopes=_scopes(issuer, claims),
        audiences=_audiences(issuer, claims),
        expires=int(claims["exp"]) + LEEWAY_SECONDS,
    )


def safe_name(user: str) -> str:
    """Return a user's name in letters, digits and `._-`, at most 40 characters; different users have different names.

    A name that had to be changed ends with a hash of the original.
    """
    if not _UNSAFE.search(user) and len(user) <= LONGEST_NAME:
        return user
    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{_UNSAFE.sub('_', user)[: LONGEST_NAME - 13]}-{digest}"


def canonical(url: str) -> str | None:
    """Return an address in the form in which addresses are compared; None if it is no http address.

    The scheme and the host are in lower case, and the usual port and a slash at the end are left out.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}{'' if port in (None, usual) else f':{port}'}{parts.path.rstrip('/')}"


def _client(issuer: Issuer, claims: Mapping[str, Any]) -> str:
    """Return the caller's name: that of a configured client, or of a user with the permissions for other users."""
    for user in issuer.users:
        value = claims.get(user.claim)
        values = value if isinstance(value, list) else [value]
        unverified = user.claim == "email" and claims.get("email_verified") is False
        if user.value in values and not unverified:
            return user.client
    subject = claims.get("sub")
    if issuer.other_users is None or not isinstance(subject, str) or not subject:
        raise RefusedToken("login_user")
    # No configured client has a point in its name. Services know no other separator.
    return f"{issuer.alias}.{safe_name(subject)}"


def _scopes(issuer: Issuer, claims: Mapping[str, Any]) -> tuple[str, ...]:
    words = [word for claim in ("scope", "scp") for word in _words(claims.get(claim))]
    return tuple(dict.fromkeys(issuer.scopes[word] for word in words if word in issuer.scopes))


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split(" ")
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []


def _audiences(issuer: Issuer, claims: Mapping[str, Any]) -> tuple[str, ...]:
    value = claims.get("aud")
    audiences = [value] if isinstance(value, str) else value if isinstance(value, list) else []
    named = [audience for audience in audiences[:MOST_AUDIENCES] if isinstance(audience, str)]
    if issuer.audiences.intersection(named):
        return (EVERYWHERE,)
    addresses = tuple(address for audience in named if (address := canonical(audience)))
    if not addresses:
        raise RefusedToken("login_audience")
    return addresses
