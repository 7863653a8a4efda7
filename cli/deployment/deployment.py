"""One stack: read through the pulumi command, and changed through Pulumi's Automation API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.deployment import automation, reading
from cli.engine import moments
from cli.system.checkout import ROOT as ROOT
from cli.system.errors import StackError
from infra.settings.names import stack_file
from messages import tr

if TYPE_CHECKING:
    from pulumi import automation as auto

    from cli.deployment import locks
    from cli.terminal.console import Activities
    from infra.settings.stack import StackSettings

PROJECT = "dyber"
#: Where a restore keeps its way back (cli.way_back): a folder of each stack with this file in it.
RESTORES, JOURNAL = ".restores", "journal.json"


@dataclass(frozen=True)
class Preview:
    """`text`: Pulumi's own words, secrets masked; `changes`: how many, by kind; `steps`: as in `pulumi preview --json`."""

    text: str
    changes: Mapping[str, int]
    steps: list[dict[str, Any]]


class Deployment:
    """An opened stack. Every method that changes things takes a display for its progress."""

    def __init__(self, stack: auto.Stack | None, settings: StackSettings | None, name: str = "") -> None:
        """`stack` and `settings` are read when they are first needed, where they are not given: then by `name`."""
        self._stack, self._settings, self._name = stack, settings, name
        self._state: dict[str, Any] | None = None

    @classmethod
    def read(cls, name: str, *, with_settings: bool = False) -> Deployment:
        """Read a deployed stack's state, and at the same time its settings where they are needed anyhow.

        Raises as `open` does, but for the settings only `with_settings`.
        """
        moments.put_back_forgotten()
        _refuse_unfinished_restore(name)
        settings_file(name)
        found = cls(None, None, name)
        with ThreadPoolExecutor(max_workers=1) as pool:
            settings = pool.submit(_settings_of_known_stack, name) if with_settings else None
            found.state()
            if settings:
                found._settings = settings.result()
        if not settings and not found.state().get("resources"):
            # A wrong passphrase or key, which an empty state does not need, matters more than that nothing is deployed.
            found._settings = _settings_of_known_stack(name)
        return found

    @classmethod
    def open(cls, name: str, *, create: bool = True, while_restoring: bool = False) -> Deployment:
        """Select the stack `name`, or make it where `create` says so.

        Raises StackError, also for a stack whose restore was killed unless it is opened `while_restoring`, or
        ConfigurationError for bad settings.
        """
        moments.put_back_forgotten()
        if not while_restoring:
            _refuse_unfinished_restore(name)
        settings_file(name)
        from cli.deployment import secrets_provider

        if create:
            secrets_provider.for_new_stack(ROOT / stack_file(name))  # raises for a provider that there is not
        try:
            return cls._read_whole(name)
        except reading.NoSuchStack:
            if not create:
                raise _not_deployed(name) from None
        options = secrets_provider.options(ROOT / stack_file(name))
        stack = automation.api().create_stack(stack_name=name, work_dir=str(ROOT), opts=options)
        return cls(stack, _settings(name))

    @classmethod
    def _read_whole(cls, name: str) -> Deployment:
        """Read settings and state at the same time. Raises NoSuchStack, ConfigurationError, and what explains Pulumi's
        failures."""
        with ThreadPoolExecutor(max_workers=2) as pool:
            settings = pool.submit(_settings, name)
            state = pool.submit(reading.state, name)
            stack = automation.known_stack(name, ROOT)  # imports meanwhile what takes half a second
            deployment = cls(stack, settings.result())
            deployment._state = state.result()
        return deployment

    @classmethod
    def known_to_the_state(cls, name: str) -> Deployment | None:
        """Open the stack `name` for its state alone, None where the state does not know it. Its file is not read and may
        be missing or unusable; `settings` are the defaults.

        Raises StackError for a stack whose restore was killed.
        """
        moments.put_back_forgotten()
        _refuse_unfinished_restore(name)
        from infra.settings.stack import StackSettings

        auto = automation.api()
        try:
            return cls(auto.select_stack(stack_name=name, work_dir=str(ROOT)), StackSettings(stack=name))
        except auto.errors.StackNotFoundError:
            return None

    @property
    def name(self) -> str:
        """The stack's name."""
        return self._stack.name if self._stack else self._name

    @property
    def stack(self) -> auto.Stack:
        """The stack as the Automation API has it."""
        if self._stack is None:
            auto = automation.api()
            try:
                self._stack = auto.select_stack(stack_name=self._name, work_dir=str(ROOT))
            except auto.errors.StackNotFoundError:
                raise _not_deployed(self._name) from None
        return self._stack

    @property
    def settings(self) -> StackSettings:
        """The stack's settings. Raises ConfigurationError for those that cannot be used."""
        if self._settings is None:
            self._settings = _settings_of_known_stack(self._name)
        return self._settings

    # -- reading ---------------------------------------------------------------------------------------------------

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, secrets in clear. Raises StackError when the stack is not deployed."""
        values = reading.outputs(self.state())
        if "gateway" not in values:
            raise _not_deployed(self.name)
        return values

    def check_settings(self) -> None:
        """Raises ConfigurationError for what the program would refuse, before Pulumi is started."""
        from infra.parts import image_interface
        from infra.rendering.gateway import inputs as gateway_inputs
        from infra.services.catalog import load_catalog

        specs = self.settings.select(load_catalog(ROOT / "mcp-servers"))
        image_interface.refuse_incompatible_images(self.settings)
        gateway_inputs.configuration(self.settings, specs, {})
        gateway_inputs.tls_files(self.settings)

    def published_ports(self) -> list[tuple[str, int]]:
        """(address, host port) of all that this stack's gateway publishes."""
        from infra.parts import published_ports
        from infra.services.catalog import load_catalog

        specs = self.settings.select(load_catalog(ROOT / "mcp-servers"))
        return published_ports.published_addresses(self.settings, specs)

    def state(self) -> dict[str, Any]:
        """The stack's state, read once and again after a change; {} before the first deployment."""
        if self._state is None and self._stack is None:
            try:
                self._state = reading.state(self._name)
            except reading.NoSuchStack:
                raise _not_deployed(self._name) from None
        elif self._state is None:
            self._state = dict(self.stack.export_stack().deployment or {})
        return self._state

    def resources(self) -> list[dict[str, Any]]:
        """Resources in the stack's state."""
        return list(self.state().get("resources") or [])

    def deployment_id(self) -> str | None:
        """The label value that everything of this stack's state carries; None before the first deployment."""
        for resource in self.resources():
            if resource["type"] == "random:index/randomId:RandomId" and resource["urn"].endswith("::deployment"):
                return str(resource["outputs"]["hex"])
        return None

    def require_id(self) -> str:
        """As deployment_id. Raises StackError before the first deployment."""
        if (found := self.deployment_id()) is None:
            raise _not_deployed(self.name)
        return found

    @property
    def file(self) -> Path:
        """The stack's file of settings."""
        return ROOT / stack_file(self.name)

    # -- changing --------------------------------------------------------------------------------------------------

    def set(self, path: str, value: str) -> None:
        """Write one setting, such as `gateway.portOffset`, into the stack's file; what else is there stays."""
        auto = automation.api()
        self.stack.set_config(f"{PROJECT}:{path}", auto.ConfigValue(value), path=True)

    def require_idle(self) -> None:
        """Raises StackError when another run is under way."""
        from cli.deployment import locks

        for holder in locks.holders(self.stack):
            if not holder.is_gone():
                raise in_use(self.stack.name, holder)

    def recover(self, display: Activities) -> None:
        """Make good what a killed run left behind: its lock, its unfinished operations, its orphaned containers.

        Raises StackError when another run is really under way.
        """
        from cli.deployment import locks
        from cli.engine import engine
        from cli.terminal.console import err

        try:
            if locks.release_abandoned(self.stack):
                err.print(tr("the last run was killed: removing the lock it left behind"))
        except locks.Held as error:
            raise in_use(self.stack.name, error.holder) from None
        if self.state().get("pending_operations"):
            with display.phase(tr("Clearing operations the last run left unfinished")):
                self.stack.refresh(clear_pending_creates=True, show_secrets=False, color="never")
            self._state = None
        deployment = self.deployment_id()
        if deployment and engine.leftovers(deployment, _ids(self.resources())):
            # Another run may have ended, and changed the state, after it was read.
            self._state = None
            for name in engine.sweep(deployment, _ids(self.resources())):
                err.print(tr("removed leftover {name}", name=name))

    def up(
        self, display: Activities, plan: Path | None = None, replace: Sequence[str] = (), refresh: bool = True
    ) -> tuple[dict[str, Any], Mapping[str, int]]:
        """Bring the engine to what the program says, noticing (`refresh`) what was removed by hand, and replacing the
        resources with the URNs `replace`; with a saved `plan`, do just what it says, or fail.

        Returns the stack's outputs (secrets in clear) and the number of changes by kind.
        """
        from cli.deployment import policies

        return self._up(
            display,
            # What a refresh finds out is not in the plan, and would be refused as not planned.
            refresh=refresh and plan is None,
            plan=str(plan.resolve()) if plan else None,
            replace=list(replace) or None,
            policy_packs=[policies.PACK],
        )

    def up_without(self, display: Activities, exclude: Sequence[str]) -> None:
        """As `up`, but leave what has one of these URNs, or patterns of such, as it is, with all that depends on it. The
        rules are not asked, as they would judge what is left out without its inputs: see `preview`."""
        self._up(display, refresh=True, exclude=list(exclude), exclude_dependents=True)

    def _up(self, display: Activities, **options: Any) -> tuple[dict[str, Any], Mapping[str, int]]:
        from cli.deployment import state_edits
        from cli.deployment.events import EventDisplay
        from cli.engine import stored_data

        # What is not declared any more would be deleted otherwise, in the very run that brings this version.
        if stored_data.deletable(self.state()):
            state_edits.edit(self.stack, stored_data.retain)
            self._state = None
        events = EventDisplay(display)
        title = tr("Comparing and applying stack {name}", name=self.stack.name)
        with display.phase(title), events.failing_clearly():
            self.stack.up(show_secrets=False, color="never", on_event=events.handle, **options)
        if set(events.changes) != {"same"} or events.outputs_differ or options["refresh"]:
            self._state = None
        return reading.outputs(self.state()), events.changes

    def preview(self, display: Activities) -> Preview:
        """What `up` would change."""
        from cli.deployment import policies
        from cli.deployment.events import EventDisplay

        events = EventDisplay(display, quiet=True)
        with events.failing_clearly():
            result = self.stack.preview(
                refresh=True, diff=True, color="never", on_event=events.handle, policy_packs=[policies.PACK]
            )
        changes = {str(getattr(op, "value", op)): n for op, n in result.change_summary.items()}
        return Preview(result.stdout, changes, events.steps)

    def refreshed(self, display: Activities) -> list[dict[str, Any]]:
        """What the providers find on the engine now, as steps from the state to that; the state stays as it is."""
        from cli.deployment.events import EventDisplay

        events = EventDisplay(display, quiet=True)
        with events.failing_clearly():
            self.stack.preview_refresh(color="never", show_secrets=False, on_event=events.handle)
        return events.outcomes

    def destroy(self, display: Activities) -> None:
        """Delete everything the stack made, but its data volumes."""
        from cli.deployment import state_edits
        from cli.deployment.events import EventDisplay
        from cli.engine import stored_data

        state_edits.edit(self.stack, stored_data.retain)
        events = EventDisplay(display)
        with events.failing_clearly():
            self.stack.destroy(refresh=True, show_secrets=False, color="never", on_event=events.handle)
        self._state = None


def _ids(resources: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(item.get("id")) for item in resources}


def _settings(stack: str) -> StackSettings:
    """Read the settings of a stack's file. Raises ConfigurationError, and NoSuchStack where the state has none."""
    from infra.settings.stack import read_settings

    config = reading.configuration(stack)
    given = {key: item.value for key, item in config.items() if item.value is not None}
    return read_settings(ROOT, stack, given, [key for key, item in config.items() if item.secret])


def _settings_of_known_stack(stack: str) -> StackSettings:
    """As `_settings`, but raises StackError where the state has no such stack."""
    try:
        return _settings(stack)
    except reading.NoSuchStack:
        raise _not_deployed(stack) from None


def settings_file(stack: str) -> Path:
    """The stack's file of settings. Raises StackError, naming the known stacks, where there is none."""
    file = ROOT / stack_file(stack)
    if not file.is_file():
        known = ", ".join(sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")))
        raise StackError(
            tr("there is no stack file {name}", name=file.name),
            tr("known stacks: {known}; or create that file", known=known),
        )
    return file


def _refuse_unfinished_restore(name: str) -> None:
    if (ROOT / RESTORES / name / JOURNAL).is_file():
        raise StackError(
            tr("the restore of stack {name} was interrupted, or is under way", name=name),
            tr("put back what was there: ./deploy.sh restore --undo"),
        )


def _not_deployed(stack: str) -> StackError:
    return StackError(
        tr("stack {stack} is not deployed", stack=stack),
        tr("run ./deploy.sh --stack {stack} first", stack=stack),
    )


def in_use(stack: str, holder: locks.Holder) -> StackError:
    """Return the error that says who is changing the stack right now."""
    who = f"{holder.user}@{holder.host}"
    return StackError(
        tr("stack {stack} is in use by {who} (process {pid}, since {since})", stack=stack, who=who, pid=holder.pid, since=holder.since),
        tr("wait for it; if it is surely gone, run: pulumi cancel -s {stack}", stack=stack),
    )  # fmt: skip
