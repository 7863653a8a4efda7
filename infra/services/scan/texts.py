"""Reads every text that a model may see out of a contract: names, keys, titles, descriptions and values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

from infra.services.scan.normalising import Sentence, folded, sentences

#: What a contract holds beside tools; `instructions` is one text about the whole service.
OFFERS = ("prompts", "resources", "resource_templates", "completions", "instructions")
#: Keys of a schema whose value is a mapping from names to schemas.
_NAMED_SCHEMAS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")


class Kind(Enum):
    """What a text is: the name of a tool, the name of a parameter or another key, or a text with a meaning."""

    NAME = "name"
    KEY = "key"
    PROSE = "prose"


@dataclass(frozen=True)
class Text:
    """A text of a contract.

    `tool` is the name of the tool, prompt or resource, or empty; `path` is the place below it; `sha256` is the hash of
    the tool.
    """

    tool: str
    path: tuple[str, ...]
    written: str
    kind: Kind
    sha256: str

    @cached_property
    def sentences(self) -> tuple[Sentence, ...]:
        """The sentences of the text."""
        return sentences(self.written)

    @cached_property
    def folded(self) -> str:
        """The whole text in the form that rules look at."""
        return folded(self.written)


@dataclass(frozen=True)
class Tool:
    """A tool of a contract: its name, its content, the hash of the content, and its texts."""

    name: str
    content: Mapping[str, Any]
    sha256: str
    texts: tuple[Text, ...]

    @property
    def annotations(self) -> Mapping[str, Any]:
        """The annotations, empty for a value that is no mapping."""
        return _mapping(self.content.get("annotations"))

    @property
    def title(self) -> str:
        """The title of the tool or of its annotations; empty without one."""
        title = self.content.get("title") or self.annotations.get("title")
        return title if isinstance(title, str) else ""

    @property
    def description(self) -> str:
        """The description; empty without one."""
        description = self.content.get("description")
        return description if isinstance(description, str) else ""

    @property
    def parameters(self) -> Mapping[str, Mapping[str, Any]]:
        """The schema of each parameter by name."""
        schemas = _mapping(_mapping(self.content.get("inputSchema")).get("properties"))
        return {str(name): _mapping(schema) for name, schema in schemas.items()}

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the parameters that every call has to give."""
        names = _mapping(self.content.get("inputSchema")).get("required")
        return tuple(name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def tools_of(contract: Mapping[str, Any]) -> list[Tool]:
    """Return the tools of a contract in the form of a lock file; tools that are no mapping count as empty ones."""
    return [_tool(str(name), content) for name, content in _entries(contract.get("tools"))]


def other_texts(contract: Mapping[str, Any]) -> Iterator[Text]:
    """Yield the texts of what a contract holds beside tools."""
    for kind in OFFERS:
        offers = contract.get(kind)
        if isinstance(offers, Mapping):
            for name, content in _entries(offers):
                yield from _tool(str(name), content, place=(kind,)).texts
        elif offers:
            yield from _texts("", (kind,), offers, content_hash(offers))


def _tool(name: str, content: Any, place: tuple[str, ...] = ()) -> Tool:
    # The lock file states the hash of each tool beside its content.
    bare = {key: value for key, value in content.items() if key != "sha256"} if isinstance(content, Mapping) else {}
    sha256 = content_hash(bare)
    named = Text(name, place, name, Kind.NAME, sha256)
    return Tool(name, bare, sha256, (named, *_texts(name, place, bare, sha256)))


def _entries(value: Any) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    # `tools/list` itself gives a list of tools, each with its name.
    items = value if isinstance(value, list) else []
    return [
        (item.get("name", ""), {key: part for key, part in item.items() if key != "name"})
        for item in items
        if isinstance(item, Mapping)
    ]


def _texts(tool: str, place: tuple[str, ...], content: Any, sha256: str) -> Iterator[Text]:
    # A list instead of recursion: a server may nest its schema as deep as it likes.
    waiting: list[tuple[tuple[str, ...], Any]] = [(place, content)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, str):
            if value and value not in _TYPES:
                yield Text(tool, path, value, Kind.PROSE, sha256)
        elif isinstance(value, Mapping):
            has_names = bool(path) and path[-1] in _NAMED_SCHEMAS
            for key, part in value.items():
                name = str(key)
                if has_names or name not in _KNOWN_KEYS:
                    yield Text(tool, path, name, Kind.KEY, sha256)
                waiting.append(((*path, name), part))
        elif isinstance(value, list | tuple):
            waiting += [((*path, str(number)), part) for number, part in enumerate(value)]


#: The types of JSON Schema, the most frequent values, which say nothing by themselves.
_TYPES = frozenset("string number integer boolean object array null".split())
#: Keys of MCP and of JSON Schema; they say nothing by themselves.
_KNOWN_KEYS = frozenset(
    "title description inputSchema outputSchema annotations icons execution _meta name uri uriTemplate mimeType size "
    "arguments required of argument readOnlyHint destructiveHint idempotentHint openWorldHint "
    "$schema $id $ref $defs $comment $anchor $dynamicRef $dynamicAnchor $vocabulary definitions type properties "
    "patternProperties additionalProperties propertyNames items prefixItems contains minContains maxContains "
    "unevaluatedItems unevaluatedProperties dependentSchemas dependentRequired dependencies enum const default "
    "examples example format pattern minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minLength maxLength "
    "minItems maxItems uniqueItems minProperties maxProperties anyOf oneOf allOf not if then else deprecated readOnly "
    "writeOnly contentMediaType contentEncoding contentSchema nullable discriminator".split()
)


def content_hash(value: Any) -> str:
    """Return the SHA-256 of a value as canonical JSON, as the lock file states it for each tool.

    A value that is nested too deep for JSON has the hash of its texts.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        text = "\n".join(sorted(f"{'/'.join(part.path)} {part.written}" for part in _texts("", (), value, "")))
    # Half of a surrogate pair is no character, but JSON can spell it.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
