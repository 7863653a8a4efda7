"""Makes answers and their output schemas short, because agents pay for both."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic_core import CoreSchema


class Item(BaseModel):
    """Is the base of what lists contain. A field without a value is left out, and so is `false`."""

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = handler(self)
        return {name: value for name, value in values.items() if value not in (None, []) and value is not False}


class Answer(BaseModel):
    """Is the base of the answers of all tools. A field without a value is left out.

    `source` is `official` (the API), `browser` (a page) or `cache`; `fetched_at` is when Zhihu was asked. The published
    schema gives the names of the fields, and the types of numbers, flags, lists and objects.
    """

    source: str
    fetched_at: str
    warnings: list[str] = []

    @model_serializer(mode="wrap")
    def _without_gaps(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values = handler(self)
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    kinds = field.get("anyOf", [field])
    kind = next(kind for kind in kinds if kind.get("type") != "null")
    named = "object" if "$ref" in kind else kind.get("type", "string")
    return {} if named == "string" else {"type": named}
