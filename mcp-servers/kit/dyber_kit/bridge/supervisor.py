"""Keeps one foreign server running and connected: starts it, notices its end, and starts it again after a pause."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

import anyio
from mcp.shared.exceptions import MCPError
from mcp.types import CONNECTION_CLOSED

from dyber_kit.bridge.link import HandshakeError, Link
from dyber_kit.bridge.listing import Differences, Listing, Lock, compare, read_all
from dyber_kit.bridge.masking import Masker
from dyber_kit.bridge.metrics import BridgeMetrics, Reason
from dyber_kit.bridge.settings import BridgeSettings
from dyber_kit.bridge.transports.child_log import ChildLog
from dyber_kit.bridge.transports.endpoints import Connected, Endpoint
from dyber_kit.bridge.transports.failures import Failure, failure_in
from dyber_kit.errors import ErrorCode, LocalRefusal
from dyber_kit.language import Text, tr_lazy

logger = logging.getLogger("dyber.bridge")

# How long the last messages of a child that has ended are read, when something else keeps its output open.
_LAST_MESSAGES_SECONDS = 0.25
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Timings:
    """Holds how long the bridge waits for a foreign server, in seconds.

    Attributes:
        first_pause: Pause before a server that has ended is started again; it doubles with each end.
        longest_pause: Longest such pause.
        stable: A server that has run this long is healthy: its next end counts as the first.
        attempts: After so many ends in a row, the server stays down for a while.
        down: How long it stays down then.
        answer_small: How long a server that let a call's deadline pass may take to answer a small request.
        patience: How long a call waits for a server that is being started again.
        comparison: How often the tools of a remote server are compared with the lock.
        reach: How often a remote server is asked whether it answers.
        idle: How long the child of a session stays without a call.
    """

    first_pause: float = 1.0
    longest_pause: float = 30.0
    stable: float = 300.0
    attempts: int = 5
    down: float = 300.0
    answer_small: float = 10.0
    patience: float = 3.0
    comparison: float = 3600.0
    reach: float = 30.0
    idle: float = 600.0


@dataclass(frozen=True)
class Ending:
    """Says why a foreign server does not run any longer, for the metrics and for people."""

    reason: Reason
    text: Text
    #: Whether a new session is all that is needed, at once.
    is_renewal: bool = False


class Supervisor:
    """Keeps one foreign server running until its `run` is cancelled.

    Args:
        endpoint: Opens connections to the server.
        settings: The service's settings.
        lock: The tools that the server should list.
        masker: Removes secrets from what the server says.
        metrics: Where starts and ends are counted.
        timings: How long everything may take.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        settings: BridgeSettings,
        lock: Lock,
        masker: Masker,
        metrics: BridgeMetrics,
        timings: Timings,
    ) -> None:
        self.differences = Differences()
        #: Why the server did not tell its tools, or did not answer, when it was asked last; None when it did.
        self.unreachable: Text | str | None = None
        self._endpoint = endpoint
        self._settings = settings
        self._lock = lock
        self._masker = masker
        self._metrics = metrics
        self._timings = timings
        self._link: Link | None = None
        self._connected: Connected | None = None
        self._up = anyio.Event()
        self._failures = 0
        self._ending: Ending | None = None
        self._retry_at = 0.0
        self._over = anyio.Event()
        self._suspected = anyio.Event()
        self._to_compare = anyio.Event()
        self._to_renew = anyio.Event()

    @property
    def is_up(self) -> bool:
        """Return whether the server runs and has listed its tools."""
        return self._link is not None

    @property
    def problem(self) -> Text | None:
        """Return why calls cannot be served now; None when they can."""
        if self.is_up:
            return None
        if self._ending is None:
            return tr_lazy("The server behind the tools is starting")
        return tr_lazy("The server behind the tools is not running: {reason}", reason=self._ending.text)

    @property
    def has_failed(self) -> bool:
        """Return whether the server has ended and does not run again yet."""
        return self._ending is not None and not self.is_up

    @property
    def resident_bytes(self) -> int:
        """Return the memory of the child; 0 without one."""
        child = self._connected.child if self._connected else None
        return child.resident_bytes() if child else 0

    async def link(self) -> Link:
        """Return the connection to the server; wait a moment while it is being started.

        Raises:
            LocalRefusal: BUSY: it does not run, with the reason and when it is started again.
        """
        if self._link is not None:
            return self._link
        patience = self._timings.patience if self._failures else self._settings.startup_seconds
        with anyio.move_on_after(patience):
            while self._link is None:
                await self._up.wait()
        if self._link is not None:
            return self._link
        raise LocalRefusal(
            ErrorCode.BUSY,
            self.problem,
            tr_lazy(
                "Try again when it has started again; if it stays down, ask the operator to look at the service's log"
            ),
            retry_after=max(1.0, self._retry_at - time.monotonic()),
        )

    async def last_ending(self) -> Text | None:
        """Return why the server whose connection has just ended does not run; None when that is not known in time."""
        with anyio.move_on_after(2 * _LAST_MESSAGES_SECONDS):
            await self._over.wait()
        return self._ending.text if self._ending and self._over.is_set() else None

    def suspect(self) -> None:
        """Find out whether the server still answers, because the deadline of a call has passed."""
        self._suspected.set()

    def renew(self, link: Link) -> None:
        """Connect anew, because the server does not know the session of `link` any longer, or cannot be written to."""
        if self._link is link:
            self._link = None
            self._to_renew.set()

    async def run(self) -> None:
        """Run the server, again and again, until cancelled."""
        while True:
            began = time.monotonic()
            try:
                ending = await self._run_once()
            finally:
                self._link = self._connected = None
                self._up = anyio.Event()
            if time.monotonic() - began >= self._timings.stable:
                self._failures = 0
            pause = 0.0 if ending.is_renewal and not self._failures else self._next_pause()
            self._ending = ending
            self._retry_at = time.monotonic() + pause
            self._metrics.ended(ending.reason)
            await anyio.sleep(pause)

    def _next_pause(self) -> float:
        self._failures += 1
        if self._failures % self._timings.attempts == 0:
            logger.error("child stays down", extra={"ends": self._failures, "seconds": self._timings.down})
            return self._timings.down
        pause = min(self._timings.longest_pause, self._timings.first_pause * 2.0 ** (self._failures - 1))
        return pause * random.uniform(0.75, 1.25)

    async def _run_once(self) -> Ending:
        log = ChildLog(self._masker)
        try:
            async with self._endpoint.open(log) as connected:
                self._connected = connected
                ending = await self._serve(connected, log)
        except Exception as error:
            ending = Ending("start", self._start_problem(error, log))
        finally:
            log.close()
        logger.warning(
            "child ended", extra={"reason": ending.reason, "detail": str(ending.text), "lines": log.last_lines}
        )
        return ending

    async def _serve(self, connected: Connected, log: ChildLog) -> Ending:
        """Serve calls until the server ends; return why."""
        link = Link(
            connected.read,
            connected.write,
            self._settings.era,
            self._masker,
            self._metrics,
            is_http=connected.is_http,
            requests=connected.requests,
        )
        endings: list[Ending] = []
        closed = anyio.Event()
        async with anyio.create_task_group() as tasks:

            def end(ending: Ending) -> None:
                endings.append(ending)
                self._ending = ending
                self._link = None
                self._over.set()
                tasks.cancel_scope.cancel()

            async def wait_for_exit() -> None:
                assert connected.child
                exited = await connected.child.wait()
                with anyio.move_on_after(_LAST_MESSAGES_SECONDS):
                    await closed.wait()
                end(Ending("exit", _with_last_line(tr_lazy("it ended ({code})", code=exited.code), log)))

            async def wait_for_close(*, task_status: anyio.abc.TaskStatus[None]) -> None:
                try:
                    await link.run(task_status=task_status)
                finally:
                    closed.set()
                if connected.child is not None:
                    await anyio.sleep(_LAST_MESSAGES_SECONDS)  # Its exit says more.
                end(Ending("lost", _with_last_line(tr_lazy("the connection to it has ended"), log)))

            async def start_and_watch() -> None:
                try:
                    await self._start(link)
                except (HandshakeError, MCPError, TimeoutError) as error:
                    await anyio.sleep(_LAST_MESSAGES_SECONDS)
                    end(Ending("start", self._start_problem(error, log)))
                    return
                tasks.start_soon(self._keep_comparing, link)
                tasks.start_soon(wait_for_renewal)
                await self._wait_until_hanging(link)
                end(Ending("hang", _with_last_line(tr_lazy("it did not answer any longer and was ended"), log)))

            async def wait_for_renewal() -> None:
                await self._to_renew.wait()
                end(Ending("lost", tr_lazy("it has ended the session"), is_renewal=True))

            async def wait_for_failure(failed: anyio.Event) -> None:
                await failed.wait()
                end(Ending("lost", _with_last_line(tr_lazy("a message could not be sent to it"), log)))

            self._over, self._suspected = anyio.Event(), anyio.Event()
            self._to_compare, self._to_renew = anyio.Event(), anyio.Event()
            if connected.child is not None:
                tasks.start_soon(wait_for_exit)
            if connected.failed is not None:
                tasks.start_soon(wait_for_failure, connected.failed)
            await tasks.start(wait_for_close)
            tasks.start_soon(start_and_watch)
        if endings[0].reason == "hang" and connected.child is not None:
            connected.child.kill()
        return endings[0]

    async def _start(self, link: Link) -> None:
        began = time.monotonic()
        with anyio.fail_after(self._settings.startup_seconds):
            await link.handshake()
            await self._compare(link)
        seconds = time.monotonic() - began
        link.on_list_changed = self._list_changed
        self._link = link
        self._up.set()
        self._metrics.started(seconds)
        logger.info("child started", extra={"seconds": round(seconds, 3), "era": link.era})

    async def _list_changed(self) -> None:
        self._to_compare.set()

    async def _keep_comparing(self, link: Link) -> None:
        """Compare the tools when the server says that they have changed.

        Those of a remote server are compared every hour too; in between it is asked whether it answers.
        """
        is_remote = self._settings.is_remote
        due = time.monotonic() + self._timings.comparison
        while True:
            interval = min(self._timings.reach, due - time.monotonic()) if is_remote else float("inf")
            with anyio.move_on_after(max(0.0, interval)):
                await self._to_compare.wait()
            is_due = self._to_compare.is_set() or time.monotonic() >= due
            self._to_compare = anyio.Event()
            if is_due:
                due = time.monotonic() + self._timings.comparison
            try:
                with anyio.fail_after(self._settings.startup_seconds):
                    await (self._compare(link) if is_due or self.unreachable else self._reach(link))
                self.unreachable = None
            except (HandshakeError, MCPError, TimeoutError) as error:
                if isinstance(error, MCPError) and failure_in(error) is Failure.SESSION_ENDED:
                    self.renew(link)  # The tools are compared when it is connected again.
                    return
                self._note_silence(error)

    async def _reach(self, link: Link) -> None:
        """Raise MCPError unless the server answers a small request; an error of its own is an answer too."""
        try:
            await link.ping()
        except MCPError as error:
            if failure_in(error) not in (None, Failure.BUSY) or error.error.code == CONNECTION_CLOSED:
                raise

    def _note_silence(self, error: Exception) -> None:
        detail = self._masker.text(str(error))[:_LONGEST_REASON]
        logger.warning("tools not compared", extra={"detail": detail})
        self.unreachable = tr_lazy("it does not answer") if isinstance(error, TimeoutError) else detail

    async def _compare(self, link: Link) -> None:
        listed = await link.list_all()
        link.listed_schemas = {
            item["name"]: item.get("inputSchema")
            for item in listed.tools
            if isinstance(item, dict) and isinstance(item.get("name"), str)
        }
        listing = read_all(listed, self._settings.leave_out)
        self.differences = compare(self._lock, listing)
        self._metrics.differs(self.differences.count)
        self.unreachable = None
        self._report(listing)

    def _report(self, listing: Listing) -> None:
        if listing.refused or listing.repaired or listing.refused_offers:
            refused = {"refused": listing.refused, "refused_offers": listing.refused_offers}
            logger.info("tools repaired or refused", extra={"repaired": listing.repaired, **refused})
        if self.differences.count:
            logger.warning(
                "tools differ from the lock",
                extra={
                    "changed": sorted(map(str, self.differences.changed)),
                    "missing": sorted(map(str, self.differences.missing)),
                    "added": sorted(map(str, self.differences.added)),
                },
            )

    async def _wait_until_hanging(self, link: Link) -> None:
        while True:
            await self._suspected.wait()
            self._suspected = anyio.Event()
            if not await link.is_alive(self._timings.answer_small):
                return

    def _start_problem(self, error: BaseException, log: ChildLog) -> Text:
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        if isinstance(error, TimeoutError):
            seconds = self._settings.startup_seconds
            problem = tr_lazy("it was not ready within {seconds:g} s", seconds=seconds)
        else:
            detail = self._masker.text(str(error) or type(error).__name__)[:_LONGEST_REASON]
            problem = tr_lazy("it could not be started ({detail})", detail=detail)
        return _with_last_line(problem, log)


def _with_last_line(problem: Text, log: ChildLog) -> Text:
    if not log.last_line:
        return problem
    return tr_lazy("{problem}; its last line: {line}", problem=problem, line=log.last_line[:_LONGEST_REASON])
