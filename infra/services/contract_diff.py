"""Compares two contracts: which changes break callers of the tools, and which change a text that agents read.

Changes are judged from the caller's side. Callers send arguments, so narrowing them breaks callers; callers read
results, so widening them may break callers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from infra.services.contract import Contract, reads_only
from messages import mark, tr

Schema = Mapping[str, Any]


class Effect(IntEnum):
    """The effect of a change on callers, the worst first."""

    BREAKS = 0
    READS = 1
    COMPATIBLE = 2


#: The mark of each effect in lists of changes.
MARKS = {Effect.BREAKS: "✗", Effect.READS: "~", Effect.COMPATIBLE: "+"}


@dataclass(frozen=True)
class Change:
    """A change of a tool. `message` and `values` say what changed; for a text that agents read, `before` and `after`
    are the text itself."""

    tool: str
    effect: Effect
    message: str
    values: Mapping[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        """What changed, in words of the user's language."""
        return tr(self.message, **self.values)

    def lines(self) -> list[str]:
        """Return the change as lines of plain text, in the user's language."""
        texts = [("-", self.before), ("+", self.after)] if self.before or self.after else []
        shown = [f"      {sign} {line}" for sign, text in texts for line in text.splitlines()]
        return [f"  {MARKS[self.effect]} {self.tool}: {self.text}", *shown]


def compare(old: Contract, new: Contract) -> list[Change]:
    """Return all changes from `old` to `new`, breaking changes first; none exactly if the contracts are equal."""
    changes: list[Change] = []
    for name in sorted({*old.tools, *new.tools}):
        if name not in new.tools:
            changes.append(Change(name, Effect.BREAKS, mark("tool removed")))
        elif name not in old.tools:
            message = mark("new tool (read-only)") if reads_only(new.tools[name]) else mark("new tool (writes)")
            changes.append(Change(name, Effect.COMPATIBLE, message))
        elif old.tools[name] != new.tools[name]:
            differences = [Change(name, *difference) for difference in _tool(old.tools[name], new.tools[name])]
            changes += differences or [Change(name, Effect.READS, mark("changed in other ways"))]
    changes += _other_offers(old, new)
    return sorted(changes, key=lambda change: (change.effect, change.tool))


#: What a service offers beside tools, and the messages for one that is removed, new, or changed.
_OFFERS = {
    "prompts": (mark("prompt removed"), mark("new prompt"), mark("prompt changed")),
    "resources": (mark("resource removed"), mark("new resource"), mark("resource changed")),
    "resource_templates": (
        mark("resource template removed"),
        mark("new resource template"),
        mark("resource template changed"),
    ),
    "completions": (mark("completion removed"), mark("new completion"), mark("completion changed")),
}


def _other_offers(old: Contract, new: Contract) -> Iterator[Change]:
    yield from (
        Change("", *difference)
        for difference in _text(
            mark("instructions changed, agents will read"),
            old.others.get("instructions"),
            new.others.get("instructions"),
        )
    )
    for kind, (removed, added, changed) in _OFFERS.items():
        before, after = _by_name(old.others.get(kind)), _by_name(new.others.get(kind))
        for name in sorted({*before, *after}):
            if name not in after:
                yield Change(name, Effect.BREAKS, removed)
            elif name not in before:
                yield Change(name, Effect.COMPATIBLE, added)
            elif before[name] != after[name]:
                if _arguments_break(before[name], after[name]):
                    yield Change(name, Effect.BREAKS, mark("arguments of the prompt changed"))
                else:
                    yield Change(name, Effect.READS, changed, {}, *_changed_texts(before[name], after[name]))


def _changed_texts(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, str]:
    """Return the texts that only the old, and those that only the new form of an offer has, each on a line."""
    before, after = _offer_texts(old), _offer_texts(new)
    removed, added = ([text for text in before if text not in after], [text for text in after if text not in before])
    return "\n".join(removed), "\n".join(added)


def _offer_texts(offer: Mapping[str, Any]) -> list[str]:
    """Return what agents read of a prompt, a resource or a template."""
    texts = [str(offer[key]) for key in ("title", "description", "mimeType") if offer.get(key)]
    arguments = offer.get("arguments") or ()
    return texts + [": ".join(str(item[key]) for key in ("name", "description") if item.get(key)) for item in arguments]


def _by_name(offers: Any) -> dict[str, Any]:
    """Return offers by name; completions, which are a list, by what they complete."""
    if isinstance(offers, Mapping):
        return dict(offers)
    return {f"{offer['of']} {offer['argument']}": offer for offer in offers or ()}


def _arguments_break(old: Schema, new: Schema) -> bool:
    """Return whether an argument of a prompt is gone or newly required, which breaks callers."""
    before, after = ({item["name"]: item for item in offer.get("arguments") or ()} for offer in (old, new))
    required = {name for name, item in after.items() if item.get("required")}
    required_before = {name for name, item in before.items() if item.get("required")}
    return bool(set(before) - set(after) or required - required_before)


class _Difference(NamedTuple):
    """A Change without its tool."""

    effect: Effect
    message: str
    values: Mapping[str, str] = MappingProxyType({})
    before: str = ""
    after: str = ""


def _tool(old: Schema, new: Schema) -> Iterator[_Difference]:
    yield from _text(mark("description changed, agents will read"), old.get("description"), new.get("description"))
    yield from _text(mark("title changed, agents will read"), old.get("title"), new.get("title"))
    yield from _annotations(old.get("annotations") or {}, new.get("annotations") or {})
    if old.get("inputSchema") != new.get("inputSchema"):
        yield from _arguments(_resolved(old.get("inputSchema") or {}), _resolved(new.get("inputSchema") or {}))
    if old.get("outputSchema") != new.get("outputSchema"):
        yield from _results(old.get("outputSchema"), new.get("outputSchema"))
    known = {"description", "title", "annotations", "inputSchema", "outputSchema"}
    for key in sorted({*old, *new} - known):
        if old.get(key) != new.get(key):
            yield _Difference(Effect.READS, mark("{key} changed"), {"key": key})


def _text(message: str, old: Any, new: Any, **values: str) -> Iterator[_Difference]:
    if old != new:
        yield _Difference(Effect.READS, message, values, old or "", new or "")


#: By hint: its default (MCP specification), the value that allows callers to assume less, and the message about a
#: change to that value.
_HINTS = {
    "readOnlyHint": (False, False, mark("annotation readOnlyHint: read-only → writes")),
    "destructiveHint": (True, True, mark("annotation destructiveHint: not destructive → destructive")),
    "idempotentHint": (False, False, mark("annotation idempotentHint: safe to repeat → not safe to repeat")),
    "openWorldHint": (True, True, mark("annotation openWorldHint: this machine only → reaches outside")),
}


def _annotations(old: Schema, new: Schema) -> Iterator[_Difference]:
    for hint, (default, worse, message) in _HINTS.items():
        before, after = old.get(hint, default), new.get(hint, default)
        if before == after:
            continue
        if after is worse:
            yield _Difference(Effect.BREAKS, message)
        else:
            values = {"hint": hint, "before": str(before), "after": str(after)}
            yield _Difference(Effect.COMPATIBLE, mark("annotation {hint}: {before} → {after}"), values)
    title = mark("title among the annotations changed, agents will read")
    yield from _text(title, old.get("title"), new.get("title"))


def _arguments(old: Schema, new: Schema) -> Iterator[_Difference]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    required_before, required_after = set(old.get("required") or ()), set(new.get("required") or ())
    removed, added = [name for name in before if name not in after], [name for name in after if name not in before]
    for name in removed:
        successor = next((other for other in added if _essence(after[other]) == _essence(before[name])), None)
        if successor:
            added.remove(successor)
            values = {"name": name, "successor": successor}
            yield _Difference(Effect.BREAKS, mark("argument {name} is now called {successor}"), values)
        else:
            yield _Difference(Effect.BREAKS, mark("argument {name} removed"), {"name": name})
    for name in added:
        if name in required_after:
            yield _Difference(Effect.BREAKS, mark("new required argument {name}"), {"name": name})
        else:
            yield _Difference(Effect.COMPATIBLE, mark("new optional argument {name}"), {"name": name})
    for name in before:
        if name not in after:
            continue
        if name in required_after - required_before:
            yield _Difference(Effect.BREAKS, mark("argument {name} is now required"), {"name": name})
        elif name in required_before - required_after:
            yield _Difference(Effect.COMPATIBLE, mark("argument {name} is now optional"), {"name": name})
        yield from _argument(name, before[name], after[name])
    closed = [schema.get("additionalProperties", True) is False for schema in (old, new)]
    if closed == [False, True]:
        yield _Difference(Effect.BREAKS, mark("undeclared arguments are no longer accepted"))
    elif closed == [True, False]:
        yield _Difference(Effect.COMPATIBLE, mark("undeclared arguments are accepted too"))


#: Bounds of an argument, and whether a larger bound allows fewer values.
_BOUNDS = {
    "minimum": True,
    "exclusiveMinimum": True,
    "minLength": True,
    "minItems": True,
    "maximum": False,
    "exclusiveMaximum": False,
    "maxLength": False,
    "maxItems": False,
}


def _argument(name: str, old: Schema, new: Schema) -> Iterator[_Difference]:
    old, new = _flat(old), _flat(new)
    if _types(old) != _types(new):
        effect = Effect.COMPATIBLE if _types(old) and _types(old) < _types(new) else Effect.BREAKS
        values = {"name": name, "before": _shown(_types(old)), "after": _shown(_types(new))}
        yield _Difference(effect, mark("argument {name}: type {before} → {after}"), values)
    yield from _choices(name, old, new)
    for bound, larger_narrows in _BOUNDS.items():
        before, after = old.get(bound), new.get(bound)
        if before == after:
            continue
        narrower = after is not None and (before is None or (after > before) is larger_narrows)
        values = {
            "name": name,
            "bound": bound,
            "before": "-" if before is None else str(before),
            "after": "-" if after is None else str(after),
        }
        effect = Effect.BREAKS if narrower else Effect.COMPATIBLE
        yield _Difference(effect, mark("argument {name}: {bound} {before} → {after}"), values)
    for rule in ("pattern", "format", "multipleOf"):
        if old.get(rule) != new.get(rule):
            effect = Effect.COMPATIBLE if new.get(rule) is None else Effect.BREAKS
            yield _Difference(effect, mark("argument {name}: {key} changed"), {"name": name, "key": rule})
    if old.get("default") != new.get("default"):
        values = {"name": name, "before": repr(old.get("default")), "after": repr(new.get("default"))}
        yield _Difference(Effect.READS, mark("argument {name}: default {before} → {after}"), values)
    described = mark("argument {name}: description changed, agents will read")
    yield from _text(described, old.get("description"), new.get("description"), name=name)
    if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
        yield from _argument(f"{name}[]", old["items"], new["items"])
    judged = {*_BOUNDS, "type", "enum", "const", "pattern", "format", "multipleOf", "default", "description"}
    for key in sorted({*old, *new} - judged - {"title", "items"}):
        if old.get(key) != new.get(key):
            yield _Difference(Effect.BREAKS, mark("argument {name}: {key} changed"), {"name": name, "key": key})


def _choices(name: str, old: Schema, new: Schema) -> Iterator[_Difference]:
    before, after = _allowed(old), _allowed(new)
    if before == after:
        return
    if before is None:
        message = mark("argument {name}: only these values now: {choices}")
        yield _Difference(Effect.BREAKS, message, {"name": name, "choices": _shown(after)})
    elif after is None:
        yield _Difference(Effect.COMPATIBLE, mark("argument {name}: any value is allowed now"), {"name": name})
    else:
        if lost := [value for value in before if value not in after]:
            message = mark("argument {name}: values no longer allowed: {choices}")
            yield _Difference(Effect.BREAKS, message, {"name": name, "choices": _shown(lost)})
        if gained := [value for value in after if value not in before]:
            message = mark("argument {name}: values allowed now: {choices}")
            yield _Difference(Effect.COMPATIBLE, message, {"name": name, "choices": _shown(gained)})


def _results(old: Schema | None, new: Schema | None) -> Iterator[_Difference]:
    if old is None or new is None:
        if new is None:
            yield _Difference(Effect.BREAKS, mark("results have no schema any more"))
        else:
            yield _Difference(Effect.COMPATIBLE, mark("results have a schema now"))
        return
    yield from _result("", _resolved(old), _resolved(new))


def _result(path: str, old: Schema, new: Schema) -> Iterator[_Difference]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    always_before, always_after = set(old.get("required") or ()), set(new.get("required") or ())
    for name in sorted({*before, *after}):
        values = {"field": f"{path}{name}"}
        if name not in after:
            yield _Difference(Effect.BREAKS, mark("result {field} removed"), values)
        elif name not in before:
            yield _Difference(Effect.COMPATIBLE, mark("result {field} added"), values)
        else:
            if name in always_before - always_after:
                yield _Difference(Effect.BREAKS, mark("result {field} is no longer always given"), values)
            elif name in always_after - always_before:
                yield _Difference(Effect.COMPATIBLE, mark("result {field} is always given now"), values)
            yield from _result_value(f"{path}{name}", before[name], after[name])
    if not path:
        described = mark("description of the result changed, agents will read")
        yield from _text(described, old.get("description"), new.get("description"))


def _result_value(field: str, old: Schema, new: Schema) -> Iterator[_Difference]:
    if _types(old) != _types(new):
        effect = Effect.COMPATIBLE if _types(new) < _types(old) else Effect.BREAKS
        values = {"field": field, "before": _shown(_types(old)), "after": _shown(_types(new))}
        yield _Difference(effect, mark("result {field}: type {before} → {after}"), values)
    if _allowed(old) != _allowed(new):
        values = {"field": field, "before": _shown(_allowed(old)), "after": _shown(_allowed(new))}
        yield _Difference(Effect.READS, mark("result {field}: possible values {before} → {after}"), values)
    described = mark("result {field}: description changed, agents will read")
    yield from _text(described, old.get("description"), new.get("description"), field=field)
    yield from _result(f"{field}.", old, new)
    old_items, new_items = old.get("items") or {}, new.get("items") or {}
    if isinstance(old_items, Mapping) and isinstance(new_items, Mapping):
        yield from _result(f"{field}[].", old_items, new_items)


def _essence(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def _flat(schema: Schema) -> Schema:
    """Return the schema of `X | None`, which is written as a choice of two schemas, as one schema with two types."""
    options = [option for option in schema.get("anyOf") or () if option.get("type") != "null"]
    if len(options) != 1 or "type" not in options[0]:
        return schema
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**options[0], **beside, "type": sorted(_types(schema))}


def _types(schema: Schema) -> frozenset[str]:
    kinds = schema.get("type")
    types = {kinds} if isinstance(kinds, str) else set(kinds or ())
    for option in schema.get("anyOf") or ():
        types |= _types(option)
    return frozenset(types)


def _allowed(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    options = [_allowed(option) for option in schema.get("anyOf") or () if option.get("type") != "null"]
    return None if not options or None in options else [value for option in options for value in option or ()]


def _shown(values: Any) -> str:
    return ", ".join(str(value) for value in (sorted(values) if isinstance(values, frozenset) else values or ["-"]))


def _resolved(schema: Schema) -> Schema:
    """Return the schema with each `$ref` replaced by its definition, except for a definition within itself."""
    definitions = schema.get("$defs") or {}

    def resolve(value: Any, within: tuple[str, ...]) -> Any:
        if isinstance(value, Mapping):
            name = str(value.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in within:
                beside = {key: item for key, item in value.items() if key != "$ref"}
                return {**resolve(definitions[name], (*within, name)), **beside}
            return {key: resolve(item, within) for key, item in value.items() if key != "$defs"}
        if isinstance(value, list):
            return [resolve(item, within) for item in value]
        return value

    return dict(resolve(schema, ()))
