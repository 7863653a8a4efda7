"""Names the volumes that hold data, and tells which of them the engine has.

A data volume outlives the service that uses it, the stack, and the state. Its name is fixed, so a service that comes
back finds its data; its labels say whose it is.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from infra.schema.problems import ConfigurationError, Problem

#: Where a container has its data volume; in the image of every service, for its user alone.
DATA_FOLDER = "/data"
#: Seconds that the engine has for its answer.
ANSWER_SECONDS = 60
_SERVICE = re.compile(r"[a-z][a-z0-9-]*")
_COLUMNS = ("{{.Name}}", '{{.Label "dyber.stack"}}', '{{.Label "dyber.service"}}')


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


def labelled() -> list[LabelledVolume]:
    """Every volume of the engine with labels of ours. Raises ConfigurationError when the engine does not answer."""
    return _listed("label=dyber.project=dyber")


def present_for(stack: str) -> list[LabelledVolume]:
    """As labelled, with the volumes without labels that have the name of a data volume of `stack`: a person made them, so
    that the stack uses them. They are given as if they had the labels. Raises ConfigurationError."""
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
