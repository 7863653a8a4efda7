"""Reads what a change does to a stack from the document that `pulumi preview --json` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cli.engine.stored_data import holds_data
from cli.previews.tool_lists import ToolList
from infra.parts.data_volumes import DATA_FOLDER
from messages import mark

#: The text that Pulumi writes in place of a value that is not known before the update.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
#: A sign and a name for each operation.
OPS = {
    "create": ("➕", mark("create")),
    "replace": ("🔁", mark("replace")),
    "update": ("✏️", mark("update")),
    "delete": ("🗑️", mark("delete")),
}
#: Operations of Pulumi that are parts of a replacement.
_PARTS = {"create-replacement": "replace", "delete-replaced": "replace"}
KINDS = {
    "Container": mark("container"),
    "RemoteImage": mark("image"),
    "Network": mark("network"),
    "Volume": mark("volume"),
    "RandomBytes": mark("token"),
    "RandomId": mark("id"),
}
#: The types of the components whose containers answer calls behind the gateway.
SERVING = ("dyber:service:McpService", "dyber:hub:Hub")


@dataclass(frozen=True)
class StackPreview:
    """The preview of one stack.

    `preview` is the document that `pulumi preview --json` printed, or None if it failed with `error`. `settings_before`
    and `settings_after` are the texts of the stack's file at the base of the change and now. `tool_lists` are what the
    hub lists after the change.
    """

    stack: str
    preview: Mapping[str, Any] | None
    settings_before: str = ""
    settings_after: str = ""
    error: str = ""
    tool_lists: tuple[ToolList, ...] = ()


@dataclass(frozen=True)
class Step:
    """The change of one resource.

    `old_first` means that a replacement deletes the old resource before it creates the new one. `retained` means that a
    deleted or replaced resource is removed from Pulumi's state only and stays on the engine.
    """

    op: str
    urn: str
    old: Mapping[str, Any] = field(default_factory=dict)
    new: Mapping[str, Any] = field(default_factory=dict)
    reasons: Sequence[str] = ()
    old_first: bool = False
    retained: bool = False

    @property
    def name(self) -> str:
        """The resource's name, the last part of its URN."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def types(self) -> list[str]:
        """The types of the components that contain the resource, outermost first, and its own type."""
        return self.urn.split("::")[2].split("$")

    @property
    def kind(self) -> str:
        """The last part of the resource's type."""
        return self.types[-1].rsplit(":", 1)[-1]


def steps(preview: Mapping[str, Any]) -> list[Step]:
    """Return the changes of resources without components and providers; a replacement is one step."""
    by_urn: dict[str, Step] = {}
    order: dict[str, list[str]] = {}
    for item in preview.get("steps") or ():
        op, urn = str(item["op"]), str(item["urn"])
        order.setdefault(urn, []).append(op)
        step_op = _PARTS.get(op, op)
        kind = urn.split("::")[2].split("$")[-1]
        if step_op not in OPS or kind.startswith(("dyber:", "pulumi:")):
            continue
        old = (item.get("oldState") or {}).get("inputs") or (by_urn[urn].old if urn in by_urn else {})
        new = (item.get("newState") or {}).get("inputs") or (by_urn[urn].new if urn in by_urn else {})
        reasons = (
            item.get("replaceReasons") or item.get("diffReasons") or (by_urn[urn].reasons if urn in by_urn else ())
        )
        retained = bool((item.get("oldState") or {}).get("retainOnDelete")) or (urn in by_urn and by_urn[urn].retained)
        by_urn[urn] = Step(step_op, urn, old, new, tuple(reasons), retained=retained)
    return [replace(step, old_first=_old_first(order[urn], step)) for urn, step in by_urn.items()]


def _old_first(ops: list[str], step: Step) -> bool:
    if step.op != "replace":
        return False
    if {"delete-replaced", "create-replacement"} <= set(ops):
        return ops.index("delete-replaced") < ops.index("create-replacement")
    return False


@dataclass(frozen=True)
class Effects:
    """What users notice of a change, as sorted names of resources by effect.

    smooth: no call is lost. interrupted: new connections are refused for about two seconds. moved: calls fail for some
    seconds, as the service's network is replaced. gone: the service is no longer served. lost: the data of the volume
    is deleted. kept: the data of the volume is kept, although nothing uses it afterwards.
    """

    smooth: Sequence[str] = ()
    interrupted: Sequence[str] = ()
    moved: Sequence[str] = ()
    gone: Sequence[str] = ()
    lost: Sequence[str] = ()
    kept: Sequence[str] = ()


def effects(changed: Sequence[Step]) -> Effects:
    """Return what users notice of these steps."""
    containers = [step for step in changed if step.kind == "Container" and step.op == "replace"]
    stopped = [step for step in changed if step.kind == "Container" and step.op == "delete"]
    moved = sorted(step.name.removesuffix("-network") for step in changed if _moves(step))
    served = [step for step in containers if _serves(step) and _service_of(step) not in moved]
    data = [step for step in changed if loses_or_keeps_data(step)]
    deleted = {step.old.get("name") for step in data if not step.retained}
    kept = {step.name for step in data if step.retained}
    kept |= {source for step in stopped for source in _mounted_data(step) if source not in deleted}
    return Effects(
        smooth=sorted({step.name for step in served if not step.old_first}),
        interrupted=sorted(
            {step.name for step in containers if step.old_first and step.new.get("mustRun") is not False}
        ),
        moved=moved,
        gone=sorted(step.name for step in stopped if _serves(step)),
        lost=sorted(step.name for step in data if not step.retained),
        kept=sorted(kept),
    )


def loses_or_keeps_data(step: Step) -> bool:
    """Tell whether a step deletes or replaces a volume with data; `step.retained` says whether the data is kept."""
    return step.op in ("delete", "replace") and _holds_data(step)


def _serves(step: Step) -> bool:
    is_lasting = (step.new or step.old).get("mustRun") is not False
    return step.name == "gateway-nginx" or (_is_serving(step) and is_lasting)


def _holds_data(step: Step) -> bool:
    """Tell whether it is a volume with data or with the gateway's certificates; other volumes are written again."""
    return step.kind == "Volume" and (holds_data(step.urn) or step.name == "gateway-configuration")


def _mounted_data(step: Step) -> Iterator[str]:
    """Yield the names of the data volumes that a container mounted."""
    for mount in step.old.get("mounts") or ():
        if isinstance(mount, Mapping) and mount.get("target") == DATA_FOLDER and mount.get("source"):
            yield str(mount["source"])


def _moves(step: Step) -> bool:
    """Tell whether a service's network is replaced; the gateway may then be in the new network before the service."""
    return step.kind == "Network" and step.op == "replace" and _is_serving(step)


def _is_serving(step: Step) -> bool:
    return any(component in step.types for component in SERVING)


def _service_of(step: Step) -> str:
    """Return the service of a container."""
    return re.sub(r"-server(-[0-9]+)?$", "", step.name)
