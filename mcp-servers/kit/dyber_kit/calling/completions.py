"""Declares what a service suggests while a user fills in an argument of a prompt or of a resource's address."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.types import Completion, PromptReference

from dyber_kit.calling.calls import Calls
from dyber_kit.calling.declared import Function, description_of, name_of, protocol_error
from dyber_kit.calling.offered import Reference
from dyber_kit.calling.prompts import PromptDeclaration
from dyber_kit.calling.resources import ResourceDeclaration
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy

#: Most suggestions in one answer; the protocol allows no more.
MAX_SUGGESTIONS = 100

Completed = PromptDeclaration | ResourceDeclaration


@dataclass(frozen=True)
class CompletionDeclaration:
    """Describes the suggestions for one argument as the service declared them."""

    function: Function
    of: Completed
    argument: str


def completion(of: Completed, argument: str) -> Callable[[Function], CompletionDeclaration]:
    """Declare an async function that suggests values for one argument of a declared prompt or resource template.

    It gets what the user has typed so far and, by name, the arguments that are filled in already; it returns texts,
    the best first. Clients get at most MAX_SUGGESTIONS of them, and how many there are.

    Args:
        of: The declared prompt or resource template.
        argument: Name of its argument.

    Example:
        @completion(demo_compare, "first")
        async def suggest_entries(typed: str, filled: Mapping[str, str]) -> list[str]:
            \"\"\"Suggest the ids of entries.\"\"\"
            return [entry.id for entry in entries if entry.id.startswith(typed)]
    """
    return lambda function: CompletionDeclaration(function=function, of=of, argument=argument)


class Completions:
    """Answers requests for suggestions under `Calls`.

    Args:
        declarations: The suggestions that the service declared.
        offered: Its declared prompts and resources.
        calls: Where requests are counted.

    Raises:
        ValueError: A function is not async, has no docstring or does not take the two values, or an argument does not
            exist, or has suggestions twice; the message names the function.
    """

    def __init__(
        self, declarations: Iterable[CompletionDeclaration], offered: Iterable[Completed], calls: Calls
    ) -> None:
        self._calls = calls
        self._known = {_key(of): of for of in offered}
        self._functions: dict[tuple[tuple[str, str], str], Function] = {}
        for declared in declarations:
            name = name_of(declared.function)
            description_of("completion", declared.function)
            if len(inspect.signature(declared.function).parameters) != 2:
                raise ValueError(f"completion {name} must take what was typed and the arguments filled in")
            if _key(declared.of) not in self._known:
                raise ValueError(f"completion {name} is of {declared.of.name}, which the service does not offer")
            if declared.argument not in inspect.signature(declared.of.function).parameters:
                raise ValueError(f"completion {name} is of an argument {declared.argument} that does not exist")
            place = (_key(declared.of), declared.argument)
            if place in self._functions:
                raise ValueError(f"completion {name} is the second of {declared.argument} of {declared.of.name}")
            self._functions[place] = declared.function

    @property
    def listed(self) -> list[dict[str, str]]:
        """Return which arguments have suggestions, in a stable order, for the contract."""
        return [{"type": kind, "of": name, "argument": argument} for (kind, name), argument in sorted(self._functions)]

    async def suggest(self, reference: Reference, argument: str, typed: str, filled: Mapping[str, str]) -> Completion:
        """Return suggestions for an argument; none for an argument without any.

        Raises:
            MCPError: The prompt or resource does not exist, or the function failed.
        """
        key = ("prompt", reference.name) if isinstance(reference, PromptReference) else ("resource", str(reference.uri))
        try:
            if key not in self._known:
                raise ServiceError(
                    ErrorCode.NOT_FOUND,
                    tr_lazy("There is no such prompt or resource"),
                    tr_lazy("List the prompts and the templates of resources first"),
                )
            function = self._functions.get((key, argument))
            if function is None:
                return Completion(values=[], total=0, has_more=False)
            suggested: list[Any] = list(
                await self._calls.run(f"completion:{name_of(function)}", lambda: function(typed, filled))
            )
        except ServiceError as error:
            raise protocol_error(error) from None
        values = [str(value) for value in suggested[:MAX_SUGGESTIONS]]
        return Completion(values=values, total=len(suggested), has_more=len(suggested) > len(values))


def _key(of: Completed) -> tuple[str, str]:
    return ("prompt", of.name) if isinstance(of, PromptDeclaration) else ("resource", of.uri)
