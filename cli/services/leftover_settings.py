"""Takes what the stack files say about a service out of them, all files together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.configuration.config_keys import write
from cli.stack_files.stack_file import StackFile
from infra.schema.key_paths import dotted
from infra.schema.problems import ConfigurationError
from infra.services.catalog import ServiceSpec
from infra.settings.profiles import BUILT_IN_PROFILES
from infra.settings.stack import setting_tree

_KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class WithoutService:
    """A stack's file after a service was taken out of it; nothing is written until `written`.

    Attributes:
        file: The file with its new content.
        settings: The keys that go.
        secrets: The keys of secrets that go.
    """

    file: StackFile
    settings: tuple[str, ...]
    secrets: tuple[str, ...]


def without_service(root: Path, catalog: Mapping[str, ServiceSpec], service: str) -> list[WithoutService]:
    """Return the stack files in `root` that name `service`, each without it; files that cannot be read stay.

    What would give a client or a login more than it had stays in the file.
    """
    result = []
    for path in sorted(root.glob("Pulumi.*.yaml")):
        try:
            editor = _Editor(StackFile(path))
            editor.take_out(service, catalog)
        except (ConfigurationError, AttributeError, TypeError):
            continue  # The next deployment reports what is wrong in it.
        if editor.settings or editor.secrets:
            result.append(WithoutService(editor.file, tuple(editor.settings), tuple(editor.secrets)))
    return result


@contextmanager
def written(files: Sequence[WithoutService]) -> Iterator[None]:
    """Write the files, and write all of them back as they were if the block fails."""
    try:
        for changed in files:
            changed.file.save()
        yield
    except BaseException:
        for changed in files:
            changed.file.restore()
        raise


class _Editor:
    """Takes a service out of one stack file, and collects the keys that go."""

    def __init__(self, file: StackFile) -> None:
        self.file = file
        self.settings: list[str] = []
        self.secrets: list[str] = []
        self._tree = setting_tree()

    def take_out(self, service: str, catalog: Mapping[str, ServiceSpec]) -> None:
        """Take out everything that only makes sense with the service."""
        self._values_of(service)
        self._scopes_of_clients(service)
        self._groups(service, catalog)
        scopes = ("gateway", "oauth", "scopes")
        self._entries(scopes, lambda scope: scope.partition(":")[0] == service, may_be_empty=False)
        if own := _own_profiles(service, catalog):
            self._entries(("profiles",), lambda profile: profile in own)

    def _values_of(self, service: str) -> None:
        values = self._at(("services", service))
        if values is None:
            if service in (self.file.get("services") or {}):
                self._remove(("services", service))
            return
        secrets = values.get("secrets") or {}
        self.secrets += [dotted(("services", service, "secrets", name)) for name in secrets]
        self.settings += [dotted(("services", service, key)) for key in values if key != "secrets"]
        if not values:
            self.settings.append(dotted(("services", service)))
        write(self.file, ("services", service), None, self._tree)

    def _scopes_of_clients(self, service: str) -> None:
        clients = self.file.get("clients")
        for client in list(clients) if isinstance(clients, dict) else ():
            services = self._at(("clients", client, "services")) or {}
            # Without any service the client could call all of them.
            if isinstance(services, dict) and service in services and len(services) > 1:
                self._remove(("clients", client, "services", service))
            accounts = self._at(("clients", client, "accounts"))
            if isinstance(accounts, dict) and service in accounts:
                self._remove(("clients", client, "accounts", service))

    def _groups(self, service: str, catalog: Mapping[str, ServiceSpec]) -> None:
        for group in list(self.file.get("groups") or {}):
            services = self._at(("groups", group, "services")) or {}
            if service not in services:
                continue
            if len(services) == 1:
                self._remove(("groups", group))
                continue
            if isinstance(services, list):
                self._entries(("groups", group, "services"), lambda name: name == service)
            else:
                self._remove(("groups", group, "services", service))
            self._tools_of_group(group, _own_tools(service, services, catalog))

    def _tools_of_group(self, group: str, tools: Collection[str]) -> None:
        self._entries(("groups", group, "exclude"), lambda tool: tool in tools)
        for tool in [tool for tool in self._at(("groups", group, "tools")) or {} if tool in tools]:
            self._remove(("groups", group, "tools", tool))

    def _entries(self, path: _KeyPath, goes: Callable[[str], bool], *, may_be_empty: bool = True) -> None:
        """Take the entries that go out of the list at `path`."""
        entries = self._at(path)
        if not isinstance(entries, list):
            return
        kept = [entry for entry in entries if not goes(str(entry))]
        if len(kept) == len(entries) or not (kept or may_be_empty):
            return
        self.settings += [f"{dotted(path)}: {entry}" for entry in entries if goes(str(entry))]
        write(self.file, path, kept or None, self._tree)

    def _remove(self, path: _KeyPath) -> None:
        self.settings.append(dotted(path))
        write(self.file, path, None, self._tree)

    def _at(self, path: _KeyPath) -> Any:
        """Return what the file has at `path`, or None."""
        value: Any = self.file.get(path[0])
        for key in path[1:]:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def _own_profiles(service: str, catalog: Mapping[str, ServiceSpec]) -> set[str]:
    """Return the profile of a service if nothing else has it."""
    spec = catalog.get(service)
    others = {other.profile for name, other in catalog.items() if name != service} | {*BUILT_IN_PROFILES}
    return {spec.profile} - others if spec and spec.profile else set()


def _own_tools(service: str, services: Collection[str], catalog: Mapping[str, ServiceSpec]) -> set[str]:
    """Return the tools of a service that no other of `services` has."""
    tools = {name: set(catalog[name].tools) for name in services if name in catalog}
    return tools.get(service, set()).difference(*(known for name, known in tools.items() if name != service))
