"""The errors of files that cannot be read as a backup, with what to do next."""

from __future__ import annotations

from messages import tr


class ArchiveError(Exception):
    """The file cannot be read as a backup; carries what to do next."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step


class WrongPassword(ArchiveError):
    """The password does not open the file."""

    def __init__(self) -> None:
        super().__init__(tr("the password does not open it"), tr("try another password"))


def damaged() -> ArchiveError:
    """Return the error for a backup of which bytes are missing or changed."""
    return ArchiveError(tr("it is damaged or cut short"), tr("use another copy of the backup"))


def no_backup() -> ArchiveError:
    """Return the error for a file that is no backup."""
    return ArchiveError(
        tr("it is not a backup"),
        tr("name a file that ./deploy.sh backup wrote"),
    )


def newer() -> ArchiveError:
    """Return the error for a file in a format that this version does not know yet."""
    return ArchiveError(
        tr("a newer version wrote it"),
        tr("update first, then restore: ./deploy.sh update"),
    )
