"""Turns the output of one-shot containers into outcomes of resources."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_docker as docker

#: The exit code of the system's commands for unusable input; other codes mean that the command itself failed.
REFUSED = 2


def outcome(container: docker.Container, *, refused: str, failed: str) -> pulumi.Output[list[str]]:
    """Return the lines that `container` printed.

    If its exit code is not 0, the update fails with its output. Before the output stands `refused` if the exit code is
    REFUSED, otherwise `failed`; both are texts that end with a colon, or empty.
    """
    return pulumi.Output.all(container.exit_code, container.container_logs).apply(_checked(refused, failed))


def _checked(refused: str, failed: str) -> Callable[[list[object]], list[str]]:
    def check(result: list[object]) -> list[str]:
        exit_code, logs = result
        output = str(logs or "").strip()
        if exit_code:
            introduction = refused if exit_code == REFUSED else failed
            raise pulumi.RunError(f"{introduction}\n{output}" if introduction else output)
        return output.splitlines()

    return check


def last_line(lines: list[str]) -> str:
    """Return the last line of an output, in which the system's commands print their result; empty without output."""
    return lines[-1] if lines else ""
