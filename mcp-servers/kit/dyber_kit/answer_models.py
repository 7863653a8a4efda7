"""Gives answers short forms and short output schemas, since agents pay for both.

    class Topic(Item):
        title: str
        likes: int | None = None


    class Topics(Answer):
        items: list[Topic]

A schema shows every field with its type, also those of nested items, and nothing else: no `$ref`, which many clients
do not follow, and no titles and texts. A field that only some answers have, such as those with an argument `verbose`,
can be declared with pydantic's `SkipJsonSchema`: schemas leave it out, and the argument's description names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

Schema = dict[str, Any]


class Answer(BaseModel):
    """Is the base of the answers of tools; a field without a value is left out of the answer."""

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> Schema:
        values: Schema = serialize(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return _shape(handler(core_schema), handler.resolve_ref_schema)


class Item(BaseModel):
    """Is the base of the objects in answers; fields without a value and empty lists are left out."""

    @model_serializer(mode="wrap")
    def _without_empty_fields(self, serialize: SerializerFunctionWrapHandler) -> Schema:
        values: Schema = serialize(self)
        return {name: value for name, value in values.items() if value not in (None, [])}


def _shape(rules: Schema, resolve: Callable[[Schema], Schema]) -> Schema:
    """Return the type of a value, without null."""
    resolved = resolve(rules)
    kinds = [resolve(kind) for kind in resolved.get("anyOf", [resolved])]
    kind = next(kind for kind in kinds if kind.get("type") != "null")
    if choices := kind.get("enum") or ([kind["const"]] if "const" in kind else None):
        return {"enum": choices}
    if kind["type"] == "array":
        return {"type": "array", "items": _shape(kind["items"], resolve)}
    if kind["type"] != "object":
        return {"type": kind["type"]}
    if "properties" not in kind:
        return {"type": "object", "additionalProperties": _shape(kind["additionalProperties"], resolve)}
    return {
        "type": "object",
        "properties": {name: _shape(field, resolve) for name, field in kind["properties"].items()},
    }
