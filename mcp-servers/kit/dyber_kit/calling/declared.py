"""Checks what every declared function of a service needs: tools, prompts, resources and completions alike."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, get_args

from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS
from pydantic import BaseModel

from dyber_kit.errors import ERROR_META, ErrorCode, ServiceError

Function = Callable[..., Awaitable[Any]]

_ABOUT_THE_REQUEST = {ErrorCode.INVALID_ARGUMENT, ErrorCode.NOT_FOUND}


def name_of(function: Function) -> str:
    """Return the name under which agents know a declared function."""
    return getattr(function, "__name__", repr(function))


def description_of(kind: str, function: Function) -> str:
    """Return the docstring of a declared function, without its indentation.

    Args:
        kind: What it was declared as, such as `tool`.
        function: The declared function.

    Raises:
        ValueError: The function is not async or has no docstring; the message has its kind and name.
    """
    name = name_of(function)
    if not inspect.iscoroutinefunction(function):
        raise ValueError(f"{kind} {name} must be a function written with `async def`")
    # Python before 3.13 keeps a docstring's indentation; `getdoc` removes it in every version.
    description = inspect.getdoc(function)
    if not description:
        raise ValueError(f"{kind} {name} needs a docstring: it is what agents read")
    return description


def field_with_two_names(model: type[BaseModel]) -> str | None:
    """Return a field of an answer's model, or of a model in it, that is written under another name than it is read.

    The output schema has the name for reading, so the answer would not fit it. None when there is no such field.
    """
    seen: set[type[BaseModel]] = set()
    waiting = [model]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        for name, field in current.model_fields.items():
            if (field.validation_alias or name) != (field.serialization_alias or name):
                return f"{current.__name__}.{name}"
            waiting += _models_in(field.annotation)
    return None


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that a type consists of, such as those of `list[Item] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def protocol_error(error: ServiceError, **data: Any) -> MCPError:
    """Return a failure as an error of the protocol, for requests whose answers have no place for one.

    Args:
        error: The failure; its text becomes the message, and its details are under ERROR_META in the data.
        data: More for programs, such as the address of a resource.
    """
    code = INVALID_PARAMS if error.code in _ABOUT_THE_REQUEST else INTERNAL_ERROR
    return MCPError(code=code, message=error.text, data={**data, ERROR_META: error.details})
