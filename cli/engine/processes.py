"""Runs commands in containers and waits for their end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

from cli.engine import engine
from cli.engine.errors import CommandFailed, EngineError

#: Lines that a container wrote last, which say why it failed.
_LAST_LINES = 20
#: Keeps what a container writes where it can be read after its end, whatever the engine does with logs by default.
LOG_CONFIG: Any = {"Type": "json-file", "Config": {}}


def execute(container: str, command: Sequence[str], *, seconds: float = 120) -> str:
    """Run a command in a running container and return its standard output; `seconds` is how long it may be silent.

    Raises CommandFailed when its exit code is not 0, and EngineError.
    """
    with engine.asking(seconds) as client:
        execution = str(client.exec_create(container, list(command))["Id"])
        output, errors = client.exec_output(execution)
        code = client.exec_inspect(execution)["ExitCode"]
    if code:
        # The engine writes to the standard output that there is no such program.
        raise CommandFailed(_text(errors or output) or f"{command[0]}: exit code {code}")
    return output.decode("utf-8", errors="replace")


def lines(container: str, command: Sequence[str], *, seconds: float = 120) -> Iterator[str]:
    """Run a command in a running container and yield each line of its standard output as it comes.

    `seconds` is how long it may be silent. Raises CommandFailed at its end when its exit code is not 0, and EngineError.
    """
    with engine.asking(seconds) as client:
        execution = str(client.exec_create(container, list(command))["Id"])
        parts = client.exec_parts(execution)
    rest, errors = b"", b""
    with closing(parts):
        while True:
            # What the caller does with a line must not count as a failure of the engine.
            with engine.asking(seconds):
                part = next(parts, None)
            if part is None:
                break
            is_error, text = part
            if is_error:
                errors += text
                continue
            *whole, rest = (rest + text).split(b"\n")
            for line in whole:
                yield line.decode("utf-8", errors="replace")
    if rest:
        yield rest.decode("utf-8", errors="replace")
    with engine.asking(seconds) as client:
        code = client.exec_inspect(execution)["ExitCode"]
    if code:
        raise CommandFailed(_text(errors or rest) or f"{command[0]}: exit code {code}")


def run_to_end(container: str, *, seconds: float = 120) -> None:
    """Start a container and wait until it ends, at most for `seconds`.

    Raises CommandFailed when its exit code is not 0, and EngineError.
    """
    with engine.asking() as client:
        client.start(container)
        code = client.wait(container, timeout=seconds)["StatusCode"]  # type: ignore[arg-type] # parts of a second too
    if code:
        raise CommandFailed(_last_errors(container) or f"{container}: exit code {code}")


def output(container: str) -> str:
    """Return everything that a container has written to its standard output. Raises EngineError."""
    with engine.asking() as client:
        return bytes(client.logs(container, stdout=True, stderr=False)).decode("utf-8", errors="replace")


def _last_errors(container: str) -> str:
    """Return the last lines of a container's error output; '' where its logs cannot be read."""
    with suppress(EngineError), engine.asking() as client:
        return _text(client.logs(container, stdout=False, stderr=True, tail=_LAST_LINES))
    return ""


def _text(output: bytes) -> str:
    return output.decode("utf-8", errors="replace").strip()
