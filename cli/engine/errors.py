"""The errors of the engine, which every command reports in the same way."""

from __future__ import annotations

from messages import tr


class EngineError(Exception):
    """The engine refused a request or did not answer; the message is the engine's.

    `next_step` says what to do, where that is known.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step or tr("run ./deploy.sh doctor")


class NotOnEngine(EngineError):
    """The engine has nothing of that name or id."""


class CommandFailed(EngineError):
    """A command in a container ended with another exit code than 0; the message is what it wrote."""
