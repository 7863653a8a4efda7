"""Marks the errors that the bridge itself makes for requests over HTTP, so that they are told from the server's."""

from __future__ import annotations

from enum import StrEnum

from mcp.shared.exceptions import MCPError

FAILURE_KEY = "dyber/failure"


class Failure(StrEnum):
    """Names why a request over HTTP has no answer of the server."""

    SESSION_ENDED = "session_ended"
    REFUSED = "refused"
    BUSY = "busy"
    NOT_SENT = "not_sent"
    UNREACHABLE = "unreachable"


def failure_in(error: MCPError) -> Failure | None:
    """Return the failure that an error stands for; None for an error of the server."""
    data = error.error.data
    marked = data.get(FAILURE_KEY) if isinstance(data, dict) else None
    return Failure(marked) if marked in set(Failure) else None
