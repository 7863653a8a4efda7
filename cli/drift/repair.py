"""Repairs differences on a stack's engine that an update would not notice."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from cli.deployment.deployment import Deployment
from cli.drift import look, present, refresh
from cli.drift.differences import Difference
from cli.engine import archives, engine, processes
from cli.engine.engine import EngineError
from cli.terminal.console import err
from messages import tr


@dataclass(frozen=True)
class Rest:
    """What is left to the update: `replace` has the URNs of resources to replace; `refresh` says whether the state has to
    be refreshed first."""

    replace: list[str]
    refresh: bool


def repair(deployment: Deployment) -> Rest:
    """Repair the differences that an update would not notice, print each repair, and return the rest.

    Containers that the state does not know are left to `Deployment.recover`. Raises EngineError.
    """
    replace = []
    on_engine = present.read(deployment.deployment_id())
    differences = look.unseen(deployment, on_engine)
    for difference in differences:
        if difference.condition == "changed":
            replace.append(difference.urn)
        elif repaired := _repaired(difference):
            err.print(f"{difference.name}: {repaired}", markup=False)
    if any(difference.condition == "files" for difference in differences):
        again = look.unseen(deployment, on_engine)
        replace += [difference.urn for difference in again if difference.condition == "files"]
    # No repair removes, stops or limits anything, so what was read before them serves here too.
    return Rest(replace, refresh.needed(deployment.resources(), on_engine))


def _repaired(difference: Difference) -> str:
    """Repair one difference; returns the sentence for the user, or '' for a difference that needs an update."""
    match difference.condition:
        case "paused":
            with engine.asking() as client:
                client.unpause(difference.container)
            return tr("resumed")
        case "renamed":
            with engine.asking() as client:
                client.rename(difference.container, difference.old_name)
            return tr("renamed back")
        case "disconnected":
            _connect(difference)
            return tr("connected to {network} again", network=difference.network)
        case "connected":
            with engine.asking() as client:
                client.disconnect_container_from_network(difference.container, difference.network)
            return tr("disconnected from {network}", network=difference.network)
        case "files":
            _deliver(difference)
            return tr("delivered its files again")
        case _:
            return ""


def _deliver(difference: Difference) -> None:
    """Copy the delivered files to their place again and let the container load them.

    A gateway that does not run finds the right files at its start; a running one reads them anew.
    """
    with suppress(EngineError):
        archives.copy_within(difference.container, difference.staging, difference.folder)
        processes.run_to_end(difference.container)


def _connect(difference: Difference) -> None:
    # The container may be in the network under other names, which the engine cannot change.
    with suppress(EngineError), engine.asking() as client:
        client.disconnect_container_from_network(difference.container, difference.network)
    with engine.asking() as client:
        client.connect_container_to_network(difference.container, difference.network, aliases=list(difference.aliases))
