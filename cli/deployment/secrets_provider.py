"""Which secrets provider encrypts a stack's secrets: its file says, as Pulumi writes it; for a new stack it is chosen."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from infra.schema.problems import ConfigurationError
from messages import tr

if TYPE_CHECKING:
    from pulumi import automation as auto

VARIABLE = "DYBER_SECRETS_PROVIDER"
PASSPHRASE = "passphrase"
#: What a state calls its secrets provider, where its secrets can be encrypted anew by another one.
TYPES = ("passphrase", "cloud")
KEY_SERVICES = ("awskms", "azurekeyvault", "gcpkms", "hashivault")


def recorded(file: Path) -> str | None:
    """What a stack's file says: a key service's URL or `passphrase`; None where it says nothing, as that of a stack
    not yet made."""
    content = _content(file)
    provider = content.get("secretsprovider") or (PASSPHRASE if content.get("encryptionsalt") else None)
    return None if provider == "default" else provider


def for_new_stack(file: Path) -> str | None:
    """What a new stack's file says, else DYBER_SECRETS_PROVIDER; None leaves it to Pulumi. Raises ConfigurationError."""
    provider, origin = recorded(file), file.name
    if provider is None:
        provider, origin = os.environ.get(VARIABLE), VARIABLE
    if not provider or provider == "default":
        return None
    if provider != PASSPHRASE and provider.partition("://")[0] not in KEY_SERVICES:
        known = ", ".join([PASSPHRASE, *(f"{scheme}://…" for scheme in KEY_SERVICES)])
        raise ConfigurationError(
            tr(
                "{origin}: unknown secrets provider {provider!r}; known: {known}",
                origin=origin,
                provider=provider,
                known=known,
            )
        )
    return provider


def options(file: Path) -> auto.LocalWorkspaceOptions:
    """For a stack that may have to be made. Without it Pulumi would put a passphrase in the place of the provider that
    the file names."""
    from pulumi import automation as auto

    return auto.LocalWorkspaceOptions(secrets_provider=for_new_stack(file))


def in_state(file: Path) -> dict[str, Any]:
    """What a state says that is encrypted as the stack's file, which has one, says."""
    content = _content(file)
    if recorded(file) == PASSPHRASE:
        return {"type": "passphrase", "state": {"salt": content["encryptionsalt"]}}
    return {"type": "cloud", "state": {"url": content["secretsprovider"], "encryptedkey": content["encryptedkey"]}}


def _content(file: Path) -> dict[str, Any]:
    return dict(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
