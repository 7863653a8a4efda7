"""Declares the console with its network, its token, its password, its files and its container."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from infra.components.docker import containers, defaults, one_shot
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.parts import console as parts
from infra.parts.composition import Composition
from infra.parts.data_volumes import DATA_FOLDER
from infra.parts.service import SECRETS_FOLDER
from infra.rendering.console.files import console_files
from infra.rendering.console.password import password_hash
from infra.settings.observing.console import ConsoleSettings
from messages import tr

SCRIPT = Path(__file__).with_name("store-console-files")
TOKEN_BYTES, SALT_BYTES = 32, 32
#: Lower-case letters and digits only, as it is also typed on phones: about 124 bits.
PASSWORD_LENGTH = 24


@dataclass(frozen=True)
class ConsoleArgs:
    """`images` are by name, with those of the services and of the console. `data` is the name on the engine of the
    volume with the records."""

    composition: Composition
    identity: defaults.StackIdentity
    images: Mapping[str, Image]
    data: pulumi.Input[str]


class Console(pulumi.ComponentResource):
    """Creates the console, web pages that show the stack to a person who has its password.

    Creates:
    - a network that only the console and the gateway share, without internet access unless spans are sent to a collector
      of the user's; pages, metrics and spans go through the gateway
    - its token as the client `console`, of which the gateway gets only the hash, and its password, of which the console
      gets only the hash
    - volumes with these secrets, with the files of a deployment, and with the socket on which it takes the gateway's log
    - a one-shot loader for changed files of a deployment, which do not replace the console
    - its container, replaced old first, as two cannot write the same records; an update does not wait for it
    """

    network: docker.Network
    #: The volume with the socket to which the gateway sends its log.
    log: docker.Volume
    container: docker.Container
    #: The SHA-256 of the token as 64 hex digits; it is not secret, as it tells nothing about 256 random bits.
    token_sha256: pulumi.Output[str]
    #: The password, which is secret.
    password: pulumi.Output[str]

    def __init__(self, name: str, args: ConsoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:console:Console", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        part = parts.console(args.composition.settings, args.identity.subnets)
        image = args.images[name]
        self.network = containers.declare_network(
            part.network, args.identity, child, internal=not part.network.internet_access
        )
        token: pulumi.Output[str] = pulumi.Output.secret(
            random.RandomBytes(f"{name}-token", length=TOKEN_BYTES, opts=child).hex
        )
        self.token_sha256 = pulumi.Output.unsecret(token.apply(lambda text: hashlib.sha256(text.encode()).hexdigest()))
        self.password, hashed = _password(name, args.composition.settings.console.password_generation, child)
        contents = {
            parts.TOKEN_SECRET: token,
            parts.PASSWORD_SECRET: hashed,
            **_export_headers(args.composition.settings.console),
        }
        secrets = SecretFiles(
            parts.SECRETS_VOLUME,
            SecretFilesArgs(
                identity=args.identity,
                image=image,
                uid=parts.CONSOLE_UID,
                owned=DATA_FOLDER,
                folder=SECRETS_FOLDER,
                contents=contents,
                processes=parts.MAX_PROCESSES,
            ),
            child,
        )
        labels = defaults.volume_labels(args.identity, name)
        self.log = docker.Volume(parts.LOG_VOLUME, labels=labels, opts=child)
        files = docker.Volume(parts.FILES_VOLUME, labels=labels, opts=child)
        loader = self._loader(args, image, files)
        self.container = containers.declare_server(
            part.server,
            args.identity,
            image,
            child,
            networks={parts.NETWORK: self.network.name},
            volumes={
                parts.DATA_VOLUME: args.data,
                parts.FILES_VOLUME: files.name,
                parts.LOG_VOLUME: self.log.name,
                parts.SECRETS_VOLUME: secrets.volume.name,
            },
            environment=[pulumi.Output.concat(f"{secret}_FILE=", secrets.file(secret)) for secret in contents],
            # The loader first: the engine fills a new volume from the image, and fails if two containers make it do so
            # at the same time.
            depends_on=[secrets.written, loader],
        )
        stored = one_shot.outcome(
            loader, refused="", failed=tr("The files for the console could not be written; those of before stay:")
        )
        self.register_outputs({"container": self.container.name, "files": stored.apply(one_shot.last_line)})

    def _loader(self, args: ConsoleArgs, image: Image, volume: docker.Volume) -> docker.Container:
        composition = args.composition
        ids = pulumi.Output.all(**{spec.name: args.images[spec.name].image_id for spec in composition.services})
        uploads = ids.apply(
            lambda images: [
                containers.staged(f"files/{path}", text)
                for path, text in sorted(console_files(composition.settings, composition.services, images).items())
            ]
        )
        script = containers.staged(SCRIPT.name, SCRIPT.read_text(encoding="utf-8"))
        return containers.declare_task(
            parts.LOADER,
            args.identity,
            image,
            pulumi.ResourceOptions(
                parent=self,
                depends_on=image.built_by,
                # With delete-first Pulumi would also delete the console, which depends on it.
                delete_before_replace=False,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
            volumes={parts.FILES_VOLUME: volume.name},
            uploads=uploads.apply(lambda files: [script, *files]),
        )


def _export_headers(settings: ConsoleSettings) -> dict[str, pulumi.Output[str]]:
    """Return the headers for the user's collector of spans as a secret JSON object; nothing without any."""
    if settings.export is None or not settings.export.headers:
        return {}
    headers = {name: value.get_secret_value() for name, value in sorted(settings.export.headers.items())}
    return {parts.EXPORT_SECRET: pulumi.Output.secret(json.dumps(headers))}


def _password(
    name: str, generation: int, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    """Declare a random password for each `generation`; return it and its hash, both secret."""
    suffix = "" if generation == 1 else f"-{generation}"
    password: pulumi.Output[str] = pulumi.Output.secret(
        random.RandomPassword(
            f"{name}-password{suffix}", length=PASSWORD_LENGTH, special=False, upper=False, opts=opts
        ).result
    )
    salt = random.RandomBytes(f"{name}-password-salt{suffix}", length=SALT_BYTES, opts=opts).hex
    hashed = pulumi.Output.all(password, salt).apply(lambda values: password_hash(*values))
    return password, pulumi.Output.secret(hashed)
