"""Computes the settings in force for a stack, and where each value comes from.

`.env` overrules the stack's file, which overrules what its services and this machine say. This needs no engine, and
Pulumi only if the file has secrets.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from cli.configuration.config_secrets import decrypted
from cli.deployment.deployment import settings_file
from cli.stack_files.stack_file import StackFile
from cli.system.errors import StackError
from cli.terminal.masking import HIDDEN, SECRET_NAME
from infra.parts.composition import checked_settings
from infra.schema.key_paths import dotted
from infra.schema.setting_tree import ANY_KEY, Setting
from infra.services.catalog import SPEC_FILE, ServiceSpec, load_catalog
from infra.settings.build import FROM_ENVIRONMENT, from_environment
from infra.settings.env_file import EnvFile, file_name
from infra.settings.names import NAMESPACE
from infra.settings.secrets import encrypted_paths, is_encrypted
from infra.settings.services import ServiceSettings
from infra.settings.stack import (
    NOT_IN_THE_FILE,
    StackSettings,
    file_content,
    parse_settings,
    read_overrides,
    setting_tree,
)

#: The parts of a key: `gateway.bind` is ("gateway", "bind").
KeyPath = tuple[str, ...]
DEFAULT = "default"
MISSING = object()


@dataclass(frozen=True)
class Value:
    """One setting of a stack.

    `source` is the file or environment variable that sets it, or `default`. `value` is None for a secret that could not
    be decrypted.
    """

    path: KeyPath
    value: Any = field(repr=False)
    source: str
    secret: bool

    @property
    def key(self) -> str:
        """The setting's path as a user writes it, with dots."""
        return dotted(self.path)


class Configuration:
    """The settings of one stack.

    Changes of `file` show in the settings before the file is saved. `problem` is the error if the file's secrets could
    not be decrypted; the settings then lack them. Raises StackError if the stack has no file, and ConfigurationError
    for files that cannot be read.
    """

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.file = StackFile(settings_file(stack))
        self.root = self.file.path.parent
        self.tree: Setting = setting_tree()
        self.catalog: dict[str, ServiceSpec] = load_catalog(self.root / "mcp-servers")
        self.overrides: EnvFile = read_overrides(self.root, stack)
        self.problem: StackError | None = None
        self._clear: Mapping[str, Any] = {}
        if any(encrypted_paths(self.file.values())):
            try:
                self._clear = decrypted(stack, self.root)
            except StackError as error:
                self.problem = error

    def settings(self, clear: Mapping[KeyPath, str] | None = None) -> StackSettings:
        """Return the settings of the file overruled by `.env`; `clear` are secrets that are not in the file yet.

        Raises ConfigurationError for settings that cannot be used.
        """
        content = self._content()
        for path, value in (clear or {}).items():
            _put(content, path, value)
        texts = {f"{NAMESPACE}:{key}": _text(value) for key, value in content.items()}
        return parse_settings(self.stack, texts, overrides=self.overrides)

    def check(self, clear: Mapping[KeyPath, str] | None = None) -> StackSettings:
        """Return the settings as `settings` does; raises ConfigurationError also for what the program would refuse.

        The files that settings name, such as certificates, are not read: they may be on another machine.
        """
        settings = self.settings(clear)
        checked_settings(settings, self.catalog)
        return settings

    def values(self) -> dict[KeyPath, Value]:
        """Return all settings by path. Raises ConfigurationError as `settings` does."""
        settings = self.settings()
        content = settings.model_dump(by_alias=True, exclude=set(NOT_IN_THE_FILE))
        source_of = self._sources()
        from_services = dict(self._service_files(settings, content, source_of))
        encrypted = set(encrypted_paths(self.file.values()))
        values = {}
        for path, setting, value in self.tree.values(content):
            secret = setting.secret or path in encrypted or _is_named_as_secret(path, value)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            plain = list(plain) if isinstance(plain, tuple) else plain
            source = source_of(path) or from_services.get(path, DEFAULT)
            values[path] = Value(path, plain, source, secret)
        if self.problem:
            values |= {path: Value(path, None, self.file.path.name, True) for path in encrypted}
        return values

    def _content(self) -> dict[str, Any]:
        return {
            key: value
            for key, in_file in self.file.values().items()
            if (value := _with_clear(in_file, self._clear.get(key, MISSING))) is not MISSING
        }

    def _service_files(
        self, settings: StackSettings, content: dict[str, Any], source_of: Callable[[KeyPath], str | None]
    ) -> Iterator[tuple[KeyPath, str]]:
        """Complete the services in `content` with the values of their service.yaml; yield path and source of each."""
        limit = ("gateway", "limits", "requestsPerSecond")
        # service.yaml declares secrets, but has no values for them.
        shared = [
            key
            for key in ServiceSettings.model_fields
            if key in ServiceSpec.model_fields and not self._has_secrets(("services", ANY_KEY, to_camel(key)))
        ]
        services: dict[str, Any] = {}
        for name, spec in self.catalog.items():
            service = content["services"].get(name) or ServiceSettings().model_dump(by_alias=True)
            given = {
                "enabled": spec.profile is None or spec.profile in settings.profiles,
                "requestsPerSecond": settings.gateway.limits.requests_per_second,
                "egress": "internet" if spec.internet else "none",
                **{to_camel(key): getattr(spec, key) for key in shared},
            }
            for key, value in given.items():
                path, source = ("services", name, key), f"mcp-servers/{name}/{SPEC_FILE}"
                if isinstance(value, Mapping):
                    service[key] = {**value, **service[key]}
                    yield from (((*path, inner_key), source) for inner_key in value)
                elif service[key] is None:
                    service[key] = value
                    yield path, (source_of(limit) or DEFAULT) if key == limit[-1] else source
            services[name] = service
        content["services"] = services | {
            name: service for name, service in content["services"].items() if name not in services
        }

    def _has_secrets(self, path: KeyPath) -> bool:
        setting = self.tree.find(path)
        return setting is not None and setting.has_secrets()

    def _sources(self) -> Callable[[KeyPath], str | None]:
        """Return a function that names the source of the value at a path.

        The function returns None if neither `.env` nor the file nor the machine sets the value.
        """
        texts = {f"{NAMESPACE}:{key}": _text(value) for key, value in self._content().items()}
        in_file = _named(self.tree, file_content(texts))
        overruled = self.overrides.over(in_file)

        def source_of(path: KeyPath) -> str | None:
            written, effective = _get(in_file, path), _get(overruled, path)
            if _get(self.overrides.settings, path) is not MISSING or (
                effective is not MISSING and written != effective
            ):
                return file_name(self.stack)
            if written is not MISSING:
                return self.file.path.name
            if path[0] == "build" and path[-1] in from_environment(os.environ):
                return FROM_ENVIRONMENT[path[-1]]
            return None

        return source_of


def masked(tree: Setting, path: KeyPath, value: Any) -> Any:
    """Return the `value` of the setting at `path` with HIDDEN in place of every secret."""
    if isinstance(value, Mapping) and not is_encrypted(value):
        return {key: masked(tree, (*path, str(key)), item) for key, item in value.items()}
    setting = tree.find(path)
    secret = is_encrypted(value) or (setting is not None and setting.secret) or _is_named_as_secret(path, value)
    return HIDDEN if secret else value


def _with_clear(value: Any, clear: Any) -> Any:
    """Return `value` with every encrypted part replaced by the one in `clear`, or left out if `clear` lacks it."""
    if is_encrypted(value):
        return clear
    if not isinstance(value, Mapping):
        return value
    items = {
        key: _with_clear(item, clear.get(key, MISSING) if isinstance(clear, Mapping) else MISSING)
        for key, item in value.items()
    }
    return {key: item for key, item in items.items() if item is not MISSING}


def _named(setting: Setting, value: Any) -> Any:
    """Return `value` with its keys as documented, if the file writes them in snake case or only lists them."""
    if isinstance(value, list) and setting.entry:
        value = {str(name): {} for name in value}
    if not isinstance(value, Mapping):
        return value
    named = {}
    for key, item in value.items():
        name = key if setting.child(key) else to_camel(key)
        child = setting.child(name)
        named[name] = _named(child, item) if child else item
    return named


def _is_named_as_secret(path: KeyPath, value: Any) -> bool:
    return "environment" in path[:-1] and isinstance(value, str) and bool(SECRET_NAME.search(path[-1]))


def _get(content: Any, path: KeyPath) -> Any:
    for key in path:
        if not isinstance(content, Mapping) or key not in content:
            return MISSING
        content = content[key]
    return content


def _put(content: dict[str, Any], path: KeyPath, value: Any) -> None:
    for key in path[:-1]:
        content = content.setdefault(key, {})
    content[path[-1]] = value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
