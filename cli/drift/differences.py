"""Decides how the engine differs from a stack's state, from documents of Pulumi and descriptions of the engine."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cli.engine.resource_types import CONTAINER, IMAGE
from cli.previews.comment import what
from cli.previews.model import Step

Condition = Literal[
    "gone", "stopped", "paused", "changed", "renamed", "disconnected", "connected", "files", "unknown", "unfinished"
]
#: Properties that another condition reports: a stopped container publishes no port, and names are compared directly.
_REPORTED_ELSEWHERE = {"mustRun", "ports", "name"}


@dataclass(frozen=True)
class Difference:
    """One resource that is not as it was deployed.

    `kind` is its type, such as Container. `name` is the program's name of it, or the engine's where the state does not
    know it; there `urn` is ''. `details` are Markdown, with secrets masked.

    The other fields are what a repair needs: the id of the `container`; the `network` that it has to be connected to,
    with its `aliases`, or disconnected from; the `old_name` that it had; the folder `staging`, which has its files, and
    the `folder` that they have to be copied to.
    """

    condition: Condition
    kind: str
    name: str
    details: str = ""
    urn: str = ""
    container: str = ""
    network: str = ""
    aliases: tuple[str, ...] = ()
    old_name: str = ""
    staging: str = ""
    folder: str = ""


def refreshed(outcomes: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Return the differences that the providers report; `outcomes` are steps of a refresh (`pulumi preview --json`)."""
    differences = []
    for item in outcomes:
        urn, op = str(item["urn"]), str(item["op"])
        step = Step("update", urn)
        if op == "delete":
            differences.append(Difference("gone", step.kind, step.name, urn=urn))
            continue
        reasons = list(item.get("diffReasons") or ())
        if op != "update" or not reasons:
            continue
        stopped = "mustRun" in reasons
        if step.types[-1] == CONTAINER:
            reasons = [key for key in reasons if key not in _REPORTED_ELSEWHERE or (key == "ports" and not stopped)]
        if stopped or reasons:
            old, new = ((item.get(key) or {}).get("inputs") or {} for key in ("oldState", "newState"))
            details = what(Step("update", urn, old, new, reasons))
            differences.append(Difference("stopped" if stopped else "changed", step.kind, step.name, details, urn))
    return differences


def unfinished(state: Mapping[str, Any]) -> list[Difference]:
    """Return a difference for each operation that a killed run had begun."""
    operations = (item["resource"]["urn"] for item in state.get("pending_operations") or ())
    return [Difference("unfinished", (step := Step("update", urn)).kind, step.name, urn=urn) for urn in operations]


def unseen(
    resources: Iterable[Mapping[str, Any]],
    containers: Iterable[Mapping[str, Any]],
    networks: Mapping[str, str],
    images: Mapping[str, str],
) -> list[Difference]:
    """Return the differences that the providers do not report.

    Those are containers that are paused, renamed or in other networks, or that have other variables, labels or mounts;
    images whose name belongs to another image now; and containers and networks that the state does not know.

    `resources` are those of the state. `containers` are the engine's descriptions of all containers with the label of
    its deployment, also of stopped ones, and `networks` the names by id of all networks with that label. `images` are
    the ids by name of all images of the engine.
    """
    resources, differences = list(resources), []
    deployed = {str(item.get("id")): item for item in resources}
    names = set(networks.values())
    for container in containers:
        resource = deployed.get(container["Id"])
        if resource is None:
            differences.append(
                Difference("unknown", "Container", container["Name"].lstrip("/"), container=container["Id"])
            )
        elif resource["type"] == CONTAINER and not resource.get("delete"):
            differences += _container(resource, container, names)
    differences += [difference for item in resources if (difference := _image(item, images))]
    differences += [Difference("unknown", "Network", name) for id_, name in networks.items() if id_ not in deployed]
    return differences


def _image(resource: Mapping[str, Any], images: Mapping[str, str]) -> Difference | None:
    if resource["type"] != IMAGE or resource.get("delete"):
        return None
    built, now = str(resource["outputs"]["imageId"]), images.get(str(resource["inputs"]["name"]))
    if now in (built, None):  # The provider reports an image that is gone.
        return None
    step = Step("update", str(resource["urn"]), {"imageId": built}, {"imageId": now}, ["imageId"])
    return Difference("changed", step.kind, step.name, what(step), step.urn)


def _container(
    resource: Mapping[str, Any], container: Mapping[str, Any], networks: Collection[str]
) -> Iterable[Difference]:
    urn, inputs = str(resource["urn"]), resource["inputs"]
    step = Step("update", urn)

    def difference(condition: Condition, details: str = "", **more: Any) -> Difference:
        return Difference(condition, step.kind, step.name, details, urn, container["Id"], **more)

    if container["State"]["Status"] == "paused":
        yield difference("paused")
    if (now := container["Name"].lstrip("/")) != (name := str(inputs["name"])):
        yield difference("renamed", f"`{name}` → `{now}`", old_name=name)
    declared = {item["name"]: tuple(item.get("aliases") or ()) for item in inputs.get("networksAdvanced") or ()}
    present = container["NetworkSettings"].get("Networks") or {}
    for network, aliases in declared.items():
        reached = present.get(network)
        # A network that is gone is replaced, and with it the containers that were in it.
        if network in networks and (reached is None or not set(aliases) <= set(reached.get("Aliases") or ())):
            yield difference("disconnected", f"`{network}`", network=network, aliases=aliases)
    if declared:
        for network in sorted(set(present) - set(declared)):
            yield difference("connected", f"`{network}`", network=network)
    before, after = _fixed(inputs), _actual(container, inputs)
    if reasons := [key for key in before if before[key] != after[key]]:
        yield difference("changed", what(Step("update", urn, before, after, reasons)))


def _fixed(inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what a container is created with and cannot change later, as sorted texts."""
    return {
        "envs": sorted(inputs.get("envs") or ()),
        "labels": sorted(f"{item['label']}={item['value']}" for item in inputs.get("labels") or ()),
        "mounts": sorted(
            f"{item.get('source') or ''}:{item['target']}{':ro' if item.get('readOnly') else ''}"
            for item in inputs.get("mounts") or ()
        ),
    }


def _actual(container: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what `_fixed` does from the engine's description, without variables and labels that the image has."""
    declared_variables = {text.partition("=")[0] for text in inputs.get("envs") or ()}
    declared_labels = {item["label"] for item in inputs.get("labels") or ()}
    configuration = container["Config"]
    return {
        "envs": sorted(text for text in configuration.get("Env") or () if text.partition("=")[0] in declared_variables),
        "labels": sorted(f"{key}={value}" for key, value in configuration["Labels"].items() if key in declared_labels),
        "mounts": sorted(
            f"{item.get('Name') or item.get('Source', '')}:{item['Destination']}{'' if item['RW'] else ':ro'}"
            for item in container.get("Mounts") or ()
        ),
    }


@dataclass(frozen=True)
class Delivery:
    """Files that a one-shot container copied from its folder `staging` into its `folder`, which is in a volume.

    `loader` is the id of that container, `files` the SHA-256 of each file by path. Whenever the loader runs, it lets
    the container that uses the files load them again.
    """

    urn: str
    loader: str
    staging: str
    folder: str
    files: Mapping[str, str]

    def compare(self, present: Mapping[str, str]) -> Difference | None:
        """Return how the files that are `present` (SHA-256 by path) differ; None when they do not."""
        paths = sorted(path for path in {*self.files, *present} if self.files.get(path) != present.get(path))
        if not paths:
            return None
        step, details = Step("update", self.urn), ", ".join(f"`{path}`" for path in paths)
        return Difference(
            "files", step.kind, step.name, details, self.urn, self.loader, staging=self.staging, folder=self.folder
        )


def deliveries(resources: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """Return the configurations that were delivered to running containers (apply-config, apply-monitoring)."""
    delivered = []
    for item in resources:
        inputs = item.get("inputs") or {}
        delivers = inputs.get("pidMode") and inputs.get("uploads") and inputs.get("command")
        if item["type"] != CONTAINER or item.get("delete") or not delivers:
            continue
        if (item.get("outputs") or {}).get("exitCode"):
            continue  # Its files were refused, and the previous ones are in use.
        staging = str(inputs["command"][-1])
        files = {
            upload["file"].removeprefix(f"{staging}/"): hashlib.sha256(upload["content"].encode()).hexdigest()
            for upload in inputs["uploads"]
        }
        delivered.append(Delivery(item["urn"], item["id"], staging, f"{inputs['mounts'][0]['target']}/current", files))
    return delivered
