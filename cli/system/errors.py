"""Defines the error of commands whose cause the user can correct."""


class StackError(Exception):
    """A command cannot do its work on a stack; `next_step` says what the user can do."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step
