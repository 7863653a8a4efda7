"""Makes short answers and short output schemas, because agents pay for both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema

Schema = dict[str, Any]


class Item(BaseModel):
    """Is the base of the objects in answers; fields without a value, empty lists and `false` are left out."""

    @model_serializer(mode="wrap")
    def _without_gaps(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if value not in (None, []) and value is not False}


class Answer(BaseModel):
    """Is the base of the answers of all tools; a field without a value is left out.

    The published schema shows the fields with their types, also those of the items of lists, and nothing else. What is
    in lists of items, such as replies, and under free keys is left to the README.
    """

    @model_serializer(mode="wrap")
    def _without_nulls(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = serialize(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        return _shape(handler(core_schema), handler.resolve_ref_schema)


def _shape(rules: Schema, resolve: Callable[[Schema], Schema], *, in_list: bool = False) -> Schema:
    """Return the type of a value, without null; the lists of an item of a list have no types of their items."""
    resolved = resolve(rules)
    kinds = [resolve(kind) for kind in resolved.get("anyOf", [resolved])]
    kind = next(kind for kind in kinds if kind.get("type") != "null")
    if choices := kind.get("enum"):
        return {"enum": choices}
    if kind["type"] == "array" and not in_list:
        return {"type": "array", "items": _shape(kind["items"], resolve, in_list=True)}
    if kind["type"] == "object" and "properties" in kind:
        fields = {name: _shape(field, resolve, in_list=in_list) for name, field in kind["properties"].items()}
        return {"type": "object", "properties": fields}
    return {"type": kind["type"]}
