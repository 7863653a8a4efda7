"""Steps that several commands share: setting the machine up, checking a stack, and handling Ctrl-C."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from cli.deployment.deployment import Deployment
from cli.deployment.environment import activate
from cli.deployment.events import Cancelled, DeployError
from cli.engine.ports import PortInUse, ports_in_use, refuse_low_ports, unavailable_error
from cli.inventory import remains
from cli.system.errors import StackError
from cli.terminal.console import Activities, err
from messages import tr
from toolchain import prerequisites, proxies
from toolchain.home import DyberHome
from toolchain.progress import duration


def set_up(home: DyberHome, display: Activities) -> None:
    """Install what this machine lacks, after listing it, and put it into this process's environment."""
    for step in (steps := prerequisites.plan(home)):
        if step is steps[0]:
            err.print(tr("This machine lacks the following; installing now:"))
        about = f" ({tr('about')} {duration(step.expected_seconds)})" if step.expected_seconds else ""
        err.print(f"  • {step.title}: {step.statement}{about}", markup=False)
    if steps and (message := proxies.left_out_message(os.environ)):
        err.print(message, markup=False)
    # This is needed even if nothing is missing: it refuses an engine or a Python that is too old, and a full disk.
    prerequisites.set_up(home, display)
    activate(home)


def check(deployment: Deployment, replacing: Collection[str] = ()) -> None:
    """Check that the stack can be deployed; `replacing` are deployments whose containers will be replaced.

    Raises ConfigurationError for settings that cannot be used. Raises StackError if the engine has containers of this
    stack that the state does not know, or if ports of the stack are taken; the message names their owners.
    """
    deployment.check_settings()
    deployment_id = deployment.deployment_id()
    published = deployment.published_ports()
    refuse_low_ports(deployment.stack.name, published)
    taken = ports_in_use(published, {*replacing, *([deployment_id] if deployment_id else [])})
    if (taken or not deployment_id) and not replacing:
        _refuse_remains(deployment.stack.name, deployment_id)
    _refuse_ports(deployment.stack.name, taken)


def refuse_taken_ports(name: str, ports: Iterable[tuple[str, int]], deployments: Collection[str]) -> None:
    """Raises StackError if some of the (address, port) pairs of the stack `name` are taken, and names their owners.

    Ports that containers of `deployments` hold do not count as taken.
    """
    _refuse_ports(name, ports_in_use(ports, deployments))


def _refuse_ports(name: str, taken: list[PortInUse]) -> None:
    if taken:
        raise unavailable_error(name, taken)


def _refuse_remains(stack: str, deployment_id: str | None) -> None:
    unknown = remains.find(stack, deployment_id)
    if not unknown:
        return
    count = sum(len(item.containers) for item in unknown)
    raise StackError(
        tr(
            "the engine has {count} containers of stack {stack} that the state here does not know "
            "(deployment {deployments})",
            count=count,
            stack=stack,
            deployments=", ".join(item.deployment for item in unknown),
        ),
        tr(
            "if their state is elsewhere, use that state (DYBER_HOME or PULUMI_BACKEND_URL); if it was lost: "
            "./deploy.sh recover -s {stack} (data is kept)",
            stack=stack,
        ),
    )


@contextmanager
def graceful_interrupt() -> Iterator[None]:
    """On Ctrl-C, wait until Pulumi has ended its running steps, so that nothing is lost.

    Pulumi gets the Ctrl-C as well. Raises Cancelled if the update failed because of it.
    """
    with _noted_interrupt(tr("Stopping: letting the running steps end; what is done is kept …")) as interrupted:
        try:
            yield
        except DeployError:
            if interrupted.is_set():
                raise Cancelled from None
            raise


@contextmanager
def interrupt_afterwards() -> Iterator[None]:
    """On Ctrl-C, wait until the block has ended, which Pulumi does by itself, and raise KeyboardInterrupt then."""
    with _noted_interrupt(tr("Stopping: letting the running step end …")) as interrupted:
        try:
            yield
        except DeployError:
            if interrupted.is_set():
                raise KeyboardInterrupt from None
            raise
    if interrupted.is_set():
        raise KeyboardInterrupt


@contextmanager
def _noted_interrupt(message: str) -> Iterator[threading.Event]:
    """Show `message` at the first Ctrl-C inside the block, set the event that the block gets, and ignore further ones."""
    interrupted = threading.Event()

    def handler(signum: int, frame: Any) -> None:
        interrupted.set()
        err.print(message)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)


def changed(changes: Mapping[str, int]) -> int:
    """Return how many resources an update changed, given the number of changes by kind."""
    return sum(count for op, count in changes.items() if op not in ("same", "refresh", "read"))
