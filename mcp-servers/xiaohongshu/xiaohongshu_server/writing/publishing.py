"""Checks the files and topics of a note that is to be published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dyber_kit import ErrorCode, ServiceError
from dyber_kit.language import Text, joined_names

from xiaohongshu_server.texts import tr_lazy

IMAGE_TYPES = (".jpg", ".jpeg", ".png", ".webp")
VIDEO_TYPES = (".mp4", ".mov")
MAX_IMAGES = 18
MAX_TOPICS = 10
MAX_CONTENT_CHARS = 1000
MAX_IMAGE_BYTES = 20 * 2**20
_MAX_BYTES = {"image": MAX_IMAGE_BYTES, "video": 500 * 2**20}
# Callers cannot see the server's folders; the README describes how to put files there.
_FOLDER = tr_lazy("the service's folder uploads (see “写入” in the README of the xiaohongshu service)")
_NAME = re.compile(r"[\w][\w .()-]{0,119}")


def listed(names: str, kind: str) -> list[str]:
    """Return the entries of a list that is separated by commas or line ends.

    Raises:
        ServiceError: INVALID_ARGUMENT for too few or too many entries.
    """
    entries = [name.strip() for name in re.split(r"[,，\n]", names) if name.strip()]
    most = MAX_IMAGES if kind == "image" else 1
    if not 1 <= len(entries) <= most:
        raise _refused(
            tr_lazy("There are {count} files; there should be 1 to {limit}", count=len(entries), limit=most),
            tr_lazy("Write names of files in {folder}, separated by commas", folder=_FOLDER),
        )
    return entries


def files_to_publish(names: Sequence[str], kind: str, folder: Path | None) -> list[Path]:
    """Return the files in `folder` with these names.

    Raises:
        ServiceError: INVALID_ARGUMENT when files are missing (the message names all of them), or when a file is in
            another folder, too large or of another type; NOT_CONFIGURED without a folder.
    """
    if folder is None:
        raise ServiceError(
            ErrorCode.NOT_CONFIGURED,
            tr_lazy("DYBER_DATA is not set, so that the files to publish cannot be read"),
            tr_lazy("Ask the operator to set DYBER_DATA for this service and to start it again"),
        )
    missing = [name for name in names if _NAME.fullmatch(name) and not (folder / name).is_file()]
    if missing:
        next_step = tr_lazy("Let the user put them into {folder} first, or use files that are there", folder=_FOLDER)
        if kind == "image":
            next_step = tr_lazy("{next_step}; a picture can also be given by its public address", next_step=next_step)
        raise _refused(tr_lazy("There are no files {names}", names=joined_names(missing)), next_step)
    return [_file(name, kind, folder) for name in names]


def topics_to_publish(topics: str) -> list[str]:
    """Return topics that are separated by blanks or commas, without "#". Raises ServiceError for too many."""
    listed = list(dict.fromkeys(topic.strip("#") for topic in re.split(r"[\s,，]+", topics) if topic.strip("#")))
    if len(listed) > MAX_TOPICS:
        raise _refused(
            tr_lazy("There are {count} topics; at most {limit} are allowed", count=len(listed), limit=MAX_TOPICS),
            tr_lazy("Use fewer topics"),
        )
    return listed


def _file(name: str, kind: str, folder: Path) -> Path:
    types = IMAGE_TYPES if kind == "image" else VIDEO_TYPES
    path = folder / name
    if not _NAME.fullmatch(name) or path.is_symlink():
        raise _refused(
            tr_lazy("The file name {name} cannot be used", name=repr(name[:60])),
            tr_lazy("Only names of files in {folder} can be used, without a path", folder=_FOLDER),
        )
    if path.suffix.lower() not in types:
        raise _refused(
            tr_lazy("{name} is of a type that cannot be used", name=name),
            tr_lazy("Types that can be used: {types}", types=joined_names(types)),
        )
    size = path.stat().st_size
    if not 0 < size <= _MAX_BYTES[kind]:
        raise _refused(
            tr_lazy("{name} has {size} bytes", name=name, size=size),
            tr_lazy("Use a file of 1 byte to {limit} MiB", limit=_MAX_BYTES[kind] // 2**20),
        )
    return path


def _refused(message: Text, next_step: Text) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step)
