"""Reads a stack through the pulumi command, and changes it through Pulumi's Automation API."""

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
    from infra.rendering.hub.content import HubContent
    from infra.services.catalog import ServiceSpec
    from infra.settings.stack import StackSettings

PROJECT = "dyber"
#: The folder where a restore keeps what it needs to be undone (cli.recovery.way_back), and the file in it.
RESTORES, JOURNAL = ".restores", "journal.json"


@dataclass(frozen=True)
class Preview:
    """The result of a preview.

    `text` is Pulumi's output with masked secrets, `changes` the number of changes by kind, and `steps` are those of
    `pulumi preview --json`.
    """

    text: str
    changes: Mapping[str, int]
    steps: list[dict[str, Any]]


class Deployment:
    """A stack that is open for reading and changing; methods that take long show their progress on a display."""

    def __init__(self, stack: auto.Stack | None, settings: StackSettings | None, name: str = "") -> None:
        """Take an open stack and its settings; those that are None are read by `name` when they are first needed."""
        self._stack, self._settings, self._name = stack, settings, name
        self._state: dict[str, Any] | None = None

    @classmethod
    def read(cls, name: str, *, with_settings: bool = False) -> Deployment:
        """Read a deployed stack's state, and at the same time its settings if `with_settings`.

        Raises the same errors as `open`; those of the settings only `with_settings`.
        """
        moments.put_back_forgotten()
        _refuse_unfinished_restore(name)
        settings_file(name)
        deployment = cls(None, None, name)
        with ThreadPoolExecutor(max_workers=1) as pool:
            settings = pool.submit(_settings_of_known_stack, name) if with_settings else None
            deployment.state()
            if settings:
                deployment._settings = settings.result()
        if not settings and not deployment.state().get("resources"):
            # Reading an empty state needs no passphrase. A wrong one must be reported rather than that nothing is deployed,
            # so the settings are read.
            deployment._settings = _settings_of_known_stack(name)
        return deployment

    @classmethod
    def open(cls, name: str, *, create: bool = True, while_restoring: bool = False) -> Deployment:
        """Select the stack `name`, or create it if it does not exist and `create` is set.

        Raises StackError, also for a stack whose restore was interrupted unless it is opened `while_restoring`, and
        ConfigurationError for settings that cannot be used.
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
        """Open the stack `name` only for its state; return None if the state does not know it.

        The stack's file is not read and may be missing or unusable; `settings` are the defaults. Raises StackError for
        a stack whose restore was interrupted.
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
        """The stack of the Automation API."""
        if self._stack is None:
            auto = automation.api()
            try:
                self._stack = auto.select_stack(stack_name=self._name, work_dir=str(ROOT))
            except auto.errors.StackNotFoundError:
                raise _not_deployed(self._name) from None
        return self._stack

    @property
    def settings(self) -> StackSettings:
        """The stack's settings. Raises ConfigurationError for settings that cannot be used."""
        if self._settings is None:
            self._settings = _settings_of_known_stack(self._name)
        return self._settings

    # -- reading ---------------------------------------------------------------------------------------------------

    def outputs(self) -> dict[str, Any]:
        """Return the stack's outputs, secrets in clear. Raises StackError if the stack is not deployed."""
        values = reading.outputs(self.state())
        if "gateway" not in values:
            raise _not_deployed(self.name)
        return values

    def check_settings(self) -> None:
        """Raises ConfigurationError for settings that the Pulumi program would refuse."""
        self.hub_content()

    def hub_content(self) -> HubContent | None:
        """Return what the stack's hub offers; None without a hub.

        Raises ConfigurationError for settings that the Pulumi program would refuse.
        """
        from infra.parts.composition import checked_services
        from infra.services.catalog import load_catalog

        return checked_services(self.settings, load_catalog(ROOT / "mcp-servers"))[1]

    def missing_secrets(self) -> dict[str, tuple[str, ...]]:
        """Return by service the required secrets that the stack does not give, for the services that lack any."""
        return self.settings.missing_secrets(self.enabled_services())

    def enabled_services(self) -> list[ServiceSpec]:
        """Return the services that the stack runs, without checking whether its file fits them."""
        from infra.services.catalog import load_catalog
        from infra.settings.selection import enabled

        return enabled(self.settings, load_catalog(ROOT / "mcp-servers"))

    def published_ports(self) -> list[tuple[str, int]]:
        """Return the pairs (address, host port) that this stack's gateway publishes."""
        from infra.parts import published_ports
        from infra.services.catalog import load_catalog

        specs = self.settings.select(load_catalog(ROOT / "mcp-servers"))
        return published_ports.published_addresses(self.settings, specs)

    def state(self) -> dict[str, Any]:
        """Return the stack's state, which is read again only after a change; {} before the first deployment."""
        if self._state is None and self._stack is None:
            try:
                self._state = reading.state(self._name)
            except reading.NoSuchStack:
                raise _not_deployed(self._name) from None
        elif self._state is None:
            self._state = dict(self.stack.export_stack().deployment or {})
        return self._state

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the stack's state."""
        return list(self.state().get("resources") or [])

    def deployment_id(self) -> str | None:
        """Return the label value of all resources in this stack's state; None before the first deployment."""
        for resource in self.resources():
            if resource["type"] == "random:index/randomId:RandomId" and resource["urn"].endswith("::deployment"):
                return str(resource["outputs"]["hex"])
        return None

    def require_id(self) -> str:
        """Return the result of deployment_id. Raises StackError before the first deployment."""
        if (identity := self.deployment_id()) is None:
            raise _not_deployed(self.name)
        return identity

    @property
    def file(self) -> Path:
        """The stack's file."""
        return ROOT / stack_file(self.name)

    # -- changing --------------------------------------------------------------------------------------------------

    def set(self, path: str, value: str) -> None:
        """Write one setting, such as `gateway.portOffset`, into the stack's file; its other content stays."""
        auto = automation.api()
        self.stack.set_config(f"{PROJECT}:{path}", auto.ConfigValue(value), path=True)

    def require_idle(self) -> None:
        """Raises StackError if another run is using the stack."""
        from cli.deployment import locks

        for holder in locks.holders(self.stack):
            if not holder.is_gone():
                raise in_use(self.stack.name, holder)

    def recover(self, display: Activities) -> None:
        """Remove what a killed run left behind: its lock, its unfinished operations, its orphaned containers.

        Raises StackError if another run is using the stack.
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
                err.print(tr("removed the leftover container {name}", name=name))

    def up(
        self, display: Activities, plan: Path | None = None, replace: Sequence[str] = (), refresh: bool = True
    ) -> tuple[dict[str, Any], Mapping[str, int]]:
        """Run `pulumi up`, and return the stack's outputs (secrets in clear) and the number of changes by kind.

        `refresh` first updates the state with what was removed by hand. `replace` are URNs of resources to replace.
        With a saved `plan`, only its changes are made, or the update fails.
        """
        from cli.deployment import policies

        return self._up(
            display,
            # Changes that a refresh finds are not in the plan, so Pulumi would refuse them.
            refresh=refresh and plan is None,
            plan=str(plan.resolve()) if plan else None,
            replace=list(replace) or None,
            policy_packs=[policies.PACK],
        )

    def up_without(self, display: Activities, exclude: Sequence[str]) -> None:
        """Run `pulumi up` without the resources of these URNs or URN patterns, and without those that depend on them.

        The rules are not checked, as they would judge the excluded resources without their inputs; `preview` checks
        them.
        """
        self._up(display, refresh=True, exclude=list(exclude), exclude_dependents=True)

    def _up(self, display: Activities, **options: Any) -> tuple[dict[str, Any], Mapping[str, int]]:
        from cli.deployment import data_owners
        from cli.deployment.events import DeployError, EventDisplay
        from cli.deployment.image_build import with_reasons
        from cli.deployment.state import edits as state_edits
        from cli.engine import stored_data

        # Data volumes that the program no longer declares would be deleted in this run, so they are retained first.
        if stored_data.deletable(self.state()):
            state_edits.edit(self.stack, stored_data.retain)
            self._state = None
        events = EventDisplay(display)
        # The outputs are read from the state below; the Automation API would ask Pulumi for them.
        self.stack.workspace.stack_outputs = lambda stack_name: {}  # type: ignore[method-assign]
        title = tr("Comparing and applying stack {name}", name=self.stack.name)
        try:
            with (
                data_owners.handed_over(self.settings, display),
                display.phase(title),
                events.failing_clearly(),
            ):
                self.stack.up(show_secrets=False, color="never", on_event=events.handle, **options)
        except DeployError as error:
            if not events.failed_images:
                raise
            raise with_reasons(error, events.failed_images, self.settings.build, display) from None
        if set(events.changes) != {"same"} or events.outputs_differ or options["refresh"]:
            self._state = None
        return reading.outputs(self.state()), events.changes

    def preview(self, display: Activities) -> Preview:
        """Return what `up` would change."""
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
        """Return how the engine differs from the state, as steps of a refresh; the state stays as it is."""
        from cli.deployment.events import EventDisplay

        events = EventDisplay(display, quiet=True)
        with events.failing_clearly():
            self.stack.preview_refresh(color="never", show_secrets=False, on_event=events.handle)
        return events.outcomes

    def destroy(self, display: Activities, *, data_is_kept: bool) -> None:
        """Delete everything that the stack made, except its data volumes.

        `data_is_kept` tells whether they stay after that too.
        """
        from cli.deployment.events import EventDisplay
        from cli.deployment.state import edits as state_edits
        from cli.engine import stored_data

        state_edits.edit(self.stack, stored_data.retain)
        events = EventDisplay(display, names_kept=data_is_kept)
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
    """Return the stack's file. Raises StackError naming the known stacks if it does not exist."""
    file = ROOT / stack_file(stack)
    if not file.is_file():
        _refuse_unusable_name(stack)
        known = ", ".join(sorted(file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")))
        raise StackError(
            tr("there is no stack file {name}", name=file.name),
            tr("known stacks: {known}; or create that file", known=known),
        )
    return file


def _refuse_unusable_name(stack: str) -> None:
    """Raise StackError that says what a stack's name may be, if no stack can have this one."""
    from infra.schema.problems import UnusableValue
    from infra.settings.stack import STACK_FORM

    try:
        STACK_FORM.check(stack)
    except UnusableValue as error:
        raise StackError(
            tr("no stack can be called {stack}", stack=stack), tr("choose another name: {form}", form=error)
        ) from None


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
    """Return the error that says which run is using the stack."""
    user = f"{holder.user}@{holder.host}"
    return StackError(
        tr("stack {stack} is in use by {user} (process {pid}, since {since})", stack=stack, user=user, pid=holder.pid, since=holder.since),
        tr("wait for it; if it is surely gone, run: pulumi cancel -s {stack}", stack=stack),
    )  # fmt: skip
