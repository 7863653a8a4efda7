"""Requires two steps for a write: a dry run returns a token, and only the same call with that token is carried out."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy
from dyber_kit.observing.logs import current_request

#: Longest token accepted; give a tool's `confirmation` argument this `max_length`.
MAX_TOKEN_CHARS = 64
_NONCE_BYTES, _TIME_BYTES, _MAC_BYTES = 9, 8, 16
_USED_BEFORE = tr_lazy(
    "The operation of this confirmation token was submitted before and may have taken effect: have the user look on "
    "the platform first; when it certainly did not, begin again with dry_run=true"
)


@dataclass(frozen=True)
class Permit:
    """Permits one confirmed call to be carried out once. Spend it immediately before the write is submitted."""

    _spend: Callable[[], None]
    _give_back: Callable[[], None]

    def spend(self) -> None:
        """Use the confirmation up.

        Raises:
            ServiceError: CONFIRMATION_REQUIRED when another call with the same token was carried out first.
        """
        self._spend()

    def give_back(self) -> None:
        """Make the spent confirmation valid again, because nothing was submitted."""
        self._give_back()


class Confirmations:
    """Issues and checks confirmation tokens.

    A token is valid once, for one client (the gateway's `X-Dyber-Client`), one tool and exactly the same arguments,
    during `valid_seconds`. The key exists only in this process: a restart voids all tokens, and a service with write
    tools runs as one replica.
    """

    def __init__(self, valid_seconds: float = 300.0) -> None:
        self.valid_seconds = valid_seconds
        self._key = secrets.token_bytes(32)
        self._spent: dict[bytes, float] = {}

    def issue(self, tool: str, arguments: dict[str, Any]) -> str:
        """Return a token for this call; show it to the user together with what would be done.

        Args:
            tool: The tool's name.
            arguments: All arguments that determine the effect, without the dry-run switch and the token itself.
        """
        until = int((time.time() + self.valid_seconds) * 1000).to_bytes(_TIME_BYTES, "big")
        head = until + secrets.token_bytes(_NONCE_BYTES)
        return base64.urlsafe_b64encode(head + self._mac(head, tool, arguments)).rstrip(b"=").decode()

    def check(self, token: str, tool: str, arguments: dict[str, Any]) -> Permit:
        """Return the permit that `token` gives for this call, without using the token up.

        Raises:
            ServiceError: CONFIRMATION_REQUIRED; the message says whether the token is missing, expired, already used,
                or was issued for another call or client.
        """
        if not token:
            raise ServiceError(ErrorCode.CONFIRMATION_REQUIRED)
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        head, mac = raw[: _TIME_BYTES + _NONCE_BYTES], raw[_TIME_BYTES + _NONCE_BYTES :]
        if not hmac.compare_digest(mac, self._mac(head, tool, arguments)):
            raise ServiceError(
                ErrorCode.CONFIRMATION_REQUIRED,
                tr_lazy(
                    "The confirmation token belongs to another operation, other arguments or another client, or the "
                    "service has restarted"
                ),
            )
        now, until = time.time(), int.from_bytes(head[:_TIME_BYTES], "big") / 1000
        if now > until:
            raise ServiceError(ErrorCode.CONFIRMATION_REQUIRED, tr_lazy("The confirmation token has expired"))
        # A used token is remembered for twice its validity, because a permit may be spent after its token has expired.
        self._spent = {spent: end for spent, end in self._spent.items() if end + self.valid_seconds >= now}
        self._refuse_used(head)

        def spend() -> None:
            self._refuse_used(head)
            self._spent[head] = until

        def give_back() -> None:
            self._spent.pop(head, None)

        return Permit(spend, give_back)

    def redeem(self, token: str, tool: str, arguments: dict[str, Any]) -> None:
        """Check `token` and use it up at once, for writes that do not wait in a queue. Raises like `check`."""
        self.check(token, tool, arguments).spend()

    def _refuse_used(self, head: bytes) -> None:
        if head in self._spent:
            raise ServiceError(
                ErrorCode.CONFIRMATION_REQUIRED, tr_lazy("The confirmation token was used before"), _USED_BEFORE
            )

    def _mac(self, head: bytes, tool: str, arguments: dict[str, Any]) -> bytes:
        call = json.dumps(
            [current_request.get().client, tool, arguments], ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        return hmac.new(self._key, head + call.encode(), hashlib.sha256).digest()[:_MAC_BYTES]
