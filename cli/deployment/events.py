"""Shows Pulumi's engine events as lines of progress, and explains its failures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cli.deployment import policies
from cli.deployment.state.failures import STATE_FAILURES
from cli.engine.resource_types import CONTAINER, IMAGE, NETWORK, VOLUME
from cli.terminal.console import Activities, err
from messages import mark, tr
from toolchain.pulumi.backend import masked

if TYPE_CHECKING:
    from pulumi.automation.events import EngineEvent, PolicyEvent, StepEventMetadata

_VERBS = {
    "create": mark("create"),
    "create-replacement": mark("replace"),
    "update": mark("update"),
    "delete": mark("delete"),
    "delete-replaced": mark("remove old"),
    "retain": mark("keep"),
}
_KINDS = {
    IMAGE: mark("image"),
    CONTAINER: mark("container"),
    NETWORK: mark("network"),
    VOLUME: mark("volume"),
}
#: Seconds that creating one takes about, the first time and on two cores.
_EXPECTED_SECONDS = {IMAGE: 120.0}

#: What happened when a rule of the stack refused an update.
RULES_REFUSED = mark("the rules of this stack do not allow the change")

#: Known failures: (pattern in the output of Pulumi, its plugins or the engine, what happened, the next step).
_KNOWN_FAILURES: list[tuple[str, str, str]] = [
    *STATE_FAILURES,
    (
        r"no space left on device|disk quota exceeded",
        mark("the disk is full"),
        mark("free some space and run again (docker system df shows what is used); what is done is kept"),
    ),
    (
        # Windows reserves ranges of ports for Hyper-V and others, and refuses them although nothing listens there.
        r"access (to )?a socket in a way forbidden by its access permissions|以一种访问权限不允许的方式做了一个访问套接字的尝试"
        r"|ports are not available(?!.*(address already in use|only one usage of each socket address))",
        mark("Windows reserves this port, though nobody listens on it"),
        mark(
            "list the reserved ranges: netsh interface ipv4 show excludedportrange protocol=tcp; move all "
            "ports: ./deploy.sh config set gateway.portOffset 10000"
        ),
    ),
    (
        r"cannot expose privileged port|error while calling PortManager\.AddPort\(\): .*permission denied",
        mark("the engine runs as an ordinary user (rootless) and cannot publish ports below 1024"),
        mark(
            "move all ports: ./deploy.sh config set gateway.portOffset 10000; or sudo sysctl "
            "net.ipv4.ip_unprivileged_port_start=80"
        ),
    ),
    (
        r"cannot assign requested address",
        mark("this machine does not have the address in gateway.bind"),
        mark(
            "correct it: ./deploy.sh config set gateway.bind 127.0.0.1; for an engine that cannot listen on "
            "::1: gateway.ipv6Loopback false"
        ),
    ),
    (
        r"port is already allocated|address already in use|only one usage of each socket address",
        mark("a port is taken"),
        mark("stop its owner, or set dyber:gateway: {portOffset: 10000} in Pulumi.<stack>.yaml"),
    ),
    (
        r"^(违反规则：|against the rules: )",
        RULES_REFUSED,
        mark(
            "correct the errors above; the rules are in policy/, and stop only stacks where dyber:policy is "
            "mandatory (by default prod)"
        ),
    ),
    (
        r"violates plan:",
        mark("the changes differ from the approved plan"),
        mark(
            "something changed after the plan was made: run ./deploy.sh plan again, review the new plan, "
            "then apply it; what is done is kept"
        ),
    ),
    (
        r"failed to be in healthy state",
        mark("a container did not become healthy in time"),
        mark("see its log with docker logs; the old container keeps serving"),
    ),
    (
        r"Cannot connect to the Docker daemon|error pinging Docker|docker daemon",
        mark("the Docker engine does not answer"),
        mark("run ./deploy.sh doctor"),
    ),
    (
        "could not find an available, non-overlapping IPv4 address pool|all predefined address pools have been",
        mark("the engine has no address range left for a network (about 30 by default; each service takes one)"),
        mark(
            "set dyber:networkPool in the stack's file, such as 10.200.0.0/15 (a range that nothing else "
            "uses), and deploy again"
        ),
    ),
    (
        "Pool overlaps with other one on this address space",
        mark("the range of networkPool is taken by other networks of the engine"),
        mark("choose another range for this stack, such as 10.202.0.0/15; each stack needs its own"),
    ),
    (
        r"pull access denied|dyber-base:.*not found|failed to resolve source metadata",
        mark("a base image is missing"),
        mark("run ./deploy.sh setup"),
    ),
    (
        r"Could not resolve|Temporary failure resolving|Could not find a version|Connection timed out|CERTIFICATE_VERIFY",
        mark("downloading packages failed while building an image"),
        mark(
            "check the network; DYBER_APT_MIRROR, DYBER_PIP_INDEX_URL, DYBER_NPM_REGISTRY and DYBER_GOPROXY set "
            "mirrors, DYBER_CA_BUNDLE a proxy's certificates"
        ),
    ),
]


class DeployError(Exception):
    """An update failed. `message` is what happened, `next_step` what to do, `details` are lines of Pulumi's output."""

    def __init__(self, message: str, next_step: str, details: list[str]) -> None:
        super().__init__(message)
        self.message, self.next_step, self.details = message, next_step, details


class Cancelled(Exception):
    """The update was stopped by Ctrl-C after the running steps had ended."""


class EventDisplay:
    """Shows an update's steps in `display` and remembers what went wrong.

    Without `names_kept`, it does not say that data volumes are kept, as they are deleted afterwards.
    """

    def __init__(self, display: Activities, quiet: bool = False, names_kept: bool = True) -> None:
        self._display = display
        self._quiet = quiet
        self._names_kept = names_kept
        self._running: dict[str, int] = {}
        self.errors: list[str] = []
        #: Names of the images that could not be built.
        self.failed_images: list[str] = []
        #: The steps as `pulumi preview --json` would list them, secrets masked by Pulumi.
        self.steps: list[dict[str, Any]] = []
        #: The same for completed steps, which are the only ones that have the result of a refresh.
        self.outcomes: list[dict[str, Any]] = []
        #: How many resources an update changed, by kind of change; "same" counts those it left as they are.
        self.changes: dict[str, int] = {}
        #: Whether the stack's outputs, with secrets masked, are other ones than before.
        self.outputs_differ = False

    def handle(self, event: EngineEvent) -> None:
        """Handle one engine event."""
        if event.resource_pre_event:
            self.steps.append(_as_json(event.resource_pre_event.metadata))
            self._started(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self.outcomes.append(_as_json(event.res_outputs_event.metadata))
            self._ended(event.res_outputs_event.metadata.urn, ok=True)
            self._compare_outputs(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            if event.res_op_failed_event.metadata.type == IMAGE:
                self.failed_images.append(event.res_op_failed_event.metadata.urn.rsplit("::", 1)[-1])
            self._ended(event.res_op_failed_event.metadata.urn, ok=False)
        elif event.diagnostic_event and event.diagnostic_event.severity in ("error", "info#err"):
            self._remember(event.diagnostic_event.message, event.diagnostic_event.severity)
        elif event.policy_event:
            self._violated(event.policy_event)
        elif event.summary_event:
            self.changes = {str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()}

    def _compare_outputs(self, step: StepEventMetadata) -> None:
        if step.type == "pulumi:pulumi:Stack":
            before, after = (state.outputs if state else None for state in (step.old, step.new))
            self.outputs_differ = before != after

    def _started(self, step: StepEventMetadata) -> None:
        op = str(getattr(step.op, "value", step.op))
        if op == "delete" and step.old and step.old.retain_on_delete:
            op = "retain"  # It is removed from Pulumi's state only.
        if op == "retain" and not self._names_kept:
            return
        if self._quiet or op not in _VERBS or step.type not in _KINDS:
            return
        name = step.urn.rsplit("::", 1)[-1]
        title = f"{tr(_VERBS[op])} {tr(_KINDS[step.type])} {name}"
        self._running[step.urn] = self._display.start(
            title, _EXPECTED_SECONDS.get(step.type) if "create" in op else None
        )

    def _ended(self, urn: str, *, ok: bool) -> None:
        key = self._running.pop(urn, None)
        if key is not None:
            self._display.finish(key, ok)

    def _remember(self, message: str, severity: str) -> None:
        text = re.sub(r"<\{%.*?%\}>", "", message).strip()
        self._display.line(text)
        # The message continues with the whole values, which may be long.
        text = re.sub(r"(violates plan: properties changed: [~+-]*\w+).*", r"\1 …", text, flags=re.DOTALL)
        if severity == "error" and text and text not in self.errors:
            self.errors.append(text)

    def _violated(self, event: PolicyEvent) -> None:
        text = policies.violation_text(event)
        if event.enforcement_level != policies.MANDATORY:
            err.print(tr("advice: ") + text, markup=False, style="yellow")
        elif (error := tr("against the rules: ") + text) not in self.errors:
            self.errors.append(error)

    @contextmanager
    def failing_clearly(self) -> Iterator[None]:
        """Raise DeployError or Cancelled in place of a failure of Pulumi inside the block."""
        from pulumi import automation as auto

        try:
            yield
        except auto.errors.CommandError as error:
            for urn in list(self._running):
                self._ended(urn, ok=False)
            raise explain(str(error), self.errors) from None


def _as_json(step: StepEventMetadata) -> dict[str, Any]:
    return {
        "op": str(getattr(step.op, "value", step.op)),
        "urn": step.urn,
        "oldState": {"inputs": step.old.inputs, "retainOnDelete": step.old.retain_on_delete} if step.old else None,
        "newState": {"inputs": step.new.inputs} if step.new else None,
        "replaceReasons": step.keys,
        "diffReasons": step.diffs,
    }


def explain(output: str, errors: list[str]) -> Exception:
    """Return DeployError or Cancelled for a failed Pulumi command, given its `output` and its error diagnostics."""
    if "update canceled" in output or "update cancelled" in output:
        return Cancelled()
    details = [masked(text) for text in errors if not _is_noise(text)] or _error_lines(masked(output))
    if known := known_failure("\n".join([*errors, output])):
        return DeployError(*known, details)
    return DeployError(
        tr("the deployment did not finish"),
        tr("correct the errors above and run again; what is done is kept"),
        details,
    )


def known_failure(output: str) -> tuple[str, str] | None:
    """Return what happened and the next step for a failure that is known by its `output`; None for any other."""
    for pattern, message, next_step in _KNOWN_FAILURES:
        if re.search(pattern, output, re.IGNORECASE | re.MULTILINE):
            return tr(message), tr(next_step)
    return None


def _is_noise(text: str) -> bool:
    """Tell whether a message only says that something else failed."""
    return bool(re.fullmatch(r"(update|preview|destroy|refresh) failed.*", text)) or "KeyboardInterrupt" in text


def _error_lines(output: str) -> list[str]:
    lines = re.findall(r"^(?:\s*stderr:)?\s*(error: .+(?:\n  .*: created by .+)*)$", output, re.MULTILINE)
    return lines or [line for line in output.splitlines()[-10:] if line.strip()]
