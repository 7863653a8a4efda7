"""Starts run_program.py in the project's Python and waits for its answer."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

from pulumi.runtime.proto import language_pb2

from . import projects
from .children import Children

RUNNER = Path(__file__).with_name("run_program.py")


def run(request: language_pb2.RunRequest, engine_address: str, children: Children) -> language_pb2.RunResponse:
    """Run the program to its end.

    The request carries decrypted configuration: it travels over a pipe, never argv, environment or disk.
    Raises projects.ProjectError.
    """
    handed_over = language_pb2.RunRequest()
    handed_over.CopyFrom(request)
    handed_over.args[:] = [engine_address]

    answer_end, program_end = os.pipe()
    try:
        child = subprocess.Popen(
            [projects.interpreter(request.info), "-u", str(RUNNER), str(program_end)],
            stdin=subprocess.PIPE,
            cwd=request.info.program_directory or request.pwd or None,
            env=projects.environment(request.info),
            pass_fds=(program_end,),
        )
    except BaseException:
        os.close(answer_end)
        raise
    finally:
        os.close(program_end)
    with os.fdopen(answer_end, "rb") as answers, children.watch(child):
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(handed_over.SerializeToString())
        answer = answers.read()
        child.wait()
    if not answer:
        return language_pb2.RunResponse(error=f"the program ended with exit code {child.returncode} before it was done")
    # The first byte only tells an empty answer, which means success, from none at all.
    return language_pb2.RunResponse.FromString(answer[1:])
