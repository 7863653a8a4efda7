"""Asks the foreign server for suggestions for the arguments that the lock names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.types import Completion, InputRequiredResult, PromptReference

from dyber_kit.bridge.listing import Item, Lock
from dyber_kit.bridge.offering.calls import Backend, Wanted
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.completions import MAX_SUGGESTIONS
from dyber_kit.calling.declared import protocol_error
from dyber_kit.calling.offered import Reference
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy

_LONGEST_SUGGESTION = 500


class ForeignSuggestions:
    """Makes the suggestions of a foreign server from its lock."""

    def __init__(self, lock: Lock, backend: Backend) -> None:
        self._lock = lock
        self._backend = backend

    def build(self, calls: Calls) -> ForeignCompletions:
        """Return what answers requests for suggestions."""
        return ForeignCompletions(self._lock, self._backend, calls)


class ForeignCompletions:
    """Answers requests for suggestions under `Calls`."""

    def __init__(self, lock: Lock, backend: Backend, calls: Calls) -> None:
        self._lock = lock
        self._backend = backend
        self._calls = calls
        self._known = {(entry["type"], entry["of"], entry["argument"]) for entry in lock.completions}

    @property
    def listed(self) -> list[dict[str, str]]:
        """Return which arguments have suggestions, for the contract."""
        return [dict(entry) for entry in self._lock.completions]

    async def suggest(self, reference: Reference, argument: str, typed: str, filled: Mapping[str, str]) -> Completion:
        """Return suggestions for an argument; none for an argument that the lock does not name.

        Raises:
            MCPError: The prompt or resource does not exist, or the server does not answer as it should.
        """
        if isinstance(reference, PromptReference):
            word, item = "prompt", Item("prompts", reference.name)
        else:
            word, item = "resource", Item("resource_templates", str(reference.uri))
        try:
            if item.name not in self._lock.items(item.kind):
                raise ServiceError(
                    ErrorCode.NOT_FOUND,
                    tr_lazy("There is no such prompt or resource"),
                    tr_lazy("List the prompts and the templates of resources first"),
                )
            if (word, item.name, argument) not in self._known:
                return Completion(values=[], total=0, has_more=False)
            params: dict[str, Any] = {
                "ref": reference.model_dump(mode="json", by_alias=True, exclude_none=True),
                "argument": {"name": argument, "value": typed},
            }
            if filled:
                params["context"] = {"arguments": dict(filled)}
            wanted = Wanted(item, "completion/complete", params)
            answer = await self._calls.run(f"completion:{item.name}", lambda: self._backend.ask(wanted, None))
        except ServiceError as error:
            raise protocol_error(error) from None
        return self._read({} if isinstance(answer, InputRequiredResult) else answer)

    def _read(self, answer: Mapping[str, Any]) -> Completion:
        """Return the suggestions in an answer; what cannot be read is left out."""
        given = answer.get("completion")
        completion = given if isinstance(given, dict) else {}
        listed = completion.get("values")
        texts = [value for value in listed if isinstance(value, str)] if isinstance(listed, list) else []
        values = [self._backend.masker.text(text)[:_LONGEST_SUGGESTION] for text in texts[:MAX_SUGGESTIONS]]
        total = completion.get("total")
        has_more = completion.get("hasMore") is True or len(texts) > len(values)
        return Completion(values=values, total=total if isinstance(total, int) else None, has_more=has_more)
