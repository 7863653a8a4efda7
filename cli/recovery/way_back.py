"""Keeps a stack as it was before a restore until the restore has succeeded, and puts it back otherwise.

The folder .restores/<stack> in the repository has the files and the state as they were, and the list of the containers
that ran. The data as it was is in further volumes of the engine. When the restore was killed, every command on the stack
says how to undo it.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from filelock import Timeout
from pulumi import automation as auto
from pulumi.automation.errors import StackNotFoundError
from pydantic import TypeAdapter, ValidationError

from cli.deployment import deployment as stack
from cli.deployment import locks
from cli.engine import engine, stored_data, volumes
from cli.engine.errors import EngineError, NotOnEngine
from cli.inventory import belongings, remains
from cli.inventory.members import START_ORDER, as_member
from cli.stack_files.stack_file import replace_file
from cli.system import programs
from cli.system.errors import StackError
from cli.terminal.console import Activities, err
from infra.settings.env_file import file_name
from infra.settings.names import stack_file
from messages import tr
from toolchain.damage import SUFFIX, lock_at, set_aside

_STATE, _ENV = "state.json", "env"
#: How far a restore is: it has only stopped containers; it may have replaced data, files and state; they are put back
#: after a failure; or it has succeeded.
Phase = Literal["stopped", "replacing", "back", "done"]


@dataclass
class WayBack:
    """What a stack had before its restore, and how far the restore is.

    `containers`, `networks` and `volumes` are what it had on the engine; the `running` containers are in the order in
    which they start. `aside` has for each data volume the volume with a copy of its data, or None where the stack had
    no such volume. `restarts` has the policy, such as `on-failure:3`, of each container that the engine restarts by
    itself. `deployment` is the deployment id that the restored stack will have.
    """

    stack: str
    deployment: str
    containers: list[str]
    running: list[str]
    networks: list[str]
    volumes: list[str]
    aside: dict[str, str | None]
    has_state: bool
    phase: Phase = "stopped"
    files: list[str] = field(default_factory=list)
    restarts: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Return the folder that keeps files, state and this record."""
        return _folder(self.stack)

    def save(self) -> None:
        """Record how far the restore is."""
        replace_file(self.folder / stack.JOURNAL, json.dumps(asdict(self)).encode(), 0o600)

    def begin(self, display: Activities) -> None:
        """Stop the stack and copy its data into further volumes. Raises EngineError."""
        with display.phase(tr("Stopping the present containers")):
            # After a power cut the engine would restart them in the middle of the restore.
            self._update_restarts(dict.fromkeys(self.restarts, "no"))
            remains.stop(_present(self.running))
        for volume, aside in self.aside.items():
            if aside:
                with display.phase(tr("Putting the present data of {volume} aside", volume=volume)):
                    with engine.asking() as client:
                        client.create_volume(aside, labels={"dyber.helper": "restore"})
                    volumes.replicate(volume, aside)
        self.phase = "replacing"
        self.save()

    def succeed(self) -> None:
        """Remove what the stack had before; after this the restore cannot be undone."""
        self.phase = "done"
        self.save()
        self._remove(self.containers, self.networks, set(self.volumes) - set(self.aside))

    def undo(self, display: Activities) -> bool:
        """Put the stack back as it was before the restore.

        Returns whether all containers that ran run again; if not, a deployment has to create them anew. Raises
        EngineError and StackError, after which it can be tried again.
        """
        if self.phase == "done":
            err.print(tr("The restore had succeeded; removing what was there before."))
            self._remove(self.containers, self.networks, set(self.volumes) - set(self.aside))
            return True
        with display.phase(tr("Putting back what was there")):
            if self.phase == "replacing":
                remains.stop(_present(self.containers))
            new = [item for item in self._labelled_containers() if item["Id"] not in self.containers]
            remains.remove_containers(new)
            if self.phase == "replacing":
                self._put_back_data()
                self._put_back_files()
                self._put_back_state()
                # From here on nothing is copied from the volumes in `aside`, so they may be removed.
                self.phase = "back"
                self.save()
            all_started = self._start()
            self._remove(
                [],
                set(_networks(self.deployment)) - set(self.networks),
                set(_other_volumes(self.stack)) - set(self.volumes) if self.phase == "back" else [],
            )
        err.print(tr("Stack {stack} is as it was before.", stack=self.stack))
        return all_started

    def _labelled_containers(self) -> list[dict[str, Any]]:
        return engine.containers(engine.deployment_filter(self.deployment))

    def _put_back_data(self) -> None:
        for volume, aside in self.aside.items():
            if aside is None:
                belongings.remove("volume", volume)
            else:
                volumes.replicate(aside, volume)

    def _put_back_files(self) -> None:
        for name, kept, mode in ((stack_file(self.stack), "stack.yaml", None), (file_name(self.stack), _ENV, 0o600)):
            file = stack.ROOT / name
            if kept in self.files:
                replace_file(file, (self.folder / kept).read_bytes(), mode)
            else:
                file.unlink(missing_ok=True)

    def _put_back_state(self) -> None:
        if self.has_state:
            _pulumi("stack", "import", "--stack", self.stack, "--file", str(self.folder / _STATE))
        else:
            with suppress(StackError):  # The restore may not have created the stack yet.
                _pulumi("stack", "rm", "--stack", self.stack, "--yes", "--force", "--preserve-config")

    def _update_restarts(self, policies: Mapping[str, str]) -> None:
        """Set the restart policies of those containers that the engine still has. Raises EngineError."""
        present = {item["Id"] for item in _present(policies)}
        for container, policy in policies.items():
            if container in present:
                name, _, tries = policy.partition(":")
                restarts: Any = {"Name": name, "MaximumRetryCount": int(tries or 0)}
                with engine.asking() as client:
                    client.update_container(container, restart_policy=restarts)

    def _start(self) -> bool:
        """Start the containers that ran; return whether all of them did start."""
        all_started = True
        self._update_restarts(self.restarts)
        for container in self.running:
            try:
                with engine.asking() as client:
                    client.start(container)
            except EngineError:
                all_started = False
        return all_started

    def _remove(self, containers: Collection[str], networks: Collection[str], other_volumes: Collection[str]) -> None:
        remains.remove_containers(_present(containers))
        for network in networks:
            belongings.remove("network", network)
        for volume in (*other_volumes, *filter(None, self.aside.values())):
            belongings.remove("volume", volume)
        try:
            (self.folder / stack.JOURNAL).unlink(missing_ok=True)
            shutil.rmtree(self.folder)
        except OSError as error:
            raise StackError(
                tr("{filename} cannot be removed: {strerror}", filename=error.filename, strerror=error.strerror),
                tr("data, files and state are in place; delete the folder {folder}", folder=self.folder),
            ) from None


@contextmanager
def restore_lock(name: str) -> Iterator[None]:
    """Keep other restores of the stack `name` from running. Raises StackError when one is running."""
    file = _folder(name).with_suffix(".lock")
    lock = lock_at(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise StackError(tr("stack {name} is being restored", name=name), tr("wait until that has ended")) from None
    try:
        yield
    finally:
        lock.release()


def prepare(name: str, present: stack.Deployment | None, data: Collection[str], restored: str) -> WayBack:
    """Record the stack `name` as it is now, before anything changes.

    `present` is the stack, if the state knows it; `data` are the names of the volumes that will be filled; `restored` is
    the deployment id that the restored stack will have. Raises EngineError and StackError.
    """
    owners = {restored, *filter(None, [present.deployment_id() if present else None])}
    containers = [item for owner in owners for item in engine.containers(engine.deployment_filter(owner))]
    running = [item for item in containers if item["State"]["Status"] in ("running", "restarting", "paused")]
    fronts_last = sorted((as_member(item, set()) for item in running), key=lambda part: START_ORDER.index(part.kind))
    existing = {item["Name"] for item in engine.volumes()}
    token = secrets.token_hex(4)
    way_back = WayBack(
        stack=name,
        deployment=restored,
        containers=[item["Id"] for item in containers],
        running=[part.id for part in fronts_last],
        networks=[network for owner in owners for network in _networks(owner)],
        volumes=_other_volumes(name),
        aside={
            volume: f"dyber-aside-{token}-{number}" if volume in existing else None
            for number, volume in enumerate(sorted(data))
        },
        restarts={item["Id"]: policy for item in containers if (policy := _restart_policy(item)) != "no"},
        has_state=name in {item.name for item in auto.LocalWorkspace(work_dir=str(stack.ROOT)).list_stacks()},
    )
    shutil.rmtree(way_back.folder, ignore_errors=True)
    way_back.folder.mkdir(parents=True, mode=0o700)
    for file, kept in ((stack_file(name), "stack.yaml"), (file_name(name), _ENV)):
        if (stack.ROOT / file).is_file():
            replace_file(way_back.folder / kept, (stack.ROOT / file).read_bytes(), 0o600)
            way_back.files.append(kept)
    if way_back.has_state:
        # Its secrets stay encrypted.
        replace_file(way_back.folder / _STATE, _pulumi("stack", "export", "--stack", name).encode(), 0o600)
    way_back.save()
    return way_back


def unfinished() -> list[WayBack]:
    """Return the records of the restores that were killed.

    A damaged record is set aside with everything that was kept for undoing its restore.
    """
    records = []
    for journal in sorted((stack.ROOT / stack.RESTORES).glob(f"*/{stack.JOURNAL}")):
        try:
            records.append(TypeAdapter(WayBack).validate_json(journal.read_bytes()))
        except (IsADirectoryError, ValidationError):
            # Its folder may have the only copy of the files and the state as they were.
            journal.rename(journal.with_name(journal.name + SUFFIX))
            set_aside(journal.parent, _way_back_lost(journal.parent.name))
    return records


def _way_back_lost(name: str) -> str:
    return tr(
        "the interrupted restore of stack {name} cannot be undone by itself: the stack's file and state "
        "as they were are in there, the data as it was in these volumes: docker volume ls --filter "
        "label=dyber.helper=restore. Restore the backup once more: ./deploy.sh restore BACKUP",
        name=name,
    )


def release_lock(name: str) -> None:
    """Remove the lock on the state that a killed run left. Raises StackError when a run holds it."""
    with suppress(StackNotFoundError):
        selected = auto.select_stack(stack_name=name, work_dir=str(stack.ROOT))
        try:
            locks.release_abandoned(selected)
        except locks.Held as error:
            raise stack.in_use(name, error.holder) from None


def _folder(name: str) -> Path:
    return stack.ROOT / stack.RESTORES / name


def _present(containers: Collection[str]) -> list[dict[str, Any]]:
    """Return the engine's descriptions of those of the containers that exist."""
    present = []
    for container in containers:
        with suppress(NotOnEngine), engine.asking() as client:
            present.append(dict(client.inspect_container(container)))
    return present


def _restart_policy(container: Mapping[str, Any]) -> str:
    """Return when the engine restarts a container by itself, such as `always` or `on-failure:3`."""
    policy = container["HostConfig"].get("RestartPolicy") or {}
    name, tries = policy.get("Name") or "no", policy.get("MaximumRetryCount")
    return f"{name}:{tries}" if tries else name


def _networks(deployment: str) -> list[str]:
    return [identity for _, identity, _ in engine.labelled_networks(engine.deployment_filter(deployment))]


def _other_volumes(name: str) -> list[str]:
    """Return the stack's volumes that hold no data, but configurations and secrets."""
    return [item.name for item in stored_data.labelled() if item.stack == name and not item.holds_data]


def _pulumi(*arguments: str) -> str:
    done = programs.run(
        ["pulumi", *arguments, "--non-interactive", "--color=never"],
        cwd=stack.ROOT, capture_output=True, text=True, errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise StackError(
            f"pulumi {' '.join(arguments[:2])}: {done.stderr.strip()}",
            tr("run ./deploy.sh doctor"),
        )
    printed: str = done.stdout
    return printed
