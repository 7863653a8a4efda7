"""Decides whether an update has to refresh the state first: only where the engine differs from the state.

A refresh asks the engine about each resource and writes the state anew, which takes about as long as the update itself.
The engine's own lists tell the same in a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cli.drift.present import Present
from cli.engine.resource_types import CONTAINER, IMAGE, NETWORK, VOLUME

_MIB = 1024**2


def needed(resources: Iterable[Mapping[str, Any]], present: Present) -> bool:
    """Return whether a refresh would find a resource of the state that is missing, stopped, or limited differently.

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
