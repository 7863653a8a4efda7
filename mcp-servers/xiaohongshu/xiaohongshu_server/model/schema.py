"""Output schemas that cost agents few tokens: every field's name, and the type where the name does not say it."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Answer(BaseModel):
    """What a tool returns: every field, always. The published schema names the fields and types numbers, flags, lists
    and objects; a field without a type is a text, or may be null. What is below them is in the README."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler.resolve_ref_schema(handler(core_schema))
        return {"type": "object", "properties": {name: _type(field) for name, field in schema["properties"].items()}}


def _type(field: dict[str, Any]) -> dict[str, Any]:
    named = "object" if "$ref" in field else field.get("type", "string")
    return {} if named == "string" else {"type": named}
