"""Runs a Pulumi program in the project's own Python.

program_process.py starts this file. It reads a RunRequest from standard input and writes a RunResponse to the
descriptor that argv[1] names. It may import only the standard library and public parts of the SDK `pulumi`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import logging
import os
import runpy
import sys
import sysconfig
import traceback
import types
from collections.abc import Coroutine, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi.runtime.proto import language_pb2

MOST_THREADS = 1024


def main() -> None:
    """Run the requested program and exit with 0, or with 1 after an error."""
    response_descriptor = int(sys.argv[1])
    os.set_inheritable(response_descriptor, False)
    request_bytes = sys.stdin.buffer.read()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))

    try:
        from pulumi.runtime.proto import language_pb2
    except ImportError as error:
        sys.exit(f"{sys.executable} cannot import the Pulumi SDK ({error}). Run `pulumi install`.")

    request = language_pb2.RunRequest.FromString(request_bytes)
    ok = run(request)
    # bail means that the engine's log has shown the error already.
    response = language_pb2.RunResponse(bail=not ok)
    with open(response_descriptor, "wb") as pipe:
        pipe.write(b"A" + response.SerializeToString())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ok else 1)  # otherwise threads that the program left behind would keep the deployment waiting


def run(request: language_pb2.RunRequest) -> bool:
    """Run the program; returns False after an error, which the engine's log has then shown to the user."""
    import grpc
    import pulumi
    from pulumi import runtime

    # asyncio's warnings about the unfinished tasks of a failed program would hide the error itself.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    runtime.configure(
        runtime.Settings(
            project=request.project,
            stack=request.stack,
            monitor=request.monitor_address,
            engine=request.args[0] if request.args else "",
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization or "organization",
            root_directory=request.info.root_directory,
        )
    )
    runtime.set_all_config(dict(request.config), list(request.configSecretKeys))

    program = program_path(request)
    sys.argv = [program]
    sys.path[0] = program if Path(program).is_dir() else str(Path(program).parent)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    root = request.info.root_directory or str(Path(program).parent)
    first_tracebacks = FirstTracebacks(root)
    loop.set_task_factory(first_tracebacks.task)
    # The SDK blocks one thread per resource that is being registered.
    loop.set_default_executor(ThreadPoolExecutor(max_workers=min(max(request.parallel, 1) * 4, MOST_THREADS)))
    try:
        loop.run_until_complete(runtime.run_in_stack(lambda: run_main(program)))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return False
    except KeyboardInterrupt:  # the engine ended first and reports why itself
        return False
    except SystemExit as error:
        if error.code in (None, 0):
            return True
        pulumi.log.error(error.code if isinstance(error.code, str) else f"the program exited with code {error.code}")
        return False
    except BaseException as error:
        if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE:
            return False  # the engine is shutting down and reports why itself
        first_tracebacks.restore(error)
        pulumi.log.error("Program failed with an unhandled exception:\n" + readable_traceback(error, root))
        return False
    finally:
        with contextlib.suppress(KeyboardInterrupt):
            finish_tasks(loop)
    return True


def run_main(program: str) -> None:
    """Run the program as `python PROGRAM` does. Returns nothing, as the SDK would await a result."""
    runpy.run_path(program, run_name="__main__")


def program_path(request: language_pb2.RunRequest) -> str:
    """Return the program's file or folder as the request names it."""
    folder = request.info.program_directory or request.pwd or "."
    return os.path.normpath(Path(folder, request.info.entry_point or request.program or "."))


def finish_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the tasks that the program left behind and wait for their end."""
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


class FirstTracebacks:
    """Remembers the first traceback of each exception in a task.

    asyncio gives an exception a new traceback in each task that awaits it. An exception from an `apply` has lost the
    user's frames when it reaches the end of the program.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._seen: list[tuple[BaseException, types.TracebackType]] = []

    def task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **options: Any,
    ) -> asyncio.Task[Any]:
        """Make a task, as the event loop's task factory, and note the error that it ends with."""
        task = asyncio.Task(coroutine, loop=loop, **options)
        task.add_done_callback(self._note)
        return task

    def _note(self, task: asyncio.Task[Any]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or error.__traceback__ is None or any(known is error for known, _ in self._seen):
            return
        if any(is_user_file(frame.filename, self._root) for frame in traceback.extract_tb(error.__traceback__)):
            self._seen.append((error, error.__traceback__))

    def restore(self, error: BaseException) -> None:
        """Give the error back its first traceback."""
        for known, first in self._seen:
            if known is error:
                error.__traceback__ = first


def readable_traceback(error: BaseException, root: str) -> str:
    """Return the traceback of the exception and its causes, each beginning at the first frame of the user's code.

    root: the project's folder; a frame is the user's if its file is there and belongs to no installed package.
    """
    report = traceback.TracebackException.from_exception(error)
    parts = chain(report)
    has_user_frames = any(is_user_file(frame.filename, root) for part in parts for frame in part.stack)
    for part in parts:
        part.stack = traceback.StackSummary.from_list(user_part(list(part.stack), root, has_user_frames))
    return "".join(report.format())


def chain(report: traceback.TracebackException) -> list[traceback.TracebackException]:
    """Return the report itself, its causes and contexts, and the members of exception groups."""
    parts: list[traceback.TracebackException] = []
    queue: list[traceback.TracebackException | None] = [report]
    while queue:
        part = queue.pop()
        if part is not None and not any(part is known for known in parts):
            parts.append(part)
            queue += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
    return parts


def user_part(frames: list[traceback.FrameSummary], root: str, has_user_frames: bool) -> list[traceback.FrameSummary]:
    """Return the frames from the user's first one on; the last one if `has_user_frames`."""
    for position, frame in enumerate(frames):
        if is_user_file(frame.filename, root):
            return frames[position:]
    if has_user_frames:  # the SDK passes the user's error on, so the message is enough
        return frames[-1:]
    # No frame is the user's, for example after a syntax error in the program: leave out at least this file's frames.
    return [frame for frame in frames if frame.filename != __file__ and not frame.filename.startswith("<frozen ")]


def is_user_file(filename: str, root: str) -> bool:
    """Tell whether a file lies in the project's folder and belongs to no installed package."""
    if filename.startswith("<"):
        return False
    path = os.path.realpath(filename)
    if filename == __file__ or not path.startswith(os.path.realpath(root) + os.sep):
        return False
    installed = {os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return not any(path.startswith(folder + os.sep) for folder in installed)


if __name__ == "__main__":
    main()
