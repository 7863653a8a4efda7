"""Makes the prompts that users see: those of the lock, which the foreign server renders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.server.mcpserver import Context
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.prompts.base import Message, PromptArgument
from mcp.types import AudioContent, ImageContent, InputRequiredResult
from pydantic import PrivateAttr

from dyber_kit.bridge.listing import Item, Lock
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.offering.calls import Backend, Wanted
from dyber_kit.bridge.offering.results import MAX_MEDIA_CHARS, json_chars, read_block, too_large
from dyber_kit.bridge.offers import Offer
from dyber_kit.calling.calls import Calls
from dyber_kit.calling.declared import protocol_error
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import joined_names, tr, tr_lazy


@dataclass(frozen=True)
class ForeignPromptOffer:
    """Describes a prompt of the lock; `create_app` makes a running prompt of it."""

    name: str
    visible: Offer
    backend: Backend

    def build(self, calls: Calls, max_answer_chars: int) -> Prompt:
        """Return the running prompt."""
        return ForeignPrompt.from_lock(self, calls, max_answer_chars)


def prompt_offers(lock: Lock, backend: Backend) -> list[ForeignPromptOffer]:
    """Return the prompts of the lock, in its order."""
    return [ForeignPromptOffer(name, visible, backend) for name, visible in lock.items("prompts").items()]


async def _never_called() -> str:
    """Stand for the function that the SDK expects of a prompt; `ForeignPrompt.render` does the work."""
    return ""


class ForeignPrompt(Prompt):
    """Lets the foreign server render one prompt, and fails as the kit's prompts do."""

    _backend: Backend = PrivateAttr()
    _calls: Calls = PrivateAttr()
    _max_answer_chars: int = PrivateAttr()

    @classmethod
    def from_lock(cls, offer: ForeignPromptOffer, calls: Calls, max_answer_chars: int) -> ForeignPrompt:
        """Make the running prompt of a locked one."""
        visible = offer.visible
        built = cls(
            name=offer.name,
            title=visible.get("title"),
            description=visible.get("description"),
            arguments=[PromptArgument.model_validate(argument) for argument in visible.get("arguments", ())],
            fn=_never_called,
        )
        built._backend, built._calls, built._max_answer_chars = offer.backend, calls, max_answer_chars
        return built

    async def render(
        self, arguments: dict[str, Any] | None, context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        """Return the prompt's messages; see `dyber_kit.calling.prompts.ServicePrompt.render`.

        Raises:
            MCPError: A failure, with code and next step; its data has the details for programs.
        """
        try:
            return await self._calls.run(f"prompt:{self.name}", lambda: self._messages(arguments or {}, context))
        except ServiceError as error:
            raise protocol_error(error) from None

    async def _messages(
        self, arguments: Mapping[str, Any], context: Context[Any, Any]
    ) -> list[Message] | InputRequiredResult:
        self._check(arguments)
        params: dict[str, Any] = {"name": self.name, "arguments": dict(arguments)}
        names = tuple(argument.name for argument in self.arguments or ())
        wanted = Wanted(Item("prompts", self.name), "prompts/get", params, names)
        answer = await self._backend.ask(wanted, context)
        if isinstance(answer, InputRequiredResult):
            return answer
        return read_messages(answer, self._backend.masker, self._max_answer_chars, wanted.arguments)

    def _check(self, arguments: Mapping[str, Any]) -> None:
        """Check the names of the arguments; their values are the server's to check.

        Raises:
            ServiceError: INVALID_ARGUMENT: an argument is missing, or the prompt does not have it.
        """
        known = {argument.name: argument.required for argument in self.arguments or ()}
        missing = [name for name, required in known.items() if required and name not in arguments]
        unknown = sorted(arguments.keys() - known.keys())
        if missing or unknown:
            words = (
                tr_lazy("argument {names} is missing", names=joined_names(missing))
                if missing
                else tr_lazy("there is no argument {names}", names=joined_names(unknown))
            )
            raise ServiceError(
                ErrorCode.INVALID_ARGUMENT,
                tr_lazy("Prompt {name}: {problem}", name=self.name, problem=words),
                tr_lazy("Its arguments: {names}", names=joined_names(list(known)) or tr("none")),
                fields=[*missing, *unknown],
            )


def read_messages(
    answer: Mapping[str, Any], masker: Masker, max_chars: int, arguments: Sequence[str] = ()
) -> list[Message]:
    """Return the messages of a prompt that was rendered with values for its `arguments`.

    Raises:
        ServiceError: UPSTREAM_CHANGED: the answer has no messages; INVALID_ARGUMENT: a message is too long.
    """
    given = answer.get("messages")
    if not isinstance(given, list):
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED, tr_lazy("The server behind this service answers with something unreadable")
        )
    messages: list[Message] = []
    for item in given:
        parts = item.get("content") if isinstance(item, dict) else item
        role = "assistant" if isinstance(item, dict) and item.get("role") == "assistant" else "user"
        for part in parts if isinstance(parts, list) else [parts]:
            block = read_block(masker.value(part))
            limit = MAX_MEDIA_CHARS if isinstance(block, ImageContent | AudioContent) else max_chars
            size = json_chars(block)
            if size > limit:
                raise too_large(size, limit, arguments)
            messages.append(Message(block, role=role))
    return messages
