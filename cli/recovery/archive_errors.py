"""Why a file cannot be read as a backup, and what to do next."""

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
    """The file was a backup, but bytes of it are missing or are others."""
    return ArchiveError(tr("it is damaged or cut short"), tr("use another copy of the backup"))


def no_backup() -> ArchiveError:
    """The file is something else."""
    return ArchiveError(
        tr("it is not a backup"),
        tr("name a file that ./deploy.sh backup wrote"),
    )


def newer() -> ArchiveError:
    """The file has a format that this version does not know yet."""
    return ArchiveError(
        tr("a newer version wrote it"),
        tr("update first, then restore: ./deploy.sh update"),
    )
