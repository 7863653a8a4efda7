"""Decides what the tools of a foreign server do: only read, write, or be switched off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from infra.services.contract import Contract, reads_only
from messages import mark

READ, WRITE, OFF = "read", "write", "off"
#: Where the kind of a tool comes from.
DECIDED, HINT, NO_HINT = mark("decided"), mark("its hint"), mark("no hint")


@dataclass(frozen=True)
class ToolKind:
    """A tool, what it does, and where that comes from: a person's decision, its own hint, or no hint at all."""

    name: str
    kind: str
    origin: str


def kinds(contract: Contract, decided: Mapping[str, str]) -> list[ToolKind]:
    """Return what each tool does; `decided` is what service.yaml says. A tool without a hint counts as writing."""
    result = []
    for name, tool in contract.tools.items():
        if name in decided:
            result.append(ToolKind(name, decided[name], DECIDED))
        elif (tool.get("annotations") or {}).get("readOnlyHint") is None:
            result.append(ToolKind(name, WRITE, NO_HINT))
        else:
            result.append(ToolKind(name, READ if reads_only(tool) else WRITE, HINT))
    return result


def decisions(
    contract: Contract,
    *,
    read: Collection[str] = (),
    write: Collection[str] = (),
    off: Collection[str] = (),
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """Return the decisions for service.yaml: tools that read, write or are off; with `only`, all others are off.

    Names that the server does not have are left out; `unknown` returns them.
    """
    result: dict[str, str] = {}
    for names, kind in ((read, READ), (write, WRITE), (off, OFF)):
        result |= dict.fromkeys(matching(contract.tools, names), kind)
    if only is not None:
        result |= {name: OFF for name in contract.tools if name not in only}
    return result


def unknown(contract: Contract, names: Collection[str]) -> list[str]:
    """Return the names and patterns that fit no tool of the server; `*` alone fits also where there are none."""
    return [name for name in names if name != "*" and not matching(contract.tools, [name])]


def matching(tools: Iterable[str], patterns: Collection[str]) -> list[str]:
    """Return those of `tools` whose names are among `patterns` or fit one, such as get_*; in their order."""
    return [name for name in tools if any(fnmatchcase(name, pattern) for pattern in patterns)]
