"""The settings that a stack really has: its file over what its services and this machine say, `.env` over all; and where
each value comes from. Needs no engine, and Pulumi only where the file has secrets."""

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
from infra.rendering.gateway import inputs as gateway_inputs
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

#: A key, taken apart: `gateway.bind` is ("gateway", "bind").
KeyPath = tuple[str, ...]
DEFAULT = "default"
MISSING = object()


@dataclass(frozen=True)
class Value:
    """One setting of a stack. `source`: the file or environment variable that says it, or `default`. A secret's value is
    None where it could not be decrypted."""

    path: KeyPath
    value: Any = field(repr=False)
    source: str
    secret: bool

    @property
    def key(self) -> str:
        """The setting's place as a user writes it, with dots."""
        return dotted(self.path)


class Configuration:
    """The settings of one stack. `file` may be changed before they are asked for; `problem` is why its secrets could not
    be decrypted: they are then left out.

    Raises StackError where the stack has no file, ConfigurationError for files that cannot be read.
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
        """What the file says now, with `.env` over it; `clear` are secrets that are not in it yet.

        Raises ConfigurationError for what cannot be used.
        """
        content = self._content()
        for path, value in (clear or {}).items():
            _put(content, path, value)
        texts = {f"{NAMESPACE}:{key}": _text(value) for key, value in content.items()}
        return parse_settings(self.stack, texts, overrides=self.overrides)

    def check(self, clear: Mapping[KeyPath, str] | None = None) -> StackSettings:
        """As `settings`, and raises ConfigurationError also for what the program would refuse before it does anything."""
        settings = self.settings(clear)
        gateway_inputs.configuration(settings, settings.select(self.catalog), {})
        return settings

    def values(self) -> dict[KeyPath, Value]:
        """Every setting there is, by path. Raises ConfigurationError as `settings` does."""
        settings = self.settings()
        content = settings.model_dump(by_alias=True, exclude=set(NOT_IN_THE_FILE))
        said = self._said()
        from_services = dict(self._service_files(settings, content, said))
        secured = set(encrypted_paths(self.file.values()))
        found = {}
        for path, setting, value in self.tree.values(content):
            secret = setting.secret or path in secured or _is_named_as_secret(path, value)
            plain = value.get_secret_value() if isinstance(value, SecretStr) else value
            plain = list(plain) if isinstance(plain, tuple) else plain
            source = said(path) or from_services.get(path, DEFAULT)
            found[path] = Value(path, plain, source, secret)
        if self.problem:
            found |= {path: Value(path, None, self.file.path.name, True) for path in secured}
        return found

    def _content(self) -> dict[str, Any]:
        return {
            key: value
            for key, own in self.file.values().items()
            if (value := _with_clear(own, self._clear.get(key, MISSING))) is not MISSING
        }

    def _service_files(
        self, settings: StackSettings, content: dict[str, Any], said: Callable[[KeyPath], str | None]
    ) -> Iterator[tuple[KeyPath, str]]:
        """Complete the services in `content` with what their service.yaml say; yields path and source of each."""
        limit = ("gateway", "limits", "requestsPerSecond")
        # Of a secret, service.yaml has no value, whatever it says of it.
        shared = [
            key
            for key in ServiceSettings.model_fields
            if key in ServiceSpec.model_fields and not self._has_secrets(("services", ANY_KEY, to_camel(key)))
        ]
        services: dict[str, Any] = {}
        for name, spec in self.catalog.items():
            own = content["services"].get(name) or ServiceSettings().model_dump(by_alias=True)
            given = {
                "enabled": spec.profile is None or spec.profile in settings.profiles,
                "requestsPerSecond": settings.gateway.limits.requests_per_second,
                "egress": "internet" if spec.internet else "none",
                **{to_camel(key): getattr(spec, key) for key in shared},
            }
            for key, value in given.items():
                path, source = ("services", name, key), f"mcp-servers/{name}/{SPEC_FILE}"
                if isinstance(value, Mapping):
                    own[key] = {**value, **own[key]}
                    yield from (((*path, inner), source) for inner in value)
                elif own[key] is None:
                    own[key] = value
                    yield path, (said(limit) or DEFAULT) if key == limit[-1] else source
            services[name] = own
        content["services"] = services | {
            name: own for name, own in content["services"].items() if name not in services
        }

    def _has_secrets(self, path: KeyPath) -> bool:
        setting = self.tree.find(path)
        return setting is not None and setting.has_secrets()

    def _said(self) -> Callable[[KeyPath], str | None]:
        """A function that names what says the value at a path; None where neither the file, `.env` nor the machine does."""
        texts = {f"{NAMESPACE}:{key}": _text(value) for key, value in self._content().items()}
        below = _named(self.tree, file_content(texts))
        above = self.overrides.over(below)

        def said(path: KeyPath) -> str | None:
            own, effective = _get(below, path), _get(above, path)
            if _get(self.overrides.settings, path) is not MISSING or (effective is not MISSING and own != effective):
                return file_name(self.stack)
            if own is not MISSING:
                return self.file.path.name
            if path[0] == "build" and path[-1] in from_environment(os.environ):
                return FROM_ENVIRONMENT[path[-1]]
            return None

        return said


def masked(tree: Setting, path: KeyPath, value: Any) -> Any:
    """The `value` of the setting at `path`, with HIDDEN for every secret in it."""
    if isinstance(value, Mapping) and not is_encrypted(value):
        return {key: masked(tree, (*path, str(key)), below) for key, below in value.items()}
    setting = tree.find(path)
    secret = is_encrypted(value) or (setting is not None and setting.secret) or _is_named_as_secret(path, value)
    return HIDDEN if secret else value


def _with_clear(value: Any, clear: Any) -> Any:
    """`value` with every encrypted part as it is in `clear`, or left out where it is not there."""
    if is_encrypted(value):
        return clear
    if not isinstance(value, Mapping):
        return value
    below = {
        key: _with_clear(own, clear.get(key, MISSING) if isinstance(clear, Mapping) else MISSING)
        for key, own in value.items()
    }
    return {key: own for key, own in below.items() if own is not MISSING}


def _named(setting: Setting, value: Any) -> Any:
    """`value` with its keys as they are documented, where the file has them as Python does, or only lists them."""
    if isinstance(value, list) and setting.entry:
        value = {str(name): {} for name in value}
    if not isinstance(value, Mapping):
        return value
    named = {}
    for key, below in value.items():
        name = key if setting.child(key) else to_camel(key)
        child = setting.child(name)
        named[name] = _named(child, below) if child else below
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
