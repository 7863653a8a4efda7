"""Reads what a foreign server asks its caller, and refuses what the caller cannot be asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp.types import MISSING_REQUIRED_CLIENT_CAPABILITY, InputRequiredResult
from pydantic import ValidationError

from dyber_kit.errors import ErrorCode, ServiceError
from dyber_kit.language import tr, tr_lazy

#: What a foreign server may ask a caller for; roots are left out, because some servers let them replace their folders.
FORWARDED_CAPABILITIES = frozenset(("elicitation", "sampling"))
_ROOTS = "roots/list"
_ELICITATION = "elicitation/create"
_SAMPLING = "sampling/createMessage"

_NO_ANSWER = tr_lazy("This call needs an answer of the user, which this client cannot give")
_ASK_OTHERWISE = tr_lazy("Use a client of 2026-07-28 that can ask its user (elicitation), or a tool that asks nothing")


def read_questions(answer: Mapping[str, Any], declared: Mapping[str, Any]) -> InputRequiredResult:
    """Return the questions in a server's answer, for a caller of the protocol 2026-07-28.

    Args:
        answer: The answer, with `inputRequests` or `requestState`.
        declared: The caller's capabilities, as it declares them in its request.

    Raises:
        ServiceError: A question is about the caller's folders, or the questions are not readable.
        MCPError: The caller did not declare that it can be asked this; the data names what is missing.
    """
    asked = {name: answer[name] for name in ("inputRequests", "requestState") if answer.get(name) is not None}
    requests = asked.get("inputRequests") or {}
    questions = [question for question in requests.values() if isinstance(question, dict)]
    if any(question.get("method") == _ROOTS for question in questions):
        raise ServiceError(
            ErrorCode.NOT_CONFIGURED,
            tr_lazy("The server behind this service asks for the client's folders, which are not given to it"),
            tr_lazy("Ask the operator to name the folders in source.arguments"),
        )
    try:
        read = InputRequiredResult.model_validate({"resultType": "input_required", **asked}, by_name=False)
    except ValidationError as error:
        raise ServiceError(
            ErrorCode.UPSTREAM_CHANGED,
            tr_lazy("The server behind this service asks something that is not readable"),
        ) from error
    for question in questions:
        missing = missing_capability(question, declared)
        if missing:
            raise MCPError(
                code=MISSING_REQUIRED_CLIENT_CAPABILITY,
                message=tr("{problem}. {next_step}", problem=_NO_ANSWER, next_step=_ASK_OTHERWISE),
                data={"requiredCapabilities": missing},
            )
    return read


def missing_capability(question: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the capability that a caller needs for a question and does not declare; None when it can be asked."""
    params = question.get("params") or {}
    if question["method"] == _ELICITATION:
        mode = params.get("mode") or "form"
        modes = declared.get("elicitation")
        # A client that names no mode knows forms, the only one there was at first.
        if modes is not None and (mode in modes or (mode == "form" and "url" not in modes)):
            return None
        return {"elicitation": {mode: {}}}
    if question["method"] == _SAMPLING:
        wants_tools = bool(params.get("tools") or params.get("toolChoice"))
        sampling = declared.get("sampling")
        if sampling is not None and (not wants_tools or "tools" in sampling):
            return None
        return {"sampling": {"tools": {}} if wants_tools else {}}
    return None


def cannot_be_asked() -> ServiceError:
    """Return the error for a caller of an older protocol version, which cannot repeat a call with answers."""
    return ServiceError(ErrorCode.NOT_CONFIGURED, _NO_ANSWER, _ASK_OTHERWISE)
