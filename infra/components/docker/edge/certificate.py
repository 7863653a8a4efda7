"""Declares the containers for the certificate of port 443: self-signed, the user's own files, or from ACME."""

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
    configuration's `tls.names`; a warning names each that the certificate lacks. `image` is the gateway's image,
    `volume` its configuration volume. `gateway` is its container, which is created first, as for `KeeperArgs`."""

    identity: defaults.StackIdentity
    image: Image
    volume: pulumi.Input[str]
    certificate: pulumi.Input[str]
    key: pulumi.Input[str]
    tls_names: pulumi.Input[str]
    gateway: pulumi.Resource


class CertificateFiles(pulumi.ComponentResource):
    """Creates a one-shot container that checks the user's certificate and stores it for the gateway.

    The gateway serves a new certificate within seconds, without a reload. No other container, label or log contains the
    key. An unusable certificate fails the update with what is wrong and what to do; the old one is still served.
    """

    container: docker.Container
    #: Fingerprint and expiry of the served certificate, such as "AB:CD:… notAfter=2027-01-01T00:00:00Z".
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
                parent=self,
                depends_on=[*args.image.built_by, args.gateway],
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
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
    """`keeper` comes from infra.parts.certificate. `image` is the gateway's image, `volume` the name of its
    configuration volume on the engine, `network` the name of the network from which the ACME authority can be
    reached. `gateway` is the gateway's container: it is created first, because the engine fills a new volume from the
    image, and fails if two containers make it do so at the same time."""

    identity: defaults.StackIdentity
    image: Image
    keeper: Server
    volume: pulumi.Input[str]
    network: pulumi.Input[str]
    gateway: pulumi.Resource


class SelfSignedCertificate(pulumi.ComponentResource):
    """Creates the container that renews the gateway's self-signed certificate and replaces a damaged one.

    The loader makes the first certificate. The gateway itself cannot write certificates.
    """

    container: docker.Container

    def __init__(self, name: str, args: KeeperArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:SelfSignedCertificate", name, None, opts)
        self.container = _keeper(args, pulumi.ResourceOptions(parent=self))
        self.register_outputs({"container": self.container.name})


class AcmeCertificate(pulumi.ComponentResource):
    """Creates the container that gets a certificate from an ACME authority and renews it.

    An update does not wait for the first certificate, which may take hours if a name does not point here yet or the
    authority's rate limit is reached. Until then a self-signed certificate is served and the container is unhealthy;
    its log says why.
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
        depends_on=[args.gateway],
    )


def _served(lines: list[str]) -> str:
    """Return the last line of the command, which names the served certificate; show the lines before as warnings."""
    for line in lines[:-1]:
        pulumi.log.warn(line)
    return one_shot.last_line(lines)
