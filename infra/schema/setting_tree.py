"""The settings as a tree, taken from a model's JSON Schema: what a key is, and which keys there are.

Imports nothing but Pydantic: the Pulumi program explains wrong settings with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel

#: Stands in a path for any key of a mapping, such as a service's name.
ANY_KEY = "<name>"

_LOWER = ("minimum", "exclusiveMinimum")
_UPPER = ("maximum", "exclusiveMaximum")


@dataclass(frozen=True)
class Setting:
    """One place in the settings: a value, a mapping of fixed keys, or one of free keys."""

    schema: Mapping[str, Any]
    definitions: Mapping[str, Any]

    @classmethod
    def of(cls, model: type[BaseModel], hidden: Collection[str] = ()) -> Setting:
        """The tree of `model`; the fields `hidden`, by their names in Python, are not in the file."""
        schema = model.model_json_schema(by_alias=True)
        left_out = {model.model_fields[name].alias or name for name in hidden}
        schema["properties"] = {key: value for key, value in schema["properties"].items() if key not in left_out}
        schema["required"] = [key for key in schema.get("required", ()) if key not in left_out]
        return cls(schema, schema.get("$defs", {}))

    @cached_property
    def alternatives(self) -> list[Mapping[str, Any]]:
        """The forms that the value can have, without references and without null."""
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
        """What every free key below it holds, which is described as the mapping is; None where no key is free."""
        for form in self.alternatives:
            free = [form.get("additionalProperties"), *form.get("patternProperties", {}).values()]
            for value in free:
                if isinstance(value, Mapping):
                    described = {"description": self.schema.get("description", ""), **value}
                    return Setting(described, self.definitions)
        return None

    @property
    def types(self) -> set[str]:
        """JSON Schema's names of the types that the value can have, without null."""
        return {str(form["type"]) for form in self.alternatives if "type" in form}

    @property
    def choices(self) -> list[str]:
        """The texts of which it is one, where it is."""
        return [str(value) for form in self.alternatives for value in form.get("enum", [])]

    @property
    def default(self) -> Any:
        """The value where nothing is said; None also where that means something else than a value."""
        return self.schema.get("default")

    @property
    def secret(self) -> bool:
        """Whether the value must not be read by others."""
        return any(form.get("writeOnly") for form in self.alternatives)

    @property
    def description(self) -> str:
        """Its meaning, as a text of the catalogue of messages: English until it is translated; '' without one."""
        return str(self.schema.get("description", ""))

    @property
    def bounds(self) -> tuple[float | None, float | None]:
        """The smallest and the largest number, each None where there is none; an exclusive one counts too."""
        lower = [form[key] for form in self.alternatives for key in _LOWER if key in form]
        upper = [form[key] for form in self.alternatives for key in _UPPER if key in form]
        return (lower[0] if lower else None, upper[0] if upper else None)

    def child(self, key: str) -> Setting | None:
        """What is below it under `key`."""
        return self.properties.get(key) or self.entry

    def find(self, path: Sequence[str]) -> Setting | None:
        """What is below it at `path`; None where there is no such key."""
        place: Setting | None = self
        for key in path:
            place = place.child(key) if place else None
        return place

    def leaves(self, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting]]:
        """Every setting below it that has no keys of its own, by path; free keys are ANY_KEY."""
        if not self.properties and self.entry is None:
            yield path, self
        for key, below in self.properties.items():
            yield from below.leaves((*path, key))
        if self.entry is not None:
            yield from self.entry.leaves((*path, ANY_KEY))

    def values(self, value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Setting, Any]]:
        """The leaves of a `value` of this form: path, setting, value."""
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
