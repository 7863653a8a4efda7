"""Defines a problem of a configuration as data, and the error that carries such problems.

Only infra.schema.messages makes text of a problem, and no code reads that text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from infra.schema import messages
from infra.schema.corrections import correction, place_of
from infra.schema.setting_tree import Setting

#: The value of a problem that shows no value, because there is none or it is secret.
NOT_SHOWN: Any = object()
#: What Pydantic appends to the path of an error that is about the last key, not about its value.
_KEY = "[key]"
#: Keys below which everything is secret.
_SECRET_KEYS = {"password", "secrets", "clientSecret", "client_secret"}


@dataclass(frozen=True)
class Problem:
    """Something in a file that cannot be used.

    `message` is a key of infra.schema.messages.MESSAGES, or an error type of Pydantic with its words in the parameter
    `words`; `parameters` fill the message in. `file` and `line` say where it is, `path` with which keys, `value` what
    is written there. `instead` are the lines to write in its place, `known_keys` the keys that could be there; both are
    empty where there is nothing to propose. Parameters are plain values or other problems, never errors, so that two
    problems are equal where all of their fields are.
    """

    message: str
    file: str = ""
    path: tuple[str, ...] = ()
    value: Any = NOT_SHOWN
    parameters: Mapping[str, Any] = field(default_factory=dict)
    line: int | None = None
    instead: tuple[str, ...] = ()
    known_keys: tuple[str, ...] = ()

    @property
    def shows_value(self) -> bool:
        """Tell whether there is a value that may be shown."""
        return self.value is not NOT_SHOWN

    def concerns(self, file: str, path: Sequence[str]) -> bool:
        """Tell whether the problem is about the key `path` of `file`, or about a key below it."""
        return self.file == file and self.path[: len(path)] == tuple(path)

    def text(self) -> str:
        """Return the problem in words, in the user's language."""
        return messages.text(self)

    def __str__(self) -> str:
        return self.text()


class ConfigurationError(Exception):
    """A configuration that cannot be used. `problems` say what is wrong and where; str() is their text.

    A text may be given in place of a problem that has no place in a file.
    """

    def __init__(self, *problems: Problem | str) -> None:
        super().__init__(*problems)
        self.problems = tuple(
            problem if isinstance(problem, Problem) else Problem(messages.WORDS, parameters={"words": problem})
            for problem in problems
        )

    def __str__(self) -> str:
        return "\n".join(problem.text() for problem in self.problems)


class UnusableValue(ValueError):
    """A value cannot be used; `message` and `parameters` say why, as those of a Problem do.

    Validators of models raise it: Pydantic keeps it in the context of its own error, where `validation_problems` reads
    it.
    """

    def __init__(self, message: str, /, **parameters: Any) -> None:
        super().__init__(message)
        self.message = message
        self.parameters = parameters

    def __str__(self) -> str:
        return messages.filled_in(self.message, self.parameters)


def validation_problems(error: ValidationError, file: str, root: Setting, prefix: str = "") -> list[Problem]:
    """Return the problems of `error`, with the YAML to write instead where that can be known.

    `root` is what can be set in `file`; `prefix` is what the keys of the file begin with, such as `dyber:`.
    """
    return [_validation_problem(details, file, root, prefix) for details in error.errors()]


def _validation_problem(details: ErrorDetails, file: str, root: Setting, prefix: str) -> Problem:
    kind, path = details["type"], tuple(str(part) for part in details["loc"])
    context = details.get("ctx", {})
    value = NOT_SHOWN if _is_hidden(details, root) else details["input"]
    if isinstance(cause := context.get("error"), UnusableValue):
        # A message about several keys names them; their mapping as a value would be unreadable.
        shown = NOT_SHOWN if isinstance(value, Mapping) or path[-1:] == (_KEY,) else value
        return Problem(cause.message, file, _keys(path), value=shown, parameters=cause.parameters)
    instead = correction(details, root, prefix)
    known_keys: tuple[str, ...] = ()
    if kind == "extra_forbidden" and not instead:
        above = root.at(details["loc"][:-1])
        known_keys = tuple(above.properties) if above else ()
    return Problem(
        kind,
        file,
        _keys(path),
        value=value,
        parameters={"words": details["msg"].removeprefix("Value error, "), **_plain(context)},
        instead=tuple(instead),
        known_keys=known_keys,
    )


def _keys(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return the keys of an error's path; Pydantic marks an error of a key itself with another part behind it."""
    return path[:-1] if path[-1:] == (_KEY,) else path


def _plain(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that an error of Pydantic names, such as bounds, in the form in which people write them."""
    values: dict[str, Any] = {}
    for key, value in context.items():
        if key == "expected":
            # "'a', 'b' or 'c'"
            values[key] = str(value).replace(" or ", ", ")
        elif isinstance(value, float) and value.is_integer():
            values[key] = int(value)
        elif isinstance(value, str | int | float):
            values[key] = value
    return values


def _is_hidden(details: ErrorDetails, root: Setting) -> bool:
    """Tell whether there is no value to show, or the value holds secrets."""
    _, place = place_of(details, root)
    return (
        details["type"] in ("missing", "extra_forbidden")
        or bool(_SECRET_KEYS & set(details["loc"]))
        or _holds_secrets(details["input"])
        or (place is not None and place.has_secrets())
    )


def _holds_secrets(value: Any) -> bool:
    if isinstance(value, Mapping):
        return bool(_SECRET_KEYS & set(value)) or any(map(_holds_secrets, value.values()))
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and any(map(_holds_secrets, value))
