"""Checks the files and topics of a note that is to be published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dyber_kit import ErrorCode, ServiceError

IMAGE_TYPES = (".jpg", ".jpeg", ".png", ".webp")
VIDEO_TYPES = (".mp4", ".mov")
MAX_IMAGES = 18
MAX_TOPICS = 10
MAX_CONTENT_CHARS = 1000
MAX_IMAGE_BYTES = 20 * 2**20
_MAX_BYTES = {"image": MAX_IMAGE_BYTES, "video": 500 * 2**20}
# Callers cannot see the server's folders; the README describes how to put files there.
_FOLDER = "服务的 uploads 文件夹（见小红书服务 README 的“写入”）"
_NAME = re.compile(r"[\w][\w .()-]{0,119}")


def listed(names: str, kind: str) -> list[str]:
    """Return the entries of a list that is separated by commas or line ends.

    Raises:
        ServiceError: INVALID_ARGUMENT for too few or too many entries.
    """
    entries = [name.strip() for name in re.split(r"[,，\n]", names) if name.strip()]
    most = MAX_IMAGES if kind == "image" else 1
    if not 1 <= len(entries) <= most:
        raise _refused(f"文件有 {len(entries)} 个，应为 1 到 {most} 个", f"请写{_FOLDER}里的文件名，用逗号分开")
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
            "没有设置 DYBER_DATA，无法读取要发布的文件",
            "请管理员为本服务设置 DYBER_DATA 后重新启动",
        )
    missing = [name for name in names if _NAME.fullmatch(name) and not (folder / name).is_file()]
    if missing:
        raise _refused(f"没有文件 {'、'.join(missing)}", f"请用户先把它们放进{_FOLDER}，或改用那里已有的文件")
    return [_file(name, kind, folder) for name in names]


def topics_to_publish(topics: str) -> list[str]:
    """Return topics that are separated by blanks or commas, without "#". Raises ServiceError for too many."""
    listed = list(dict.fromkeys(topic.strip("#") for topic in re.split(r"[\s,，]+", topics) if topic.strip("#")))
    if len(listed) > MAX_TOPICS:
        raise _refused(f"话题有 {len(listed)} 个，最多 {MAX_TOPICS} 个", "请减少话题")
    return listed


def _file(name: str, kind: str, folder: Path) -> Path:
    types = IMAGE_TYPES if kind == "image" else VIDEO_TYPES
    path = folder / name
    if not _NAME.fullmatch(name) or path.is_symlink():
        raise _refused(f"文件名 {name[:60]!r} 不可用", f"只能用{_FOLDER}里的文件名，不能带路径")
    if path.suffix.lower() not in types:
        raise _refused(f"{name} 的类型不支持", f"可用的类型：{'、'.join(types)}")
    size = path.stat().st_size
    if not 0 < size <= _MAX_BYTES[kind]:
        raise _refused(f"{name} 有 {size} 字节", f"应为 1 到 {_MAX_BYTES[kind] // 2**20} MiB")
    return path


def _refused(message: str, next_step: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID_ARGUMENT, message, next_step)
