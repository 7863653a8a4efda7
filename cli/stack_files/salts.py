"""Keeps the salt of this machine's passphrase out of stack files that git tracks.

`pulumi up` writes a line `encryptionsalt` into a stack's file. The state has the same salt, and Pulumi takes it from
there; the file needs it for the encrypted values in that file alone.
"""

from __future__ import annotations

from pathlib import Path

from cli.system.git import git

_SALT = "encryptionsalt:"


def remove_from_tracked_files(root: Path) -> list[str]:
    """Remove the salt from each stack file in `root` that was committed without one; return names of changed files.

    Files with encrypted values keep their salt, and so do all files outside a git clone. A file that another process
    changes at the same time is left to the next command.
    """
    return [file.name for file in sorted(root.glob("Pulumi.*.yaml")) if _remove_from(file)]


def _remove_from(file: Path) -> bool:
    """Remove the salt from one file that needs none; return whether that changed the file."""
    try:
        content = file.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError):
        return False  # The code that reads the settings reports the error.
    if not _has_salt(text) or not _is_committed_without_salt(file):
        return False
    # Most commands return before these imports, which take time.
    import yaml

    from cli.stack_files.stack_file import has_encrypted_values, replace_unchanged_file, without_salt

    try:
        return not has_encrypted_values(text) and replace_unchanged_file(file, content, without_salt(text).encode())
    except (OSError, yaml.YAMLError):
        return False


def _is_committed_without_salt(file: Path) -> bool:
    shown = git(file.parent, "show", f"HEAD:./{file.name}")
    return shown.returncode == 0 and not _has_salt(shown.stdout)


def _has_salt(text: str) -> bool:
    return any(line.startswith(_SALT) for line in text.splitlines())
