"""Reads `.env`, whose settings for this machine override those of a stack's file.

`.env` belongs to the stack dev, `.env.<stack>` to any other stack. Its keys are those of the system's first version. A
key without a value changes nothing. `pulumi up` and the dyber command read the file in the same way.

In dev the file overrides the stack's file. In other stacks only the token of the main client is taken from it, because
the stack's file was reviewed, unless that file has `dyber:localEnv: true`.
"""

from __future__ import annotations

import difflib
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from dotenv.parser import Binding, parse_stream
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from infra.schema.host_names import certificate_name
from infra.schema.problems import NOT_SHOWN, ConfigurationError, Problem, UnusableValue
from infra.schema.system_errors import reason
from infra.settings.names import MAIN_CLIENT, stack_file
from infra.settings.profiles import MONITORING, CacheSettings, MonitoringSettings
from messages import tr

DEFAULT_STACK = "dev"
MAIN_TOKEN = "MCP_AUTH_TOKEN"
PROFILES, GENERATION = "PROFILES", "BUILD_GENERATION"
#: The value of PROFILES that switches all profiles off.
NO_PROFILE = "default"
LOG_LEVELS = ("debug", "info", "warning", "error")
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
_PROFILE = re.compile(r"[a-z][a-z0-9-]*")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{32,256}")


class EnvFile(BaseModel):
    """The content of an env file.

    `settings` override those of the stack's file, key by key. `chosen_profiles` replace the profiles of the stack's
    file, in which `profiles` are then switched on or off. `server_names` and `clients` are added to those of the
    stack's file. `tokens` are the tokens that a person chose, by client. `names` are the keys that have a value.
    """

    model_config = ConfigDict(frozen=True)

    settings: dict[str, Any] = {}
    chosen_profiles: tuple[str, ...] | None = None
    profiles: dict[str, bool] = {}
    server_names: tuple[str, ...] = ()
    clients: dict[str, Any] = {}
    tokens: dict[str, SecretStr] = {}
    names: tuple[str, ...] = ()

    def over(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return the stack file's `content` with the values of this file. A value of an unexpected form stays as it is;
        the validation of the settings refuses it."""
        merged = _merge(content, self.settings)
        if self.chosen_profiles is not None:
            merged["profiles"] = list(self.chosen_profiles)
        if self.profiles and isinstance(profiles := merged.get("profiles", []), list):
            kept = [name for name in profiles if self.profiles.get(name, True)]
            merged["profiles"] = [*kept, *(name for name, on in self.profiles.items() if on and name not in kept)]
        if self.server_names and isinstance(gateway := merged.get("gateway", {}), dict):
            server_names = gateway.get("serverNames", [])
            if isinstance(server_names, list):
                added = [name for name in self.server_names if name not in server_names]
                merged["gateway"] = {**gateway, "serverNames": [*server_names, *added]}
        clients = merged.get("clients", {MAIN_CLIENT: {}})
        if self.clients and isinstance(clients, list):
            clients = {name: {} for name in clients}
        if self.clients and isinstance(clients, dict):
            merged["clients"] = {**self.clients, **clients}
        return merged


def file_name(stack: str) -> str:
    """Return the name of the env file of a stack."""
    return ".env" if stack == DEFAULT_STACK else f".env.{stack}"


def keys_besides_token(overrides: EnvFile) -> list[str]:
    """Return the keys with a value that stacks other than dev accept only with localEnv: true in the stack's file."""
    return [name for name in overrides.names if name != MAIN_TOKEN]


def refuse_unreviewed(overrides: EnvFile, stack: str, local_env: bool | None) -> None:
    """Refuse settings in the env file of `stack` that would override the reviewed stack file.

    `local_env` is the value of localEnv in the stack's file. Raises ConfigurationError.
    """
    if local_env is True or (local_env is None and stack == DEFAULT_STACK):
        return
    if unreviewed := keys_besides_token(overrides):
        parameters = {"reviewed": stack_file(stack)}
        raise ConfigurationError(
            Problem("env_unreviewed", file_name(stack), (", ".join(unreviewed),), parameters=parameters)
        )


def override_notice(overrides: EnvFile, stack: str) -> str | None:
    """Return a line that names the keys taken from the stack's env file, without values; None if there are none."""
    if not overrides.names:
        return None
    names = ", ".join(overrides.names)
    return tr(
        "taken from {file}, overriding {stack_file}: {names}",
        file=file_name(stack),
        stack_file=stack_file(stack),
        names=names,
    )


def service_key(service: str, suffix: str) -> str:
    """Return the key of a service, such as XIAOHONGSHU_ENABLED."""
    return f"{service.upper().replace('-', '_')}_{suffix}"


def keys(services: Mapping[str, Iterable[str]]) -> list[str]:
    """Return every key that an env file can have, in the order of a new file.

    `services` are the names of the secrets that each service declares, by service.
    """
    service_keys = [service_key(service, suffix) for service in services for suffix in ("ENABLED", "MCP_TOKEN")]
    secrets = [secret for declared in services.values() for secret in declared]
    return list(dict.fromkeys([MAIN_TOKEN, *service_keys, *secrets, *_GENERAL]))


def bindings(text: str) -> list[Binding]:
    """Return the lines of a file as python-dotenv parses them; joined, they are the text again."""
    return list(parse_stream(io.StringIO(text)))


def read(root: Path, stack: str, services: Mapping[str, Iterable[str]]) -> EnvFile:
    """Return the content of the env file of `stack` in the folder `root`; empty without a file.

    `services` as for `keys`.
    Raises ConfigurationError naming the file, the line, the key and, unless it is a secret, the value.
    """
    path = root / file_name(stack)
    try:
        text = text_of(path)
    except FileNotFoundError:
        return EnvFile()
    return parse(text, path.name, services)


def text_of(path: Path) -> str:
    """Return the text of an env file.

    Raises FileNotFoundError, and ConfigurationError naming the first line that is not text.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(Problem("not_readable", path.name, parameters={"reason": reason(error)})) from None
    try:
        text = content.decode("utf-8-sig")
        position = len(text.partition("\0")[0].encode()) if "\0" in text else None
    except UnicodeDecodeError as error:
        position = error.start
    if position is None:
        return text
    line = content.count(b"\n", 0, position) + 1
    raise ConfigurationError(Problem("env_not_text", path.name, line=line))


def parse(text: str, source: str, services: Mapping[str, Iterable[str]]) -> EnvFile:
    """Return the content of an env file from its `text`; `source` is the file's name. Raises as `read`."""
    known = keys(services)
    reader = _Reader(services)
    problems: list[Problem] = []
    names: list[str] = []
    for binding in bindings(text):
        # python-dotenv counts the blank lines before a key as part of its line.
        before = binding.original.string[: len(binding.original.string) - len(binding.original.string.lstrip())]
        line = binding.original.line + before.count("\n")
        if binding.error:
            problems.append(Problem("env_no_pair", source, line=line))
        elif binding.key and binding.key not in known:
            near = difflib.get_close_matches(binding.key, known, n=1, cutoff=0.85)
            if near:
                problems.append(
                    Problem("env_key_misspelt", source, (binding.key,), parameters={"near": near[0]}, line=line)
                )
        elif binding.key and binding.value:
            try:
                reader.take(binding.key, binding.value.strip())
                names.append(binding.key)
            except _UnusableEntry as error:
                problems.append(Problem(error.message, source, (binding.key,), error.value, error.parameters, line))
    if problems:
        raise ConfigurationError(*problems)
    return reader.result().model_copy(update={"names": tuple(dict.fromkeys(names))})


class _UnusableEntry(UnusableValue):
    """An entry of the file cannot be used; `value` is NOT_SHOWN if it is secret, so that no message repeats it."""

    def __init__(self, message: str, value: Any = NOT_SHOWN, **parameters: Any) -> None:
        super().__init__(message, **parameters)
        self.value = value


class _Reader:
    """Collects the settings from the entries of a file. Raises _UnusableEntry for a value that cannot be used."""

    def __init__(self, services: Mapping[str, Iterable[str]]) -> None:
        self._services = {service_key(service, "ENABLED"): service for service in services}
        self._clients = {service_key(service, "MCP_TOKEN"): service for service in services}
        self._secrets = [(service, secret) for service, declared in services.items() for secret in declared]
        self._settings: dict[str, Any] = {}
        self._chosen_profiles: tuple[str, ...] | None = None
        self._profiles: dict[str, bool] = {}
        self._server_names: tuple[str, ...] = ()
        self._service_clients: dict[str, Any] = {}
        self._tokens: dict[str, SecretStr] = {}
        self._debug = False

    def take(self, key: str, value: str) -> None:
        if key in self._services:
            self._set(["services", self._services[key], "enabled"], _boolean(value))
        elif key in self._clients:
            service = self._clients[key]
            self._tokens[service] = _token(value)
            self._service_clients[service] = {"services": {service: "all"}}
        elif key == MAIN_TOKEN:
            self._tokens[MAIN_CLIENT] = _token(value)
        elif key in _GENERAL:
            _GENERAL[key](self, value)
        for service, secret in self._secrets:
            if key == secret:
                self._set(["services", service, "secrets", key], SecretStr(value))

    def result(self) -> EnvFile:
        if self._debug:
            self._set(["logLevel"], "debug")
            self._set(["gateway", "openDocs"], True)
        return EnvFile(
            settings=self._settings,
            chosen_profiles=self._chosen_profiles,
            profiles=self._profiles,
            server_names=self._server_names,
            clients=self._service_clients,
            tokens=self._tokens,
        )

    def _set(self, path: list[str], value: Any) -> None:
        place = self._settings
        for part in path[:-1]:
            place = place.setdefault(part, {})
        place[path[-1]] = value

    def password(self, value: str) -> None:
        try:
            CacheSettings(password=SecretStr(value))
        except ValidationError:
            raise _UnusableEntry("cache_password") from None
        self._set(["cache", "password"], SecretStr(value))

    def domain(self, value: str) -> None:
        names = [name.strip() for name in value.split(",") if name.strip()]
        for name in names:
            if certificate_name(name) is None:
                raise _UnusableEntry("env_domain", value)
        self._server_names = tuple(name for name in names if name != "localhost")

    def chosen_profiles(self, value: str) -> None:
        names = [name.strip() for name in value.split(",") if name.strip()]
        if not names or not all(_PROFILE.fullmatch(name) for name in names):
            raise _UnusableEntry("env_profiles", value)
        self._chosen_profiles = tuple(name for name in names if name != NO_PROFILE)

    def generation(self, value: str) -> None:
        if not value.isascii() or not value.isdigit():
            raise _UnusableEntry("env_generation", value)
        self._set(["build", "generation"], int(value))

    def gateway_debug(self, value: str) -> None:
        self._set(["gateway", "debug"], _boolean(value))

    def debug(self, value: str) -> None:
        self._debug = _boolean(value)

    def log_level(self, value: str) -> None:
        if value.lower() not in LOG_LEVELS:
            raise _UnusableEntry("env_log_level", value, levels=", ".join(LOG_LEVELS))
        self._set(["logLevel"], value.lower())

    def monitoring(self, value: str) -> None:
        self._profiles[MONITORING] = _boolean(value)

    def retention(self, value: str) -> None:
        try:
            MonitoringSettings(retention=value)
        except ValidationError:
            raise _UnusableEntry("retention", value) from None
        self._set(["monitoring", "retention"], value)


_GENERAL: dict[str, Callable[[_Reader, str], None]] = {
    PROFILES: _Reader.chosen_profiles,
    GENERATION: _Reader.generation,
    "REDIS_PASSWORD": _Reader.password,
    "GATEWAY_DOMAIN": _Reader.domain,
    "GATEWAY_DEBUG": _Reader.gateway_debug,
    "DEBUG": _Reader.debug,
    "LOG_LEVEL": _Reader.log_level,
    "MONITORING_ENABLED": _Reader.monitoring,
    "PROMETHEUS_RETENTION": _Reader.retention,
}


def _boolean(value: str) -> bool:
    if value.lower() not in (*_TRUE, *_FALSE):
        raise _UnusableEntry("env_boolean", value)
    return value.lower() in _TRUE


def _token(value: str) -> SecretStr:
    if not _TOKEN.fullmatch(value):
        raise _UnusableEntry("env_token")
    return SecretStr(value)


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        lower = merged.get(key, {})
        merged[key] = _merge(lower, value) if isinstance(value, Mapping) and isinstance(lower, Mapping) else value
    return merged
