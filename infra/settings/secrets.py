"""Checks the secrets of services: that they are declared, and that a stack's file has them encrypted."""

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

#: The key of the configuration below which the secrets of all services are.
SERVICES_KEY = "dyber:services"
#: The key below which the secrets for identity providers are.
GATEWAY_KEY = "dyber:gateway"
#: The key below which the addresses and secrets of those who get alerts are.
MONITORING_KEY = "dyber:monitoring"
#: The key below which the headers for a collector of spans are.
CONSOLE_KEY = "dyber:console"
#: Larger than any key or certificate, and small enough for a request to the engine.
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
    """Return the command that encrypts a secret into a stack's file; it reads the value from its input."""
    return _command(stack, f"services.{service}.secrets.{name}")


def _command(stack: str, key: str) -> str:
    return f"./deploy.sh config set {key} --secret -s {stack}"


def refuse_clear_text(stack: str, values: Mapping[str, str], secret_keys: Collection[str], file: Path) -> None:
    """Raise ConfigurationError naming each secret that the stack's `file` has in clear text.

    `values` is Pulumi's decrypted configuration, as JSON text by key. Pulumi only tells which keys hold anything
    encrypted (`secret_keys`); which values are encrypted is read from the file.
    """

    def written(key: str) -> Any:
        return _yaml(file).get(key) if key in secret_keys else _json(values.get(key))

    given = [
        *_secrets(written(SERVICES_KEY)),
        *_login_secrets(written(GATEWAY_KEY)),
        *_alert_secrets(written(MONITORING_KEY)),
        *_export_headers(written(CONSOLE_KEY)),
    ]
    if in_clear := [
        Problem("secret_in_clear", file.name, path, parameters={"command": _command(stack, ".".join(path))})
        for path, value in given
        if not is_encrypted(value)
    ]:
        raise ConfigurationError(*in_clear)


def missing_secrets(spec: ServiceSpec, given: Collection[str]) -> tuple[str, ...]:
    """Return the secrets that a service requires and that are not among the `given` names."""
    return tuple(name for name, need in spec.secrets.items() if need == "required" and name not in given)


def secret_problems(
    file: str, stack: str, spec: ServiceSpec, given: Collection[str], runs_without: bool = False
) -> Iterator[Problem]:
    """Yield a problem for each secret that the `file` of a stack gives to a service but its service.yaml does not
    declare, for each required secret that is missing, and for each secret among the environment variables.

    `given` are the names of the secrets in the file. With `runs_without`, a missing secret is no problem.
    """
    secrets, environment = ("services", spec.name, "secrets"), ("services", spec.name, "environment")
    for name in sorted(set(given) - set(spec.secrets)):
        path = (*secrets, name)
        if near := difflib.get_close_matches(name, spec.secrets, n=1):
            parameters = {"service": spec.name, "near": near[0]}
            yield Problem("secret_name_misspelt", file, path, parameters=parameters)
        else:
            parameters = {"service": spec.name, "known": listed(spec.secrets)}
            yield Problem("secret_not_declared", file, path, parameters=parameters)
    for name in () if runs_without else missing_secrets(spec, given):
        parameters = {"command": command(stack, spec.name, name)}
        yield Problem("secret_missing", file, (*secrets, name), parameters=parameters)
    for name in sorted(set(spec.secrets) & set(spec.environment)):
        parameters = {"command": command(stack, spec.name, name)}
        yield Problem("secret_in_environment", file, (*environment, name), parameters=parameters)


def is_encrypted(value: Any) -> bool:
    """Tell whether Pulumi encrypted a value of a stack's file."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def encrypted_paths(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the path of each encrypted value in a `value` of a stack's file."""
    if is_encrypted(value):
        yield path
    elif isinstance(value, Mapping):
        for key, below in value.items():
            yield from encrypted_paths(below, (*path, str(key)))


def as_ciphertext(value: Any) -> Any:
    """Return a value of a stack's file with ciphertexts in place of its encrypted parts, for uses that need not decrypt
    them."""
    if is_encrypted(value):
        return str(value["secure"])
    if isinstance(value, Mapping):
        return {key: as_ciphertext(item) for key, item in value.items()}
    return [as_ciphertext(item) for item in value] if isinstance(value, list) else value


def _secrets(services: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield keys and value of every secret in the value of `services`."""
    for service, settings in _items(services):
        for key, secrets in _items(settings):
            if key == "secrets":
                yield from ((("services", service, key, name), value) for name, value in _items(secrets))


def _login_secrets(gateway: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield keys and value of every secret for an identity provider in the value of `gateway`."""
    for alias, issuer in _items(dict(_items(dict(_items(gateway)).get("oauth"))).get("issuers")):
        for name, value in _items(dict(_items(issuer)).get("introspection")):
            if name == "clientSecret":
                yield ("gateway", "oauth", "issuers", alias, "introspection", name), value


def _alert_secrets(monitoring: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield keys and value of every address and secret of those who get alerts in the value of `monitoring`."""
    for receiver, settings in _items(dict(_items(dict(_items(monitoring)).get("alerts"))).get("receivers")):
        for name, value in _items(settings):
            if name in ("url", "secret"):
                yield ("monitoring", "alerts", "receivers", receiver, name), value


def _export_headers(console: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield keys and value of every header for a collector of spans in the value of `console`."""
    for name, value in _items(dict(_items(dict(_items(console)).get("export"))).get("headers")):
        yield ("console", "export", "headers", name), value


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the items of a mapping; nothing for another value, or for a mapping that is encrypted as a whole."""
    if isinstance(value, Mapping) and not is_encrypted(value):
        yield from ((str(key), item) for key, item in value.items())


def _yaml(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError):
        return {}  # The configuration comes from another place, or Pulumi reports the error.
    config = content.get("config") if isinstance(content, dict) else None
    return config if isinstance(config, dict) else {}


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except json.JSONDecodeError:
        return None
