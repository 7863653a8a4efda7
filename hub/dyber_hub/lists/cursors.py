"""Makes and checks the cursors of lists that need several pages; they are signed, so that none can be invented."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

_LONGEST = 512
_SIGNATURE_BYTES = 16
_MARK_BYTES = 16


class Cursors:
    """Makes cursors, and finds the place that a cursor means.

    A cursor names the last item of the page before, so it stays valid when other items come or go. All replicas with the
    same secret accept each other's cursors.

    Args:
        secret: What the signature is made with.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"cursors of the hub's lists", hashlib.sha256)

    def after(self, kind: str, last: str) -> str:
        """Return the cursor of the page that follows an item.

        Args:
            kind: What is listed, and at which address; a cursor is valid only for the same kind.
            last: Key of the item, such as the tool's name.
        """
        mark = _mark(last)
        return base64.urlsafe_b64encode(self._signature(kind, mark) + mark).rstrip(b"=").decode()

    def start(self, kind: str, cursor: str, keys: Sequence[str]) -> int | None:
        """Return the index at which the cursor's page begins.

        Args:
            kind: What is listed, as given to `after`.
            cursor: The client's cursor.
            keys: Keys of all items, in order.

        Returns:
            None for a cursor that is not of this kind, or whose item is not in the list any more.
        """
        if not 0 < len(cursor) <= _LONGEST:
            return None
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        signature, mark = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(kind, mark)):
            return None
        return next((index + 1 for index, key in enumerate(keys) if _mark(key) == mark), None)

    def _signature(self, kind: str, mark: bytes) -> bytes:
        return hmac.digest(self._key, kind.encode() + b"\0" + mark, hashlib.sha256)[:_SIGNATURE_BYTES]


def _mark(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:_MARK_BYTES]
