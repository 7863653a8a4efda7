"""What a change does to a stack: a pure function of the document that `pulumi preview --json` prints."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cli.engine.stored_data import holds_data
from infra.parts.data_volumes import DATA_FOLDER
from messages import mark

#: What Pulumi writes for a text that is not known before the update.
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
#: By operation: a sign, and its name.
OPS = {
    "create": ("➕", mark("create")),
    "replace": ("🔁", mark("replace")),
    "update": ("✏️", mark("update")),
    "delete": ("🗑️", mark("delete")),
}
#: Steps that are parts of a replacement.
_PARTS = {"create-replacement": "replace", "delete-replaced": "replace"}
KINDS = {
    "Container": mark("container"),
    "RemoteImage": mark("image"),
    "Network": mark("network"),
    "Volume": mark("volume"),
    "RandomBytes": mark("token"),
    "RandomId": mark("id"),
}
SERVICE = "dyber:service:McpService"


@dataclass(frozen=True)
class StackPreview:
    """`preview`: the document that `pulumi preview --json` printed, or None where it failed with `error`;
    `settings_before` and `settings_after`: the stack's file at the base of the change and now."""

    stack: str
    preview: Mapping[str, Any] | None
    settings_before: str = ""
    settings_after: str = ""
    error: str = ""


@dataclass(frozen=True)
class Step:
    """One resource that changes; `old_first`: a replacement deletes the old one before the new one is there;
    `retained`: where it is deleted or replaced, only Pulumi forgets the old one, which stays on the engine."""

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
        """The types of the components it is in, outermost first, and its own."""
        return self.urn.split("::")[2].split("$")

    @property
    def kind(self) -> str:
        """The last part of the resource's type."""
        return self.types[-1].rsplit(":", 1)[-1]


def steps(preview: Mapping[str, Any]) -> list[Step]:
    """The resources that change, components and providers left out; a replacement is one step."""
    found: dict[str, Step] = {}
    order: dict[str, list[str]] = {}
    for item in preview.get("steps") or ():
        op, urn = str(item["op"]), str(item["urn"])
        order.setdefault(urn, []).append(op)
        step_op = _PARTS.get(op, op)
        kind = urn.split("::")[2].split("$")[-1]
        if step_op not in OPS or kind.startswith(("dyber:", "pulumi:")):
            continue
        old = (item.get("oldState") or {}).get("inputs") or (found[urn].old if urn in found else {})
        new = (item.get("newState") or {}).get("inputs") or (found[urn].new if urn in found else {})
        reasons = item.get("replaceReasons") or item.get("diffReasons") or (found[urn].reasons if urn in found else ())
        retained = bool((item.get("oldState") or {}).get("retainOnDelete")) or (urn in found and found[urn].retained)
        found[urn] = Step(step_op, urn, old, new, tuple(reasons), retained=retained)
    return [replace(step, old_first=_old_first(order[urn], step)) for urn, step in found.items()]


def _old_first(ops: list[str], step: Step) -> bool:
    if step.op != "replace":
        return False
    if {"delete-replaced", "create-replacement"} <= set(ops):
        return ops.index("delete-replaced") < ops.index("create-replacement")
    return False


@dataclass(frozen=True)
class Effects:
    """What users notice of a change, as names of resources, sorted.

    `smooth`: no call is lost, `interrupted`: new connections are refused for about two seconds, `moved`: services whose
    network is replaced, so that calls fail for some seconds, `gone`: no longer served, `lost`: volumes whose data is
    deleted, `kept`: volumes whose data stays though nothing uses it afterwards.
    """

    smooth: Sequence[str] = ()
    interrupted: Sequence[str] = ()
    moved: Sequence[str] = ()
    gone: Sequence[str] = ()
    lost: Sequence[str] = ()
    kept: Sequence[str] = ()


def effects(changed: Sequence[Step]) -> Effects:
    """What users notice of these steps."""
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
    """Whether a step deletes or replaces a volume with data; `step.retained` says whether the data stays."""
    return step.op in ("delete", "replace") and _holds_data(step)


def _serves(step: Step) -> bool:
    stays = (step.new or step.old).get("mustRun") is not False
    return step.name == "gateway-nginx" or (SERVICE in step.types and stays)


def _holds_data(step: Step) -> bool:
    """Whether it is a volume with data, or with the gateway's certificates; other volumes are written anew."""
    return step.kind == "Volume" and (holds_data(step.urn) or step.name == "gateway-configuration")


def _mounted_data(step: Step) -> Iterator[str]:
    """The data volumes that a container mounted."""
    for mount in step.old.get("mounts") or ():
        if isinstance(mount, Mapping) and mount.get("target") == DATA_FOLDER and mount.get("source"):
            yield str(mount["source"])


def _moves(step: Step) -> bool:
    """Whether a service leaves its network for another one: the gateway may be there before its containers are."""
    return step.kind == "Network" and step.op == "replace" and SERVICE in step.types


def _service_of(step: Step) -> str:
    """The service that a container is of."""
    return re.sub(r"-server(-[0-9]+)?$", "", step.name)
