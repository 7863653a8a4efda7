"""What the commands share: their options, setting the machine up, checking ports, interrupting well."""

from __future__ import annotations

import os
import signal
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
    """Install what this machine lacks, saying what first; this process then finds it."""
    for step in (steps := prerequisites.plan(home)):
        if step is steps[0]:
            err.print(tr("This machine lacks the following; installing now:"))
        about = f" ({tr('about')} {duration(step.expected_seconds)})" if step.expected_seconds else ""
        err.print(f"  • {step.title}: {step.statement}{about}", markup=False)
    if steps and (message := proxies.left_out_message(os.environ)):
        err.print(message, markup=False)
    # Also where nothing is missing: it refuses an engine or a Python that is too old, and a full disk.
    prerequisites.set_up(home, display)
    activate(home)


def check(deployment: Deployment, replacing: Collection[str] = ()) -> None:
    """Raises ConfigurationError for settings that cannot be used, and StackError where the engine has containers of
    this stack that its state does not know, or, naming their owners, when ports that the stack publishes are taken.
    `replacing`: deployments whose containers are to go."""
    deployment.check_settings()
    own = deployment.deployment_id()
    wanted = deployment.published_ports()
    refuse_low_ports(deployment.stack.name, wanted)
    taken = ports_in_use(wanted, {*replacing, *([own] if own else [])})
    if (taken or not own) and not replacing:
        _refuse_remains(deployment.stack.name, own)
    _refuse_ports(deployment.stack.name, taken)


def refuse_taken_ports(name: str, ports: Iterable[tuple[str, int]], deployments: Collection[str]) -> None:
    """Raises StackError naming the owners of those of the (address, port) pairs of the stack `name` that are taken;
    those that containers of `deployments` hold are not."""
    _refuse_ports(name, ports_in_use(ports, deployments))


def _refuse_ports(name: str, taken: list[PortInUse]) -> None:
    if taken:
        raise unavailable_error(name, taken)


def _refuse_remains(stack: str, own: str | None) -> None:
    found = remains.find(stack, own)
    if not found:
        return
    count = sum(len(item.containers) for item in found)
    raise StackError(
        tr(
            "the engine has {count} containers of stack {stack} that the state here does not know (deployment {found})",
            count=count,
            stack=stack,
            found=", ".join(item.deployment for item in found),
        ),
        tr(
            "their state is elsewhere: use that (DYBER_HOME or PULUMI_BACKEND_URL); it was lost: "
            "./deploy.sh recover -s {stack} (data stays)",
            stack=stack,
        ),
    )


@contextmanager
def graceful_interrupt() -> Iterator[None]:
    """On Ctrl-C let Pulumi, which gets it too, end its running steps, so that nothing is lost; say so once."""
    interrupted = False

    def handler(signum: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        err.print(tr("Stopping: letting the running steps end; what is done is kept …"))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    except DeployError:
        if interrupted:
            raise Cancelled from None
        raise
    finally:
        signal.signal(signal.SIGINT, previous)


def changed(changes: Mapping[str, int]) -> int:
    """How many resources an update changed, of its number of changes by kind."""
    return sum(count for op, count in changes.items() if op not in ("same", "refresh", "read"))
