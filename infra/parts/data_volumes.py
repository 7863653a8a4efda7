"""Names the volumes that hold data, and lists those that the engine has.

A data volume outlives its service, the stack, and the state. Its name is fixed, so a service that is added again finds
its data; its labels name the stack and the service.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from infra.schema.problems import ConfigurationError, Problem

#: The folder of a container with its data volume; in the images of services, only the service's user can read it.
DATA_FOLDER = "/data"
#: How many seconds the engine may take to answer.
ANSWER_SECONDS = 60
_SERVICE = re.compile(r"[a-z][a-z0-9-]*")
_COLUMNS = ("{{.Name}}", '{{.Label "dyber.stack"}}', '{{.Label "dyber.service"}}')


@dataclass(frozen=True)
class LabelledVolume:
    """A volume of the engine with the system's labels, which name its `stack` and its `service`."""

    name: str
    stack: str
    service: str

    @property
    def holds_data(self) -> bool:
        """Tell whether it is a data volume, not a volume with a configuration or secrets."""
        return self.name in (volume_name(self.stack, self.service), _older_name(self.stack, self.service))


def volume_name(stack: str, service: str) -> str:
    """Return the name of a service's data volume, which is different for each pair of stack and service.

    Hyphens of the stack's name are doubled, so the first single hyphen is the one before the service, whose name begins
    with a letter.
    """
    return f"dyber-{stack.replace('-', '--')}-{service}-data"


def _older_name(stack: str, service: str) -> str:
    """Return the name that older versions gave such a volume, without doubled hyphens. It is ambiguous, so the labels
    of the volume must match as well."""
    return f"dyber-{stack}-{service}-data"


def labelled() -> list[LabelledVolume]:
    """Return every volume of the engine with the system's labels. Raises ConfigurationError if it does not answer."""
    return _listed("label=dyber.project=dyber")


def present_for(stack: str) -> list[LabelledVolume]:
    """Return the volumes of `labelled`, and the volumes without labels that have the name of a data volume of `stack`.

    A person made the latter for the stack to use; they are returned as if they had the labels. Raises
    ConfigurationError.
    """
    prefix, suffix = volume_name(stack, "\n").split("\n")
    by_name = _listed(f"name={prefix}")
    made_by_hand = []
    for volume in by_name:
        service = volume.name.removeprefix(prefix).removesuffix(suffix)
        if not volume.stack and _SERVICE.fullmatch(service) and volume.name == volume_name(stack, service):
            made_by_hand.append(LabelledVolume(volume.name, stack, service))
    return [*labelled(), *made_by_hand]


def _listed(chosen: str) -> list[LabelledVolume]:
    command = ["docker", "volume", "ls", "--filter", chosen, "--format", "\t".join(_COLUMNS)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=ANSWER_SECONDS, check=False
        )
        problem = done.stderr.strip() if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        done, problem = None, str(error)
    if done is None or done.returncode:
        raise ConfigurationError(Problem("volumes_unknown", parameters={"reason": problem}))
    return [LabelledVolume(*line.split("\t")) for line in done.stdout.splitlines() if line.count("\t") == 2]


def of_stack(stack: str, present: Iterable[LabelledVolume]) -> dict[str, str]:
    """Return the names of the stack's data volumes among `present`, by service.

    If a service has a volume of the older naming as well, that one is returned, as it was there first.
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

    They are those of the services in `used`, and all others of the stack on the engine, because a volume that is no
    longer declared could be deleted. `present` comes from present_for.
    Raises ConfigurationError if a name is taken by the data of another stack.
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
