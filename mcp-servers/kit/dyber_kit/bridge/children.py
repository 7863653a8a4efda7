"""Chooses the server that handles a call: one for all callers, one for each caller, or any of several."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

import anyio
from anyio.abc import TaskGroup

from dyber_kit.bridge.supervisor import Supervisor, Timings
from dyber_kit.calling.legacy_sessions import current_session
from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.language import Text, tr_lazy
from dyber_kit.observing import tracing
from dyber_kit.observing.logs import current_request

_RETRY_SECONDS = 5.0
_SWEEP_SECONDS = 5.0


class Lane:
    """Represents one server and the calls that it handles; as many as it may handle can wait.

    Args:
        supervisor: Keeps the server running.
        limit: Most calls that it handles at the same time.
    """

    def __init__(self, supervisor: Supervisor, limit: int) -> None:
        self.supervisor = supervisor
        self.calls = 0
        self.last_used = time.monotonic()
        self._limit = limit
        self._turns = asyncio.Semaphore(limit)

    def turn(self) -> Turn:
        """Return a context that waits for a turn, and keeps it until it ends.

        Entering it raises LocalRefusal: BUSY: too many calls wait already.
        """
        return Turn(self)

    async def begin(self) -> Supervisor:
        """Wait for a turn.

        Raises:
            LocalRefusal: BUSY: too many calls wait already.
        """
        if self.calls >= 2 * self._limit:
            raise LocalRefusal(
                ErrorCode.BUSY,
                tr_lazy("The server behind this service handles {limit} calls and as many wait", limit=self._limit),
                retry_after=_RETRY_SECONDS,
            )
        self.calls += 1
        try:
            if self._turns.locked():
                with tracing.waiting("server behind"):
                    await self._turns.acquire()
            else:
                await self._turns.acquire()
        except BaseException:
            self._leave()
            raise
        return self.supervisor

    def end(self) -> None:
        """Give the turn back."""
        self._turns.release()
        self._leave()

    def _leave(self) -> None:
        self.calls -= 1
        self.last_used = time.monotonic()


class Turn:
    """Represents the turn of one call; a class, because every call takes one and generators cost more."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane

    async def __aenter__(self) -> Supervisor:
        return await self._lane.begin()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        self._lane.end()


class Children(Protocol):
    """Runs foreign servers and chooses among them."""

    def choose(self) -> Lane:
        """Return the server for the current call.

        Raises:
            LocalRefusal: BUSY: no server is free for this caller.
        """

    async def run(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        """Run the servers until cancelled."""

    @property
    def lanes(self) -> list[Lane]:
        """Return the servers of now."""

    @property
    def problem(self) -> Text | None:
        """Return why no call can be served; None when some can."""


class SharedChildren:
    """Runs a fixed number of equal servers; a call goes to the one with the fewest calls.

    Args:
        make: Makes the supervisor of a server.
        count: How many servers run; one for a server that all callers share.
        limit: Most calls of each at the same time.
    """

    def __init__(self, make: Callable[[], Supervisor], count: int, limit: int) -> None:
        self._lanes = [Lane(make(), limit) for _ in range(count)]

    @property
    def lanes(self) -> list[Lane]:
        """Return all servers."""
        return self._lanes

    @property
    def problem(self) -> Text | None:
        """Return why no server can take calls; None when one can."""
        problems = [lane.supervisor.problem for lane in self._lanes]
        return None if None in problems else problems[0]

    def choose(self) -> Lane:
        """Return the server with the fewest calls, of those that run if any does."""
        return min(self._lanes, key=lambda lane: (not lane.supervisor.is_up, lane.calls))

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run the servers until cancelled."""
        async with anyio.create_task_group() as tasks:
            for lane in self._lanes:
                tasks.start_soon(lane.supervisor.run)
            task_status.started()


@dataclass
class _Session:
    lane: Lane
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class SessionChildren:
    """Runs a server for each caller: for a legacy SSE session, else for the client that the gateway names.

    The first server starts at once, so that its tools are compared, and waits for the first caller. A server ends when
    its caller has not called for a while.

    Args:
        make: Makes the supervisor of a server.
        most: Most servers at the same time.
        limit: Most calls of each at the same time.
        timings: How long an unused server stays.
    """

    def __init__(self, make: Callable[[], Supervisor], most: int, limit: int, timings: Timings) -> None:
        self._make = make
        self._most = most
        self._limit = limit
        self._timings = timings
        self._sessions: dict[Hashable, _Session] = {}
        self._spare: _Session | None = None
        self._tasks: TaskGroup | None = None
        self._problem: Text | None = tr_lazy("The server behind the tools is starting")

    @property
    def lanes(self) -> list[Lane]:
        """Return the servers of now."""
        sessions = [*self._sessions.values(), *([self._spare] if self._spare else [])]
        return [session.lane for session in sessions]

    @property
    def problem(self) -> Text | None:
        """Return why a new caller could not be served; None when it could, or when that is not known any longer."""
        supervisors = [lane.supervisor for lane in self.lanes]
        failed = [supervisor for supervisor in supervisors if supervisor.has_failed]
        if any(supervisor.is_up for supervisor in supervisors):
            self._problem = None
        elif failed:  # One that only starts says nothing: others have started before.
            self._problem = failed[0].problem
        return self._problem

    def choose(self) -> Lane:
        """Return the server of the caller; a new one when it has none.

        Raises:
            LocalRefusal: BUSY: as many callers as allowed have one.
        """
        key: Hashable = current_session.get() or current_request.get().client
        session = self._sessions.get(key)
        if session is None:
            session = self._take()
            self._sessions[key] = session
        return session.lane

    def _take(self) -> _Session:
        if self._spare is not None:
            session, self._spare = self._spare, None
            return session
        if len(self._sessions) >= self._most:
            raise LocalRefusal(
                ErrorCode.BUSY,
                tr_lazy("All {most} sessions of this service are in use", most=self._most),
                tr_lazy("Try again when another client has finished; the operator can allow more with max_children"),
                retry_after=60,
            )
        return self._start()

    def _start(self) -> _Session:
        assert self._tasks is not None, "servers run only inside run()"
        session = _Session(Lane(self._make(), self._limit))
        # A fresh context: the server outlives the call that starts it, and its log is not that call's.
        contextvars.Context().run(self._tasks.start_soon, _run_within, session)
        return session

    async def run(self, *, task_status: anyio.abc.TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run the servers until cancelled."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            self._spare = self._start()
            task_status.started()
            while True:
                await anyio.sleep(min(_SWEEP_SECONDS, self._timings.idle / 4))
                self._end_unused()

    def _end_unused(self) -> None:
        _ = self.problem  # Remembered, because it is not known of servers that have ended.
        oldest = time.monotonic() - self._timings.idle
        for key, session in list(self._sessions.items()):
            if not session.lane.calls and session.lane.last_used < oldest:
                del self._sessions[key]
                session.scope.cancel()


async def _run_within(session: _Session) -> None:
    with session.scope:
        await session.lane.supervisor.run()
