"""Looking at a stack's engine for drift, and putting back what an update would not notice."""

from __future__ import annotations

import hashlib
import io
import tarfile
from contextlib import suppress

from cli.deployment.deployment import Deployment
from cli.drift import differences
from cli.drift.differences import Delivery, Difference
from cli.engine import engine
from cli.engine.engine import EngineError
from cli.terminal.console import Activities, err
from messages import tr


def find(deployment: Deployment, display: Activities) -> list[Difference]:
    """All that differs; changes nothing, not even the state. Raises StackError for a stack that is not deployed or in
    use just now, DeployError, EngineError."""
    deployment.require_id()
    deployment.require_idle()
    with display.phase(tr("Comparing stack {name}", name=deployment.stack.name)):
        return [
            *differences.unfinished(deployment.state()),
            *differences.refreshed(deployment.refreshed(display)),
            *_hidden(deployment),
        ]


def repair(deployment: Deployment) -> list[str]:
    """Put back what an update would not notice, saying what; returns the URNs of what it must replace for that.

    What the state does not know is left to `Deployment.recover`. Raises EngineError.
    """
    replace = []
    found = _hidden(deployment) if deployment.deployment_id() else []
    for item in found:
        match item.condition:
            case "paused":
                engine.docker("unpause", item.container)
                done = tr("resumed")
            case "renamed":
                engine.docker("rename", item.container, item.old_name)
                done = tr("renamed back")
            case "disconnected":
                _connect(item)
                done = tr("connected to {network} again", network=item.network)
            case "connected":
                engine.docker("network", "disconnect", item.network, item.container)
                done = tr("disconnected from {network}", network=item.network)
            case "files":
                _deliver(item)
                done = tr("delivered its files again")
            case "changed":
                replace.append(item.urn)
                continue
            case _:
                continue
        err.print(f"{item.name}: {done}", markup=False)
    if any(item.condition == "files" for item in found):
        replace += [item.urn for item in _hidden(deployment) if item.condition == "files"]
    return replace


def _deliver(item: Difference) -> None:
    """Who does not run, as with those files it cannot, finds the right ones at its start; who runs reads them anew."""
    with suppress(EngineError):
        engine.copy_in(item.container, item.folder, engine.copy_out(item.container, item.staging))
        engine.docker("start", "--attach", item.container)


def _connect(item: Difference) -> None:
    aliases = [word for alias in item.aliases for word in ("--alias", alias)]
    # It may be there under other names, which an engine does not change.
    with suppress(EngineError):
        engine.docker("network", "disconnect", item.network, item.container)
    engine.docker("network", "connect", *aliases, item.network, item.container)


def _hidden(deployment: Deployment) -> list[Difference]:
    own = engine.deployment_filter(deployment.require_id())
    containers, resources = engine.containers(own), deployment.resources()
    networks = {identity: name for _, identity, name in engine.labelled_networks(own)}
    found = differences.unseen(resources, containers, networks, engine.images())
    present = {item["Id"] for item in containers}
    delivered = [item for item in differences.deliveries(resources) if item.loader in present]
    return found + [difference for item in delivered if (difference := item.compare(_present(item)))]


def _present(delivery: Delivery) -> dict[str, str]:
    """SHA-256 by path of the files that are there; nothing where their folder is gone."""
    try:
        archive = engine.copy_out(delivery.loader, delivery.folder)
    except EngineError:
        return {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            member.name.removeprefix("./"): hashlib.sha256(content.read()).hexdigest()
            for member in tar
            if (content := tar.extractfile(member)) is not None
        }
