"""Decides whether an update has to refresh the state first: only where the engine differs from the state.

A refresh asks the engine about each resource and writes the state anew, which takes about as long as the update itself.
The engine's own lists tell the same in a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cli.deployment.deployment import Deployment
from cli.engine import engine
from cli.engine.resource_types import CONTAINER, IMAGE, NETWORK, VOLUME

_MIB = 1024**2


@dataclass(frozen=True)
class Present:
    """What the engine has of a stack: `containers` by id, as `docker inspect` describes them, `networks` by id, the labels
    of `volumes` by name, and `images`: the ids of all images by their name."""

    containers: Mapping[str, Mapping[str, Any]]
    networks: frozenset[str]
    volumes: Mapping[str, Mapping[str, str]]
    images: Mapping[str, str]


def needed(deployment: Deployment) -> bool:
    """Return whether a refresh would find a difference. Raises EngineError."""
    return differs(deployment.resources(), _present(deployment.deployment_id()))


def _present(deployment: str | None) -> Present:
    if deployment is None:
        return Present({}, frozenset(), {}, {})
    own = engine.deployment_filter(deployment)
    return Present(
        {item["Id"]: item for item in engine.containers(own)},
        frozenset(identity for _, identity, _ in engine.labelled_networks(own)),
        {item["Name"]: item["Labels"] or {} for item in engine.volumes("label=dyber.project=dyber")},
        engine.images(),
    )


def differs(resources: Iterable[Mapping[str, Any]], present: Present) -> bool:
    """Return whether a resource of the state is missing on the engine, stopped, or limited differently.

    All else of a container is fixed as long as it keeps its id; see `cli.drift.differences.unseen` for what no refresh
    notices. A kind of Docker's resources that is unknown here counts as different.
    """
    return any(_differs(resource, present) for resource in resources)


def _differs(resource: Mapping[str, Any], present: Present) -> bool:
    match resource["type"]:
        case kind if kind == CONTAINER:
            container = present.containers.get(str(resource["id"]))
            return container is None or _stopped_or_limited(resource["outputs"], container)
        case kind if kind == NETWORK:
            return resource["id"] not in present.networks
        case kind if kind == VOLUME:
            labels = {item["label"]: item["value"] for item in resource["outputs"].get("labels") or ()}
            return present.volumes.get(str(resource["id"])) != labels
        case kind if kind == IMAGE:
            return present.images.get(str(resource["inputs"]["name"])) != str(resource["outputs"]["imageId"])
        case kind:
            return str(kind).startswith("docker:")


def _stopped_or_limited(outputs: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    if outputs.get("mustRun") and not container["State"]["Running"]:
        return True
    return _limits_in_state(outputs) != _limits_on_engine(container["HostConfig"])


def _limits_in_state(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that `docker update` can change, in the engine's terms."""
    return {
        "Memory": (outputs.get("memory") or 0) * _MIB,
        "MemorySwap": (outputs.get("memorySwap") or 0) * _MIB,
        "MemoryReservation": (outputs.get("memoryReservation") or 0) * _MIB,
        "NanoCpus": round(float(outputs.get("cpus") or 0) * 1e9),
        "CpuShares": outputs.get("cpuShares") or 0,
        "CpuPeriod": outputs.get("cpuPeriod") or 0,
        "CpuQuota": outputs.get("cpuQuota") or 0,
        "CpusetCpus": outputs.get("cpuSet") or "",
        "RestartPolicy": outputs.get("restart") or "no",
        "MaximumRetryCount": outputs.get("maxRetryCount") or 0,
    }


def _limits_on_engine(host: Mapping[str, Any]) -> dict[str, Any]:
    policy = host.get("RestartPolicy") or {}
    limits = {key: host.get(key) or 0 for key in ("Memory", "MemorySwap", "MemoryReservation", "NanoCpus")}
    limits |= {key: host.get(key) or 0 for key in ("CpuShares", "CpuPeriod", "CpuQuota")}
    return {
        **limits,
        "CpusetCpus": host.get("CpusetCpus") or "",
        "RestartPolicy": policy.get("Name") or "no",
        "MaximumRetryCount": policy.get("MaximumRetryCount") or 0,
    }
