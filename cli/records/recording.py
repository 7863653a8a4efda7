"""Records what commands did in the console's history; a failure of it is told, and never fails the command."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.text import Text

from cli.deployment.deployment import Deployment
from cli.deployment.events import RULES_REFUSED, Cancelled, DeployError
from cli.engine import engine
from cli.engine.errors import EngineError
from cli.records import ends, history, stacks
from cli.records.history import History
from cli.system.checkout import ROOT
from cli.system.errors import StackError
from cli.system.git import git_output
from cli.terminal.console import err
from infra.schema.problems import ConfigurationError
from messages import tr
from toolchain.pulumi.backend import masked

_LONGEST_REASON = 600


@dataclass
class Attempt:
    """A deployment that is under way; who runs it fills in what is known.

    `identity` is the deployment's id, `deployment` the stack once changes begin, `changes` their number by kind.
    """

    stack: str
    identity: str | None = None
    deployment: Deployment | None = None
    changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def has_begun(self) -> bool:
        """Whether something may have changed already."""
        return self.deployment is not None

    def begin(self, deployment: Deployment) -> None:
        """Note that changes begin now, and record why present containers ended, as they may be replaced."""
        self.identity, self.deployment = deployment.deployment_id(), deployment
        record_ends(self.identity)


@contextmanager
def attempt(stack: str) -> Iterator[Attempt]:
    """Record a deployment that is made inside, also when it fails or is refused."""
    started, at = time.monotonic(), now()
    current = Attempt(stack)
    outcome, reason = "ok", ""
    can_record = True
    try:
        yield current
    except BaseException as error:
        outcome, reason = _failure(error, current)
        # An engine that does not answer is not asked again; what a person stops before it begins is no deployment.
        is_given_up = isinstance(error, KeyboardInterrupt | Cancelled) and not current.has_begun
        can_record = not isinstance(error, EngineError) and not is_given_up
        raise
    finally:
        if can_record:
            entry = {
                "kind": "deployment",
                "at": at,
                "seconds": round(time.monotonic() - started, 1),
                "operations": _operations(current.changes),
                **author(),
                "outcome": outcome,
                "reason": reason,
            }
            record([entry], deployment=current.identity, stack=stack)
        if outcome == "ok" and current.deployment is not None:
            with _harmless():
                stacks.tell(current.deployment)


def record(entries: Sequence[Mapping[str, Any]], *, deployment: str | None = None, stack: str | None = None) -> None:
    """Append entries to the history of a deployment, or of the only deployment of a stack; without a console do nothing.

    Never raises; a failure is printed.
    """
    with _harmless():
        places = history.find(deployment=deployment, stack=None if deployment else stack)
        if len(places) == 1:
            places[0].append(entries)


def record_ends(deployment: str | None) -> None:
    """Record why containers of a deployment ended, as far as that is not recorded; never raises."""
    if deployment is not None:
        with _harmless():
            for place in history.find(deployment=deployment):
                _record_ends(place)


def forget(stack: str) -> None:
    """Remove what other consoles of the engine know of a stack that is gone; never raises."""
    with _harmless():
        stacks.forget(stack)


def record_all_ends() -> None:
    """Record why containers ended, for each console of the engine; never raises."""
    # A command that checks whether the engine answers says so itself.
    with suppress(EngineError), _harmless(raises=EngineError):
        for place in history.find():
            _record_ends(place)


def author() -> dict[str, str]:
    """Return who runs the command and the checked-out commit, as fields of an entry."""
    try:
        who = f"{getpass.getuser()}@{socket.gethostname()}"
    except (OSError, KeyError, ImportError):
        who = socket.gethostname()  # A user without a name, as in containers.
    return {"who": who, "commit": git_output(ROOT, "describe", "--always", "--dirty", "--exclude", "*")}


def now() -> str:
    """Return the present time as entries have it."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def backup(path: Path) -> dict[str, Any]:
    """Return the entry for a backup."""
    return {"kind": "backup", "at": now(), "bytes": path.stat().st_size}


def promotion(source: str, target: str, parts: Sequence[str]) -> dict[str, Any]:
    """Return the entry for a promotion of some parts from a stack, or a file, to a stack."""
    return {"kind": "promotion", "at": now(), "from": source, "to": target, "parts": list(parts), **author()}


def _record_ends(place: History) -> None:
    found = ends.ended(engine.containers(engine.deployment_filter(place.deployment)))
    if found and (fresh := ends.unrecorded(found, place.read())):
        place.append(ends.with_events(fresh))


def _operations(changes: Mapping[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in changes.items() if kind not in ("refresh", "read")}


def _failure(error: BaseException, current: Attempt) -> tuple[str, str]:
    """Return the outcome and the reason of a deployment that ended with an error; secrets in texts are masked."""
    match error:
        case Cancelled() | KeyboardInterrupt():
            return "failed", tr("stopped by Ctrl-C")
        case DeployError():
            is_refused = error.message == tr(RULES_REFUSED)
            outcome = "failed" if current.has_begun and not is_refused else "refused"
            # Other details are words of programs, which may contain what is secret.
            text = "\n".join([error.message, *error.details[:3]]) if is_refused else error.message
        case StackError():
            outcome, text = "failed" if current.has_begun else "refused", error.message
        case ConfigurationError():
            outcome, text = "refused", str(error)
        case _:
            outcome = "failed" if current.has_begun else "refused"
            text = str(getattr(error, "message", "")) or type(error).__name__
    return outcome, masked(text)[:_LONGEST_REASON]


@contextmanager
def _harmless(raises: type[Exception] | tuple[()] = ()) -> Iterator[None]:
    """Print a failure inside the block instead of raising it, except those of the type `raises`."""
    try:
        yield
    except raises:
        raise
    except Exception as error:
        err.print(Text(tr("• not recorded for the console: {reason}", reason=masked(str(error))), style="dim"))
