"""Containers that do one thing and end: what they said is the resource's outcome."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_docker as docker

#: Exit code of our commands when what they were given is unusable; others are their own failures.
REFUSED = 2


def outcome(container: docker.Container, *, refused: str, failed: str) -> pulumi.Output[list[str]]:
    """The lines that `container` printed. Where it ended with another code than 0 the update fails with its words, below
    `refused` or `failed`, which are Chinese and English and end with a colon; empty: the words alone."""
    return pulumi.Output.all(container.exit_code, container.container_logs).apply(_judged(refused, failed))


def _judged(refused: str, failed: str) -> Callable[[list[object]], list[str]]:
    def judge(result: list[object]) -> list[str]:
        exit_code, logs = result
        words = str(logs or "").strip()
        if exit_code:
            introduction = refused if exit_code == REFUSED else failed
            raise pulumi.RunError(f"{introduction}\n{words}" if introduction else words)
        return words.splitlines()

    return judge


def last_line(lines: list[str]) -> str:
    """What such a command says it has done."""
    return lines[-1] if lines else ""
