"""The exception that the toolchain raises for problems that the user can solve."""

from __future__ import annotations


class SetupError(Exception):
    """Something that set-up needs is missing or failed, and the user can do something about it.

    message: what is wrong. next_step: what to do now. exit_code: for the command line
    (2 = the machine lacks something the user has to install, 1 = a step failed).
    """

    def __init__(self, message: str, next_step: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code

    def __str__(self) -> str:
        return f"{self.message}\n{self.next_step}" if self.next_step else self.message
