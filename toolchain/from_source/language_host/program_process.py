"""Starts run_program.py in the project's Python and waits for its response."""

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

    The request holds decrypted configuration, so it is passed through a pipe and never as argument, variable or file.
    Raises projects.ProjectError.
    """
    passed_request = language_pb2.RunRequest()
    passed_request.CopyFrom(request)
    passed_request.args[:] = [engine_address]

    read_end, write_end = os.pipe()
    try:
        child = subprocess.Popen(
            [projects.interpreter(request.info), "-u", str(RUNNER), str(write_end)],
            stdin=subprocess.PIPE,
            cwd=request.info.program_directory or request.pwd or None,
            env=projects.environment(request.info),
            pass_fds=(write_end,),
        )
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe, children.watch(child):
        assert child.stdin is not None
        with suppress(BrokenPipeError), child.stdin:
            child.stdin.write(passed_request.SerializeToString())
        response = pipe.read()
        child.wait()
    if not response:
        return language_pb2.RunResponse(error=f"the program ended with exit code {child.returncode} before it was done")
    # The first byte distinguishes an empty response, which means success, from no response at all.
    return language_pb2.RunResponse.FromString(response[1:])
