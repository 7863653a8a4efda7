"""Defines the outcomes of verifying a token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Why a token is refused: see the texts of the same names in the gateway's table of errors.
Reason = Literal["login_invalid", "login_expired", "login_issuer", "login_user", "login_audience"]


class RefusedToken(Exception):
    """A token that must not be accepted; `reason` says why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class Unavailable(Exception):
    """The identity provider gives no keys or no answer, so nothing can be said about a token."""


@dataclass(frozen=True)
class AcceptedToken:
    """A token that is accepted.

    Attributes:
        client: The caller's name: that of a configured client, or `<alias>.<user>`.
        scopes: What the token allows, by the names of the gateway.
        audiences: The addresses for which the token is meant; `*` for every address of the gateway.
        expires: When it is no longer accepted, in seconds since 1970.
    """

    client: str
    scopes: tuple[str, ...]
    audiences: tuple[str, ...]
    expires: int
