"""Defines the base class of all models of a stack's file: strict, with camelCase keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class StrictSettings(BaseModel):
    """A model for which unknown keys are errors; keys are camelCase in the file and snake_case in Python."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)
