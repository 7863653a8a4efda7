"""The error of commands that a user can mend."""


class StackError(Exception):
    """The stack cannot be worked with; carries what to do next."""

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step
