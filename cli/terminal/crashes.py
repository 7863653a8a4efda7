"""Handles unexpected errors: the traceback goes into a file, and the user sees one sentence that names the file."""

from __future__ import annotations

import os
import sys
import traceback
from datetime import datetime
from pathlib import Path

from cli.terminal.console import fail
from infra.schema.system_errors import reason
from messages import tr
from toolchain.damage import make_folder
from toolchain.home import DyberHome
from toolchain.pulumi.backend import masked

OWNER_ONLY = 0o600


def report(error: BaseException) -> None:
    """Report an unexpected error.

    For a file or folder that cannot be used, the message names it. For other errors the traceback is written to a file
    that only its owner can read.
    """
    if isinstance(error, OSError) and error.filename and error.strerror:
        fail(
            f"{error.filename}: {reason(error)}",
            tr("check the permissions of this file or folder, and the space on its disk"),
        )
        return
    file, kind = _keep(error), type(error).__name__
    # The text of the error is not shown, as it may contain a secret.
    fail(
        tr("an unexpected error ({kind})", kind=kind),
        tr("details are in {file}; what is done is kept", file=file) if file else tr("run ./deploy.sh doctor"),
    )


def give_up_output() -> None:
    """Discard all further output, as its reader has gone, including what Python writes when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _keep(error: BaseException) -> Path | None:
    """Write the traceback to a file and return its path; None if the file cannot be written."""
    folder = DyberHome.from_environment().logs
    file = folder / f"error-{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.getpid()}.log"
    text = masked("".join(traceback.format_exception(error)))
    try:
        make_folder(folder)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
        with os.fdopen(descriptor, "w", encoding="utf-8") as log:
            log.write(text)
    except OSError:
        return None
    return file
