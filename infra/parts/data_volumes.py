"""Names the volumes that hold data, and tells which of them the engine has.

A data volume outlives the service that uses it, the stack, and the state. Its name is fixed, so a service that comes
back finds its data; its labels say whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.schema.problems import ConfigurationError, Problem

#: Where a container has its data volume; in the image of every service, for its user alone.
DATA_FOLDER = "/data"
_SERVICE = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class LabelledVolume:
    """A volume of the engine with labels of ours: `stack` and `service` say whose it is."""

    name: str
    stack: str
    service: str

    @property
    def holds_data(self) -> bool:
        """Tell whether it is a data volume, not a volume with a configuration or secrets."""
        return self.name in (volume_name(self.stack, self.service), _name_before(self.stack, self.service))


def volume_name(stack: str, service: str) -> str:
    """The name of a service's data volume. Two different pairs never have the same name: hyphens of the stack are
    doubled, so the first single hyphen is the one before the service, whose name begins with a letter."""
    return f"dyber-{stack.replace('-', '--')}-{service}-data"


def _name_before(stack: str, service: str) -> str:
    """Return the name such a volume had before hyphens were doubled; it is ambiguous, so the volume's labels have to
    agree."""
    return f"dyber-{stack}-{service}-data"


def labelled(volumes: Iterable[Mapping[str, Any]]) -> list[LabelledVolume]:
    """Return those of the engine's `volumes`, as it describes them, that have labels of ours."""
    return [_read(volume) for volume in volumes if _labels(volume).get("dyber.project") == "dyber"]


def present_for(stack: str, volumes: Collection[Mapping[str, Any]]) -> list[LabelledVolume]:
    """Return those of the engine's `volumes` that have labels of ours, and those that a person made for `stack`.

    The latter have no labels but the name of a data volume of the stack; they are returned as if they had the labels.
    """
    prefix, suffix = volume_name(stack, "\n").split("\n")
    made_by_hand = []
    for volume in map(_read, volumes):
        service = volume.name.removeprefix(prefix).removesuffix(suffix)
        if not volume.stack and _SERVICE.fullmatch(service) and volume.name == volume_name(stack, service):
            made_by_hand.append(LabelledVolume(volume.name, stack, service))
    return [*labelled(volumes), *made_by_hand]


def _read(volume: Mapping[str, Any]) -> LabelledVolume:
    labels = _labels(volume)
    return LabelledVolume(volume["Name"], labels.get("dyber.stack", ""), labels.get("dyber.service", ""))


def _labels(volume: Mapping[str, Any]) -> Mapping[str, str]:
    # The engine describes a volume without labels by null.
    return volume.get("Labels") or {}


def of_stack(stack: str, present: Iterable[LabelledVolume]) -> dict[str, str]:
    """The names of the stack's data volumes among `present`, by service. A service may have one of each scheme; the
    older one then holds what the service wrote first."""
    found: dict[str, str] = {}
    for volume in present:
        if volume.stack == stack and volume.holds_data:
            is_older = volume.name != volume_name(stack, volume.service)
            if is_older or volume.service not in found:
                found[volume.service] = volume.name
    return found


def declared(stack: str, used: Collection[str], present: Collection[LabelledVolume]) -> dict[str, str]:
    """The names of the data volumes that a stack declares, by service: those of the services that `used` names, and
    those on the engine that nothing uses now, as what is not declared could be deleted. `present`: see present_for.

    Raises ConfigurationError where a name is taken by the data of another stack.
    """
    own = of_stack(stack, present)
    names = {service: own.get(service) or volume_name(stack, service) for service in sorted({*used, *own})}
    owners: Mapping[str, LabelledVolume] = {volume.name: volume for volume in present if volume.stack}
    for service, name in names.items():
        owner = owners.get(name)
        if owner and (owner.stack, owner.service) != (stack, service):
            parameters = {
                "volume": name,
                "stack": stack,
                "service": service,
                "other_stack": owner.stack,
                "other_service": owner.service,
            }
            raise ConfigurationError(Problem("volume_of_another_stack", parameters=parameters))
    return names
