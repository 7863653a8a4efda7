"""Declares what keeps the certificate of port 443: self-signed, the user's own files, or from an ACME authority."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import containers, defaults, one_shot
from infra.components.docker.images import Image
from infra.parts.certificate import STORE
from infra.parts.containers import Server
from infra.parts.gateway import CONFIGURATION_VOLUME, EDGE
from messages import tr


@dataclass(frozen=True)
class CertificateFilesArgs:
    """`certificate` and `key` are PEM text, the server's own certificate first. `tls_names` is the text of the
    configuration's `tls.names`: a name that the certificate lacks is warned of. `image` is the gateway's, `volume` its
    configuration volume."""

    identity: defaults.StackIdentity
    image: Image
    volume: pulumi.Input[str]
    certificate: pulumi.Input[str]
    key: pulumi.Input[str]
    tls_names: pulumi.Input[str]


class CertificateFiles(pulumi.ComponentResource):
    """Creates a one-shot container per certificate, which checks it and puts it where the gateway serves it. The
    gateway takes it within seconds, without a reload. No other container, and no label or log, holds the key.

    One that is unusable fails the update with what is wrong and what to do; the old one keeps being served.
    """

    container: docker.Container
    #: Fingerprint and end of what is served, such as "AB:CD:… notAfter=2027-01-01T00:00:00Z".
    certificate: pulumi.Output[str]

    def __init__(self, name: str, args: CertificateFilesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:CertificateFiles", name, None, opts)
        contents = {
            "certificate.pem": pulumi.Output.secret(args.certificate),
            "key.pem": pulumi.Output.secret(args.key),
            "tls.names": args.tls_names,
        }
        self.container = containers.declare_task(
            STORE,
            args.identity,
            args.image,
            pulumi.ResourceOptions(
                parent=self, depends_on=args.image.built_by, replace_on_changes=defaults.REPLACE_ON_CHANGES
            ),
            volumes={CONFIGURATION_VOLUME: args.volume},
            uploads=[containers.staged(path, text) for path, text in contents.items()],
        )
        self.certificate = one_shot.outcome(
            self.container,
            refused="",
            failed=tr("The certificate did not reach the gateway; the old one is still served:"),
        ).apply(_served)
        self.register_outputs({"certificate": self.certificate})


@dataclass(frozen=True)
class KeeperArgs:
    """`keeper` is decided in infra.parts.certificate. `image` is the gateway's, `volume` the name of its configuration
    volume on the engine, `network` that of the network with a way to the authority."""

    identity: defaults.StackIdentity
    image: Image
    keeper: Server
    volume: pulumi.Input[str]
    network: pulumi.Input[str]


class SelfSignedCertificate(pulumi.ComponentResource):
    """Creates the container that renews the gateway's self-signed certificate for as long as it runs, and makes a
    damaged one anew. The first one is made by the loader. The gateway itself cannot write where certificates are."""

    container: docker.Container

    def __init__(self, name: str, args: KeeperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:SelfSignedCertificate", name, None, opts)
        self.container = _keeper(args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"container": self.container.name})


class AcmeCertificate(pulumi.ComponentResource):
    """Creates the container that gets the certificate and renews it for as long as it runs.

    An update does not wait for the first certificate: it may take hours, when a name does not point here yet or the
    authority has had enough for today. Until then a self-signed one is served and the container is not healthy; its
    log says why.
    """

    container: docker.Container

    def __init__(self, name: str, args: KeeperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:AcmeCertificate", name, None, opts)
        self.container = _keeper(args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"container": self.container.name})


def _keeper(args: KeeperArgs, opts: pulumi.ResourceOptions) -> docker.Container:
    return containers.declare_server(
        args.keeper,
        args.identity,
        args.image,
        opts,
        networks={EDGE: args.network},
        volumes={CONFIGURATION_VOLUME: args.volume},
    )


def _served(lines: list[str]) -> str:
    """What is served now: the command's last line. Its warnings are shown."""
    for line in lines[:-1]:
        pulumi.log.warn(line)
    return one_shot.last_line(lines)
