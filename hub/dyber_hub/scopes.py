"""Decides what a caller may use of all services, from the scope that the gateway states in a header of each request.

Towards the hub, the header X-Dyber-Scope is `all`, or has a part for each service that the caller may use, separated by
spaces: the service's name, `=`, and the scope that the gateway would state to that service.

    >>> phone = parse_hub_scope(["xiaohongshu=read template=tools:template_echo"], required=True)
    >>> phone.of("xiaohongshu").kind, phone.of("template").kind, phone.of("github").kind
    ('read', 'tools', 'none')
    >>> phone.header("template")
    'tools:template_echo'
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from dyber_kit.calling.scopes import EVERYTHING, NOTHING, RAW_SCOPE_HEADER, CallerScope, parse_scope

from dyber_hub.catalogue import Tool

_ALL, _NONE = "all", "none"
_PART = re.compile(r"([a-z0-9][a-z0-9_-]{0,63})=(\S*)")


@dataclass(frozen=True)
class HubScope:
    """Says what a caller may use of each service.

    Attributes:
        text: The header's value; the scope that it stands for is always the same, so it is the key of stored lists.
        everything: Whether the caller may use every service.
        parts: For each service that the caller may use something of, the header's value for it and its meaning.
    """

    text: str
    everything: bool = False
    parts: Mapping[str, tuple[str, CallerScope]] = field(default_factory=dict, compare=False)

    def of(self, service: str) -> CallerScope:
        """Return what the caller may use of a service; NOTHING for a service that the scope does not name."""
        return EVERYTHING if self.everything else self.parts.get(service, (_NONE, NOTHING))[1]

    def header(self, service: str) -> str:
        """Return the value of X-Dyber-Scope for a request to a service in the caller's name."""
        return _ALL if self.everything else self.parts.get(service, (_NONE, NOTHING))[0]

    def reaches(self, service: str) -> bool:
        """Return whether the caller may use anything of a service."""
        return self.of(service) != NOTHING


ALL_SERVICES = HubScope(_ALL, everything=True)
NO_SERVICE = HubScope(_NONE)


def allows(scope: HubScope, service: str, tool: Tool) -> bool:
    """Return whether a tool exists for a caller; both listing and calling ask this function.

    Args:
        scope: What the caller may use.
        service: Name of the tool's service.
        tool: The tool under its canonical name.
    """
    return scope.of(service).allows_tool(tool.name, read_only=tool.read_only)


def parse_hub_scope(values: Sequence[str], *, required: bool) -> HubScope:
    """Return the scope that a request states; NO_SERVICE for a value that cannot be read or stands there twice.

    Args:
        values: All values of the header X-Dyber-Scope.
        required: Whether a request without the header may use nothing, because a gateway always sets it.
    """
    if not values:
        return NO_SERVICE if required else ALL_SERVICES
    return _read(values[0]) if len(values) == 1 else NO_SERVICE


def request_hub_scope(headers: Iterable[tuple[bytes, bytes]], *, required: bool) -> HubScope:
    """Return the scope that a request states in its ASGI headers; see `parse_hub_scope`."""
    return parse_hub_scope(
        [value.decode("latin-1") for name, value in headers if name == RAW_SCOPE_HEADER], required=required
    )


@lru_cache(maxsize=1024)
def _read(value: str) -> HubScope:
    if value == _ALL:
        return ALL_SERVICES
    parts: dict[str, tuple[str, CallerScope]] = {}
    for part in value.split(" "):
        match = _PART.fullmatch(part)
        if match is None or match[1] in parts:
            return NO_SERVICE
        scope = parse_scope([match[2]], required=True)
        if scope != NOTHING:
            parts[match[1]] = (match[2], scope)
    return HubScope(value, parts=MappingProxyType(parts))
