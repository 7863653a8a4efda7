"""Represents the settings as a tree, made from a model's JSON Schema: which keys there are, and what each can hold.

It imports only Pydantic, because the Pulumi program uses it to explain wrong settings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

#: Stands in a path for any key of a mapping with free keys, such as the name of a service.
ANY_KEY = "<name>"

_LOWER = ("minimum", "exclusiveMinimum")
_UPPER = ("maximum", "exclusiveMaximum")


@dataclass(frozen=True)
class Setting:
    """A node of the tree: a value, a mapping with fixed keys, or a mapping with free keys."""

    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]

    @classmethod
    def of(cls, model: type[BaseModel], hidden: Collection[str] = ()) -> Setting:
        """Return the tree of `model`, without the fields that `hidden` lists by their names in Python."""
        schema = model.model_json_schema(by_alias=True)
        left_out = {model.model_fields[name].alias or name for name in hidden}
        schema["properties"] = {key: value for key, value in schema["properties"].items() if key not in left_out}
        schema["required"] = [key for key in schema.get("required", ()) if key not in left_out]
        return cls(schema, schema.get("$defs", {}))

    @cached_property
    def alternatives(self) -> list[Mapping[str, Any]]:
        """The forms that the value can have, with references resolved and without null."""
        return [form for form in self._resolved(self.schema) if form.get("type") != "null"]

    @cached_property
    def properties(self) -> dict[str, Setting]:
        """The fixed keys below it."""
        return {
            key: Setting(value, self.definitions)
            for form in self.alternatives
            for key, value in form.get("properties", {}).items()
        }

    @cached_property
    def entry(self) -> Setting | None:
        """The setting of every free key below it, with the description of the mapping; None if it has no free keys."""
        for form in self.alternatives:
            free = [form.get("additionalProperties"), *form.get("patternProperties", {}).values()]
            for value in free:
                if isinstance(value, Mapping):
                    described = {"description": self.schema.get("description", ""), **value}
                    return Setting(described, self.definitions)
        return None

    @cached_property
    def item(self) -> Setting | None:
        """The setting of every item, if the value can be a list; None otherwise."""
        for form in self.alternatives:
            if isinstance(form.get("items"), Mapping):
                return Setting(form["items"], self.definitions)
        return None

    @property
    def types(self) -> set[str]:
        """The types that the value can have, as JSON Schema calls them, without null."""
        return {str(form["type"]) for form in self.alternatives if "type" in form}

    @property
    def choices(self) -> list[str]:
        """The values to choose from; empty if any value of the type is possible."""
        return [str(value) for form in self.alternatives for value in form.get("enum", [])]

    @property
    def default(self) -> Any:
        """The default value; None also if the setting has none."""
        return self.schema.get("default")

    @property
    def secret(self) -> bool:
        """Whether the value must not be read by others."""
        return any(form.get("writeOnly") for form in self.alternatives)

    @property
    def description(self) -> str:
        """Its meaning, as an English text of the catalogue of messages; empty if it has none."""
        return str(self.schema.get("description", ""))

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The lower and the upper bound of a number, inclusive or exclusive; None for a bound that does not exist."""
        lower = [form[key] for form in self.alternatives for key in _LOWER if key in form]
        upper = [form[key] for form in self.alternatives for key in _UPPER if key in form]
        return (lower[0] if lower else None, upper[0] if upper else None)

    def child(self, key: str) -> Setting | None:
        """Return the setting below it under `key`; None if there is no such key."""
        return self.properties.get(key) or self.entry

    def find(self, path: Sequence[str]) -> Setting | None:
        """Return the setting below it at `path`; None if there is no such key."""
        place: Setting | None = self
        for key in path:
            place = place.child(key) if place else None
        return place

    def at(self, location: Sequence[str | int]) -> Setting | None:
        """Return the setting below it at a location of Pydantic's errors, in which numbers are entries of lists."""
        place: Setting | None = self
        for part in location:
            if place is not None:
                place = place.item if isinstance(part, int) else place.child(part)
        return place

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting]]:
        """Yield path and setting of everything below it that has no keys; free keys are ANY_KEY."""
        if not self.properties and self.entry is None:
            yield path, self
        for key, below in self.properties.items():
            yield from below.leaves((*path, key))
        if self.entry is not None:
            yield from self.entry.leaves((*path, ANY_KEY))

    def values(self, value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting, Any]]:
        """Yield path, setting and value of each leaf of `value`, which has the form of this setting."""
        if isinstance(value, Mapping) and value and (self.properties or self.entry):
            for key, below in value.items():
                if child := self.child(str(key)):
                    yield from child.values(below, (*path, str(key)))
        else:
            yield path, self, value

    def has_secrets(self) -> bool:
        """Whether it, or anything below it, is secret."""
        return any(setting.secret for _, setting in self.leaves())

    def _resolved(self, schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        if "$ref" in schema:
            schema = self.definitions[schema["$ref"].removeprefix("#/$defs/")]
        if "anyOf" in schema:
            for form in schema["anyOf"]:
                yield from self._resolved(form)
        else:
            yield schema
