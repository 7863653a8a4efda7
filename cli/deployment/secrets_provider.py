"""Finds which secrets provider encrypts a stack's secrets, from the stack's file or for a new stack."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.schema.problems import ConfigurationError

if TYPE_CHECKING:
    from pulumi import automation as auto

VARIABLE = "DYBER_SECRETS_PROVIDER"
PASSPHRASE = "passphrase"
#: Types of secrets providers in a state whose secrets another provider can encrypt anew.
TYPES = ("passphrase", "cloud")
KEY_SERVICES = ("awskms", "azurekeyvault", "gcpkms", "hashivault")


def recorded(file: Path) -> str | None:
    """Return the provider in a stack's file: the URL of a key service, or `passphrase`.

    The result is None if the file names no provider, as that of a stack that does not exist yet.
    """
    content = _content(file)
    provider = content.get("secretsprovider") or (PASSPHRASE if content.get("encryptionsalt") else None)
    return None if provider == "default" else provider


def for_new_stack(file: Path) -> str | None:
    """Return the provider for a new stack: that in its file, else DYBER_SECRETS_PROVIDER, else None.

    None means Pulumi's default. Raises ConfigurationError for an unknown provider.
    """
    provider, origin = recorded(file), file.name
    if provider is None:
        provider, origin = os.environ.get(VARIABLE), VARIABLE
    if not provider or provider == "default":
        return None
    if provider != PASSPHRASE and provider.partition("://")[0] not in KEY_SERVICES:
        known = ", ".join([PASSPHRASE, *(f"{scheme}://…" for scheme in KEY_SERVICES)])
        raise ConfigurationError(
            f"{origin}: 不认识的机密提供者 / unknown secrets provider: {provider!r}; 可用 / known: {known}"
        )
    return provider


def options(file: Path) -> auto.LocalWorkspaceOptions:
    """Return the options for opening a stack that may have to be created.

    Without them, Pulumi would use a passphrase in place of the provider that the file names.
    """
    from pulumi import automation as auto

    return auto.LocalWorkspaceOptions(secrets_provider=for_new_stack(file))


def in_state(file: Path) -> dict[str, Any]:
    """Return the secrets provider of the stack's file in the form that a state has."""
    content = _content(file)
    if recorded(file) == PASSPHRASE:
        return {"type": "passphrase", "state": {"salt": content["encryptionsalt"]}}
    return {"type": "cloud", "state": {"url": content["secretsprovider"], "encryptedkey": content["encryptedkey"]}}


def _content(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
