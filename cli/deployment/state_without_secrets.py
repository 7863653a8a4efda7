"""Replaces every secret of a state by a placeholder of the same form.

Two places that held the same secret hold the same placeholder; nobody can compute a secret from one, as the key that
placeholders are made with is thrown away.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from cli.system.errors import StackError
from messages import tr

#: Pulumi's mark of a secret in a state, and its value (sdk/go/common/resource).
SIGNATURE, IS_SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
#: Secrets that are shorter are too likely to be found by chance in text that is none.
SHORTEST = 12


def without_secrets(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment, as `pulumi stack export --show-secrets` prints it, with a placeholder for every secret.

    Text of a secret that is also found outside of secrets is replaced there too. Raises StackError for a secret that
    was not decrypted.
    """
    key = secrets.token_bytes(32)
    left_out = ("secrets_providers", "pending_operations")
    kept = {name: value for name, value in deployment.items() if name not in left_out}
    known = {text for text in _secret_texts(kept) if len(text) >= SHORTEST}
    # Longer ones first: a secret may be a part of another one.
    replaced = {text: placeholder(key, text) for text in sorted(known, key=len, reverse=True)}
    return dict(_replaced(kept, key, replaced))


def placeholder(key: bytes, text: str) -> str:
    """Return the placeholder for a secret text; the same for the same text and key."""
    return "placeholder-" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:48]


def is_secret(value: Any) -> bool:
    """Whether a value of a state is one that Pulumi keeps encrypted."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == IS_SECRET


def _replaced(value: Any, key: bytes, replaced: Mapping[str, str]) -> Any:
    if is_secret(value):
        return {SIGNATURE: IS_SECRET, "plaintext": json.dumps(_disguised(_decrypted(value), key), ensure_ascii=False)}
    if isinstance(value, Mapping):
        return {name: _replaced(below, key, replaced) for name, below in value.items()}
    if isinstance(value, list):
        return [_replaced(below, key, replaced) for below in value]
    if isinstance(value, str):
        for text, instead in replaced.items():
            value = value.replace(text, instead)
    return value


def _disguised(value: Any, key: bytes) -> Any:
    """A secret value with placeholders for its texts and nothing in place of its numbers."""
    if isinstance(value, Mapping):
        return {name: _disguised(below, key) for name, below in value.items()}
    if isinstance(value, list):
        return [_disguised(below, key) for below in value]
    if isinstance(value, str):
        return placeholder(key, value) if value else ""
    return type(value)() if isinstance(value, int | float) else value


def _secret_texts(value: Any) -> Iterator[str]:
    if is_secret(value):
        yield from _texts(_decrypted(value))
    elif isinstance(value, Mapping | list):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _secret_texts(below)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for below in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(below)


def _decrypted(value: Mapping[str, Any]) -> Any:
    if "plaintext" not in value:
        raise StackError(
            tr("the state has a secret that was not decrypted, so no copy is made"),
            tr("check the passphrase: ./deploy.sh doctor"),
        )
    return json.loads(value["plaintext"])
