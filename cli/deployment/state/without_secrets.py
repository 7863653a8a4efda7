"""Replaces every secret of a state by a placeholder of the same form.

Equal secrets get equal placeholders. A secret cannot be computed from its placeholder, as the key that makes the
placeholders is not stored.
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
#: Text outside secrets may contain a shorter secret by chance, so only secrets of this length are replaced there.
SHORTEST = 12


def without_secrets(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """Return a deployment, as `pulumi stack export --show-secrets` prints it, with a placeholder for every secret.

    A secret that also occurs in other text is replaced there too. Raises StackError for a secret that is encrypted.
    """
    key = secrets.token_bytes(32)
    left_out = ("secrets_providers", "pending_operations")
    kept = {name: value for name, value in deployment.items() if name not in left_out}
    known = {text for text in _secret_texts(kept) if len(text) >= SHORTEST}
    # Longer secrets come first, as a secret may be a part of another one.
    replaced = {text: placeholder(key, text) for text in sorted(known, key=len, reverse=True)}
    return dict(_replaced(kept, key, replaced))


def placeholder(key: bytes, text: str) -> str:
    """Return the placeholder for a secret text; the same for the same text and key."""
    return "placeholder-" + hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:48]


def is_secret(value: Any) -> bool:
    """Tell whether a value of a state is one that Pulumi encrypts."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == IS_SECRET


def _replaced(value: Any, key: bytes, replaced: Mapping[str, str]) -> Any:
    if is_secret(value):
        return {
            SIGNATURE: IS_SECRET,
            "plaintext": json.dumps(_with_placeholders(_decrypted(value), key), ensure_ascii=False),
        }
    if isinstance(value, Mapping):
        return {name: _replaced(item, key, replaced) for name, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, key, replaced) for item in value]
    if isinstance(value, str):
        for text, instead in replaced.items():
            value = value.replace(text, instead)
    return value


def _with_placeholders(value: Any, key: bytes) -> Any:
    """Return a secret value with placeholders in place of its texts and zero in place of its numbers."""
    if isinstance(value, Mapping):
        return {name: _with_placeholders(item, key) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(item, key) for item in value]
    if isinstance(value, str):
        return placeholder(key, value) if value else ""
    return type(value)() if isinstance(value, int | float) else value


def _secret_texts(value: Any) -> Iterator[str]:
    if is_secret(value):
        yield from _texts(_decrypted(value))
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _secret_texts(item)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _decrypted(value: Mapping[str, Any]) -> Any:
    if "plaintext" not in value:
        raise StackError(
            tr("the state has a secret that was not decrypted, so no copy is made"),
            tr("check the passphrase: ./deploy.sh doctor"),
        )
    return json.loads(value["plaintext"])
