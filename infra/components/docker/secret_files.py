"""Declares secrets as files in a volume, so that only the containers of a service can read them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker import containers, defaults, one_shot
from infra.components.docker.images import Image
from infra.parts.containers import STAGING, Confinement, Mount, Task
from messages import tr

SCRIPT = Path(__file__).with_name("store-secrets")
#: The same for an image without a shell.
PYTHON_SCRIPT = Path(__file__).with_name("store_secrets.py")
SHELL = ("/bin/sh",)
MEMORY_MIB = 32


@dataclass(frozen=True)
class SecretFilesArgs:
    """`contents` are the secrets by name; names have no `-`. `plain` are further files that are not secret. `image` has
    the folder `owned`, whose owner `uid` and mode a new volume takes over. Readers mount the volume in `folder`.
    `processes` as for defaults.confined, shared by all containers of `uid`. `interpreter` is what runs scripts in the
    image: its shell, or the Python of an image without one."""

    identity: defaults.StackIdentity
    image: Image
    uid: int
    owned: str
    folder: str
    contents: Mapping[str, pulumi.Input[str]]
    processes: int
    plain: Mapping[str, str] = field(default_factory=dict)
    interpreter: tuple[str, ...] = SHELL

    @property
    def script(self) -> Path:
        """The script that stores the secrets, for the interpreter."""
        return SCRIPT if self.interpreter == SHELL else PYTHON_SCRIPT


class SecretFiles(pulumi.ComponentResource):
    """Creates a volume and a one-shot container that writes the secrets into it.

    Containers that mount the volume and have the user or the group `uid` can read them. Secrets are in no environment,
    label, log or command line, and encrypted in the state.
    Changed contents are written to new files, so containers that have the names of the files are replaced; the previous
    files stay for containers that are about to be removed.
    """

    volume: docker.Volume
    #: Writes the files; containers that read them depend on this.
    written: docker.Container

    def __init__(self, name: str, args: SecretFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:secrets:SecretFiles", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        contents = {key: pulumi.Output.secret(value) for key, value in sorted(args.contents.items())}
        hashes = {key: hashlib.sha256(text.encode()).hexdigest() for key, text in args.plain.items()}
        keepers: dict[str, pulumi.Input[str]] = {**contents, **hashes}
        self._revision = random.RandomId(f"{name}-revision", byte_length=4, keepers=keepers, opts=child)
        self.volume = docker.Volume(name, labels=defaults.volume_labels(args.identity, name), opts=child)
        task = Task(
            name,
            name,
            Confinement(args.uid, MEMORY_MIB, 1.0, args.processes),
            mounts=(Mount(name, args.owned, read_only=False),),
        )
        self.written = containers.declare_task(
            task,
            args.identity,
            args.image,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                # With delete-first Pulumi would also delete the readers, which depend on the outcome.
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
            volumes={name: self.volume.name},
            command=[
                *args.interpreter,
                f"{STAGING}/{args.script.name}",
                f"{STAGING}/secrets",
                args.owned,
                self._revision.hex,
            ],
            uploads=[
                containers.staged(args.script.name, args.script.read_text(encoding="utf-8")),
                *(containers.staged(f"secrets/{key}", value) for key, value in contents.items()),
                *(containers.staged(f"secrets/{key}", text) for key, text in sorted(args.plain.items())),
            ],
        )
        self._folder = args.folder
        self._outcome = one_shot.outcome(
            self.written,
            refused="",
            failed=tr("{name}: the secrets could not be written; those of before stay in use:", name=name),
        )
        self.register_outputs({})

    def file(self, key: str) -> pulumi.Output[str]:
        """Return the path of a file for readers. It fails with RunError if the files could not be written."""
        revision = pulumi.Output.all(self._revision.hex, self._outcome)
        return revision.apply(lambda values: f"{self._folder}/{key}-{values[0]}")
