"""Secrets of services: which are written where, and whether a stack's file keeps them encrypted."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, SecretStr

from infra.schema.messages import listed
from infra.schema.problems import ConfigurationError, Problem, UnusableValue
from infra.services.catalog import ServiceSpec

#: Key in the configuration below which the secrets of all services are.
SERVICES_KEY = "dyber:services"
#: Larger than any key or certificate; the engine's requests stay small.
MOST_BYTES = 64 * 1024


def _usable(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text.strip():
        raise UnusableValue("secret_empty")
    if "\0" in text or len(text.encode()) > MOST_BYTES:
        raise UnusableValue("secret_text", bytes=MOST_BYTES)
    return value


SecretValue = Annotated[SecretStr, AfterValidator(_usable)]


def command(stack: str, service: str, name: str) -> str:
    """The command that writes a secret into a stack's file, encrypted; it reads the value from its input."""
    return f"./deploy.sh config set services.{service}.secrets.{name} --secret -s {stack}"


def refuse_clear_text(stack: str, values: Mapping[str, str], secret_keys: Collection[str], file: Path) -> None:
    """Raises ConfigurationError naming each secret of a service that the stack's `file` has in clear text.

    `values` is Pulumi's configuration, decrypted, as JSON text by key. Pulumi tells only of whole keys whether
    something in them is encrypted (`secret_keys`); which values those are, only the file says.
    """
    written = _yaml(file).get(SERVICES_KEY) if SERVICES_KEY in secret_keys else _json(values.get(SERVICES_KEY))
    if in_clear := [
        Problem(
            "secret_in_clear",
            file.name,
            ("services", service, "secrets", name),
            parameters={"command": command(stack, service, name)},
        )
        for service, name, value in _secrets(written)
        if not is_encrypted(value)
    ]:
        raise ConfigurationError(*in_clear)


def unfit_secrets(file: str, stack: str, spec: ServiceSpec, given: Collection[str]) -> Iterator[Problem]:
    """Yield what is wrong with the secrets that the `file` of a stack gives to a service: names that its service.yaml
    does not declare, required ones that are not there, and secrets among the environment variables."""
    secrets, environment = ("services", spec.name, "secrets"), ("services", spec.name, "environment")
    for name in sorted(set(given) - set(spec.secrets)):
        path = (*secrets, name)
        if near := difflib.get_close_matches(name, spec.secrets, n=1):
            parameters = {"service": spec.name, "near": near[0]}
            yield Problem("secret_name_misspelt", file, path, parameters=parameters)
        else:
            parameters = {"service": spec.name, "known": listed(spec.secrets)}
            yield Problem("secret_not_declared", file, path, parameters=parameters)
    for name, need in spec.secrets.items():
        if need == "required" and name not in given:
            parameters = {"command": command(stack, spec.name, name)}
            yield Problem("secret_missing", file, (*secrets, name), parameters=parameters)
    for name in sorted(set(spec.secrets) & set(spec.environment)):
        parameters = {"command": command(stack, spec.name, name)}
        yield Problem("secret_in_environment", file, (*environment, name), parameters=parameters)


def is_encrypted(value: Any) -> bool:
    """Whether a value of a stack's file is one that Pulumi encrypted."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def encrypted_paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Where in what a stack's file says encrypted values are."""
    if is_encrypted(value):
        yield path
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from encrypted_paths(below, (*path, str(key)))


def as_ciphertext(value: Any) -> Any:
    """A value of a stack's file with its encrypted parts as their ciphertexts: what stands for them where they cannot,
    and need not, be read."""
    if is_encrypted(value):
        return str(value["secure"])
    if isinstance(value, Mapping):
        return {key: as_ciphertext(item) for key, item in value.items()}
    return [as_ciphertext(item) for item in value] if isinstance(value, list) else value


def _secrets(services: Any) -> Iterator[tuple[str, str, Any]]:
    """Service, name and value of every secret in what is written under `services`."""
    for service, own in _parts(services):
        for key, secrets in _parts(own):
            if key == "secrets":
                yield from ((service, name, value) for name, value in _parts(secrets))


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What a mapping holds; nothing where it is no mapping, or one that is encrypted as a whole."""
    if isinstance(value, Mapping) and not is_encrypted(value):
        yield from ((str(key), item) for key, item in value.items())


def _yaml(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}  # Of another place, or Pulumi says what is wrong with it.
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else {}


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except json.JSONDecodeError:
        return None
