"""Why a file cannot be read as a backup, and what to do next."""

from __future__ import annotations

from toolchain.language import tr


class ArchiveError(Exception):
    """The file cannot be read as a backup; carries what to do next."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message)
        self.message, self.next_step = message, next_step


class WrongPassword(ArchiveError):
    """The password does not open the file."""

    def __init__(self) -> None:
        super().__init__(
            tr("口令打不开它", "the password does not open it"), tr("换一个口令再试", "try another password")
        )


def damaged() -> ArchiveError:
    """The file was a backup, but bytes of it are missing or are others."""
    return ArchiveError(
        tr("文件已损坏或不完整", "it is damaged or cut short"), tr("换一份备份", "use another copy of the backup")
    )


def no_backup() -> ArchiveError:
    """The file is something else."""
    return ArchiveError(
        tr("它不是备份", "it is not a backup"),
        tr("给出 ./deploy.sh backup 写出的文件", "name a file that ./deploy.sh backup wrote"),
    )


def newer() -> ArchiveError:
    """The file has a format that this version does not know yet."""
    return ArchiveError(
        tr("它由更新的版本写出", "a newer version wrote it"),
        tr("先更新，再恢复：./deploy.sh update", "update first, then restore: ./deploy.sh update"),
    )
