"""Declares Alertmanager and the sender of alerts."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import containers, defaults
from infra.components.docker.images import Image
from infra.components.docker.secret_files import SecretFiles, SecretFilesArgs
from infra.parts import alerts as parts
from infra.parts import monitoring
from infra.parts.service import SECRETS_FOLDER
from infra.rendering.alerts import alertmanager_configuration, receivers_file
from infra.settings.observing.alerts import AlertsSettings


@dataclass(frozen=True)
class AlertsArgs:
    """`monitoring_network` is the name of the network of Prometheus on the engine."""

    identity: defaults.StackIdentity
    image: Image
    settings: AlertsSettings
    monitoring_network: pulumi.Input[str]


class Alerts(pulumi.ComponentResource):
    """Creates what sends the alerts of Prometheus to chat robots, phones and webhooks.

    Creates:
    - Alertmanager in the network of Prometheus, without internet access, and a volume with its silences and with what
      was sent
    - a volume with the addresses and secrets of those who get alerts, which only the sender mounts
    - the sender, the only one of them with internet access, through a network of its own
    """

    alertmanager: docker.Container
    sender: docker.Container

    def __init__(self, name: str, args: AlertsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:alerts:Alerts", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        network = containers.declare_network(parts.network(args.identity.subnets), args.identity, child)
        secrets = SecretFiles(
            parts.SECRETS_VOLUME,
            SecretFilesArgs(
                identity=args.identity,
                image=args.image,
                uid=parts.SENDER_UID,
                owned=parts.OWNED_FOLDER,
                folder=SECRETS_FOLDER,
                contents={parts.RECEIVERS: receivers_file(args.settings, args.identity.stack)},
                processes=parts.MAX_PROCESSES,
            ),
            child,
        )
        networks = {parts.NETWORK: network.name, monitoring.NETWORK: args.monitoring_network}
        self.sender = containers.declare_server(
            parts.sender(),
            args.identity,
            args.image,
            child,
            networks=networks,
            volumes={parts.SECRETS_VOLUME: secrets.volume.name},
            environment=[pulumi.Output.concat(f"{parts.RECEIVERS_VARIABLE}=", secrets.file(parts.RECEIVERS))],
            depends_on=[secrets.written],
        )
        state = docker.Volume(
            parts.STATE_VOLUME, labels=defaults.volume_labels(args.identity, parts.ALERTS), opts=child
        )
        self.alertmanager = containers.declare_server(
            parts.alertmanager(),
            args.identity,
            args.image,
            child,
            networks=networks,
            volumes={parts.STATE_VOLUME: state.name},
            environment=[f"{parts.CONFIGURATION_VARIABLE}={alertmanager_configuration(args.settings)}"],
        )
        self.register_outputs({"alertmanager": self.alertmanager.name, "sender": self.sender.name})
