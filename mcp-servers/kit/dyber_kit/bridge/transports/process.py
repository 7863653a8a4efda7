"""Runs a child in a process group of its own, notices its exit at once, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import anyio

#: How long a child may take to exit after its input has ended, and again after SIGTERM.
STOP_SECONDS = 2.0
_READ_BYTES = 2**18
_OOM_SCORE = "500"


class ChildExit(Exception):
    """Says how a child ended: with an exit code, or by a signal."""

    def __init__(self, returncode: int) -> None:
        super().__init__(returncode)
        self.returncode = returncode

    @property
    def code(self) -> str:
        """Return the exit code, or the name of the signal."""
        if self.returncode >= 0:
            return str(self.returncode)
        try:
            return signal.Signals(-self.returncode).name
        except ValueError:
            return str(self.returncode)


class _ExitNoting(SubprocessStreamProtocol):
    """Extends asyncio's protocol, whose `wait()` also waits for the pipes: a grandchild can hold them open."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(limit=_READ_BYTES, loop=loop)
        self.exited = asyncio.Event()

    def process_exited(self) -> None:
        super().process_exited()
        self.exited.set()


class ChildProcess:
    """Represents a running child; make one with `running_child`."""

    def __init__(self, process: Process, protocol: _ExitNoting, *, reads_input: bool) -> None:
        assert process.stdin and process.stdout and process.stderr
        self.pid = process.pid
        self.stdin, self.stdout, self.stderr = process.stdin, process.stdout, process.stderr
        self._process = process
        self._protocol = protocol
        self._reads_input = reads_input

    @property
    def returncode(self) -> int | None:
        """Return the exit code, negative for a signal; None while the child runs."""
        return self._process.returncode

    async def wait(self) -> ChildExit:
        """Return how the child ended, once it has."""
        await self._protocol.exited.wait()
        return ChildExit(self._process.returncode if self._process.returncode is not None else -signal.SIGKILL)

    def kill(self) -> None:
        """End the child and everything that it has started, at once."""
        self._signal(signal.SIGKILL)

    async def stop(self) -> None:
        """End the child's input; after 2 s, ask it to stop; after 2 s more, end it. What it has started ends with it."""
        self.stdin.close()
        if not self._reads_input or not await self._exits():
            self._signal(signal.SIGTERM)
            if not await self._exits():
                self._signal(signal.SIGKILL)
                await self._exits()
        self._signal(signal.SIGKILL)  # What is left of its group.
        # asyncio keeps the pipes until their other ends are closed, which a process outside the group may never do.
        self._process._transport.close()  # type: ignore[attr-defined] # there is no public way

    def resident_bytes(self) -> int:
        """Return the resident memory of the child and of everything that it has started; 0 when nothing of it runs."""
        processes = _running_processes()
        # A process whose parent has ended keeps its session; a process that has begun a session keeps its parent.
        family = {process.pid for process in processes if self.pid in (process.pid, process.session)}
        parents = family
        while parents:
            parents = {process.pid for process in processes if process.parent in parents} - family
            family |= parents
        return sum(process.pages for process in processes if process.pid in family) * os.sysconf("SC_PAGE_SIZE")

    def offer_to_kernel(self) -> None:
        """Let the kernel end the child before the bridge when memory runs out, so that the bridge can say so."""
        with contextlib.suppress(OSError):
            Path(f"/proc/{self.pid}/oom_score_adj").write_text(_OOM_SCORE)

    async def _exits(self) -> bool:
        with anyio.move_on_after(STOP_SECONDS):
            await self._protocol.exited.wait()
        return self._protocol.exited.is_set()

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


class _RunningProcess(NamedTuple):
    """Holds what the kernel says of a process; `pages` are those in memory."""

    pid: int
    parent: int
    session: int
    pages: int


def _running_processes() -> list[_RunningProcess]:
    """Return the processes that this process sees: in a container, those of the container."""
    processes = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name of the program stands in brackets and may hold anything.
            fields = file.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            processes.append(_RunningProcess(int(file.parent.name), int(fields[1]), int(fields[3]), int(fields[21])))
        except (OSError, ValueError, IndexError):
            continue  # It has just ended.
    return processes


@asynccontextmanager
async def running_child(
    command: Sequence[str], environment: Mapping[str, str], folder: str, *, reads_input: bool = True
) -> AsyncIterator[ChildProcess]:
    """Start a child and stop it when the context ends, even when that is cancelled.

    Args:
        command: Its program and arguments.
        environment: All its variables.
        folder: Its working folder.
        reads_input: Whether it ends when its input ends; else it is asked to stop at once.

    Raises:
        OSError: The program cannot be started.
    """
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.subprocess_exec(
        lambda: _ExitNoting(loop),
        *command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    child = ChildProcess(Process(transport, protocol, loop), protocol, reads_input=reads_input)
    child.offer_to_kernel()
    try:
        yield child
    finally:
        with anyio.CancelScope(shield=True):
            await child.stop()
