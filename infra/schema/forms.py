"""Defines forms that texts in settings must have, with an explanation for people instead of a regular expression."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from infra.schema.problems import UnusableValue


@dataclass(frozen=True)
class Form:
    """Annotates a text that must match `pattern`; `message` of infra.schema.messages.MESSAGES tells people how.

    The JSON Schema has the pattern as it has that of a field of Pydantic.
    """

    pattern: str
    message: str

    def check(self, value: str) -> str:
        """Return the text unchanged. Raises UnusableValue if it does not have the form."""
        if not re.search(self.pattern, value) or value.endswith("\n"):
            raise UnusableValue(self.message)
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "pattern": self.pattern}
