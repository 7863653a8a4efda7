"""Reads what a foreign server lists, repairs or refuses what is not usable, and compares it with the lock."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from mcp.types import ToolAnnotations
from pydantic import ValidationError

from dyber_kit.bridge.offers import (
    OFFER_KINDS,
    Offer,
    OfferKind,
    Refused,
    arguments_of,
    is_address,
    is_template,
    read_prompts,
    read_resources,
    read_templates,
)
from dyber_kit.bridge.settings import LeftOut, read_json
from dyber_kit.contract import digest
from dyber_kit.language import joined_names, joined_sentences, tr

#: Names that every client and the gateway's scopes accept.
TOOL_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")
_HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
_HEADER_KEY = "x-mcp-header"
_DEEPEST = 60
# The health check reads the beginning of what names them.
_MOST_NAMES = 10

Visible = dict[str, Any]
ItemKind = Literal["tools"] | OfferKind


class Item(NamedTuple):
    """Names something that a server lists: a tool or a prompt by its name, a resource by its address."""

    kind: ItemKind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind == "tools" else f"{self.kind}: {self.name}"


@dataclass(frozen=True)
class Listed:
    """Holds the lists of a foreign server as it sent them, and whether it suggests values for arguments."""

    tools: Sequence[Any] = ()
    prompts: Sequence[Any] = ()
    resources: Sequence[Any] = ()
    resource_templates: Sequence[Any] = ()
    completes: bool = False


@dataclass(frozen=True)
class Listing:
    """Holds what a foreign server lists as agents may see it, and what was done to make it so.

    Attributes:
        tools: Title, description, schemas and annotations of each tool by name.
        repaired: Names of tools whose input schema was no schema of an object.
        refused: Names of tools that are not served, with the reason.
        offers: What agents see of the prompts, resources and templates, by kind and name.
        refused_offers: Those of them that are not served, by kind, with the reason.
        completions: The arguments for which the server may be asked for suggestions, as the lock has them.
    """

    tools: dict[str, Visible]
    repaired: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    offers: dict[OfferKind, dict[str, Offer]] = field(default_factory=dict)
    refused_offers: dict[OfferKind, list[Refused]] = field(default_factory=dict)
    completions: tuple[dict[str, str], ...] = ()

    def items(self, kind: ItemKind) -> Mapping[str, Visible]:
        """Return what is listed of a kind by name."""
        return self.tools if kind == "tools" else self.offers.get(kind, {})


def read_all(listed: Listed, leave_out: Collection[LeftOut] = ()) -> Listing:
    """Return what is usable of everything that a server lists; see `read_listing` for tools.

    A server does not say for which arguments it has suggestions, so all of its prompts and templates are taken.

    Args:
        listed: The lists as the server sent them.
        leave_out: What the service does not offer.
    """
    tools = read_listing(listed.tools)
    prompts = () if "prompts" in leave_out else listed.prompts
    resources, templates = ((), ()) if "resources" in leave_out else (listed.resources, listed.resource_templates)
    read = {
        "prompts": read_prompts(prompts),
        "resources": read_resources(resources),
        "resource_templates": read_templates(templates),
    }
    offers = {kind: read[kind][0] for kind in OFFER_KINDS}
    refused = {kind: read[kind][1] for kind in OFFER_KINDS if read[kind][1]}
    completions = tuple(_completions(offers)) if listed.completes else ()
    return Listing(tools.tools, tools.repaired, tools.refused, offers, refused, completions)


def _completions(offers: Mapping[OfferKind, Mapping[str, Offer]]) -> list[dict[str, str]]:
    kinds: tuple[tuple[OfferKind, str], ...] = (("prompts", "prompt"), ("resource_templates", "resource"))
    return [
        {"type": word, "of": name, "argument": argument}
        for kind, word in kinds
        for name, offer in sorted(offers[kind].items())
        for argument in sorted(arguments_of(kind, name, offer))
    ]


def read_listing(listed: Sequence[Any]) -> Listing:
    """Return the usable tools of a list as a server gives it.

    An input schema that is missing or describes no object becomes that of any object. A tool whose name is not usable,
    that was listed before, or that can only be called as a task, is refused; the others stay.
    """
    tools: dict[str, Visible] = {}
    repaired: list[str] = []
    refused: list[tuple[str, str]] = []
    for item in listed:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not TOOL_NAME.fullmatch(name):
            refused.append((_shown(name), tr("the name is not usable")))
        elif name in tools:
            refused.append((name, tr("the name is listed twice")))
        elif _needs_task(item):
            refused.append((name, tr("it can only be called as a task, which the bridge does not do")))
        else:
            visible, is_repaired = _visible(item)
            tools[name] = visible
            if is_repaired:
                repaired.append(name)
    return Listing(tools, tuple(repaired), tuple(refused))


def _needs_task(item: Mapping[str, Any]) -> bool:
    """Return whether a tool answers no usual call, only one whose result is fetched later."""
    execution = item.get("execution")
    return isinstance(execution, dict) and execution.get("taskSupport") == "required"


def _visible(item: Mapping[str, Any]) -> tuple[Visible, bool]:
    """Return what agents see of a tool, and whether its input schema was repaired."""
    visible: Visible = {}
    title = item.get("title")
    if isinstance(title, str) and title.strip():
        visible["title"] = title
    description = item.get("description")
    visible["description"] = description if isinstance(description, str) else ""
    schema = item.get("inputSchema")
    is_usable = isinstance(schema, dict) and schema.get("type") == "object"
    visible["inputSchema"] = _without_headers(schema) if is_usable else {"type": "object"}
    output = item.get("outputSchema")
    if isinstance(output, dict) and output.get("type") == "object":
        visible["outputSchema"] = _without_headers(output)
    annotations = _annotations(item.get("annotations"))
    if annotations:
        visible["annotations"] = annotations
    return visible, not is_usable


def _annotations(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    hints: dict[str, Any] = {name: given[name] for name in _HINTS if isinstance(given.get(name), bool)}
    return ({"title": given["title"]} if isinstance(given.get("title"), str) else {}) | hints


def _without_headers(value: Any, depth: int = 0) -> Any:
    """Return a schema without the mark that a client repeats an argument in a header: the bridge does that itself."""
    if depth > _DEEPEST:
        return value
    if isinstance(value, list):
        return [_without_headers(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {key: _without_headers(item, depth + 1) for key, item in value.items() if key != _HEADER_KEY}
    return value


def _shown(name: Any) -> str:
    return repr(name)[:60]


@dataclass(frozen=True)
class Lock:
    """Holds what was reviewed: tools by name, the server's instructions, and what it offers beside tools.

    `offers` has prompts, resources and templates by kind and name; `completions` the arguments with suggestions.
    """

    tools: dict[str, Visible]
    instructions: str | None
    offers: dict[OfferKind, dict[str, Offer]] = field(default_factory=dict)
    completions: tuple[dict[str, str], ...] = ()

    @classmethod
    def read(cls, file: Path) -> Lock:
        """Return the lock in `tools.lock.json`.

        Raises:
            ValueError: The file cannot be read or is no lock; the message names it.
        """
        content = read_json(file)
        try:
            return cls._of(content)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise ValueError(
                tr("The file {file} is no lock of tools; make it again with ./deploy.sh tools lock", file=file)
            ) from None

    @classmethod
    def _of(cls, content: Any) -> Lock:
        """Return the lock in the value of a file. Raises ValueError, TypeError, KeyError, AttributeError."""
        tools, instructions = content["tools"], content.get("instructions")
        if not all(_is_locked_tool(name, tool) for name, tool in tools.items()):
            raise ValueError
        offers = {kind: _without_hashes(content.get(kind) or {}) for kind in OFFER_KINDS}
        _check_offers(offers)
        completions = tuple(
            {key: str(entry[key]) for key in ("type", "of", "argument")} for entry in content.get("completions") or ()
        )
        given = instructions if isinstance(instructions, str) else None
        return cls(_without_hashes(tools), given, offers, completions)

    def items(self, kind: ItemKind) -> Mapping[str, Visible]:
        """Return what was reviewed of a kind by name."""
        return self.tools if kind == "tools" else self.offers.get(kind, {})


def _without_hashes(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Visible]:
    return {name: {key: entry[key] for key in entry if key != "sha256"} for name, entry in entries.items()}


def _is_locked_tool(name: str, tool: Any) -> bool:
    if not TOOL_NAME.fullmatch(name) or not isinstance(tool, dict) or not isinstance(tool.get("inputSchema"), dict):
        return False
    try:
        ToolAnnotations.model_validate(tool.get("annotations") or {})
    except ValidationError:
        return False
    return True


def _check_offers(offers: Mapping[OfferKind, Mapping[str, Offer]]) -> None:
    """Raise ValueError, TypeError or KeyError for offers that cannot be served."""
    for prompt in offers["prompts"].values():
        for argument in prompt.get("arguments") or ():
            if not isinstance(argument["name"], str):
                raise TypeError
    named = [*offers["resources"].values(), *offers["resource_templates"].values()]
    are_named = all(isinstance(offer["name"], str) for offer in named)
    if not (
        are_named and all(map(is_address, offers["resources"])) and all(map(is_template, offers["resource_templates"]))
    ):
        raise ValueError


@dataclass(frozen=True)
class Differences:
    """Names what a server lists unlike the lock, does not list, or lists in addition."""

    changed: frozenset[Item] = frozenset()
    missing: frozenset[Item] = frozenset()
    added: frozenset[Item] = frozenset()

    @property
    def count(self) -> int:
        """Return the number of all of them."""
        return len(self.changed) + len(self.missing) + len(self.added)

    def told(self) -> str:
        """Return the names of all of them as a sentence; empty without any."""
        parts = (
            (self.changed, tr("changed: {names}", names=_some(self.changed))),
            (self.missing, tr("not listed any more: {names}", names=_some(self.missing))),
            (self.added, tr("new, so not offered: {names}", names=_some(self.added))),
        )
        return joined_sentences(text for items, text in parts if items)


def _some(items: Collection[Item]) -> str:
    names = sorted(map(str, items))
    return joined_names([*names[:_MOST_NAMES], *(["…"] if len(names) > _MOST_NAMES else [])])


def compare(lock: Lock, listing: Listing) -> Differences:
    """Return how a server's lists differ from the lock.

    An output schema that the lock leaves out does not count, and neither does a resource that is not in the lock.
    """
    changed: set[Item] = set()
    missing: set[Item] = set()
    added: set[Item] = set()
    kinds: tuple[ItemKind, ...] = ("tools", *OFFER_KINDS)
    for kind in kinds:
        locked, listed = lock.items(kind), listing.items(kind)
        changed |= {
            Item(kind, name)
            for name, item in locked.items()
            if name in listed and digest(item) != digest(like_locked(listed[name], item))
        }
        missing |= {Item(kind, name) for name in locked.keys() - listed.keys()}
        if kind != "resources":  # Many servers list what they hold now; what the lock does not have is not served.
            added |= {Item(kind, name) for name in listed.keys() - locked.keys()}
    return Differences(frozenset(changed), frozenset(missing), frozenset(added))


def like_locked(visible: Visible, locked: Visible | None) -> Visible:
    """Return a listed tool without its output schema when the reviewer has taken that out of the lock."""
    if locked is None or "outputSchema" in locked:
        return visible
    return {key: value for key, value in visible.items() if key != "outputSchema"}
