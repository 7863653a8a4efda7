"""Gives the data of each service to the user that its containers will run as.

That user follows from the service's port. A service that was added again at another port, or whose port was changed,
could not read what it has kept otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.engine import engine, volumes
from cli.engine.errors import EngineError
from cli.system.checkout import ROOT
from infra.schema.problems import ConfigurationError
from messages import tr

if TYPE_CHECKING:
    from cli.terminal.console import Activities
    from infra.settings.stack import StackSettings


@dataclass(frozen=True)
class Kept:
    """The data volume of a service whose containers will run as the user `uid`.

    `users` are those of the containers that mount it now, `running` those of them that run.
    """

    service: str
    volume: str
    uid: int
    users: frozenset[int]
    running: frozenset[int]

    @property
    def may_belong_to_another(self) -> bool:
        """Tell whether the containers do not show that the data is already the user's."""
        return self.users != {self.uid}


@contextmanager
def handed_over(settings: StackSettings, display: Activities) -> Iterator[None]:
    """Give data to its services for an update inside the context.

    If the update fails, containers that still run get their data back. Data that cannot be given away is told and left:
    the health of the new containers decides.
    """
    given: list[Kept] = []
    try:
        for kept in kept_data(settings):
            if kept.may_belong_to_another:
                given.append(kept)
                _give(kept, display)
        yield
    except BaseException:
        _give_back(given)
        raise


def _give(kept: Kept, display: Activities) -> None:
    from cli.terminal.console import err

    try:
        with display.phase(tr("Giving the data of {service} to its user", service=kept.service)):
            volumes.give(kept.volume, kept.uid)
    except EngineError as error:
        problem = tr("the data of {service} could not be given to user {uid}", service=kept.service, uid=kept.uid)
        err.print(f"• {problem}: {error}", markup=False)


def _give_back(given: Sequence[Kept]) -> None:
    for kept in given:
        for user in kept.running - {kept.uid}:
            # Containers of the new user that did not start in time may still be there.
            with suppress(EngineError):
                if user in _users(kept.volume, all_states=False):
                    volumes.give(kept.volume, user)


def kept_data(settings: StackSettings) -> list[Kept]:
    """Return the data volumes that services of the stack have on the engine."""
    from infra.parts import data_volumes
    from infra.services.catalog import load_catalog
    from infra.settings.selection import enabled

    try:
        specs = enabled(settings, load_catalog(ROOT / "mcp-servers"))
    except ConfigurationError:
        return []  # The program says what is wrong.
    named = data_volumes.of_stack(settings.stack, data_volumes.present_for(settings.stack, engine.volumes()))
    return [
        Kept(spec.name, volume, spec.uid, _users(volume), _users(volume, all_states=False))
        for spec in specs
        if spec.data and (volume := named.get(spec.name))
    ]


def _users(volume: str, *, all_states: bool = True) -> frozenset[int]:
    """Return the numeric users of the containers that mount a volume; 0 stands for those without one."""
    users = [
        str(container["Config"].get("User") or "0").partition(":")[0]
        for container in engine.containers(f"volume={volume}", all_states=all_states)
    ]
    return frozenset(int(user) if user.isdigit() else 0 for user in users)
