"""Writes the secrets of a new service into a stack's file: all of them, or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from cli.configuration import config_secrets
from cli.deployment.deployment import settings_file


def store(stack: str, root: Path, service: str, secrets: Mapping[str, SecretStr]) -> None:
    """Write secrets encrypted into the file of a stack; a failure leaves the file as it was. Raises StackError."""
    if not secrets:
        return
    file = settings_file(stack)
    before = file.read_bytes()
    try:
        for name, value in secrets.items():
            config_secrets.store(stack, root, key(service, name), value.get_secret_value())
    except BaseException:
        file.write_bytes(before)
        raise


def key(service: str, name: str) -> str:
    """Return the key of a service's secret in a stack's file, as `config set` takes it."""
    return f"services.{service}.secrets.{name}"


def command(service: str, name: str, stack: str) -> str:
    """Return the command that sets a secret."""
    option = "" if stack == "dev" else f" -s {stack}"
    return f"./deploy.sh config set {key(service, name)} --secret{option}"
