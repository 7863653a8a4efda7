"""Asks the caller's user or model: before a tool runs, for parameters declared with the SDK's `Resolve`, or within it.

Clients of the protocol 2026-07-28 get the questions as the answer of the call and repeat it with theirs; older clients
are asked while the call runs, for which they need a session.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import resolve_arguments
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    ElicitRequest,
    ElicitRequestedSchema,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from dyber_kit.calling.direct import CallContext, sdk_context
from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr_lazy

#: The call in which a tool's function runs and may ask.
_current_call: ContextVar[CallContext | None] = ContextVar("current_call", default=None)
_CONSENT = "consent"
# The rest of the call's time is for the write that the user agrees to.
_QUESTION_SHARE = 0.5
#: The user has nothing to fill in: to accept is to agree.
_NO_FIELDS: ElicitRequestedSchema = {"type": "object", "properties": {}}
_ASK_IN_WORDS = tr_lazy(
    "Ask the user yourself and use a tool that asks nothing; or use a client that can ask (elicitation)"
)


async def asked(
    tool: Tool, arguments: Mapping[str, Any], context: Context[Any, Any]
) -> dict[str, Any] | InputRequiredResult:
    """Return the values of the tool's resolved parameters, or the questions that the caller has to answer first.

    Raises:
        ServiceError: CONFIRMATION_REQUIRED when the user declined or the answer was not usable; NOT_CONFIGURED when an
            older client cannot be asked.
        MCPError: A client of 2026-07-28 did not declare that it can be asked: the protocol has a code for that.
    """
    try:
        return await resolve_arguments(tool.resolved_params, tool.resolver_plans, arguments, context)
    except ServiceError:
        raise
    except ToolError as refusal:
        raise ServiceError(
            ErrorCode.CONFIRMATION_REQUIRED,
            tr_lazy("The user did not give the answer that this operation needs"),
            tr_lazy("Talk with the user first; when they want to answer, call again with the same arguments"),
        ) from refusal
    except MCPError as error:
        cannot_ask = isinstance(error, NoBackChannelError) or error.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
        if not cannot_ask or context.protocol_version in MODERN_PROTOCOL_VERSIONS:
            raise
        raise ServiceError(
            ErrorCode.NOT_CONFIGURED,
            tr_lazy("This operation asks the user first, but this client cannot ask"),
            _ASK_IN_WORDS,
        ) from error


class InputRequired(Exception):
    """Ends the function of a tool, because the client has to ask its user first and then repeats the call."""

    def __init__(self, result: InputRequiredResult) -> None:
        super().__init__("input required")
        self.result = result


@dataclass(frozen=True)
class Consent:
    """Holds a user's answer to the question of `ask_consent`, and the state that was given with the question."""

    agreed: bool
    state: str


@contextmanager
def asking_within(call: CallContext | None) -> Iterator[None]:
    """Let the function that runs in this context ask; with None, `can_ask` is false."""
    token = _current_call.set(call)
    try:
        yield
    finally:
        _current_call.reset(token)


def can_ask() -> bool:
    """Return whether the client of the current call declares elicitation and can be reached.

    It is false in tools with parameters for `Resolve`, whose questions take the only place for answers.
    """
    call = _asking_call()
    if call is None:
        return False
    try:
        elicitation = call.client_capabilities.elicitation if call.client_capabilities else None
    except ValueError:  # A call from inside the process, without a request.
        return False
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return False
    return _repeats_calls(call) or call.session.can_send_request


def given_consent() -> Consent | None:
    """Return the answer with which the client repeats the call; None when it has not asked yet."""
    call = _asking_call()
    answer = (call.input_responses or {}).get(_CONSENT) if call else None
    if call is None or not isinstance(answer, ElicitResult) or call.request_state is None:
        return None
    return Consent(answer.action == "accept", call.request_state)


async def ask_consent(message: str, state: str) -> Consent | None:
    """Ask the user whether to do what `message` says; return the answer, or None when the client failed to ask.

    Args:
        message: What would be done.
        state: Comes back with the answer; clients cannot read or change it.

    Raises:
        InputRequired: The client repeats the call with the answer, which `given_consent` then returns.
        ServiceError: CONFIRMATION_REQUIRED when the user of an older client did not answer within half of the call's
            time.
    """
    call = _asking_call()
    assert call is not None, "ask can_ask() first"
    if _repeats_calls(call):
        question = ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=_NO_FIELDS))
        raise InputRequired(InputRequiredResult(input_requests={_CONSENT: question}, request_state=state))
    time_left = anyio.current_effective_deadline() - anyio.current_time()
    with anyio.move_on_after(time_left * _QUESTION_SHARE):
        try:
            answer = await call.session.elicit_form(message, _NO_FIELDS, related_request_id=call.request_id)
        except (MCPError, ValueError):  # A refusal, or an answer that is none.
            return None
        return Consent(answer.action == "accept", state)
    raise ServiceError(
        ErrorCode.CONFIRMATION_REQUIRED, tr_lazy("The user did not answer in time; nothing was submitted")
    )


def _asking_call() -> Context[Any, Any] | None:
    call = _current_call.get()
    return None if call is None else sdk_context(call)


def _repeats_calls(call: Context[Any, Any]) -> bool:
    return call.protocol_version in MODERN_PROTOCOL_VERSIONS
