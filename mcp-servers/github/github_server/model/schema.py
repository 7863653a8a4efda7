"""Makes answers and their output schemas short, because agents pay for both."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Answer(BaseModel):
    """Is the base of the answers of all tools.

    An answer always has all its fields. The published schema gives their names, and the types of numbers, flags, lists
    and objects; a field without a type is a text or may be null. The README describes the items of lists.
    """

    source: str = "official"
    fetched_at: str
    warnings: list[str] = []

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    named = "object" if "$ref" in field else field.get("type", "string")
    return {} if named == "string" else {"type": named}
