"""Declares all data volumes of a stack, including those that no service uses now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from infra.components.docker import defaults
from infra.settings.profiles import CACHE, MONITORING

#: The parent component of each data volume in older versions; for all other services it is _SERVICE_BEFORE.
_PARENTS_BEFORE = {CACHE: "dyber:cache:Cache", MONITORING: "dyber:monitoring:Monitoring"}
_SERVICE_BEFORE = "dyber:service:McpService"


@dataclass(frozen=True)
class DataVolumesArgs:
    """`names` are the names of the volumes, by service (infra.parts.data_volumes.declared)."""

    identity: defaults.StackIdentity
    names: Mapping[str, str]


class DataVolumes(pulumi.ComponentResource):
    """Creates one volume per entry of `names`, or adopts the existing volume of that name.

    No update and no `pulumi destroy` deletes the volumes; Pulumi only removes them from its state. Only the commands
    `./deploy.sh clean`, `destroy` and `remove-service --delete-data` delete them, after listing them and asking.
    """

    def __init__(self, name: str, args: DataVolumesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("dyber:data:DataVolumes", name, None, opts)
        self._volumes = {
            service: docker.Volume(
                f"{service}-data",
                name=volume,
                labels=defaults.volume_labels(args.identity, service),
                opts=pulumi.ResourceOptions(
                    parent=self,
                    aliases=[pulumi.Alias(parent=_urn_before(service))],
                    retain_on_delete=True,
                    # The old and the new volume have the same name, so the new one cannot be created first.
                    delete_before_replace=True,
                    # A volume that a person made has other labels, which are no reason to replace it.
                    ignore_changes=["labels", "driver", "driverOpts"],
                ),
            )
            for service, volume in args.names.items()
        }
        self.register_outputs({})

    def volume(self, service: str) -> pulumi.Output[str]:
        """Return the name of a service's data volume on the engine."""
        return self._volumes[service].name


def _urn_before(service: str) -> str:
    component = _PARENTS_BEFORE.get(service, _SERVICE_BEFORE)
    return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{component}::{service}"
