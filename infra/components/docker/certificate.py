"""Declares what keeps the certificate of port 443: self-signed, the user's own files, or from an ACME authority."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults, one_shot
from infra.components.docker.images import Image
from infra.rendering.gateway.configuration import CONFIGURATION_ROOT

STAGING = "/staging"
MEMORY_MIB = 64
#: Processes of the gateway's user on the whole engine, for the gateway and what is here together.
MAX_PROCESSES = 512


@dataclass(frozen=True)
class CertificateFilesArgs:
    """`certificate` and `key` are PEM text, the server's own certificate first. `tls_names` is the text of the
    configuration's `tls.names`: a name that the certificate lacks is warned of. `image` and `uid` are the gateway's,
    `volume` is its configuration volume."""

    identity: defaults.StackIdentity
    image: Image
    uid: int
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
        self.container = docker.Container(
            f"{name}-certificate",
            image=args.image.reference,
            command=["/usr/local/bin/store-certificate", STAGING],
            labels=defaults.container_labels(args.identity, f"{name}-certificate"),
            network_mode="none",
            mounts=[_volume_mount(args.volume)],
            uploads=[
                docker.ContainerUploadArgs(file=f"{STAGING}/{path}", content=text, permissions="0444")
                for path, text in contents.items()
            ],
            must_run=False,
            attach=True,
            logs=True,
            restart="no",
            **defaults.confined(uid=args.uid, memory_mib=MEMORY_MIB, cpus=1.0, processes=MAX_PROCESSES),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=args.image.built_by, replace_on_changes=defaults.REPLACE_ON_CHANGES
            ),
        )
        self.certificate = one_shot.outcome(
            self.container,
            refused="",
            failed="证书没有送达网关，旧证书仍在服务：\n"
            "The certificate did not reach the gateway; the old one keeps being served:",
        ).apply(_served)
        self.register_outputs({"certificate": self.certificate})


@dataclass(frozen=True)
class SelfSignedCertificateArgs:
    """`image` and `uid` are the gateway's, `volume` is its configuration volume."""

    identity: defaults.StackIdentity
    image: Image
    uid: int
    volume: pulumi.Input[str]


class SelfSignedCertificate(pulumi.ComponentResource):
    """Creates the container that renews the gateway's self-signed certificate for as long as it runs, and makes a
    damaged one anew. The first one is made by the loader. The gateway itself cannot write where certificates are."""

    container: docker.Container

    def __init__(self, name: str, args: SelfSignedCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:SelfSignedCertificate", name, None, opts)
        self.container = docker.Container(
            f"{name}-certificate-keeper",
            command=["/usr/local/bin/certificate-keeper"],
            network_mode="none",
            healthcheck=defaults.healthcheck("/bin/sh", "-c", "! [ -e /tmp/failed ]"),
            **_keeper(f"{name}-certificate", args.identity, args.image, args.uid, args.volume),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=args.image.built_by, replace_on_changes=defaults.REPLACE_ON_CHANGES
            ),
        )
        self.register_outputs({"container": self.container.name})


@dataclass(frozen=True)
class AcmeCertificateArgs:
    """`names` are DNS names for which the authority reaches the gateway on port 80; the first is the subject.
    `directory` is the authority's directory URL; `authorities` is PEM text with what to trust when asking it, empty:
    the public authorities. `network` has a way to the authority. `image` and `uid` are the gateway's, `volume` is its
    configuration volume. `renew_before_days` is how long before its end a certificate is renewed at the latest."""

    identity: defaults.StackIdentity
    image: Image
    uid: int
    volume: pulumi.Input[str]
    network: pulumi.Input[str]
    names: Sequence[str]
    directory: str
    email: str = ""
    authorities: str = ""
    renew_before_days: int = 30


class AcmeCertificate(pulumi.ComponentResource):
    """Creates the container that gets the certificate and renews it for as long as it runs.

    An update does not wait for the first certificate: it may take hours, when a name does not point here yet or the
    authority has had enough for today. Until then a self-signed one is served and the container is not healthy; its
    log says why.
    """

    container: docker.Container

    def __init__(self, name: str, args: AcmeCertificateArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:gateway:AcmeCertificate", name, None, opts)
        environment = {
            "ACME_DIRECTORY": args.directory,
            "ACME_EMAIL": args.email,
            "ACME_NAMES": " ".join(args.names),
            "ACME_CA": args.authorities,
            "ACME_RENEW_BEFORE_DAYS": str(args.renew_before_days),
        }
        self.container = docker.Container(
            f"{name}-acme",
            command=["/usr/local/bin/acme-keeper"],
            envs=[f"{key}={value}" for key, value in environment.items()],
            networks_advanced=[docker.ContainerNetworksAdvancedArgs(name=args.network)],
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=["CMD", "/usr/local/bin/acme-healthcheck"],
                interval="30s",
                timeout="10s",
                retries=3,
                start_period="10m0s",
            ),
            **_keeper(f"{name}-acme", args.identity, args.image, args.uid, args.volume),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=args.image.built_by,
                # Two at once would ask the authority twice.
                delete_before_replace=True,
                replace_on_changes=defaults.REPLACE_ON_CHANGES,
            ),
        )
        self.register_outputs({"container": self.container.name})


def _keeper(
    service: str, identity: defaults.StackIdentity, image: Image, uid: int, volume: pulumi.Input[str]
) -> dict[str, Any]:
    """Declare what all containers that keep certificates share. Nothing waits for them."""
    return {
        "image": image.reference,
        "labels": defaults.container_labels(identity, service),
        "mounts": [_volume_mount(volume)],
        "read_only": True,
        "tmpfs": defaults.SMALL_TMP,
        "wait": False,
        "stop_signal": "SIGTERM",
        "restart": defaults.RESTART,
        "must_run": True,
        **defaults.confined(uid=uid, memory_mib=MEMORY_MIB, cpus=1.0, processes=MAX_PROCESSES),
    }


def _volume_mount(volume: pulumi.Input[str]) -> docker.ContainerMountArgs:
    return docker.ContainerMountArgs(target=CONFIGURATION_ROOT, type="volume", source=volume, read_only=False)


def _served(lines: list[str]) -> str:
    """What is served now: the command's last line. Its warnings are shown."""
    for line in lines[:-1]:
        pulumi.log.warn(line)
    return one_shot.last_line(lines)
