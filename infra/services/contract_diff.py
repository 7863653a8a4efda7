"""What a changed contract means to callers of the tools: what breaks them, and what changes that agents read.

Judged from the caller's side: arguments are what callers send, so narrowing them breaks; results are what callers
read, so widening them may.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from infra.services.contract import Contract, reads_only

Schema = Mapping[str, Any]


class Effect(IntEnum):
    """Of a change on callers, worst first."""

    BREAKS = 0
    READS = 1
    COMPATIBLE = 2


#: How the effects are marked in lists of changes.
MARKS = {Effect.BREAKS: "✗", Effect.READS: "~", Effect.COMPATIBLE: "+"}


@dataclass(frozen=True)
class Change:
    """One change of a tool, told in Chinese and in English; of a text that agents read, also the text itself."""

    tool: str
    effect: Effect
    zh: str
    en: str
    before: str = ""
    after: str = ""

    def lines(self, what: str) -> list[str]:
        """The change as lines of plain text, `what` being its words in the wanted language."""
        texts = [("-", self.before), ("+", self.after)] if self.before or self.after else []
        shown = [f"      {mark} {line}" for mark, text in texts for line in text.splitlines()]
        return [f"  {MARKS[self.effect]} {self.tool}: {what}", *shown]


def compare(old: Contract, new: Contract) -> list[Change]:
    """All changes from `old` to `new`, those that break callers first; empty exactly when the contracts are equal."""
    changes: list[Change] = []
    for name in sorted({*old.tools, *new.tools}):
        if name not in new.tools:
            changes.append(Change(name, Effect.BREAKS, "工具被删除", "tool removed"))
        elif name not in old.tools:
            changes.append(Change(name, Effect.COMPATIBLE, *_added_tool(new.tools[name])))
        elif old.tools[name] != new.tools[name]:
            found = [Change(name, *what) for what in _tool(old.tools[name], new.tools[name])]
            changes += found or [Change(name, Effect.READS, "其他内容改变", "changed in other ways")]
    changes += _other_offers(old, new)
    return sorted(changes, key=lambda change: (change.effect, change.tool))


#: What a service offers beside tools, in Chinese and in English.
_OFFERS = {
    "prompts": ("提示词", "prompt"),
    "resources": ("资源", "resource"),
    "resource_templates": ("资源模板", "resource template"),
    "completions": ("参数建议", "completion"),
}


def _other_offers(old: Contract, new: Contract) -> Iterator[Change]:
    for kind, (zh, en) in _OFFERS.items():
        before, after = _by_name(old.others.get(kind)), _by_name(new.others.get(kind))
        for name in sorted({*before, *after}):
            if name not in after:
                yield Change(name, Effect.BREAKS, f"{zh}被删除", f"{en} removed")
            elif name not in before:
                yield Change(name, Effect.COMPATIBLE, f"新{zh}", f"new {en}")
            elif before[name] != after[name]:
                yield Change(name, *_offer(zh, en, before[name], after[name]))


def _by_name(offers: Any) -> dict[str, Any]:
    """Return offers by name; completions, which are a list, by what they complete."""
    if isinstance(offers, Mapping):
        return dict(offers)
    return {f"{offer['of']} {offer['argument']}": offer for offer in offers or ()}


def _offer(zh: str, en: str, old: Schema, new: Schema) -> tuple[Effect, str, str]:
    """Return how an offer changed: a prompt's argument that is gone, or newly required, breaks callers."""
    before, after = ({item["name"]: item for item in offer.get("arguments") or ()} for offer in (old, new))
    required = {name for name, item in after.items() if item.get("required")}
    already = {name for name, item in before.items() if item.get("required")}
    if set(before) - set(after) or required - already:
        return Effect.BREAKS, f"{zh}的参数改变", f"arguments of the {en} changed"
    return Effect.READS, f"{zh}改变", f"{en} changed"


_What = tuple[Effect, str, str] | tuple[Effect, str, str, str, str]


def _added_tool(tool: Schema) -> tuple[str, str]:
    if reads_only(tool):
        return "新工具（只读）", "new tool (read-only)"
    return "新工具（可写）", "new tool (writes)"


def _tool(old: Schema, new: Schema) -> Iterator[_What]:
    yield from _text("说明", "description", old.get("description"), new.get("description"))
    yield from _text("标题", "title", old.get("title"), new.get("title"))
    yield from _annotations(old.get("annotations") or {}, new.get("annotations") or {})
    if old.get("inputSchema") != new.get("inputSchema"):
        yield from _arguments(_resolved(old.get("inputSchema") or {}), _resolved(new.get("inputSchema") or {}))
    if old.get("outputSchema") != new.get("outputSchema"):
        yield from _results(old.get("outputSchema"), new.get("outputSchema"))
    known = {"description", "title", "annotations", "inputSchema", "outputSchema"}
    for key in sorted({*old, *new} - known):
        if old.get(key) != new.get(key):
            yield Effect.READS, f"{key} 改变", f"{key} changed"


def _text(zh: str, en: str, old: Any, new: Any) -> Iterator[_What]:
    if old != new:
        yield Effect.READS, f"{zh}改变，智能体将读到", f"{en} changed, agents will read", old or "", new or ""


#: Hint, its value where the tool leaves it out (the MCP specification), and the value that lets callers trust less.
_HINTS = {
    "readOnlyHint": (False, False, "只读 → 可写", "read-only -> writes"),
    "destructiveHint": (True, True, "不删改 → 可能删改", "not destructive -> destructive"),
    "idempotentHint": (False, False, "可安全重复 → 重复有后果", "safe to repeat -> not safe to repeat"),
    "openWorldHint": (True, True, "只在本机 → 访问外部", "closed -> reaches outside"),
}


def _annotations(old: Schema, new: Schema) -> Iterator[_What]:
    for hint, (default, worse, zh, en) in _HINTS.items():
        before, after = old.get(hint, default), new.get(hint, default)
        if before == after:
            continue
        if after is worse:
            yield Effect.BREAKS, f"注解 {hint}：{zh}", f"annotation {hint}: {en}"
        else:
            yield Effect.COMPATIBLE, f"注解 {hint}：{before} → {after}", f"annotation {hint}: {before} -> {after}"
    yield from _text("注解中的标题", "title among the annotations", old.get("title"), new.get("title"))


def _arguments(old: Schema, new: Schema) -> Iterator[_What]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    needed_before, needed_after = set(old.get("required") or ()), set(new.get("required") or ())
    removed, added = [name for name in before if name not in after], [name for name in after if name not in before]
    for name in removed:
        successor = next((other for other in added if _essence(after[other]) == _essence(before[name])), None)
        if successor:
            added.remove(successor)
            yield Effect.BREAKS, f"参数 {name} 改名为 {successor}", f"argument {name} is now called {successor}"
        else:
            yield Effect.BREAKS, f"参数 {name} 被删除", f"argument {name} removed"
    for name in added:
        if name in needed_after:
            yield Effect.BREAKS, f"新的必填参数 {name}", f"new required argument {name}"
        else:
            yield Effect.COMPATIBLE, f"新的可选参数 {name}", f"new optional argument {name}"
    for name in before:
        if name not in after:
            continue
        if name in needed_after - needed_before:
            yield Effect.BREAKS, f"参数 {name} 变为必填", f"argument {name} is now required"
        elif name in needed_before - needed_after:
            yield Effect.COMPATIBLE, f"参数 {name} 变为可选", f"argument {name} is now optional"
        yield from _argument(name, before[name], after[name])
    closed = [schema.get("additionalProperties", True) is False for schema in (old, new)]
    if closed == [False, True]:
        yield Effect.BREAKS, "不再接受未声明的参数", "undeclared arguments are no longer accepted"
    elif closed == [True, False]:
        yield Effect.COMPATIBLE, "也接受未声明的参数", "undeclared arguments are accepted too"


#: Bounds of what an argument may be, and whether a larger value narrows it.
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


def _argument(name: str, old: Schema, new: Schema) -> Iterator[_What]:
    old, new = _flat(old), _flat(new)
    zh, en = f"参数 {name} 的", f"argument {name}: "
    if _types(old) != _types(new):
        effect = Effect.COMPATIBLE if _types(old) and _types(old) < _types(new) else Effect.BREAKS
        yield (
            effect,
            f"{zh}类型：{_shown(_types(old))} → {_shown(_types(new))}",
            (f"{en}type {_shown(_types(old))} -> {_shown(_types(new))}"),
        )
    yield from _choices(zh, en, old, new)
    for bound, larger_narrows in _BOUNDS.items():
        before, after = old.get(bound), new.get(bound)
        if before == after:
            continue
        narrower = after is not None and (before is None or (after > before) is larger_narrows)
        shown = f"{bound} {before if before is not None else '-'} → {after if after is not None else '-'}"
        yield Effect.BREAKS if narrower else Effect.COMPATIBLE, f"{zh}范围：{shown}", f"{en}{shown}"
    for rule in ("pattern", "format", "multipleOf"):
        if old.get(rule) != new.get(rule):
            effect = Effect.COMPATIBLE if new.get(rule) is None else Effect.BREAKS
            yield effect, f"{zh} {rule} 改变", f"{en}{rule} changed"
    if old.get("default") != new.get("default"):
        shown = f"{old.get('default')!r} → {new.get('default')!r}"
        yield Effect.READS, f"{zh}默认值：{shown}", f"{en}default {shown}"
    yield from _text(f"{zh}说明", f"{en}description", old.get("description"), new.get("description"))
    if isinstance(old.get("items"), Mapping) and isinstance(new.get("items"), Mapping):
        yield from _argument(f"{name}[]", old["items"], new["items"])
    judged = {*_BOUNDS, "type", "enum", "const", "pattern", "format", "multipleOf", "default", "description"}
    for key in sorted({*old, *new} - judged - {"title", "items"}):
        if old.get(key) != new.get(key):
            yield Effect.BREAKS, f"{zh} {key} 改变", f"{en}{key} changed"


def _choices(zh: str, en: str, old: Schema, new: Schema) -> Iterator[_What]:
    before, after = _allowed(old), _allowed(new)
    if before == after:
        return
    if before is None:
        yield Effect.BREAKS, f"{zh}值限定为：{_shown(after)}", f"{en}only these values now: {_shown(after)}"
    elif after is None:
        yield Effect.COMPATIBLE, f"{zh}值不再限定", f"{en}any value is allowed now"
    else:
        if lost := [value for value in before if value not in after]:
            yield Effect.BREAKS, f"{zh}值不再可用：{_shown(lost)}", f"{en}values no longer allowed: {_shown(lost)}"
        if gained := [value for value in after if value not in before]:
            yield Effect.COMPATIBLE, f"{zh}新的可用值：{_shown(gained)}", f"{en}values allowed now: {_shown(gained)}"


def _results(old: Schema | None, new: Schema | None) -> Iterator[_What]:
    if old is None or new is None:
        if new is None:
            yield Effect.BREAKS, "不再说明结果的结构", "results have no schema any more"
        else:
            yield Effect.COMPATIBLE, "现在说明结果的结构", "results have a schema now"
        return
    yield from _result("", _resolved(old), _resolved(new))


def _result(path: str, old: Schema, new: Schema) -> Iterator[_What]:
    before, after = old.get("properties") or {}, new.get("properties") or {}
    needed_before, needed_after = set(old.get("required") or ()), set(new.get("required") or ())
    for name in sorted({*before, *after}):
        field = f"{path}{name}"
        if name not in after:
            yield Effect.BREAKS, f"结果中的 {field} 被删除", f"result {field} removed"
        elif name not in before:
            yield Effect.COMPATIBLE, f"结果中新增 {field}", f"result {field} added"
        else:
            if name in needed_before - needed_after:
                yield Effect.BREAKS, f"结果中的 {field} 不再总是给出", f"result {field} is no longer always given"
            elif name in needed_after - needed_before:
                yield Effect.COMPATIBLE, f"结果中的 {field} 总是给出", f"result {field} is always given now"
            yield from _result_value(field, before[name], after[name])
    if not path and old.get("description") != new.get("description"):
        yield from _text("结果的说明", "description of the result", old.get("description"), new.get("description"))


def _result_value(field: str, old: Schema, new: Schema) -> Iterator[_What]:
    if _types(old) != _types(new):
        effect = Effect.COMPATIBLE if _types(new) < _types(old) else Effect.BREAKS
        shown = f"{_shown(_types(old))} → {_shown(_types(new))}"
        yield effect, f"结果中的 {field} 的类型：{shown}", f"result {field}: type {shown}"
    if _allowed(old) != _allowed(new):
        shown = f"{_shown(_allowed(old))} → {_shown(_allowed(new))}"
        yield Effect.READS, f"结果中的 {field} 的可能值：{shown}", f"result {field}: possible values {shown}"
    yield from _text(f"结果中的 {field} 的说明", f"result {field}: description", old.get("description"),
                     new.get("description"))  # fmt: skip
    yield from _result(f"{field}.", old, new)
    old_items, new_items = old.get("items") or {}, new.get("items") or {}
    if isinstance(old_items, Mapping) and isinstance(new_items, Mapping):
        yield from _result(f"{field}[].", old_items, new_items)


def _essence(schema: Schema) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in ("title", "description")}


def _flat(schema: Schema) -> Schema:
    """`X | None`, which is written as a choice of two schemas, as one schema with two types."""
    options = [option for option in schema.get("anyOf") or () if option.get("type") != "null"]
    if len(options) != 1 or "type" not in options[0]:
        return schema
    beside = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**options[0], **beside, "type": sorted(_types(schema))}


def _types(schema: Schema) -> frozenset[str]:
    kinds = schema.get("type")
    found = {kinds} if isinstance(kinds, str) else set(kinds or ())
    for option in schema.get("anyOf") or ():
        found |= _types(option)
    return frozenset(found)


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
    """The schema with its `$ref`s replaced by what they name; a definition within itself is left as it is."""
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
