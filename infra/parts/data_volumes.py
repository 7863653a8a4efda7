"""Names the volumes that hold data, and recognizes them among the volumes of the engine.

A data volume outlives the service that uses it, the stack, and the state. Its name is fixed, so a service that is
switched on again finds its data; its labels name the stack and the service that own it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.schema.problems import ConfigurationError, Problem

#: The folder where a container has its data volume; in the image of each service only the service's user may use it.
DATA_FOLDER = "/data"
_SERVICE = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class LabelledVolume:
    """A volume of the engine with labels of ours, which name the `stack` and the `service` that own it."""

    name: str
    stack: str
    service: str

    @property
    def holds_data(self) -> bool:
        """Tell whether it is a data volume, not a volume with a configuration or secrets."""
        return self.name in (volume_name(self.stack, self.service), _name_before(self.stack, self.service))


def volume_name(stack: str, service: str) -> str:
    """Return the name of a service's data volume, which differs for any two pairs of stack and service.

    Hyphens of the stack are doubled, so the first single hyphen is the one before the service, whose name begins with a
    letter.
    """
    return f"dyber-{stack.replace('-', '--')}-{service}-data"


def _name_before(stack: str, service: str) -> str:
    """Return the name that such a volume had before hyphens were doubled.

    It is ambiguous, so the labels of the volume have to agree.
    """
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
    """Return the names of the stack's data volumes among `present`, by service.

    A service may have a volume of each naming scheme. Then the older one is returned, which the service used first.
    """
    names: dict[str, str] = {}
    for volume in present:
        if volume.stack == stack and volume.holds_data:
            is_older = volume.name != volume_name(stack, volume.service)
            if is_older or volume.service not in names:
                names[volume.service] = volume.name
    return names


def declared(stack: str, used: Collection[str], present: Collection[LabelledVolume]) -> dict[str, str]:
    """Return the names of the data volumes that a stack declares, by service.

    Those are the volumes of the services in `used`, and the stack's volumes on the engine that nothing uses now: a volume
    that is not declared could be deleted. `present` is the result of present_for.

    Raises ConfigurationError where a name belongs to the data of another stack.
    """
    existing = of_stack(stack, present)
    names = {service: existing.get(service) or volume_name(stack, service) for service in sorted({*used, *existing})}
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
