"""How the engine differs from a stack's state. Decides only, from documents of Pulumi and of `docker inspect`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cli.engine.resource_types import CONTAINER, IMAGE
from cli.previews.comment import step_details
from cli.previews.model import Step

Condition = Literal[
    "gone", "stopped", "paused", "changed", "renamed", "disconnected", "connected", "files", "unknown", "unfinished"
]
#: What another condition tells already: a stopped container publishes no port, and a name is looked at directly.
_TOLD_OTHERWISE = {"mustRun", "ports", "name"}


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was deployed. `kind`: its type, such as Container; `name`: as the program calls it,
    or the engine, where the state does not know it; `details`: Markdown, secrets masked; `urn`: '' where the state does
    not know it. What is needed to put it back: `container` is its id, `network` and `aliases` are those it is to have
    or to leave, `old_name` is what it was called, `staging` and `folder` are where its files are and are to be."""

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
    """What the providers see: `outcomes` are the steps of a refresh, as in `pulumi preview --json`."""
    found = []
    for item in outcomes:
        urn, op = str(item["urn"]), str(item["op"])
        step = Step("update", urn)
        if op == "delete":
            found.append(Difference("gone", step.kind, step.name, urn=urn))
            continue
        reasons = list(item.get("diffReasons") or ())
        if op != "update" or not reasons:
            continue
        stopped = "mustRun" in reasons
        if step.types[-1] == CONTAINER:
            reasons = [key for key in reasons if key not in _TOLD_OTHERWISE or (key == "ports" and not stopped)]
        if stopped or reasons:
            old, new = ((item.get(key) or {}).get("inputs") or {} for key in ("oldState", "newState"))
            details = step_details(Step("update", urn, old, new, reasons))
            found.append(Difference("stopped" if stopped else "changed", step.kind, step.name, details, urn))
    return found


def unfinished(state: Mapping[str, Any]) -> list[Difference]:
    """Operations that a killed run had begun."""
    operations = (item["resource"]["urn"] for item in state.get("pending_operations") or ())
    return [Difference("unfinished", (step := Step("update", urn)).kind, step.name, urn=urn) for urn in operations]


def unseen(
    resources: Iterable[Mapping[str, Any]],
    containers: Iterable[Mapping[str, Any]],
    networks: Mapping[str, str],
    images: Mapping[str, str],
) -> list[Difference]:
    """What the providers do not see: containers that are paused, renamed, in other networks, or that carry other
    variables, labels or mounts; images whose name means another one now; and what the state does not know.

    `resources`: the state's; `containers`: `docker inspect` of all with the label of its deployment, also stopped ones;
    `networks`: names by id, of all with that label; `images`: ids by name, of all on the engine.
    """
    resources, found = list(resources), []
    deployed = {str(item.get("id")): item for item in resources}
    names = set(networks.values())
    for container in containers:
        resource = deployed.get(container["Id"])
        if resource is None:
            found.append(Difference("unknown", "Container", container["Name"].lstrip("/"), container=container["Id"]))
        elif resource["type"] == CONTAINER and not resource.get("delete"):
            found += _container(resource, container, names)
    found += [difference for item in resources if (difference := _image(item, images))]
    found += [Difference("unknown", "Network", name) for id_, name in networks.items() if id_ not in deployed]
    return found


def _image(resource: Mapping[str, Any], images: Mapping[str, str]) -> Difference | None:
    if resource["type"] != IMAGE or resource.get("delete"):
        return None
    built, now = str(resource["outputs"]["imageId"]), images.get(str(resource["inputs"]["name"]))
    if now in (built, None):  # one that is gone is seen
        return None
    step = Step("update", str(resource["urn"]), {"imageId": built}, {"imageId": now}, ["imageId"])
    return Difference("changed", step.kind, step.name, step_details(step), step.urn)


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
    wanted = {item["name"]: tuple(item.get("aliases") or ()) for item in inputs.get("networksAdvanced") or ()}
    present = container["NetworkSettings"].get("Networks") or {}
    for network, aliases in wanted.items():
        reached = present.get(network)
        # A network that is gone as a whole is replaced, and with it whoever was in it.
        if network in networks and (reached is None or not set(aliases) <= set(reached.get("Aliases") or ())):
            yield difference("disconnected", f"`{network}`", network=network, aliases=aliases)
    if wanted:
        for network in sorted(set(present) - set(wanted)):
            yield difference("connected", f"`{network}`", network=network)
    before, after = _fixed(inputs), _actual(container, inputs)
    if reasons := [key for key in before if before[key] != after[key]]:
        yield difference("changed", step_details(Step("update", urn, before, after, reasons)))


def _fixed(inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    """What a container is made with, as sorted texts."""
    return {
        "envs": sorted(inputs.get("envs") or ()),
        "labels": sorted(f"{item['label']}={item['value']}" for item in inputs.get("labels") or ()),
        "mounts": sorted(
            f"{item.get('source') or ''}:{item['target']}{':ro' if item.get('readOnly') else ''}"
            for item in inputs.get("mounts") or ()
        ),
    }


def _actual(container: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, list[str]]:
    """The same of `docker inspect`, without the variables and labels that come from the image."""
    own_variables = {text.partition("=")[0] for text in inputs.get("envs") or ()}
    own_labels = {item["label"] for item in inputs.get("labels") or ()}
    configuration = container["Config"]
    return {
        "envs": sorted(text for text in configuration.get("Env") or () if text.partition("=")[0] in own_variables),
        "labels": sorted(f"{key}={value}" for key, value in configuration["Labels"].items() if key in own_labels),
        "mounts": sorted(
            f"{item.get('Name') or item.get('Source', '')}:{item['Destination']}{'' if item['RW'] else ':ro'}"
            for item in container.get("Mounts") or ()
        ),
    }


@dataclass(frozen=True)
class Delivery:
    """Files that a one-shot container, `loader` (its id), put from its folder `staging` into `folder`, which is in a
    volume: SHA-256 by path. Who reads them is asked to read them anew whenever it runs."""

    urn: str
    loader: str
    staging: str
    folder: str
    files: Mapping[str, str]

    def compare(self, present: Mapping[str, str]) -> Difference | None:
        """How what is `present` differs, SHA-256 by path."""
        paths = sorted(path for path in {*self.files, *present} if self.files.get(path) != present.get(path))
        if not paths:
            return None
        step, details = Step("update", self.urn), ", ".join(f"`{path}`" for path in paths)
        return Difference(
            "files", step.kind, step.name, details, self.urn, self.loader, staging=self.staging, folder=self.folder
        )


def deliveries(resources: Iterable[Mapping[str, Any]]) -> list[Delivery]:
    """The configurations that were delivered to running containers (apply-config, apply-monitoring)."""
    found = []
    for item in resources:
        inputs = item.get("inputs") or {}
        delivers = inputs.get("pidMode") and inputs.get("uploads") and inputs.get("command")
        if item["type"] != CONTAINER or item.get("delete") or not delivers:
            continue
        if (item.get("outputs") or {}).get("exitCode"):
            continue  # What it brought was refused, and what was there before serves on.
        staging = str(inputs["command"][-1])
        files = {
            upload["file"].removeprefix(f"{staging}/"): hashlib.sha256(upload["content"].encode()).hexdigest()
            for upload in inputs["uploads"]
        }
        found.append(Delivery(item["urn"], item["id"], staging, f"{inputs['mounts'][0]['target']}/current", files))
    return found
