"""Explains errors of the operating system in the language of the messages."""

from __future__ import annotations

import errno

from messages import mark, tr

_REASONS = {
    errno.EACCES: mark("you have no permission"),
    errno.EPERM: mark("you have no permission"),
    errno.EISDIR: mark("it is a folder"),
    errno.ENOTDIR: mark("a part of its path is no folder"),
    errno.ENOENT: mark("it does not exist"),
    errno.ELOOP: mark("its links lead in a circle"),
    errno.EIO: mark("its disk has errors"),
    errno.ENOSPC: mark("its disk is full"),
    errno.EMFILE: mark("too many files are open"),
    errno.ENFILE: mark("too many files are open"),
    errno.ECONNREFUSED: mark("nothing listens there"),
    errno.ECONNRESET: mark("the connection broke off"),
    errno.EPIPE: mark("the connection broke off"),
    errno.ETIMEDOUT: mark("there was no answer in time"),
}


def reason(error: BaseException) -> str:
    """Return why the operating system refused something, without names of files; of an unusual error, its own text."""
    if isinstance(error, TimeoutError):
        return tr(_REASONS[errno.ETIMEDOUT])
    if not isinstance(error, OSError):
        return str(error)
    text = _REASONS.get(error.errno) if error.errno is not None else None
    return tr(text) if text else error.strerror or str(error) or type(error).__name__
