"""Runs one Pulumi program, inside the project's own Python.

Started as a file by program_process.py: RunRequest on standard input, RunResponse on the descriptor named by argv[1].
May import nothing but the standard library and `pulumi`, and only what the SDK makes public.
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
    answer_descriptor = int(sys.argv[1])
    os.set_inheritable(answer_descriptor, False)
    request_bytes = sys.stdin.buffer.read()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False))

    try:
        from pulumi.runtime.proto import language_pb2
    except ImportError as error:
        sys.exit(f"{sys.executable} cannot import the Pulumi SDK ({error}). Run `pulumi install`.")

    request = language_pb2.RunRequest.FromString(request_bytes)
    ok = run(request)
    # bail: the error has been shown already, through the engine's log.
    answer = language_pb2.RunResponse(bail=not ok)
    with open(answer_descriptor, "wb") as answers:
        answers.write(b"A" + answer.SerializeToString())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if ok else 1)  # threads that the program left behind must not keep the deployment waiting


def run(request: language_pb2.RunRequest) -> bool:
    """Run the program; False after an error, which the user has then seen in the engine's log."""
    import grpc
    import pulumi
    from pulumi import runtime

    # Work that a failed program leaves unfinished is expected here and would only hide the error itself.
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
    except KeyboardInterrupt:  # the engine gave up first and says why itself
        return False
    except SystemExit as error:
        if error.code in (None, 0):
            return True
        pulumi.log.error(error.code if isinstance(error.code, str) else f"the program exited with code {error.code}")
        return False
    except BaseException as error:
        if isinstance(error, grpc.RpcError) and error.code() == grpc.StatusCode.UNAVAILABLE:
            return False  # the engine is shutting down, and says why itself
        first_tracebacks.restore(error)
        pulumi.log.error("Program failed with an unhandled exception:\n" + readable_traceback(error, root))
        return False
    finally:
        with contextlib.suppress(KeyboardInterrupt):
            finish_tasks(loop)
    return True


def run_main(program: str) -> None:
    """As `python PROGRAM` would; what the module returns is not for the SDK to await."""
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
    """Remembers where exceptions in tasks came from.

    asyncio hands an exception that several tasks await a new traceback each time, and what an `apply` raised has lost
    the user's frames by the time it reaches the end of the program.
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
        if any(is_users(frame.filename, self._root) for frame in traceback.extract_tb(error.__traceback__)):
            self._seen.append((error, error.__traceback__))

    def restore(self, error: BaseException) -> None:
        """Give the error the traceback that it had first."""
        for known, first in self._seen:
            if known is error:
                error.__traceback__ = first


def readable_traceback(error: BaseException, root: str) -> str:
    """The traceback from the user's first frame on, for the exception and for what caused it.

    root: the project's folder; a frame is the user's when its file lies there and not among installed packages.
    """
    report = traceback.TracebackException.from_exception(error)
    parts = chain(report)
    some_are_users = any(is_users(frame.filename, root) for part in parts for frame in part.stack)
    for part in parts:
        part.stack = traceback.StackSummary.from_list(user_part(list(part.stack), root, some_are_users))
    return "".join(report.format())


def chain(report: traceback.TracebackException) -> list[traceback.TracebackException]:
    """The report itself, its causes and contexts, and the members of exception groups."""
    found: list[traceback.TracebackException] = []
    waiting: list[traceback.TracebackException | None] = [report]
    while waiting:
        part = waiting.pop()
        if part is not None and not any(part is known for known in found):
            found.append(part)
            waiting += [part.__cause__, part.__context__, *(getattr(part, "exceptions", None) or ())]
    return found


def user_part(frames: list[traceback.FrameSummary], root: str, users_elsewhere: bool) -> list[traceback.FrameSummary]:
    """Return the frames from the user's first one on; the last one if `users_elsewhere`."""
    for position, frame in enumerate(frames):
        if is_users(frame.filename, root):
            return frames[position:]
    if users_elsewhere:  # the SDK passing the user's error on: the message is enough
        return frames[-1:]
    # Nothing of the user's, for example a syntax error in the program itself: leave out at least our own way there.
    return [frame for frame in frames if frame.filename != __file__ and not frame.filename.startswith("<frozen ")]


def is_users(filename: str, root: str) -> bool:
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
